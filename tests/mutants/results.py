"""Compare the mutants that survived with those that are explained."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

EXPLAINED: Final = Path(__file__).with_name("explained.yaml")


@dataclass(frozen=True, kw_only=True, order=True)
class Survivor:
    """A change that no test noticed: the lines as they were, and as they were changed."""

    file: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What came of the mutants of one part."""

    made: int
    survivors: tuple[Survivor, ...]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Which survivors are explained."""

    made: int
    killed: int
    explained: int
    unexplained: tuple[Survivor, ...]
    #: explained, and killed or not made any more
    outdated: tuple[Survivor, ...]

    @property
    def is_good(self) -> bool:
        """Return whether the explanations are exactly right."""
        return not self.unexplained and not self.outdated


def read_explained(path: Path = EXPLAINED) -> Mapping[Survivor, str]:
    """Return why each explained mutant makes no difference."""
    reasons: dict[Survivor, str] = {}
    for group in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
        for change in group["changes"]:
            reasons[Survivor(file=group["file"], before=change["before"], after=change["after"])] = group["why"]
    return reasons


def judge(tried: Tried, explained: Iterable[Survivor], files: Collection[str]) -> Judged:
    """Compare one part's survivors with what is explained of its files."""
    known = {each for each in explained if each.file in files}
    found = set(tried.survivors)
    return Judged(
        made=tried.made,
        killed=tried.made - len(tried.survivors),
        explained=sum(each in known for each in tried.survivors),
        unexplained=tuple(sorted(found - known)),
        outdated=tuple(sorted(known - found)),
    )
