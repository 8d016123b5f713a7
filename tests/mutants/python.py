"""Let mutmut change Python: one copy of each function per change, and a switch that says which copy is called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import unified_diff
from pathlib import Path

from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state
from mutmut.utils.format_utils import get_mutant_name, mangled_name_from_mutant_name

from tests.mutants.change import Change

#: the name of the switch's position in which calls are noted
_NOTING = "stats"


def python_changes(file: str) -> list[Change]:
    """Write every mutant of a file into it, and return them; none is switched on yet."""
    path = Path(file)
    written = mutate_file_contents(file, path.read_text(encoding="utf-8"))
    path.write_text(written.code, encoding="utf-8")
    lines = written.code.splitlines()

    def function(name: str) -> list[str]:
        span = written.line_span_by_function_name[name]
        return [line.replace(name, "") for line in lines[span.start - 1 : span.end]]

    def change(name: str) -> Change:
        original = f"{mangled_name_from_mutant_name(name)}__mutmut_orig"
        diff = list(unified_diff(function(original), function(name), n=0, lineterm=""))[2:]
        key = get_mutant_name(path, name)
        return Change(
            file=file,
            before=" ".join(_lines(diff, "-")),
            after=" ".join(_lines(diff, "+")),
            function=mangled_name_from_mutant_name(key),
            make=lambda: set_mutant_under_test(key),
            undo=lambda: None,
        )

    return [change(name) for name in written.mutant_names]


def note_calls() -> None:
    """Begin to note which changed functions are called."""
    set_mutant_under_test(_NOTING)


def calls() -> Sequence[str]:
    """Return the changed functions that were called since the last look."""
    noted = sorted(state()._stats)
    state()._stats.clear()
    return noted


def _lines(diff: Sequence[str], sign: str) -> Iterator[str]:
    """Yield the lines that a diff takes away or adds."""
    for line in diff:
        if line.startswith(sign):
            yield " ".join(line[1:].split())
