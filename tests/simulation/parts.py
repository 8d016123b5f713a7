"""Draw which parts of Takings a run uses: changing rules, watches, replays, restatements, rebuilds, corrected rows."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final, Literal

from takings.adapters.duckdb.lake_engine import DuckDbEngine
from takings.composition.stores import Shop
from takings.contracts import load_contracts
from takings.contracts.model import Contracts
from takings.time_zones import business_time
from tests.contract_options import write_contracts
from tests.oracle.kpis import Dataset

ContractsName = Literal["shipped", "colour", "dearer", "colour and dearer"]
NAMES: Final[tuple[ContractsName, ...]] = ("shipped", "colour", "dearer", "colour and dearer")
#: what decides which rows count, for the life of a store
Versions = Literal["arrivals", "instants", "deliveries", "both"]
#: datasets with takingsVersion
VERSIONED: Final[dict[Versions, tuple[Dataset, ...]]] = {
    "arrivals": (),
    "instants": ("products", "orders", "order_items"),
    "deliveries": (),
    "both": ("order_items",),
}
#: with takingsReplaces
REPLACES: Final = ("deliveries", "both")
#: the price that an item has to exceed under the stricter contract
DEARER: Final = 5
_COLOUR: Final = """\
      - name: colour
        description: As the shop window shows it.
        logicalType: string
"""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The settings of a new process: how files are validated, and what a number means."""

    policy: Literal["file", "row", "strict"] = "file"
    #: with policy "row", in percent
    max_rejected: str = "1"
    contracts: ContractsName = "shipped"
    #: of both KPI tables' SQL
    edition: int = 1
    #: the same for all processes on a store
    versions: Versions = "arrivals"

    @property
    def meaning(self) -> tuple[str, int]:
        """Return what the definition of a published number consists of."""
        return self.policy, self.edition

    def with_colour(self) -> Rules:
        """Return the same with contracts in which products have a colour."""
        wider: dict[ContractsName, ContractsName] = {"shipped": "colour", "dearer": "colour and dearer"}
        return replace(self, contracts=wider.get(self.contracts, self.contracts))


@dataclass(kw_only=True)
class Parts:
    """What a run uses; the rest of what the seed decides does not depend on it."""

    chance: Random
    rules: Rules = field(default_factory=Rules)
    #: the rules that follow, one after the other
    changes: list[Rules] = field(default_factory=list)
    #: the share of lives that run an errand, and which
    errands: float = 0
    kinds: Sequence[Literal["replay", "restate", "rebuild"]] = ()
    #: the share of machines that watch
    watches: float = 0
    #: a killed process is asked to stop instead, and releases its batch on the way out
    interrupts: float = 0
    #: a failing call makes the numbers contradict each other instead, which blocks the batch
    breaches: float = 0
    #: files have bad rows, and columns that a contract may add
    is_rich: bool = False
    #: the chance that corrected rows come back from quarantine at any event
    mends: float = 0
    #: copies of superseded bytes come under other keys
    copies: int = 0
    #: the clocks are off by this many times as much
    skew: int = 1
    #: the store is rebuilt at the end
    is_rebuilt: bool = False


def plain() -> Parts:
    """Return what every run uses, and nothing else."""
    return Parts(chance=Random(0))


def draw_parts(seed: int) -> Parts:
    """Draw which parts a seed tries together."""
    chance = Random(f"parts {seed}")
    if chance.random() < 0.15:
        return plain()
    rules = _draw_rules(chance)
    changes = [rules]
    for _ in range(chance.choice((0, 0, 1, 1, 2, 3))):
        changes.append(_changed(chance, changes[-1]))
    # Drawn separately, so that the rest of a seed's run stays the same.
    drawn: Sequence[Versions] = ("arrivals", "arrivals", "instants", "deliveries", "both")
    versions = Random(f"versions {seed}").choice(drawn)
    rules, *changes = (replace(each, versions=versions) for each in changes)
    return Parts(
        chance=chance,
        rules=rules,
        changes=changes,
        errands=chance.choice((0, 0.3, 0.6)),
        kinds=("replay", "replay", "replay", "restate", "rebuild"),
        watches=chance.choice((0, 0.5, 1)),
        interrupts=chance.choice((0, 0.5)),
        breaches=chance.choice((0, 0.3)),
        is_rich=chance.random() < 0.8,
        mends=chance.choice((0, 0.5, 0.5)),
        copies=chance.choice((0, 1, 2)),
        skew=chance.choice((1, 1, 5)),
        is_rebuilt=chance.random() < 0.2,
    )


def _draw_rules(chance: Random) -> Rules:
    return Rules(
        policy=chance.choice(("file", "row", "row", "strict")),
        max_rejected=chance.choice(("1", "50", "50", "100")),
        contracts=chance.choice(("shipped", "shipped", *NAMES)),
    )


def _changed(chance: Random, rules: Rules) -> Rules:
    """Usually change contracts, sometimes what numbers mean."""
    match chance.choice(("contracts", "contracts", "contracts", "policy", "edition", "everything")):
        case "contracts":
            return replace(rules, contracts=chance.choice([name for name in NAMES if name != rules.contracts]))
        case "policy":
            return replace(_draw_rules(chance), contracts=rules.contracts, edition=rules.edition)
        case "edition":
            return replace(rules, edition=rules.edition + 1)
        case _:
            return replace(_draw_rules(chance), edition=rules.edition + 1)


@cache
def contracts_named(name: ContractsName, versions: Versions = "arrivals") -> Contracts:
    """Load the shipped contracts, or some in which products have another column and items have to cost more."""
    if name == "shipped" and versions == "arrivals":
        return load_contracts(None)
    with tempfile.TemporaryDirectory(prefix="takings contracts ") as parent:
        folder = write_contracts(
            Path(parent, "contracts"), versioned=VERSIONED[versions], replaces=versions in REPLACES
        )
        if "colour" in name:
            _rewrite(Path(folder, "products.odcs.yaml"), lambda text: text + _COLOUR)
        if "dearer" in name:
            stricter = f"exclusiveMinimum: {DEARER}"
            _rewrite(Path(folder, "order_items.odcs.yaml"), lambda text: text.replace("exclusiveMinimum: 0", stricter))
        return load_contracts(Path(folder))


def _rewrite(file: Path, change: Any) -> None:
    before = file.read_text(encoding="utf-8")
    after = change(before)
    assert after != before, f"{file.name} has nothing to change any more"
    file.write_text(after, encoding="utf-8")


def contracts_of_hash(hash_: str) -> ContractsName:
    """Return the name of the contracts with a hash."""
    return next(name for versions in VERSIONED for name in NAMES if contracts_named(name, versions).hash == hash_)


def shop_under(shop: Shop, rules: Rules) -> Shop:
    """Return a shop as opened by a process that starts under these rules."""
    ports = shop.ports
    contracts = contracts_named(rules.contracts, rules.versions)
    connection = ports.engine._connection  # type: ignore[attr-defined] # one DuckDB serves all
    tables: Any = ports.tables
    engine = DuckDbEngine(connection, tables, contracts, business_time(ports.time_zone))
    kpi_tables = tuple(
        replace(table, sql=f"-- edition {rules.edition}\n{table.sql}") if rules.edition > 1 else table
        for table in ports.kpi_tables
    )
    settings = {**ports.outcome_settings, "policy": rules.policy, "max_rejected": rules.max_rejected}
    return replace(
        shop,
        ports=replace(
            ports,
            contracts=contracts,
            engine=engine,
            kpi_engine=engine,
            kpi_tables=kpi_tables,
            outcome_settings=settings,
        ),
    )
