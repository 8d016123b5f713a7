"""Run the tests of one part once for each change, in processes forked from one that has imported and collected everything.

`python -m tests.mutants.runs RESULTS SHARE SHARES FILE … -- TEST …`, in a workspace; writes a line of JSON for each change.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from tests.mutants.change import Change
from tests.mutants.python import calls, note_calls, python_changes
from tests.mutants.sql import sql_changes

#: a change may make a loop endless: tests have ten times as long as without it, and some seconds more
_LONGER: Final = 10
_SECONDS: Final = 20
#: how a child ends in which not a test failed, but what runs the tests
_BROKEN: Final = 3


class OneChangeAtATime:
    """Collects the tests once, and runs them for each change in a child of its own until one fails."""

    def __init__(self, changes: Sequence[Change], results: Path) -> None:
        self._changes = changes
        self._results = results
        self._scratch = Path(tempfile.mkdtemp(prefix="mutants-"))
        #: tests that noticed a change often notice the next one: the latest first
        self._killers: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try the changes in place of pytest's own loop."""
        if session.testsfailed:
            raise session.Failed(f"{session.testsfailed} errors while the tests were collected")
        gc.freeze()
        begun = time.monotonic()
        callers = self._callers(session)
        limit = int(_LONGER * (time.monotonic() - begun) + _SECONDS)
        with self._results.open("w", encoding="utf-8") as results:
            for change in self._changes:
                files = callers.get(change.function)
                items = [item for item in session.items if files is None or item.path in files]
                is_noticed = self._is_noticed(session, change, items, limit) if items else False
                line = {"file": change.file, "before": change.before, "after": change.after, "is_noticed": is_noticed}
                results.write(json.dumps(line) + "\n")
                results.flush()
        shutil.rmtree(self._scratch, ignore_errors=True)
        return True

    def _callers(self, session: pytest.Session) -> dict[str | None, Collection[Path] | None]:
        """Run the tests unchanged; return the files of the tests that call each function, and None, all of them, for SQL.

        All tests of a file count as callers: one may have set up what the others share.
        """
        if self._changes[0].function is None:
            self._in_child(lambda: _first_failure(session, session.items), must_pass=True)
            return {None: None}
        noted = self._scratch / "calls"

        def run() -> str | None:
            _forget()
            note_calls()
            called = {}
            for item, following in _with_next(session.items):
                if failed := _first_failure(session, [item], following):
                    return failed
                called[item.nodeid] = list(calls())
            noted.write_text(json.dumps(called), encoding="utf-8")
            return None

        self._in_child(run, must_pass=True)
        called = json.loads(noted.read_text(encoding="utf-8"))
        callers: dict[str | None, set[Path]] = {change.function: set() for change in self._changes}
        for item in session.items:
            for function in called[item.nodeid]:
                callers.setdefault(function, set()).add(item.path)
        return dict(callers)

    def _is_noticed(self, session: pytest.Session, change: Change, items: list[pytest.Item], limit: int) -> bool:
        latest = {node: place for place, node in enumerate(reversed(self._killers))}
        items = sorted(items, key=lambda item: latest.get(item.nodeid, len(latest)))

        def run() -> str | None:
            signal.alarm(limit)
            _forget()
            change.make()
            return _first_failure(session, items)

        killer = self._in_child(run)
        change.undo()
        if killer:
            with suppress(ValueError):
                self._killers.remove(killer)
            self._killers.append(killer)
        return killer is not None

    def _in_child(self, run: Callable[[], str | None], *, must_pass: bool = False) -> str | None:
        """Return which test fails in a child; "" where the child dies.

        `Failed` where not a test fails, but what runs them: such a change would seem to be noticed.
        """
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            code = _BROKEN
            try:
                _use_folder(self._scratch / "tests")
                failed = run()
                os.write(writes, (failed or "").encode()[:4096])
                code = 1 if failed else 0
            except BaseException:  # noqa: BLE001 - a child never returns into its parent's code
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(writes)
        with os.fdopen(reads, encoding="utf-8") as pipe:
            failed = pipe.read()
        _, status = os.waitpid(child, 0)
        shutil.rmtree(self._scratch / "tests", ignore_errors=True)
        code = os.waitstatus_to_exitcode(status)
        if code == _BROKEN:
            raise pytest.Session.Failed("the tests could not be run; the traceback is above")
        is_passed = code == 0
        if must_pass and not is_passed:
            raise pytest.Session.Failed(f"the tests fail without any change: {failed or 'the process died'}")
        return None if is_passed else failed


def _first_failure(
    session: pytest.Session, items: Sequence[pytest.Item], last: pytest.Item | None = None
) -> str | None:
    """Run tests until one fails, and return which; `last` is the one that comes after them."""
    for item, following in _with_next(items, last):
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return item.nodeid
    return None


def _with_next(items: Sequence[pytest.Item], last: pytest.Item | None = None) -> Iterator[tuple[pytest.Item, Any]]:
    yield from zip(items, [*items[1:], last], strict=True)


def _use_folder(folder: Path) -> None:
    """Let tests make their temporary files where the parent removes them."""
    folder.mkdir()
    tempfile.tempdir = str(folder)
    os.environ["TMPDIR"] = os.environ["PYTEST_DEBUG_TEMPROOT"] = str(folder)


def _forget() -> None:
    """Empty the caches of what was loaded before the change."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in {"takings", "tests"}:
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def main(arguments: Sequence[str]) -> int:
    """Try one share of the changes of some files."""
    split = arguments.index("--")
    (results, share, shares, *files), tests = arguments[:split], arguments[split + 1 :]
    changes = [change for file in files for change in (sql_changes if file.endswith(".sql") else python_changes)(file)]
    plugin = OneChangeAtATime(changes[int(share) :: int(shares)], Path(results))
    return int(pytest.main(["-q", "--tb=no", "-p", "no:cacheprovider", *tests], plugins=[plugin]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
