"""What `make mutants` tries, and how it changes SQL."""

from __future__ import annotations

from tests.mutants.parts import PARTS
from tests.mutants.results import Judged, Survivor, Tried, judge, read_explained
from tests.mutants.sql import mutants
from tests.mutants.workspace import ROOT

GONE = Survivor(file="a.sql", before="x < 1", after="x <= 1")
LEFT = Survivor(file="a.sql", before="x < 1", after="x < 2")


def test_every_part_names_files_and_tests_that_exist() -> None:
    """A file that was renamed is not forgotten."""
    paths = [path for part in PARTS.values() for path in (*part.files, *part.tests)]
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_every_explanation_is_of_a_file_of_a_part() -> None:
    """Otherwise nobody would notice that it is outdated."""
    files = {file for part in PARTS.values() for file in part.files}
    assert {survivor.file for survivor in read_explained()} <= files


def test_sql_is_changed_in_one_place_at_a_time() -> None:
    """Joins, conditions, comparisons, aggregates, keys of an order and numbers; not comments and a type's digits."""
    text = (
        "-- a < b\nselect max(x::decimal(9, 2))\nfrom a left join b using (k)\nwhere x < 1 and y is null\norder by x, y"
    )
    assert {(mutant.before, mutant.after) for mutant in mutants(text)} == {
        ("select max(x::decimal(9, 2))", "select min(x::decimal(9, 2))"),
        ("from a left join b using (k)", "from a join b using (k)"),
        ("where x < 1 and y is null", "where true and y is null"),
        ("where x < 1 and y is null", "where x <= 1 and y is null"),
        ("where x < 1 and y is null", "where x < 2 and y is null"),
        ("where x < 1 and y is null", "where x < 1 or y is null"),
        ("where x < 1 and y is null", "where x < 1 and true"),
        ("where x < 1 and y is null", "where x < 1 and y is not null"),
        ("order by x, y", "order by y"),
        ("order by x, y", "order by x"),
    }


def test_only_explained_survivors_are_good() -> None:
    """Neither one without a reason, nor a reason for one that is no longer there."""
    tried = Tried(made=9, survivors=(LEFT,))
    assert judge(tried, [LEFT], ["a.sql"]).is_good
    assert not judge(tried, [], ["a.sql"]).is_good
    assert judge(tried, [LEFT, GONE], ["a.sql"]) == Judged(
        made=9, killed=8, explained=1, unexplained=(), outdated=(GONE,)
    )
