"""Write a digest as a mail: plain text for everything that shows text, and HTML whose chart is a table. Pure.

Mail clients hide images until somebody allows them, and few draw SVG, so the bars are cells with a background colour: every
client shows them, also offline. What shows text alone gets the same bars as characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from html import escape
from typing import Final

from takings.kpis.columns import KpiValue
from takings.queries.digest import Digest

#: column of OrderKPIs -> its name for people, in the order of the digest
_SHOWN: Final = {
    "total_revenue": "Revenue",
    "net_revenue": "Net revenue",
    "total_orders": "Orders",
    "avg_order_value": "Average order",
    "unique_customers": "Customers",
    "return_rate": "Return rate",
}
_PERCENTS: Final = {"return_rate"}
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
#: points, of the longest bar
_HEIGHT: Final = 80
_COLOUR: Final = "#9db4c8"
_OF_THE_DAY: Final = "#1f5f8b"
# A table in a mail does not take the size of what is around it.
_CELL: Final = 'style="font-size:14px;padding:4px 16px 4px 0;text-align:right"'
_NAME: Final = 'style="font-size:14px;padding:4px 16px 4px 0;text-align:left"'


def title(digest: Digest, shop: str) -> str:
    """Return the mail's subject."""
    revenue = digest.numbers.get("total_revenue")
    told = "no order" if revenue is None else f"{revenue:,.2f} of revenue"
    return f"{shop}: {told} on {digest.day:%A, %Y-%m-%d}"


def as_text(digest: Digest) -> str:
    """Return the digest as plain text."""
    lines = [f"{'':<16}{_short(digest.day):>14}{'a week before':>16}"]
    lines += [f"{name:<16}{now:>14}{before:>16}" for name, now, before in _lines(digest)]
    lines += ["", f"Revenue, {digest.chart[0][0]} to {digest.day}:", _sparkline(digest)]
    lines += [f"  {category:<30}{revenue:>14,.2f}" for category, revenue in digest.categories]
    return "\n".join([*lines, "", *_remarks(digest)]) + "\n"


def as_html(digest: Digest) -> str:
    """Return the digest as HTML without images, styles of its own head or scripts."""
    rows = "".join(
        f"<tr><td {_NAME}>{name}</td><td {_CELL}><b>{now}</b></td><td {_CELL}>{before}</td></tr>"
        for name, now, before in _lines(digest)
    )
    categories = "".join(
        f"<tr><td {_NAME}>{escape(category)}</td><td {_CELL}>{revenue:,.2f}</td></tr>"
        for category, revenue in digest.categories
    )
    remarks = "".join(f"<p>{escape(remark)}</p>" for remark in _remarks(digest))
    head = f"<tr><td></td><td {_CELL}>{_short(digest.day)}</td><td {_CELL}>a week before</td></tr>"
    return (
        '<div style="font-family:sans-serif;font-size:14px;color:#222">'
        f'<table cellspacing="0" cellpadding="0">{head}{rows}</table>'
        f"<p>Revenue, {digest.chart[0][0]} to {digest.day}</p>{_bars(digest)}"
        f'<p>Categories with most revenue</p><table cellspacing="0" cellpadding="0">{categories}</table>{remarks}</div>'
    )


def _lines(digest: Digest) -> Iterator[tuple[str, str, str]]:
    for column, name in _SHOWN.items():
        yield name, _value(column, digest.numbers.get(column)), _value(column, digest.week_before.get(column))


def _value(column: str, value: KpiValue) -> str:
    if value is None:
        return "–"
    return f"{value:,.2f}{' %' if column in _PERCENTS else ''}" if isinstance(value, Decimal) else f"{value:,}"


def _short(day: date) -> str:
    return f"{day:%a %d %b}"


def _heights(digest: Digest, highest: int) -> list[int]:
    """Return the height of each day's bar: 0 for a day without numbers, otherwise at least 1."""
    known = [revenue or Decimal(0) for _, revenue in digest.chart]
    most = max([*known, Decimal(0)])
    return [0 if value <= 0 else max(1, int(highest * value / most)) for value in known]


def _sparkline(digest: Digest) -> str:
    return "".join(_BLOCKS[height] for height in _heights(digest, len(_BLOCKS) - 1))


def _bars(digest: Digest) -> str:
    """Return the chart as one row of cells, each with a bar at its foot and the day below."""
    heights = _heights(digest, _HEIGHT)
    colours = [_OF_THE_DAY if day == digest.day else _COLOUR for day, _ in digest.chart]
    cells = "".join(map(_bar, digest.chart, heights, colours))
    return (
        f'<table cellspacing="2" cellpadding="0" role="img" aria-label="{_told(digest.chart)}"><tr>{cells}</tr></table>'
    )


def _bar(of: tuple[date, Decimal | None], height: int, colour: str) -> str:
    day, revenue = of
    shown = "no number" if revenue is None else f"{revenue:,.2f}"
    return (
        f'<td valign="bottom" align="center" title="{day}: {shown}" style="font-size:10px;color:#666">'
        f'<table cellspacing="0" cellpadding="0"><tr><td width="22" height="{height}" bgcolor="{colour}"'
        f' style="font-size:1px;line-height:1px">&nbsp;</td></tr></table>{day:%d}</td>'
    )


def _told(chart: Sequence[tuple[date, Decimal | None]]) -> str:
    return "; ".join(f"{day} {'no number' if revenue is None else f'{revenue:,.2f}'}" for day, revenue in chart)


def _remarks(digest: Digest) -> list[str]:
    """Return what a reader should know beside the numbers, a sentence each."""
    remarks = []
    if not digest.numbers:
        remarks.append(f"No number of {digest.day} is published.")
    if (usual := digest.usual) is not None:
        remarks.append(
            f"The last {usual.days} {digest.day:%A}s had a median of {usual.median:,.2f}, and usually lie between"
            f" {usual.low:,.2f} and {usual.high:,.2f}."
        )
    if digest.lacks:
        remarks.append(f"The day is incomplete: {digest.lacks}.")
    status = digest.status
    if status.reason:
        remarks.append(f"Batch {status.batch_id} is blocked: {status.reason}")
    counted = (
        (len(status.dead_letters), "refused file waits", "refused files wait", "for a mended one"),
        (status.orphans, "item waits", "items wait", "for their order or product"),
        (sum(status.pending.values()), "file is", "files are", "pending"),
    )
    return [
        *remarks,
        *(f"{number:,} {one if number == 1 else many} {what}." for number, one, many, what in counted if number),
    ]
