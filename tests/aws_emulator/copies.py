"""S3 copies an object on a condition for its destination, as it writes one; MiniStack knows only those for the source."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from ministack.services import s3

from tests.aws_emulator.patching import Function, needed, patch

#: between looking and copying nobody else writes
_lock = threading.Lock()


def behave() -> None:
    """Mend what differs from AWS."""
    needed(s3, "_check_put_preconditions", "_ensure_bucket")
    patch(s3, "_copy_object", "bucket_name, dest_key, headers", _on_condition)


def _on_condition(original: Function) -> Function:
    def copy_object(bucket_name: str, dest_key: str, headers: Mapping[str, str]) -> Any:
        with _lock:
            bucket = s3._ensure_bucket(bucket_name)
            present = bucket["objects"].get(dest_key) if bucket else None
            return s3._check_put_preconditions(headers, present) or original(bucket_name, dest_key, headers)

    return copy_object
