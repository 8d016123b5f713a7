"""Write a plan's files: one streamed query per file, in the order of ids, so that memory does not grow with the shop."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files as resources
from math import gcd
from pathlib import Path

import duckdb

from takings.adapters.duckdb.session import interruptible
from takings.adapters.shop_generator.damage import Damage
from takings.adapters.shop_generator.draws import STREAMS, seed_word_of, stream_word_of
from takings.adapters.shop_generator.exports import EXPORTS, Export
from takings.adapters.shop_generator.plan import Generated, ShopFormat, ShopPlan
from takings.adapters.shop_generator.season import COUNTS_OF_A_BLOCK, arrangements_of, curve_of
from takings.contracts.model import Dataset
from takings.errors import StoreError, UsageError

#: measured need: 80 MB
MEMORY_LIMIT = "400MB"
#: more threads would need buffers and gain nothing: one thread numbers the records
MOST_THREADS = 4

_ORDERS_OF_A_BLOCK, _ITEMS_OF_A_BLOCK = len(COUNTS_OF_A_BLOCK), sum(COUNTS_OF_A_BLOCK)
_DEFINITIONS = ("draws.sql", "shop_products.sql", "shop_orders.sql", "shop_order_items.sql", "shop_lines.sql")


@dataclass(frozen=True, kw_only=True)
class _Target:
    """One file to write."""

    dataset: Dataset
    path: Path
    #: ids of its records, or of the orders that it holds line by line: [first, past)
    first: int
    past: int

    @property
    def records(self) -> int:
        return self.past - self.first

    @property
    def unfinished(self) -> Path:
        """The file to write first; no batch takes a `.part` file."""
        return self.path.with_name(self.path.name + ".part")

    @property
    def clean(self) -> Path:
        """The file to write before damaging records."""
        return self.path.with_name(self.path.name + ".clean.part")


def generate_shop(
    directory: Path,
    plan: ShopPlan,
    *,
    flat: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
    threads: int | None = None,
) -> Generated:
    """Write a shop's drops below a folder, in the format's own folders, or all in one folder if `flat`.

    `progress` is told (file just written, records written, records in all); an order with its lines is one record.
    Files appear under their names when all are complete; none is ever replaced. Raises UsageError if a file exists or
    orders would lie in the future, StoreError if the folder cannot be written.
    """
    _refuse_future(plan)
    with _connected(plan, threads) as engine:
        totals = {
            Dataset.PRODUCTS: plan.products,
            Dataset.ORDERS: plan.orders,
            Dataset.ORDER_ITEMS: _count_items(engine, plan),
        }
        targets = [
            target
            for export in EXPORTS[plan.format]
            for target in _targets_of(export, totals[export.dataset], directory, plan, flat)
        ]
        _refuse_existing(targets)
        damage = Damage(seed_word=seed_word_of(plan.seed), percent=plan.dirty)
        with _all_or_nothing(directory, targets):
            _write_each(engine, targets, plan, damage, progress or _say_nothing)
    return Generated(
        files=tuple(target.path for target in targets),
        products=totals[Dataset.PRODUCTS],
        orders=totals[Dataset.ORDERS],
        items=totals[Dataset.ORDER_ITEMS],
        damaged=damage.faults.total(),
        faults=dict(sorted(damage.faults.items())),
    )


@contextmanager
def _all_or_nothing(directory: Path, targets: list[_Target]) -> Iterator[None]:
    """Give the files their names once all are complete, and remove unfinished ones."""
    try:
        yield
        for target in targets:
            target.unfinished.rename(target.path)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{directory} is a file or below one: choose a folder.") from error
    except (OSError, duckdb.IOException) as error:
        raise StoreError(f"{directory} cannot be written ({error}): make room or choose another folder.") from error
    finally:
        for path in [path for target in targets for path in (target.clean, target.unfinished) if path.exists()]:
            path.unlink()


def _write_each(
    engine: duckdb.DuckDBPyConnection,
    targets: list[_Target],
    plan: ShopPlan,
    damage: Damage,
    progress: Callable[[str, int, int], None],
) -> None:
    total, done = sum(target.records for target in targets), 0
    for target in targets:
        target.path.parent.mkdir(parents=True, exist_ok=True)
        _write(engine, target, plan, target.clean if plan.dirty else target.unfinished)
        if plan.dirty:
            damage.apply(target.clean, target.unfinished, dataset=target.dataset, records=target.records)
            target.clean.unlink()
        done += target.records
        progress(target.path.name, done, total)


def _write(engine: duckdb.DuckDBPyConnection, target: _Target, plan: ShopPlan, path: Path) -> None:
    first_order, past_order = _orders_around(target, plan)
    _let(engine, first_record=target.first, past_record=target.past, first_order=first_order, past_order=past_order)
    query = engine.sql(_sql(f"{plan.format}_{target.dataset}.sql"))
    query.write_csv(str(path), header=True, timestamp_format="%Y-%m-%dT%H:%M:%S", compression="none")


def _orders_around(target: _Target, plan: ShopPlan) -> tuple[int, int]:
    """Return [first, past) of the orders to read; for items, of the whole blocks around them."""
    if target.dataset is not Dataset.ORDER_ITEMS:
        return target.first, target.past
    first_block, last_block = (target.first - 1) // _ITEMS_OF_A_BLOCK, (target.past - 2) // _ITEMS_OF_A_BLOCK
    past = (last_block + 1) * _ORDERS_OF_A_BLOCK
    return first_block * _ORDERS_OF_A_BLOCK + 1, min(past, plan.orders) + 1


def _targets_of(export: Export, records: int, directory: Path, plan: ShopPlan, flat: bool) -> Iterator[_Target]:
    parts = plan.product_parts if export.dataset is Dataset.PRODUCTS else plan.parts
    folder = directory if flat else directory / export.folder
    for part in range(parts):
        yield _Target(
            dataset=export.dataset,
            path=folder / f"{export.name}_part{part + 1}.csv",
            first=records * part // parts + 1,
            past=records * (part + 1) // parts + 1,
        )


def _connected(plan: ShopPlan, threads: int | None) -> duckdb.DuckDBPyConnection:
    """Open an engine with the plan and the shop's definitions."""
    engine = interruptible(
        duckdb.connect(
            config={
                "threads": threads or min(os.cpu_count() or 1, MOST_THREADS),
                "memory_limit": MEMORY_LIMIT,
                "preserve_insertion_order": True,
                "temp_directory": "",
            }
        )
    )
    seed_word = seed_word_of(plan.seed)
    arrangements = arrangements_of(seed_word)
    curve = curve_of(plan.first_day, plan.days, seed_word)
    is_plain = plan.format is ShopFormat.PLAIN
    _let(
        engine,
        stream_words=[stream_word_of(seed_word, stream) for stream in range(1, STREAMS)],
        orders=plan.orders,
        products=plan.products,
        users=plan.users,
    )
    _let(engine, is_numbered_by_time=plan.number_by_time, curve=curve, slots=len(curve) - 1)
    _let(engine, item_counts=list(arrangements.counts), items_before=list(arrangements.before))
    _let(engine, item_delay=0 if is_plain else -14_400, item_spread=3_601 if is_plain else 14_401)
    _let(
        engine,
        product_stride=_stride_through(plan.products),
        first_record=1,
        past_record=1,
        first_order=1,
        past_order=1,
    )
    for name in (*_DEFINITIONS, f"{plan.format}_formats.sql"):
        engine.execute(_sql(name))
    return engine


def _count_items(engine: duckdb.DuckDBPyConnection, plan: ShopPlan) -> int:
    _let(engine, first_order=plan.orders, past_order=plan.orders + 1)
    [(last_item,)] = engine.execute("select first_item + item_count - 1 from shop_orders").fetchall()
    return int(last_item)


def _stride_through(products: int) -> int:
    """Return a step that visits every product once, so that the popular products are not the first."""
    stride = products * 5 // 8
    while gcd(stride, products) != 1:
        stride += 1
    return stride


def _refuse_future(plan: ShopPlan) -> None:
    today = datetime.now(UTC).date()
    if plan.end > today:
        raise UsageError(
            f"{plan.days} days from {plan.first_day} end on {plan.end}, after today ({today}), and orders from the"
            f" future are invalid: choose an earlier first day or at most {max((today - plan.first_day).days, 0)} days."
        )


def _refuse_existing(targets: list[_Target]) -> None:
    for target in targets:
        if target.path.exists():
            raise UsageError(
                f"{target.path} already exists and is not overwritten: remove it or choose another folder."
            )


def _let(engine: duckdb.DuckDBPyConnection, **values: int | list[int]) -> None:
    for name, value in values.items():
        engine.execute(f"set variable {name} = $1", [value])


def _sql(name: str) -> str:
    return resources(__package__).joinpath(name).read_text(encoding="utf-8")


def _say_nothing(file: str, done: int, total: int) -> None:
    """Ignore the progress."""
