"""SQS as the source of a function's events, as on AWS: messages are gathered for the window, up to a batch's size and 6 MB.

MiniStack hands over what there is at once, ten messages at most.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any, Final

from ministack.services import lambda_svc, sqs

from tests.aws_emulator.patching import Function, needed, patch

#: the most that a call of a function may carry
_PAYLOAD: Final = 6_000_000
#: what Lambda wraps around a message's body
_AROUND: Final = 700


def behave(speed: float) -> None:
    """Mend what differs from AWS; windows take this part of their time."""
    needed(lambda_svc, "_esms", "_esm_wake", "_iter_all_esms")
    needed(sqs, "_queues_lock", "_get_q", "_collect_msgs", "_expire_retained", "_dlq_sweep", "_ensure_msg_fields")

    def change(_: Function) -> Function:
        def receive(queue_url: str, max_number: int) -> list[dict[str, Any]]:
            with sqs._queues_lock:
                queue = sqs._get_q(queue_url)
                sqs._expire_retained(queue)
                sqs._dlq_sweep(queue)
                visible = _visible(queue)
                remaining = _remaining(queue, visible, max_number, speed)
                if remaining > 0:
                    timer = threading.Timer(remaining, lambda_svc._esm_wake.set)
                    timer.daemon = True
                    timer.start()
                    return []
                hidden = int(queue["attributes"].get("VisibilityTimeout", "30"))
                taken: list[dict[str, Any]] = sqs._collect_msgs(queue, _fitting(visible[:max_number]), hidden)
                return taken

        return receive

    patch(sqs, "_receive_messages_for_esm", "queue_url, max_number", change)


def _visible(queue: dict[str, Any]) -> list[dict[str, Any]]:
    for message in queue["messages"]:
        sqs._ensure_msg_fields(message)
    return [message for message in queue["messages"] if message["visible_at"] <= time.time()]


def _remaining(queue: dict[str, Any], visible: list[dict[str, Any]], most: int, speed: float) -> float:
    """Return for how long messages are still gathered: until the first has waited for the window, or a batch is full."""
    if not visible or len(visible) >= most or _fitting(visible) < len(visible):
        return 0
    arn = queue["attributes"]["QueueArn"]
    window = next(
        (
            esm["MaximumBatchingWindowInSeconds"]
            for _, _, esm in lambda_svc._iter_all_esms()
            if esm["EventSourceArn"] == arn
        ),
        0,
    )
    began = min(message["visible_at"] for message in visible)
    return float(began + window * speed - time.time())


def _fitting(messages: list[dict[str, Any]]) -> int:
    """Return how many of the messages fit into one call."""
    size = 0
    for number, message in enumerate(messages):
        size += len(json.dumps(message["body"])) + _AROUND
        if size > _PAYLOAD:
            return number
    return len(messages)
