"""Write measured figures into docs/performance.md, between markers, and draw its chart."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks import daily
from benchmarks.chart import Bar, Panel, drawn
from benchmarks.contenders.cast import BARE_QUERY, CONTENDERS, DLT, TAKINGS, Contender
from benchmarks.drops import SIZES
from benchmarks.figures import Book
from benchmarks.meter import Cost
from benchmarks.steps import STEPS

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "performance.md"
CHART: Final = ROOT / "docs" / "performance.svg"
RAW: Final = ROOT / "benchmarks" / "bench.json"


def write_bench(book: Book) -> None:
    """Write page, chart and raw figures."""
    PAGE.write_text(page_with(PAGE.read_text(), "bench", bench_section(book)))
    CHART.write_text(drawn(_panels(book)))
    shutil.copyfile(book.file, RAW)


def page_with(text: str, name: str, section: str) -> str:
    """Return a page's text with this section between its markers; ValueError where they are missing."""
    between = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)
    if between.search(text) is None:
        raise ValueError(f"{PAGE}: there is no <!-- {name} --> … <!-- /{name} -->. Put it where the section belongs.")
    return between.sub(lambda _: section, text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; every column but the first holds numbers unless its head ends with a space."""
    rule = ["---" if place == 0 or name.endswith(" ") else "---:" for place, name in enumerate(head)]
    return "".join(f"| {' | '.join(cell.strip() for cell in row)} |\n" for row in (head, rule, *rows))


def bench_section(book: Book) -> str:
    """Return the section with the tables of a run of the benchmark."""
    sizes = [size for size in SIZES if book.median("whole", size, TAKINGS)]
    parts = [
        _machine(book),
        _whole(book, sizes),
        _ratios(book, sizes),
        _answers(book, sizes),
        _steps(book, sizes),
        _daily(book),
        _left_out(book),
        _failures(book),
    ]
    return "\n".join(part for part in parts if part)


def amount(value: float) -> str:
    """Write a figure with three digits, as far as it has them."""
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.1f}" if value >= 9.95 else f"{value:.2f}"


def cost_cells(cost: Cost | None, *, with_memory: bool = True) -> list[str]:
    """Return the cells of a cost: wall, processor, memory; dashes where there is none."""
    if cost is None:
        return ["–"] * (3 if with_memory else 2)
    return [amount(cost.wall), amount(cost.processor), *([f"{cost.peak_mb:,.0f}"] if with_memory else [])]


def _machine(book: Book) -> str:
    about = book.about
    days = sorted({figure.at[:10] for figure in book.figures})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}" if days else "never"
    return (
        f"`make bench`, {when}: {about['processor']}, {about['processors']} processors, {about['memory_gb']} GB,"
        f" {about['system']}, Python {about['python']}, source {about['source']}. Everything ran in turn on the same generated"
        " files, with a warm cache.\nFigures are medians: wall clock in seconds, processor seconds, and the peak memory of the"
        " whole process tree in MB. The raw figures are in `benchmarks/bench.json`.\n"
    )


def _whole(book: Book, sizes: Sequence[str]) -> str:
    if not sizes:
        return ""
    head = [""] + [f"{size}: {unit}" for size in sizes for unit in ("s", "proc. s", "MB")]
    rows = [[each.label, *_cells_of(book, "whole", each.name, sizes)] for each in _shown(book)]
    sized = (f"{size}: {book.notes[f'drops {size}']['items']:,} items, {_volume(book, size)}" for size in sizes)
    caption = f"### The whole batch, from CSV files to published KPIs\n\n{'; '.join(sized)}.\n\n"
    return f"{caption}{table(head, rows)}\n![The whole batch, Takings beside others](performance.svg)\n"


def _volume(book: Book, size: str) -> str:
    drops = book.notes[f"drops {size}"]
    return f"{drops['bytes'] / 1e6:,.0f} MB in {drops['files']} files"


def _cells_of(book: Book, part: str, what: str, sizes: Sequence[str]) -> list[str]:
    return [cell for size in sizes for cell in cost_cells(book.median(part, size, what))]


def _shown(book: Book) -> list[Contender]:
    """Return the contenders that were measured at all."""
    measured = {figure.what for figure in book.figures if figure.part == "whole"}
    return [each for each in CONTENDERS if each.name in measured]


def _ratios(book: Book, sizes: Sequence[str]) -> str:
    lines = []
    for size in sizes:
        ours, bare, pair = (book.median("whole", size, name) for name in (TAKINGS, BARE_QUERY, "brief"))
        if ours and bare:
            wall, processor = ours.wall / bare.wall, ours.processor / bare.processor
            lines.append(
                f"* {size}: Takings takes {wall:.1f} x the bare query's wall clock and {processor:.1f} x its processor time"
                + (f"; the brief's stack takes {pair.wall / ours.wall:.1f} x as long as Takings" if pair else "")
                + ".\n"
            )
    return "".join(lines)


def _answers(book: Book, sizes: Sequence[str]) -> str:
    compared = [
        (size, each.name, book.notes.get(f"kpis {size} {each.name}"))
        for size in sizes
        for each in _shown(book)
        if each.has_kpis and each.name != TAKINGS
    ]
    equal = sorted({name for _, name, found in compared if found == "equal"})
    others = [
        f"* {name}, {size}: {found}\n" for size, name, found in compared if found is not None and found != "equal"
    ]
    if not equal and not others:
        return ""
    head = f"Every number of both KPI tables was compared with Takings', to the cent. Equal: {', '.join(equal) or 'none'}.\n"
    return head + ("\nNot equal:\n\n" + "".join(others) if others else "")


def _steps(book: Book, sizes: Sequence[str]) -> str:
    measured = [size for size in sizes if book.median("steps", size, STEPS[0])]
    if not measured:
        return ""
    head = ["step", *(f"{size}: {unit}" for size in measured for unit in ("s", "proc. s", "cores busy"))]
    rows = []
    for step in STEPS:
        row = [step]
        for size in measured:
            cost = book.median("steps", size, step)
            busy = f"{cost.processor / cost.wall:.1f}" if cost and cost.wall else "–"
            row += [*cost_cells(cost, with_memory=False), busy]
        rows.append(row)
    return f"### Takings, step by step\n\n{table(head, rows)}"


def _daily(book: Book) -> str:
    lakes = sorted({figure.size for figure in book.figures if figure.part == daily.PART}, key=float)
    if not lakes:
        return ""
    head = ["", *(f"{lake} M: {unit}" for lake in lakes for unit in ("s", "proc. s", "MB"))]
    rows = [[told, *_cells_of(book, daily.PART, job, lakes)] for job, told in daily.JOBS.items()]
    caption = "### The daily jobs, into lakes of so many million items\n\n"
    remark = (
        "The watch's wall clock counts from the last file until its numbers are published;"
        " its memory is that of the moment after.\n"
    )
    return f"{caption}{table(head, rows)}\n{remark}"


def _left_out(book: Book) -> str:
    versions: Mapping[str, Mapping[str, str]] = book.about["versions"]
    rows = [
        [
            each.label,
            ", ".join(f"{name} {version}" for name, version in versions[each.name].items()) or "–",
            each.leaves_out or "–",
        ]
        for each in _shown(book)
    ]
    return f"### What each leaves out\n\n{table(['', 'versions ', 'leaves out '], rows)}" if rows else ""


def _failures(book: Book) -> str:
    failed = {name: told for name, told in book.notes.items() if name.startswith("failed ")}
    lines = (f"* {name.removeprefix('failed ')}: {told}\n" for name, told in failed.items())
    return "Not measured, because it failed:\n\n" + "".join(lines) if failed else ""


def _panels(book: Book) -> list[Panel]:
    panels = []
    for size in (size for size in SIZES if book.median("whole", size, BARE_QUERY)):
        bars = []
        for each in _shown(book):
            cost = book.median("whole", size, each.name)
            if cost:
                bars.append(
                    Bar(label=_short(each), wall=cost.wall, processor=cost.processor, is_ours=each.name == TAKINGS)
                )
        items = book.notes[f"drops {size}"]["items"]
        panels.append(Panel(title=f"{items:,} items, {_volume(book, size)}", bars=bars))
    return panels


def _short(contender: Contender) -> str:
    return {
        TAKINGS: "Takings, all of it",
        "floor-read": "read the bytes",
        "floor-parse": "bare typed parse",
        BARE_QUERY: "bare KPI query (DuckDB)",
        "brief": "pandas chunks + PySpark",
        "pandera": "pandera, validation only",
        DLT: "dlt, landing only",
        "polars": "Polars, KPIs only",
    }[contender.name]
