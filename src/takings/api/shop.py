"""A shop's store as an object: what the command line does with it, as methods that return values."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from takings.api import keeping, notices, runs
from takings.api.kpis import Day, as_day
from takings.api.looks import ShopLooks
from takings.api.runs import Run
from takings.archive.outcome import BatchOutcome
from takings.composition.stores import Shop as OpenedStore
from takings.composition.stores import open_store
from takings.layout import BatchId
from takings.ports import Tell

if TYPE_CHECKING:
    from takings.runs.maintenance import Maintenance
    from takings.runs.notify import Notified
    from takings.runs.rebuild import Rebuilt
    from takings.runs.restate import Restatement


def open_shop(
    store: str | Path,
    *,
    tell: Tell | None = None,
    **settings: Any,  # noqa: ANN401 - each setting has its own type
) -> Shop:
    """Open a shop's store: a folder, or a bucket as `s3://bucket`.

    `settings` are those of docs/settings.md and win over takings.toml and TAKINGS_* variables. `tell` is called with the name
    of each event and what is known about it, as it happens; by default they go to the logger `takings`, level INFO.

    UnknownThing where there is no such store, SettingsError where a setting is unknown or an extra is not installed.
    Nothing stays open: each method opens the store, works and closes it, so threads and processes may share a Shop.

    >>> import takings
    >>> takings.open("shop", batch_wait="5m")
    Shop('shop')
    >>> takings.open("nowhere")
    Traceback (most recent call last):
    takings.errors.UnknownThing: nowhere is not a folder. ...
    """
    shop = Shop(store, tell=tell, **settings)
    shop.settings()
    return shop


class Shop(ShopLooks):
    """A shop's store, a folder or a bucket; `takings.open` makes one.

    Every method may raise MachineryError: the work could not be finished, and can be done again.

    >>> import takings
    >>> shop = takings.open("shop")
    >>> shop.store
    'shop'
    """

    def run(self, *, now: bool = False, on_batch: Callable[[BatchOutcome], None] | None = None) -> Run:
        """Process what is pending, batch after batch, until the policy says to wait; with `now`, do not wait.

        A bad file is a verdict in `batches[…].reports`, not an error. With `on_batch`, hand each batch over when it ends and
        keep none. Beside a living owner of a batch, wait for it first.

        MachineryError where a batch is blocked or could not be finished; it can be run again.

        >>> import takings
        >>> done = takings.open("shop").run(now=True)
        >>> [(report.key, report.verdict.value) for batch in done.batches for report in batch.reports]
        [('raw-data/orders/late.csv', 'accepted')]
        """
        return runs.run(self.store, self._working(), now=now, on_batch=on_batch)

    def replay(
        self, *, batch: str | None = None, file: str | None = None, failed: bool = False
    ) -> tuple[BatchOutcome, ...]:
        """Take archived originals again, as new batches with their first versions; nothing is counted twice.

        Say which: every original of a `batch`, the newest one of a `file` (a key such as raw-data/orders/a.csv), or every
        `failed` file without a newer one. UsageError unless it is one of them, UnknownThing where it does not exist.

        >>> import takings
        >>> [batch.commit for batch in takings.open("shop").replay(file="raw-data/orders/a.csv")]
        [2]
        """
        return runs.replay(self._working(), batch=batch, file=file, failed=failed)

    def unblock(self) -> BatchId:
        """Let the next run resume the batch that is blocked, and return its id. UnknownThing where none is blocked.

        `status().reason` says what stopped it; put that right first.

        >>> import takings
        >>> takings.open("shop").unblock()
        Traceback (most recent call last):
        takings.errors.UnknownThing: shop: no batch is blocked.
        """
        return keeping.unblock(self.store, self._working())

    def restate(self, first: Day | None = None, last: Day | None = None) -> Restatement:
        """Publish the KPIs of business days again from the lake, after a change of a definition, contract or time zone.

        `first` and `last` are both inclusive; without them, all days. A batch that commits meanwhile is newer and wins.

        UsageError where `last` is before `first`, UnknownThing where nothing is in the lake yet.

        >>> import takings
        >>> done = takings.open("shop").restate("2025-03-31")
        >>> done.commit, done.published["OrderKPIs"]
        (1, 1)
        """
        return keeping.restate(self._working(), first, last)

    def maintain(self, *, dry_run: bool = False) -> Maintenance:
        """Compact small files, clean the tables' logs and remove what nothing needs; safe beside a running batch.

        Files younger than 7 days stay, and reports younger than the setting `keep_reports`. With `dry_run`, change nothing and
        return what would be done.

        >>> import takings
        >>> done = takings.open("shop").maintain(dry_run=True)
        >>> done.vacuumed, done.expired
        (0, 0)
        """
        return keeping.maintain(self._working(), dry_run=dry_run)

    def rebuild(
        self,
        new: str | Path,
        **settings: Any,  # noqa: ANN401 - each setting has its own type
    ) -> Rebuilt:
        """Make lake, KPIs and ledger again from this store's archive alone, in a new store; change nothing in this one.

        `new` is an empty or missing folder, or a bucket that `takings aws bootstrap` made. `settings`, such as `contracts` and
        `time_zone`, are for this one time; write them into the new takings.toml, too. `changes` are the files with another
        verdict than at the time, `pending` and `unarchived` the drops that no archive has.

        UsageError where there is something at `new` already, CorruptState where the archive lacks an original.

        >>> import takings
        >>> rebuilt = takings.open("shop").rebuild("new-shop")
        >>> rebuilt.batches, rebuilt.files, rebuilt.changes, rebuilt.pending
        (1, 3, (), 1)
        """
        return keeping.rebuild(self.store, new, self._tell, settings)

    def notify(self) -> Notified:
        """Send what there is to tell to the addresses of the setting `notify`, each thing once per address.

        What could not be sent is in `failed`, and the next call tries again. SettingsError where no address is set, Apprise is
        not installed (`takings[notify]`) or it cannot use an address.

        >>> import takings
        >>> takings.open("shop").notify()
        Traceback (most recent call last):
        takings.errors.SettingsError: notify names no address. ...
        """
        return notices.notify(self.store, self._looking())

    def send_digest(self, day: Day | None = None) -> Notified:
        """Send the digest of a business day, of yesterday unless one is named, to the addresses of the setting `notify`.

        Raises what `notify` raises. Called twice, it is sent twice.

        >>> import takings
        >>> takings.open("shop").send_digest("2025-03-30")
        Traceback (most recent call last):
        takings.errors.SettingsError: notify names no address. ...
        """
        return notices.send_digest(self.store, self._looking(), None if day is None else as_day(day))

    def send_test(self) -> Notified:
        """Send a test to the addresses of the setting `notify`, to try them out. Raises what `notify` raises.

        >>> import takings
        >>> takings.open("shop").send_test()
        Traceback (most recent call last):
        takings.errors.SettingsError: notify names no address. ...
        """
        return notices.send_test(self.store, self._looking())

    def _working(self) -> AbstractContextManager[OpenedStore]:
        return open_store(self.store, self._tell, self._options)
