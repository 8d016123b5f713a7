"""Render pages: templates that escape every value, and the formats of values for people."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any, Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup

import takings
from takings.layout import parse_instant

NOTHING: Final = "–"
_SPARK_WIDTH, _SPARK_HEIGHT = 120.0, 28.0


def environment() -> jinja2.Environment:
    """Return the environment that renders the package's templates."""
    rendering = jinja2.Environment(
        loader=jinja2.PackageLoader("takings.entrypoints.web"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    rendering.filters |= {
        "money": money,
        "count": count,
        "percent": percent,
        "change": change,
        "size": size,
        "seconds": seconds,
        "short_day": short_day,
        "long_day": long_day,
        "told": told,
        "path": lambda text: quote(str(text), safe=""),
        "query": lambda pairs: urlencode(pairs, doseq=True),
    }
    rendering.globals |= {
        "version": takings.__version__,
        "static": static,
        "spark": spark,
        "when": when,
        "age": age,
        "compared": compared,
    }
    return rendering


@cache
def static(name: str) -> str:
    """Return the address of a file in the package's static folder; a changed file has another address."""
    content = (resources.files(__package__ or "") / "static" / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


def money(value: Decimal | None) -> str:
    """Return an amount for people."""
    return NOTHING if value is None else f"{value:,.2f}"


def count(value: int | None) -> str:
    """Return a count for people."""
    return NOTHING if value is None else f"{value:,}"


def percent(value: Decimal | None) -> str:
    """Return a share for people."""
    return NOTHING if value is None else f"{value:.1f} %"


def change(value: Decimal | None) -> str:
    """Return a change with its sign."""
    return NOTHING if value is None else f"{value:+,.1f} %".replace("-", "−")


def size(value: int) -> str:
    """Return a number of bytes for people."""
    shown, unit = float(value), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if shown < 1000:
            break
        shown, unit = shown / 1000, larger
    return f"{value:,} B" if unit == "B" else f"{shown:,.1f} {unit}"


def seconds(value: float | None) -> str:
    """Return a duration for people."""
    if value is None:
        return NOTHING
    if value < 90:
        return f"{value:.1f} s"
    if value < 5400:
        return f"{value / 60:.0f} min"
    return f"{value / 3600:.1f} h" if value < 48 * 3600 else f"{value / 86400:.0f} days"


def short_day(day: date) -> str:
    """Return a day as charts label it."""
    return f"{day.day} {day:%b}"


def long_day(day: date) -> str:
    """Return a day as headings name it."""
    return f"{day:%a} {day.day} {day:%b %Y}"


def told(sentence: str) -> Markup:
    """Return a sentence with a capital, and commands in backquotes as code."""
    parts = (sentence[:1].upper() + sentence[1:]).split("`")
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts))


def when(instant: str | datetime | None, time_zone: str, *, with_seconds: bool = False) -> Markup | str:
    """Return an instant in the shop's time zone."""
    if instant is None:
        return NOTHING
    moment = parse_instant(instant) if isinstance(instant, str) else instant
    shown = moment.astimezone(ZoneInfo(time_zone))
    text = f"{shown:%Y-%m-%d %H:%M:%S}" if with_seconds else f"{shown:%Y-%m-%d %H:%M}"
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(), text)


def age(instant: datetime, now: datetime) -> str:
    """Return how long ago an instant was."""
    return seconds((now - instant).total_seconds())


def compared(label: str, value: Decimal | int | None) -> str:
    """Return a day's number as the comparison of a batch shows it."""
    if isinstance(value, int):
        return count(value)
    return percent(value) if label.endswith("rate") else money(value)


def spark(values: list[Any]) -> Markup:
    """Draw values as a small line without axes; hide it from screen readers, because it repeats a table."""
    known = [(place, float(value)) for place, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return Markup("")
    low, high = min(value for _, value in known), max(value for _, value in known)
    spread = (high - low) or 1.0
    step = _SPARK_WIDTH / max(len(values) - 1, 1)
    points = " ".join(
        f"{place * step:.1f},{_SPARK_HEIGHT - 2 - (value - low) / spread * (_SPARK_HEIGHT - 4):.1f}"
        for place, value in known
    )
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<polyline points="{}"/></svg>'
    ).format(int(_SPARK_WIDTH), int(_SPARK_HEIGHT), points)
