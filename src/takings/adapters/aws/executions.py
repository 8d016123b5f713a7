"""Hand batches to the state machine `ecommerce-pipeline`, and schedule the next look at the store's deadline."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from takings.adapters.aws.names import DEADLINE
from takings.errors import MachineryError
from takings.layout import BatchId

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_stepfunctions import SFNClient

#: a schedule that fires while it is changed has to be created again
_TRIES: Final = 5
#: the format of an instant in a schedule, in the time zone that it names
_AT: Final = "at(%Y-%m-%dT%H:%M:%S)"


@dataclass(frozen=True, kw_only=True)
class Handover:
    """What the functions need to know about their pipeline, as ARNs except for the group."""

    state_machine: str
    #: the group of schedules in EventBridge Scheduler
    schedule_group: str
    #: the role that the scheduler takes to invoke the detector
    schedule_role: str
    detector: str


class StateMachine:
    """Executions of the state machine, one per attempt, and a one-time schedule per store."""

    def __init__(
        self, stepfunctions: SFNClient, scheduler: EventBridgeSchedulerClient, handover: Handover, bucket: str
    ) -> None:
        self._stepfunctions = stepfunctions
        self._scheduler = scheduler
        self._handover = handover
        self._bucket = bucket

    def start(self, batch_id: BatchId, attempt: int) -> None:
        """Start the execution named after the attempt; a name can be used once in 90 days."""
        with suppress(self._stepfunctions.exceptions.ExecutionAlreadyExists):
            self._stepfunctions.start_execution(
                stateMachineArn=self._handover.state_machine,
                name=_name(batch_id, attempt),
                input=json.dumps({"batch_id": batch_id, "attempt": attempt}),
            )

    def is_running(self, batch_id: BatchId, attempt: int) -> bool:
        """Return whether the execution of an attempt has started and not ended."""
        machine = self._handover.state_machine.replace(":stateMachine:", ":execution:", 1)
        try:
            found = self._stepfunctions.describe_execution(executionArn=f"{machine}:{_name(batch_id, attempt)}")
        except self._stepfunctions.exceptions.ExecutionDoesNotExist:
            return False
        return found["status"] in {"RUNNING", "PENDING_REDRIVE"}

    def wake_at(self, deadline: datetime | None) -> None:
        """Keep one schedule for the store: it invokes the detector once and deletes itself; none without a deadline."""
        place = {"Name": DEADLINE, "GroupName": self._handover.schedule_group}
        if deadline is None:
            with suppress(self._scheduler.exceptions.ResourceNotFoundException):
                self._scheduler.delete_schedule(**place)
            return
        # A schedule has whole seconds, and a batch is not due before its deadline.
        whole = deadline if deadline.microsecond == 0 else deadline.replace(microsecond=0) + timedelta(seconds=1)
        schedule: dict[str, Any] = place | {
            "ScheduleExpression": whole.strftime(_AT),
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {
                "Arn": self._handover.detector,
                "RoleArn": self._handover.schedule_role,
                "Input": json.dumps({"source": "takings.deadline", "deadline": whole.isoformat()}),
            },
        }
        # Asking twice for the same deadline makes one schedule.
        token = sha256(f"{self._bucket} {whole.isoformat()}".encode()).hexdigest()[:64]
        gone = self._scheduler.exceptions.ResourceNotFoundException
        for _ in range(_TRIES):
            with suppress(self._scheduler.exceptions.ConflictException):
                self._scheduler.create_schedule(**schedule, ClientToken=token)
                return
            # The present one may fire and disappear at any moment.
            with suppress(gone):
                if self._scheduler.get_schedule(**place)["ScheduleExpression"] != schedule["ScheduleExpression"]:
                    self._scheduler.update_schedule(**schedule, ClientToken=token)
                return
        raise MachineryError(f"the schedule {DEADLINE} keeps changing: {_TRIES} tries to set it failed. Look again.")


def _name(batch_id: BatchId, attempt: int) -> str:
    return f"{batch_id}-{attempt}"
