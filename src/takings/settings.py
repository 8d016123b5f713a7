"""Read the settings once, strictly: an unknown setting is an error. Each default carries its reason beside it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from takings.errors import SettingsError
from takings.intake.batching import BatchPolicy
from takings.validation.verdicts import RejectionPolicy

#: AWS keeps some of its 50 tags of a resource for itself, and Takings has its own
_MOST_TAGS: Final = 40
_TAG: Final = re.compile(r"(?!aws:|AWS:)[\w .:/=+@-]{1,128}")
_TAG_VALUE: Final = re.compile(r"[\w .:/=+@-]{0,256}")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZES: Final = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30}
#: what no message shows
_SECRETS: Final = {"notify", "openlineage_key", "serve_token"}


def read_duration(text: object) -> object:
    """Read `90s`, `20m`, `2h` or `1d`; leave anything else for pydantic to refuse."""
    if isinstance(text, str) and (match := re.fullmatch(r"([0-9]+)\s*([smhd])", text.strip())):
        return timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    if isinstance(text, timedelta):
        return text
    raise ValueError("write a duration such as '90s', '20m' or '2h'")


def read_size(text: object) -> object:
    """Read `500MB`, `2GiB` or a number of bytes."""
    if isinstance(text, str) and (match := re.fullmatch(r"([0-9]+)\s*([kmgt]i?b)?", text.strip().lower())):
        return int(match[1]) * _SIZES.get(match[2] or "", 1)
    if isinstance(text, int) and text > 0:
        return text
    raise ValueError("write a size such as '500MB' or '2GiB'")


def read_percent(text: object) -> object:
    """Read `1%`, `0.5%` or a number of percent."""
    if isinstance(text, str) and (match := re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*%?", text.strip())):
        text = Decimal(match[1])
    if isinstance(text, int | float | Decimal) and 0 <= text <= 100:
        return Decimal(str(text))
    raise ValueError("write a share between '0%' and '100%'")


def read_names(text: object) -> object:
    """Read names separated by commas, or a list of them."""
    names = text.split(",") if isinstance(text, str) else text
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        return tuple(name.strip() for name in names if name.strip())
    raise ValueError("write names such as 'shop.example.org, shop'")


def read_addresses(text: object) -> object:
    """Read addresses separated by spaces, or a list of them."""
    addresses = text.split() if isinstance(text, str) else text
    if isinstance(addresses, list | tuple) and all(isinstance(each, str) and "://" in each for each in addresses):
        return tuple(addresses)
    raise ValueError("write addresses such as ['mailto://user:password@example.org', 'slack://…'], as Apprise has them")


def read_tags(text: object) -> object:
    """Read tags written `name=value` and separated by commas, or a table of them; only what every service of AWS takes."""
    named = [each.partition("=") for each in text.split(",") if each.strip()] if isinstance(text, str) else ()
    tags = text if isinstance(text, dict) else {name.strip(): value.strip() for name, _, value in named}
    if isinstance(text, str | dict) and len(tags) <= _MOST_TAGS and all(_is_tag(*tag) for tag in tags.items()):
        return tags
    raise ValueError("write at most 40 tags such as 'team=shop, cost-center=42': letters, digits, spaces and _.:/=+@-")


def _is_tag(name: object, value: object) -> bool:
    return (
        isinstance(name, str)
        and isinstance(value, str)
        and _TAG.fullmatch(name) is not None
        and _TAG_VALUE.fullmatch(value) is not None
    )


Percent = Annotated[Decimal, BeforeValidator(read_percent)]
Duration = Annotated[timedelta, BeforeValidator(read_duration)]
Size = Annotated[int, BeforeValidator(read_size)]
Tags = Annotated[dict[str, str], BeforeValidator(read_tags)]
Names = Annotated[tuple[str, ...], BeforeValidator(read_names)]
Addresses = Annotated[tuple[str, ...], BeforeValidator(read_addresses)]


class ValidationChoice(StrEnum):
    """Which engine validates rows; both find the same."""

    DUCKDB = "duckdb"
    PANDAS = "pandas"


class EngineChoice(StrEnum):
    """Which engine computes measures, and where files are validated; both give the same."""

    DUCKDB = "duckdb"
    SPARK = "spark"


class ScanLimit(StrEnum):
    """From which severity on a finding in an image stops a deployment."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NEVER = "never"


class NewsKind(StrEnum):
    """What a message can be about."""

    REJECTED = "rejected"
    BLOCKED = "blocked"
    QUIET = "quiet"
    ORPHANS = "orphans"
    UNUSUAL = "unusual"


class ExecutionLogs(StrEnum):
    """Which events of its executions the state machine logs."""

    OFF = "off"
    FATAL = "fatal"
    ERROR = "error"
    ALL = "all"


class S3Choice(StrEnum):
    """Under which name Spark's workers know S3."""

    S3A = "s3a"
    S3 = "s3"


class StepsOn(StrEnum):
    """Where a pipeline on AWS validates and transforms."""

    AUTO = "auto"
    FARGATE = "fargate"
    EMR_SERVERLESS = "emr-serverless"


class Settings(BaseModel):
    """Every setting of a store; docs/settings.md lists them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: the brief's number: a burst of drops starts at once
    batch_files: int = Field(default=10, ge=1)
    #: the brief's number: stragglers of one export come within minutes
    batch_wait: Duration = timedelta(minutes=20)
    #: only a safety net for files that no event announced; listing a large folder is not free
    sweep: Duration = Field(default=timedelta(minutes=5), ge=timedelta(seconds=1))
    #: a storm of drops starts few looks; what Lambda offers, in whole seconds
    event_window: Duration = Field(default=timedelta(seconds=20), ge=timedelta(seconds=1), le=timedelta(minutes=5))
    #: off, because a shop whose products seldom change would wait for ever
    require_every_dataset: bool = False
    #: keeps a manifest and a batch's reports readable
    batch_max_files: int = Field(default=1000, ge=1)
    #: keeps a retry affordable; staging needs about a third of it on disk
    batch_max_bytes: Size = 20 * 10**9
    #: a bad file never holds up good ones, and no half file is published
    policy: RejectionPolicy = RejectionPolicy.FILE
    #: under policy "row": more bad rows than this mean a broken export, not broken rows
    max_rejected: Percent = Decimal(1)
    #: DuckDB types a whole file in one pass; pandas reads it in chunks of 10,000 rows
    validation_engine: ValidationChoice = ValidationChoice.DUCKDB
    #: DuckDB needs no cluster and no JVM; Spark is for lakes that outgrow one machine
    engine: EngineChoice = EngineChoice.DUCKDB
    #: all processors of this machine, as for DuckDB
    spark_master: str = Field(default="local[*]", min_length=1)
    #: Hadoop's own connector, which any Spark can have; EMR brings another one as `s3`
    spark_s3: S3Choice = S3Choice.S3A
    #: tasks on Fargate, as long as one of them can hold a batch: they begin sooner and cost less
    steps_on: StepsOn = StepsOn.AUTO
    #: where days begin and end; UTC needs no explanation
    time_zone: str = "UTC"
    #: long enough to look back at a quarter's imports
    keep_reports: Duration = timedelta(days=90)
    #: what DuckDB may use before it spills to disk; the process needs about 200 MB more
    memory: str = Field(default="400MB", pattern=r"^[0-9]+\s*([KMGT]i?B)$")
    #: all processors
    threads: int | None = Field(default=None, ge=1)
    #: a folder of contracts, or `profile:` and a name, instead of the shipped ones
    contracts: str | None = None
    #: stands before the names of a bucket's tables; none, so that an account's first shop has the names in the docs
    table_prefix: str = Field(default="", pattern=r"^[A-Za-z0-9_.-]{0,200}$")
    #: what an attacker may use with ease; lower ones are in every image, and most never get a fix
    scan_fails_on: ScanLimit = ScanLimit.HIGH
    #: none: each is somebody's decision
    scan_accepts: Names = ()
    #: what went wrong, at the cost of some lines a batch; AWS keeps an execution's history for 90 days anyway
    execution_logs: ExecutionLogs = ExecutionLogs.ERROR
    #: off, because X-Ray costs by the trace, and a batch has its own story in the store
    tracing: bool = False
    #: none of the user's own; `takings-store` is always there
    tags: Tags = Field(default_factory=dict)
    #: a table or a bucket that is gone takes the shop's numbers with it
    deletion_protection: bool = True
    #: only this machine, unless somebody decides otherwise and sets a token
    serve_host: str = Field(default="127.0.0.1", min_length=1)
    #: as likely to be free as any other, and easy to remember
    serve_port: int = Field(default=8321, ge=0, le=65535)
    #: none, because nobody else can reach the page; a secret, so it never comes from the command line
    serve_token: str | None = Field(default=None, repr=False)
    #: an unknown name may be another site's, which makes a browser send requests here (DNS rebinding)
    serve_names: Names = ()

    #: nobody, unless somebody says who; addresses hold passwords and tokens, so they never come from the command line
    notify: Addresses = Field(default=(), repr=False)
    #: all of it: a person who is told too much says what to leave out
    notify_of: Annotated[tuple[NewsKind, ...], BeforeValidator(read_names)] = tuple(NewsKind)
    #: two exports of a day in a row that did not come
    notify_quiet: Duration = Field(default=timedelta(days=2), ge=timedelta(minutes=1))
    #: an order and its items rarely come more than a day apart
    notify_orphans: Duration = Field(default=timedelta(days=2), ge=timedelta(minutes=1))

    #: nowhere: few shops have a catalogue of lineage
    openlineage: str | None = Field(default=None, pattern=r"^(https?://\S+|file:\S.*)$")
    #: none: a catalogue on the own network rarely asks for one; a secret, so it never comes from the command line
    openlineage_key: str | None = Field(default=None, repr=False)

    @property
    def batch_policy(self) -> BatchPolicy:
        """Return the settings that decide when a batch starts."""
        return BatchPolicy(
            batch_files=self.batch_files,
            batch_wait=self.batch_wait,
            require_every_dataset=self.require_every_dataset,
            batch_max_files=self.batch_max_files,
            batch_max_bytes=self.batch_max_bytes,
        )

    @property
    def outcome_settings(self) -> dict[str, str]:
        """Return the settings that can change a batch's outcome, for its manifest."""
        return {"policy": self.policy.value, "max_rejected": str(self.max_rejected)}


def merge_settings(sources: Sequence[tuple[str, Mapping[str, Any]]]) -> Settings:
    """Merge sources, where later ones win, and check them; SettingsError names source, setting and remedy.

    A source is a name for people (a file, "environment", "options") and its values by setting name.
    """
    origin: dict[str, str] = {}
    values: dict[str, Any] = {}
    for source, settings in sources:
        for key, value in settings.items():
            if key not in Settings.model_fields:
                raise SettingsError(f"{source}: there is no setting '{key}'. {_suggest(key)}")
            origin[key], values[key] = source, value
    try:
        return Settings(**values)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        key = str(first["loc"][0])
        # The cause shows the value, too.
        written, cause = ("…", None) if key in _SECRETS else (_written(values[key]), invalid)
        raise SettingsError(f"{origin[key]}: {key} = {written}: {first['msg']}.") from cause


def _written(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def _suggest(key: str) -> str:
    near = difflib.get_close_matches(key, Settings.model_fields, n=1)
    known = ", ".join(Settings.model_fields)
    return f"Did you mean '{near[0]}'?" if near else f"Known settings: {known}."
