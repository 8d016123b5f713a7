"""The commands that process the archive again: replay and rebuild; what they print, where, and how they end."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.terminal import Takings
from tests.shop import csv_of, drop, drop_all, item, new_store, published, run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a store with a batch and a refused file."""
    root = drop_all(new_store(tmp_path / "shop"))
    drop(root, "order-items/bad.csv", csv_of(item(30, 1, sale_price="0")))
    run(root)
    return root


class TestReplay:
    """takings replay."""

    def test_a_refused_file_goes_as_soon_as_it_may(self, takings: Takings, root: Path) -> None:
        """Exit code 1 while it is refused, 0 when it is accepted, and 0 when nothing is left."""
        refused = takings("replay", root, "--failed")
        assert (refused.code, "bad.csv" in refused.out) == (1, True)
        (root / "takings.toml").write_text('policy = "row"\nmax_rejected = "100%"\n')
        assert "1 accepted" in takings("replay", root, "--failed").out
        nothing = takings("replay", root, "--failed")
        assert (nothing.code, nothing.out) == (0, "nothing to do: failed/ has no file to replay\n")

    def test_a_batch_and_a_file(self, takings: Takings, root: Path) -> None:
        """Both print the new batch."""
        (batch,) = (path.name for path in (root / "batches").iterdir())
        again = takings("replay", root, "--batch", batch)
        assert (again.code, "3 accepted, 1 rejected" in again.out) == (1, True)
        alone = takings("replay", root, "--file", "raw-data/orders/a.csv")
        assert (alone.code, "1 accepted" in alone.out) == (0, True)
        assert takings("verify", root).code == 0

    @pytest.mark.parametrize("options", [(), ("--failed", "--batch", "x")])
    def test_exactly_one_choice(self, takings: Takings, root: Path, options: tuple[str, ...]) -> None:
        """None or two are wrong usage."""
        ended = takings("replay", root, *options)
        assert (ended.code, "one of --batch ID, --file KEY and --failed" in ended.err) == (2, True)


class TestRebuild:
    """takings rebuild."""

    def test_a_store_without_its_ledger(self, takings: Takings, root: Path, tmp_path: Path) -> None:
        """Every command says what to do, and the new store has the old one's numbers and settings."""
        right = published(root)
        (root / "takings.toml").write_text('batch_wait = "5m"\n')
        drop(root, "orders/next.csv", b"id\n")
        shutil.rmtree(root / ".takings")
        for command in ("run", "status", "kpis"):
            lost = takings(command, root)
            assert lost.code == 3
            assert "the lake has commits, but the ledger has none: it was lost." in lost.err
            assert "`takings rebuild STORE DIR`" in lost.err
        new = tmp_path / "new"
        ended = takings("rebuild", root, new)
        assert (ended.code, ended.out.splitlines()) == (
            0,
            [
                f"rebuilt 1 batch with 4 files in {new}; 0 files with another verdict than at the time",
                f"1 file under {root}/raw-data and 0 of batches in flight are in no archive; drop them into the new store",
            ],
        )
        assert published(new) == right
        assert (new / "takings.toml").read_text() == 'batch_wait = "5m"\n'
        assert takings("verify", new).code == 0

    def test_a_store_without_its_lake(self, takings: Takings, root: Path, tmp_path: Path) -> None:
        """The ledger knows a commit that does not exist."""
        right = published(root)
        shutil.rmtree(root / "lake")
        lost = takings("run", root)
        assert (lost.code, "lake/commits/1.json is missing, but the ledger has it" in lost.err) == (3, True)
        assert takings("rebuild", root, tmp_path / "new").code == 0
        assert published(tmp_path / "new") == right

    def test_only_into_an_empty_folder(self, takings: Takings, root: Path, tmp_path: Path) -> None:
        """Nothing is mixed with existing files."""
        ended = takings("rebuild", root, root)
        assert (ended.code, f"{root} is not empty" in ended.err) == (2, True)
        unknown = takings("rebuild", tmp_path / "nowhere", tmp_path / "new")
        assert (unknown.code, (tmp_path / "new").exists()) == (2, False)

    def test_other_days(self, takings: Takings, root: Path, tmp_path: Path) -> None:
        """The time zone is an option, and has to be added to the new store's settings."""
        ended = takings("rebuild", root, tmp_path / "new", "--time-zone", "Asia/Tokyo")
        assert (ended.code, "Set time_zone = 'Asia/Tokyo' in" in ended.err) == (0, True)
        refused = takings("run", tmp_path / "new")
        assert (refused.code, "the store's days are those of 'Asia/Tokyo'" in refused.err) == (2, True)
