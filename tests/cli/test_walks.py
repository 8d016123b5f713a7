"""The pages that take a reader by the hand: a test types every line, in the page's order, as in a shell of an empty folder."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.cli.terminal import Takings

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
#: typed here
WALKS: Final = [
    "tutorial.md",
    *(f"how-to/{name}.md" for name in ("mend-rejects", "own-contract", "own-kpi", "back-up", "erase-a-customer")),
]
#: a line that is not typed here, by how it begins -> why
LEFT_OUT: Final = {
    "python3 -m venv": "makes an environment",
    "pip install": "needs a package index; `make package` installs the wheel",
    "takings serve": "does not end; tests/web tries it",
}
#: a page -> what its commands print besides
SAID: Final = {"tutorial.md": ["903 accepted", "300 accepted", "50 accepted", "7 days", "2025-01-07 *"]}
#: a page with commands -> the test that types them
ELSEWHERE: Final = {
    "docs/aws.md": "tests/aws/end_to_end/test_walk_through.py",
    "docs/python.md": "tests/api/test_examples.py",
    "docs/your-shop.md": "tests/cli/test_your_shop.py",
    "README.md": "tests/cli/test_walks.py",
}
#: a page with commands that nothing types as they stand, and why; every command and option exists (tests/test_pages.py)
NOT_TYPED: Final = {
    "CONTRIBUTING.md": "the workshop's targets; CI runs them",
    "docs/athena.md": "needs Athena",
    "docs/brief.md": "the brief's own commands; tests/test_brief.py and tests/aws have them",
    "docs/costs.md": "prints a model; tests/test_costs.py compares it",
    "docs/how-to/move.md": "needs AWS; tests/aws/end_to_end has its own stores",
    "docs/install.md": "needs a package index, docker or systemd; tests/installs looks at it",
    "docs/kpis.md": "beside sentences about a store of the reader's; tests/cli/test_own_kpis.py has its own",
    "docs/notify.md": "needs addresses; tests/notices has servers",
    "docs/operations.md": "for troubles that tests make one by one",
    "docs/profiles.md": "needs the reader's exports; tests/cli/test_profiles.py has its own",
    "docs/spark.md": "needs Spark; tests/kpi_engine and tests/cluster run it",
    "docs/sources.md": "needs the reader's exports; tests/cli/test_sources.py has its own",
    "docs/upgrades.md": "needs two versions; tests/cli/test_first_release.py has a store of the first",
    "docs/validation.md": "about a file of the reader's; tests/cli/test_commands.py has its own",
    "docs/web.md": "does not end; tests/web",
    "infra/terraform/README.md": "needs terraform; tests/terraform",
}
_CODE: Final = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_CODE_OF_EXIT: Final = re.compile(r"# exit code (\d)$")


def lines_of(page: str) -> list[str]:
    """Return what a page's reader types."""
    blocks = _CODE.findall((DOCS / page).read_text(encoding="utf-8"))
    return [line for block in blocks for line in block.splitlines() if not line.startswith(tuple(LEFT_OUT))]


def typed(line: str, takings: Takings) -> tuple[int, str, str]:
    """Run a line, and return its exit code, output and errors; `takings` runs in this process."""
    if line.startswith("takings "):
        ended = takings(*shlex.split(line, comments=True)[1:])
        return ended.code, ended.out, ended.err
    shell = line.replace("$(python ", f"$({sys.executable} ")
    done = subprocess.run(["sh", "-c", shell], check=False, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("page", WALKS)
def test_a_page_works_as_it_is_written(page: str, takings: Takings) -> None:
    """Each line ends with the exit code that it names, otherwise 0, and no error; what the page says is printed."""
    lines = lines_of(page)
    assert len(lines) > 4
    printed = ""
    for line in lines:
        code, out, err = typed(line, takings)
        named = _CODE_OF_EXIT.search(line)
        assert (line, code, err) == (line, int(named[1]) if named else 0, "")
        printed += out
    assert [words for words in SAID.get(page, []) if words not in printed] == []


def test_the_readme_works_as_it_is_written(takings: Takings) -> None:
    """The commands for one's own files, in their order, on a smaller shop; those that do not end have tests of their own."""
    block = next(
        each for each in _CODE.findall((ROOT / "README.md").read_text(encoding="utf-8")) if "takings generate" in each
    )
    lines = [line.removeprefix(".venv/bin/").replace("10000", "60 --days 5") for line in block.splitlines()]
    do_not_end = ("takings watch", "takings serve")
    Path("orders.csv").write_bytes((ROOT / "sample" / "orders_part1.csv").read_bytes())
    ran = [(line, *typed(line, takings)[::2]) for line in lines if not line.startswith(do_not_end)]
    assert [(line, code, err) for line, code, err in ran if code or err] == []
    assert len(ran) == len(lines) - len(do_not_end) > 8


def test_every_page_with_commands_is_typed_or_says_why_not() -> None:
    """A new page needs a test of its commands, or a reason in the list above."""
    pages = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "infra" / "terraform" / "README.md"]
    with_commands = {
        path.relative_to(ROOT).as_posix() for path in pages if _CODE.search(path.read_text(encoding="utf-8"))
    }
    known = {f"docs/{page}" for page in WALKS} | ELSEWHERE.keys() | NOT_TYPED.keys()
    assert with_commands - known == set()
    assert {page for page in known if not (ROOT / page).is_file()} == set()
    assert {
        test for page, test in ELSEWHERE.items() if Path(page).name not in (ROOT / test).read_text(encoding="utf-8")
    } == set()
