"""Show the pipeline on a sample shop: `takings demo`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer

from takings.api import Shop
from takings.api.beginning import generate
from takings.entrypoints import run_output
from takings.entrypoints.commands.generate import show_generated
from takings.entrypoints.console import Teller, out
from takings.entrypoints.kpi_grid import show_kpis
from takings.errors import UsageError

#: the demo shows the idea, not every category
_DEMO_CATEGORIES: Final = 10


def demo(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where the demo's store goes.")] = Path(
        "demo-shop"
    ),
) -> None:
    """Make a sample shop, run the pipeline on it, and show the KPIs and where everything is."""
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file. Name a folder: takings demo DIR.")
    if directory.exists() and any(directory.iterdir()) and not (directory / ".takings").is_dir():
        raise UsageError(f"{directory} exists and is not a demo store. Name another folder: takings demo DIR.")
    if not (directory / "raw-data").exists():
        made = generate(directory / "raw-data", 3000, seed=7, days=14, parts=3)
        show_generated(directory / "raw-data", made)
    out.print(f"\n[bold]$ takings run {directory} --now[/]", highlight=False)
    tell = Teller()
    shop = Shop(directory, tell=tell)
    try:
        done = shop.run(now=True)
    finally:
        tell.be_quiet()
    run_output.show_run(done, directory)
    out.print(f"\n[bold]$ takings kpis {directory}[/]", highlight=False)
    days = shop.kpis()
    show_kpis(days.table, days.rows, incomplete=done.incomplete)
    last = days.rows[-1].key[0]
    out.print(f"\n[bold]$ takings kpis {directory} --by category --from {last}[/]", highlight=False)
    categories = shop.kpis("category", first=last)
    show_kpis(categories.table, categories.rows, most=_DEMO_CATEGORIES)
    _show_places(directory)
    _show_page(directory)


def _show_places(directory: Path) -> None:
    out.print("\nWhere everything is:", highlight=False)
    for place, what in (
        ("raw-data/", "drop more files here, and run again"),
        ("lake/", "the typed tables, as Delta Lake"),
        ("processed/", "the originals that were taken"),
        ("validation-reports/", "what was found in each file"),
        ("batches/", "what each batch took, and how it ended"),
        (".takings/takings.db", "ledger and KPIs, as SQLite"),
    ):
        out.print(f"  {directory / place!s:<36} {what}", highlight=False, soft_wrap=True)


def _show_page(directory: Path) -> None:
    """Print how to open the page; its packages are an extra."""
    out.print("\nLook at it in a browser:", highlight=False)
    out.print(f"  takings serve {directory}", highlight=False, soft_wrap=True, no_wrap=True)
    if any(find_spec(package) is None for package in ("fastapi", "jinja2", "uvicorn")):
        out.print(
            "  It needs the extra: pip install 'takings\\[web]', or `make page` if you ran `make demo`.",
            highlight=False,
            soft_wrap=True,
        )
