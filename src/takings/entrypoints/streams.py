"""Let a command continue when its output's reader has gone: a closed pipe must not change the exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class _Pipe(io.FileIO):
    """Write to a stream's file; discard the output once its reader has gone."""

    has_no_reader = False

    def write(self, content: object, /) -> int:
        """Write the bytes, or a view of them, that a text stream passes."""
        try:
            return super().write(content)  # type: ignore[arg-type]  # FileIO says Buffer, which is Python 3.12's
        except BrokenPipeError:
            self.has_no_reader = True
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return len(memoryview(content))  # type: ignore[arg-type]


@contextmanager
def unbroken_pipes() -> Iterator[None]:
    """Let stdout and stderr outlive their readers until the block ends; leave a stream without a system file unchanged."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_unbroken(stream) for stream in before)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def nobody_reads() -> bool:
    """Return whether the reader of stdout has gone."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return isinstance(raw, _Pipe) and raw.has_no_reader


def _unbroken(stream: TextIO) -> TextIO:
    try:
        number = stream.fileno()
    except (AttributeError, OSError, ValueError):
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Pipe(number, "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.isatty() or stream is sys.stderr,
        write_through=False,
    )
