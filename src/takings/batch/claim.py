"""Hold a batch through the gate: every step with a side effect first checks that this attempt still owns it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from takings import layout
from takings.archive.lineage import LineageRecord, begun
from takings.errors import ConflictError, CorruptState, Superseded
from takings.intake.arrivals import Arrival
from takings.intake.gate import Gate
from takings.intake.manifest import Manifest, read_manifest
from takings.layout import BatchId
from takings.ports import Ports


@dataclass
class Claim:
    """What one attempt holds: the gate as it last wrote it, and the batch behind it."""

    ports: Ports
    gate: Gate
    #: the batch that the gate named when it was claimed; the gate forgets it when the batch ends
    batch_id: BatchId = field(init=False)
    _manifest: Manifest | None = field(default=None, init=False)
    #: by fingerprint; no other batch ends while this one has the gate
    _accepted: dict[str, list[LineageRecord]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.batch_id = BatchId(str(self.gate.batch_id))

    @property
    def manifest(self) -> Manifest:
        """Read, once, what the batch is made of; CorruptState if the manifest is lost or damaged."""
        if self._manifest is None:
            key = layout.manifest(self.batch_id)
            content = self.ports.store.read(key)
            if content is None:
                raise CorruptState(f"{key} is missing, but the gate names its batch. Restore it from a back-up.")
            self._manifest = read_manifest(content, key)
        return self._manifest

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        """Return the files of the batch, in the order of their versions."""
        return self.manifest.arrivals

    def begun(self, arrival: Arrival) -> LineageRecord:
        """Return the lineage record of a file that the batch begins; the record of its end replaces it."""
        return begun(arrival, self.batch_id, self.manifest.now)

    def look_up(self, fingerprints: Iterable[str]) -> None:
        """Ask for the accepted files with one of these fingerprints, all at once, so that `accepted_with` need not."""
        asked = sorted(set(fingerprints) - self._accepted.keys())
        self._accepted.update({fingerprint: [] for fingerprint in asked})
        for record in self.ports.ledger.accepted_with(asked) if asked else ():
            self._accepted[str(record.fingerprint)].append(record)

    def accepted_with(self, fingerprint: str) -> Sequence[LineageRecord]:
        """Return the records of accepted files with this fingerprint; the newest may be absent for a moment."""
        self.look_up([fingerprint])
        return self._accepted[fingerprint]

    def check(self) -> Gate:
        """Return the gate; Superseded where another attempt has it. Call it before every step with a side effect."""
        current = self.ports.ledger.gate()
        if (current.batch_id, current.attempt, current.owner) != (
            self.gate.batch_id,
            self.gate.attempt,
            self.gate.owner,
        ):
            self.ports.tell("batch.superseded", {"batch_id": self.gate.batch_id, "attempt": self.gate.attempt})
            raise Superseded(f"batch {self.gate.batch_id}: attempt {self.gate.attempt} lost the gate to a newer one.")
        return current

    def change(self, transition: Callable[[Gate], Gate]) -> None:
        """Change the gate as its owner, even while the lease is renewed at the same time."""
        while True:
            checked = self.check()
            try:
                self.gate = self.ports.ledger.change_gate(transition(checked))
            except ConflictError:
                continue
            return

    def now_reading(self, what: str) -> None:
        """Record what is being read, in case this process dies over it."""
        if self.gate.reading != what:
            self.change(lambda current: current.now_reading(what))

    def renew(self) -> None:
        """Extend the lease."""
        self.change(lambda current: current.renewed(self.ports.clock.now()))

    def let_go(self) -> None:
        """End the lease, so that the batch can be resumed at once."""
        self.change(lambda current: current.let_go(self.ports.clock.now()))

    def block(self, reason: str) -> None:
        """Block the batch until somebody unblocks it."""
        self.change(lambda current: current.blocked(reason))
