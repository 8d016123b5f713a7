"""Read the records after the header: many at once if their quotes are well placed, otherwise one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from takings.validation.normalise import Normaliser
from takings.validation.structure.blocks import Piece, Run, one_by_one
from takings.validation.structure.exact import Walker, first_fault
from takings.validation.structure.header import Header
from takings.validation.structure.intake import Intake
from takings.validation.structure.values import BrokenRecord, ChunkStart, FileFault, Limits

#: commas, line feeds and quotes to examine after a misplaced quote; few, because the next one wastes the rest
_MARKS_AFTER_MISPLACED_QUOTE: Final = 512
#: records to read one by one before many are tried at once again; both cost about the same
_MOST_ONE_BY_ONE: Final = 32
#: how many broken records are handed over at once, and their bytes of text; a file may hold millions
_MOST_REPORTED: Final = 1000
_MOST_REPORTED_BYTES: Final = 1 << 20


class Body:
    """Count and examine the records of one file."""

    def __init__(
        self,
        header: Header,
        *,
        limits: Limits,
        encoding: str,
        on_broken: Callable[[Sequence[BrokenRecord]], None],
        normaliser: Normaliser | None,
    ) -> None:
        self.records = 0
        self.broken = 0
        self.chunks: list[ChunkStart] = []
        self.has_quotes = header.has_quotes
        self.line_ends = header.line_ends
        self._columns = len(header.names or ())
        self._limits = limits
        #: of the file, for people
        self._encoding = encoding
        self._on_broken = on_broken
        self._normaliser = normaliser
        self._unreported: list[BrokenRecord] = []
        self._unreported_bytes = 0
        self._rest = header.rest
        #: bytes of the file before the current piece
        self._offset = header.offset
        #: physical line of the next byte to read
        self._line = 1 + header.line_ends.line_feeds

    def read(self, intake: Intake) -> FileFault | None:
        """Read all records; return a fault if the file ends within quotes."""
        text = self._rest
        fault = None
        while True:
            if not intake.is_done:
                text = intake.more(text)
            if text:
                text = text[self._read_piece(text) :]
            if intake.is_done:
                fault = self._read_unfinished(text) if text else fault
                break
            # one byte beyond the limit may still be the CR of the line end
            if len(text) > self._limits.max_record_bytes + 1:
                text, fault = self._pass_over(text, intake)
        self._hand_over()
        if self._normaliser:
            self._normaliser.hand_over()
        return fault

    def _read_piece(self, text: bytes) -> int:
        """Take every record that ends in the text; return their number of bytes.

        After a misplaced quote, few records are examined at once at first, and if the next one is near, more are read one by
        one. Otherwise a file full of such quotes would cost a pass over many records for each record.
        """
        piece = Piece(text, columns=self._columns, max_record_bytes=self._limits.max_record_bytes)
        self.has_quotes |= piece.has_quotes
        at = 0
        marks: int | None = None
        singles = 1
        while at < len(text):
            run = piece.run(at, marks=marks)
            is_last = piece.reaches_end(at, marks)
            self._take(text, run)
            at = run.end
            if run.meets_misplaced_quote:
                singles = 1 if run.line_ends > _MOST_ONE_BY_ONE else min(2 * singles, _MOST_ONE_BY_ONE)
                run = one_by_one(text, at, records=singles)
                if run.end == at:
                    break
                self._take(text, run)
                at = run.end
                marks = _MARKS_AFTER_MISPLACED_QUOTE
            elif marks is None or is_last:
                break
            else:
                marks *= 2
        self._offset += at
        return at

    def _take(self, text: bytes, run: Run) -> None:
        """Count a run of records, examine the doubtful ones and pass the sound ones on."""
        count = run.starts.size
        every = self._limits.chunk_records
        for first in range(-self.records % every, count, every):
            self._begin_chunk(self._offset + int(run.starts[first]), self._line + int(run.lines[first]))
        broken = [at for at in run.doubtful.tolist() if self._is_broken(text, run, at)]
        if self._normaliser:
            sound = np.delete(np.arange(count), broken)
            self._normaliser.add(
                text,
                records=self.records + sound,
                lines=self._line + run.lines[sound],
                starts=run.starts[sound],
                stops=run.stops[sound],
            )
        self.records += count
        self._line += run.line_feeds
        self.line_ends.line_feeds += run.line_feeds
        self.line_ends.returns += run.returns
        self.line_ends.ends += run.line_ends
        self.line_ends.crlf_ends += run.crlf_ends
        self.line_ends.blank_lines += run.blank_lines

    def _is_broken(self, text: bytes, run: Run, at: int) -> bool:
        raw = text[run.starts[at] : run.stops[at]]
        record = self.records + at
        line = self._line + int(run.lines[at])
        if len(raw) > self._limits.max_record_bytes:
            self._report_too_large(record, line)
            return True
        fault = first_fault(raw, columns=self._columns, encoding=self._encoding)
        if fault is None:
            return False
        self._report(BrokenRecord(record=record, line=line, rule=fault.rule, reason=fault.reason, raw=raw))
        return True

    def _pass_over(self, text: bytes, intake: Intake) -> tuple[bytes, FileFault | None]:
        """Follow a too large record to its end without keeping it; return what follows, and the file's fault."""
        line = self._line
        self._begin_record(self._offset, line)
        walker = Walker(line=line)
        before = b""
        while (end := walker.walk(text, 0)) is None and not intake.is_done:
            self._offset += len(text)
            before = text[-1:] or before
            text = intake.more(b"")
            self.has_quotes |= b'"' in text
        if end is None and walker.is_inside_quotes:
            return b"", self._report_unterminated(line, walker.opening_line, None)
        self._report_too_large(self.records - 1, line)
        if end is None:
            return b"", None
        self._offset += end
        self._line = walker.line + text.count(b"\n", 0, end)
        self.line_ends.ends += 1
        self.line_ends.crlf_ends += (before + text[:end]).endswith(b"\r\n")
        return text[end:], None

    def _read_unfinished(self, text: bytes) -> FileFault | None:
        """Take the last record of a file without a final line end."""
        walker = Walker(line=self._line)
        walker.walk(text, 0)
        if not walker.is_inside_quotes:
            self._take(text, Run.without_line_end(text))
            return None
        self._begin_record(self._offset, self._line)
        raw = text if len(text) <= self._limits.max_record_bytes else None
        return self._report_unterminated(self._line, walker.opening_line, raw)

    def _begin_record(self, offset: int, line: int) -> None:
        if self.records % self._limits.chunk_records == 0:
            self._begin_chunk(offset, line)
        self.records += 1

    def _begin_chunk(self, offset: int, line: int) -> None:
        self.chunks.append(ChunkStart(offset=offset, line=line))

    def _report_too_large(self, record: int, line: int) -> None:
        reason = f"is longer than {self._limits.max_record_bytes} bytes"
        self._report(BrokenRecord(record=record, line=line, rule="record|too_large", reason=reason, raw=None))

    def _report_unterminated(self, line: int, opening_line: int, raw: bytes | None) -> FileFault:
        rule = "file|unterminated_quote"
        reason = f"opens a quote on line {opening_line} that is never closed"
        self._report(BrokenRecord(record=self.records - 1, line=line, rule=rule, reason=reason, raw=raw))
        return FileFault(rule=rule, line=opening_line, reason=f"the record on line {line} {reason}.")

    def _report(self, broken: BrokenRecord) -> None:
        self.broken += 1
        self._unreported.append(broken)
        self._unreported_bytes += len(broken.raw or b"")
        if len(self._unreported) >= _MOST_REPORTED or self._unreported_bytes >= _MOST_REPORTED_BYTES:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._unreported:
            self._on_broken(self._unreported)
        self._unreported = []
        self._unreported_bytes = 0
