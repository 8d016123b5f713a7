"""Look whether an account lets as much run at a time as a store may need; AWS raises such quotas on request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from botocore.exceptions import ClientError

from takings.adapters.aws.faults import code_of
from takings.adapters.aws.resources.events import LOOKS_AT_A_TIME
from takings.adapters.aws.resources.services import Services

#: looks for events, one by a schedule, one behind a batch, and the archiver
_CALLS: Final = LOOKS_AT_A_TIME + 3
#: "Fargate On-Demand vCPU resource count"
_PROCESSORS: Final = {"ServiceCode": "fargate", "QuotaCode": "L-3032A538"}


def calls_at_a_time(services: Services) -> Iterator[str]:
    """Yield a sentence if the account has no room for the functions' calls: its quota, less what other functions reserve."""
    room = services.lambdas.get_account_settings()["AccountLimit"].get("UnreservedConcurrentExecutions", _CALLS)
    if room < _CALLS:
        yield (
            f"Lambda lets only {room} calls run at a time that no function reserves, and a store may need {_CALLS}: batches"
            ' will wait. Ask AWS to raise the quota "Concurrent executions", or let other functions reserve less.'
        )


def processors_at_a_time(services: Services, wanted: int) -> Iterator[str]:
    """Yield a remark if Fargate has fewer processors than a store's largest batch and its maintenance use, or if nobody knows.

    A smaller quota is no fault: small batches run, and one that does not fit waits and is tried again.
    """
    try:
        found = services.quotas.get_service_quota(**_PROCESSORS)["Quota"].get("Value")
    except ClientError as refused:
        yield (
            f"whether Fargate has room for {wanted} processors is not known ({code_of(refused)}): looking needs"
            " servicequotas:GetServiceQuota. Look yourself: the quota L-3032A538 of the service fargate."
        )
        return
    if found is not None and found < wanted:
        yield (
            f"Fargate lets only {found:g} processors run at a time, and a batch of `batch_max_bytes` may use {wanted}, with the"
            ' maintenance beside it: such a batch will wait. Ask AWS to raise the quota "Fargate On-Demand vCPU resource'
            ' count" (L-3032A538), or lower `batch_max_bytes`.'
        )
