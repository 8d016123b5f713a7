"""Draw bars as SVG, by hand: a chart needs no package, and reads on a light page and on a dark one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

_WIDTH, _LABELS, _NUMBERS = 860, 210, 150
_ROW, _BAR, _HEAD, _GAP = 34, 11, 34, 18
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}.ours{font-weight:600}"
    ".wall{fill:#9aa7b4}.processor{fill:#3b6ea5}.back{fill:#ffffff}"
    "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.back{fill:#0d1117}.wall{fill:#5b6773}.processor{fill:#6ea8e0}}"
)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What one contender takes, in seconds."""

    label: str
    wall: float
    processor: float
    is_ours: bool = False


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The bars of one size, on a scale of their own."""

    title: str
    bars: Sequence[Bar]


def drawn(panels: Sequence[Panel]) -> str:
    """Return an SVG with a panel below the other: for each contender a bar of wall clock and one of processor seconds."""
    lines: list[str] = []
    top = 2 * _GAP
    for panel in panels:
        lines.append(_text(0, top, panel.title, "title"))
        longest = max((max(bar.wall, bar.processor) for bar in panel.bars), default=1.0) or 1.0
        for place, bar in enumerate(panel.bars):
            lines += _row(bar, top + _HEAD // 2 + place * _ROW, longest)
        top += _HEAD + len(panel.bars) * _ROW + _GAP
    named = "".join(f"{panel.title}. " for panel in panels)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 0 {_WIDTH + 24} {top}" role="img"'
        f' aria-label="{escape(named, {chr(34): "&quot;"})}">\n'
        f"<style>{_STYLE}</style>\n"
        f'<rect class="back" x="-12" y="0" width="{_WIDTH + 24}" height="{top}"/>\n'
        f'<rect class="wall" x="0" y="6" width="12" height="{_BAR}"/>{_text(18, 16, "wall clock", "")}\n'
        f'<rect class="processor" x="110" y="6" width="12" height="{_BAR}"/>{_text(128, 16, "processor seconds", "")}\n'
    )
    return head + "\n".join(lines) + "\n</svg>\n"


def _row(bar: Bar, top: int, longest: float) -> list[str]:
    room = _WIDTH - _LABELS - _NUMBERS
    wall, processor = (max(1.0, room * value / longest) for value in (bar.wall, bar.processor))
    told = f"{bar.wall:,.2f} s, {bar.processor:,.2f} s"
    return [
        _text(0, top + _BAR + 4, bar.label, "ours" if bar.is_ours else ""),
        f'<rect class="wall" x="{_LABELS}" y="{top}" width="{wall:.1f}" height="{_BAR}"/>',
        f'<rect class="processor" x="{_LABELS}" y="{top + _BAR}" width="{processor:.1f}" height="{_BAR}"/>',
        _text(round(_LABELS + max(wall, processor) + 8), top + _BAR + 4, told, ""),
    ]


def _text(x: int, y: int, text: str, kind: str) -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{style}>{escape(text)}</text>'
