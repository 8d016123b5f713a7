"""Find out how the lines of a file end, and whether a plain reader would count them the same way."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class LineEnds:
    """Counts of what ends lines and of what only looks like it; broken records may be left out."""

    #: all LFs, including those inside quotes
    line_feeds: int = 0
    #: all CRs
    returns: int = 0
    #: line ends outside quotes, LF or CRLF
    ends: int = 0
    crlf_ends: int = 0
    #: lines without a single byte
    blank_lines: int = 0

    @property
    def newline(self) -> str | None:
        """Return how every line ends; None if they differ or none ends."""
        if self.ends == 0 or self.crlf_ends not in (0, self.ends):
            return None
        return "\r\n" if self.crlf_ends else "\n"

    @property
    def are_plain(self) -> bool:
        """Return whether all lines end alike, none is blank, and LF and CR occur nowhere else."""
        return (
            self.blank_lines == 0
            and self.line_feeds == self.ends
            and self.returns == self.crlf_ends
            and self.crlf_ends in (0, self.ends)
        )
