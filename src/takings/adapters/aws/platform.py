"""Assemble the adapters of a store in an S3 bucket."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Final

from takings.adapters.aws.bucket import Bucket
from takings.adapters.aws.changes import NoChanges
from takings.adapters.aws.clients import Clients, connected
from takings.adapters.aws.database import Database
from takings.adapters.aws.faults import aws_faults
from takings.adapters.aws.kpi_store import DynamoKpiStore
from takings.adapters.aws.lake_files import BucketLakeFiles
from takings.adapters.aws.ledger import DynamoLedger
from takings.adapters.aws.object_store import BucketStore
from takings.adapters.aws.owners import LeaseOwners
from takings.adapters.platform import SETTINGS_FILE, OpenFiles, PlatformPorts
from takings.errors import SettingsError
from takings.kpis import KpiTable
from takings.ports import Changes, Tell
from takings.profiles import contracts_folder
from takings.settings import Settings
from takings.validation.findings import Verdict

#: the prefix of a bucket's own contracts
CONTRACTS: Final = "contracts"
#: what belongs to a source or to a KPI table of the shop's own, beside the contracts
_OTHER_FILE: Final = re.compile(r"sources/[^/\\]+/[^/\\]+|kpis/[^/\\]+")


class AwsPlatform:
    """A store in a bucket, with its tables on DynamoDB."""

    def __init__(self, clients: Clients, bucket: str, root: Path) -> None:
        self.root = root
        self._clients = clients
        self._bucket = Bucket(clients.s3, bucket)

    def settings_file(self) -> tuple[str, str] | None:
        """Return name and text of the bucket's settings; UnknownThing where there is no such bucket."""
        name = f"{self._bucket}/{SETTINGS_FILE}"
        content = self._bucket.read(SETTINGS_FILE)
        try:
            return None if content is None else (name, content.decode())
        except UnicodeDecodeError as broken:
            raise SettingsError(f"{name} is not a TOML file: {broken}.") from broken

    def files(self) -> BucketStore:
        """Return the store's files."""
        return BucketStore(self._bucket, self.root)

    def files_elsewhere(self) -> OpenFiles:
        """Return what opens the bucket's files in another process, with that process's own credentials."""
        return partial(_files_of, self._bucket.name, self._clients.region)

    def contracts(self, settings: Settings) -> Path | None:
        """Return the folder that the settings name, or a copy of the bucket's own: functions and tasks have only that.

        SettingsError where the settings name another bucket or another place in it: only this one may be read.
        """
        named = settings.contracts
        if named is None or not named.startswith("s3://"):
            return contracts_folder(named)
        if named.removesuffix("/") != f"{self._bucket}/{CONTRACTS}":
            raise SettingsError(
                f"contracts = '{named}': the contracts of {self._bucket} have to be in {self._bucket}/{CONTRACTS}."
            )
        folder = self.root / CONTRACTS
        folder.mkdir(exist_ok=True)
        for info in self._bucket.list(f"{CONTRACTS}/"):
            name = info.key.removeprefix(f"{CONTRACTS}/")
            is_wanted = name and ("/" not in name or _OTHER_FILE.fullmatch(name))
            content = self._bucket.read(info.key) if is_wanted else None
            if content is not None:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
        return folder

    @contextmanager
    def open(self, settings: Settings, _: Sequence[KpiTable]) -> Iterator[PlatformPorts]:
        """Open the store's tables; SettingsError where there are none, or they belong to another bucket."""
        database = Database(self._clients.dynamodb, settings.table_prefix)
        ledger = DynamoLedger(database, self._bucket.name)
        ledger.check_alone()
        yield PlatformPorts(
            ledger=ledger,
            kpis=DynamoKpiStore(database),
            lake=BucketLakeFiles(self._bucket, self.root, self._clients.lake_options),
            owners=LeaseOwners(),
            notice=self._notice,
        )

    def _notice(self, _: Tell) -> AbstractContextManager[Changes]:
        return nullcontext(NoChanges())

    def accepted(self, settings: Settings) -> Mapping[tuple[str, str], str]:
        """Return dataset or source, and fingerprint -> key of the files that the store has accepted."""
        ledger = DynamoLedger(Database(self._clients.dynamodb, settings.table_prefix), self._bucket.name)
        return {
            (record.dataset.value, record.fingerprint): record.file_key
            for record in ledger.lineage()
            if record.verdict is Verdict.ACCEPTED and record.fingerprint is not None
        }

    def faults(self) -> AbstractContextManager[None]:
        """Begin a block in which boto3's errors become Takings errors."""
        return aws_faults()


@contextmanager
def _files_of(bucket: str, region: str, work: Path) -> Iterator[BucketStore]:
    """Open a bucket's files, with a working folder."""
    with aws_faults(), connected(region) as clients:
        yield BucketStore(Bucket(clients.s3, bucket), work)
