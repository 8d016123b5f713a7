"""Translate what AWS refuses into errors that a person can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from boto3.exceptions import Boto3Error
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)

from takings.errors import SettingsError, StoreError, TakingsError, UnknownThing, UsageError

_NOT_ALLOWED: Final = {"AccessDenied", "AccessDeniedException", "403"}
_NOT_KNOWN: Final = {
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}


@contextmanager
def aws_faults() -> Iterator[None]:
    """Raise errors of Takings instead of boto3's."""
    try:
        yield
    except ClientError as refused:
        raise _explain(refused) from refused
    except (NoCredentialsError, PartialCredentialsError, NoRegionError, ProfileNotFound) as missing:
        raise SettingsError(f"AWS: {missing}. Set it up with `aws configure`, or by AWS_* variables.") from missing
    except ParamValidationError as senseless:
        raise UsageError(f"AWS: {senseless}") from senseless
    except (BotoCoreError, Boto3Error) as failed:
        raise StoreError(
            f"AWS could not be reached: {failed}. Check the network and run again; nothing is lost."
        ) from failed


def code_of(refused: ClientError) -> str:
    """Return the code of a refusal, such as NoSuchKey; of a HEAD request, which has none, the HTTP status."""
    return str(refused.response.get("Error", {}).get("Code", ""))


def _explain(refused: ClientError) -> TakingsError:
    code, said = code_of(refused), str(refused.response.get("Error", {}).get("Message", "")).rstrip(".")
    what = f"AWS refused {refused.operation_name}: {code}: {said}."
    if code == "NoSuchBucket":
        return UnknownThing(f"{what} Check the bucket's name, the region and the account.")
    if code in _NOT_ALLOWED:
        return StoreError(f"{what} Give these credentials the permission and run again; nothing is lost.")
    if code in _NOT_KNOWN:
        return SettingsError(f"{what} Check the credentials: `aws sts get-caller-identity` says whose they are.")
    return StoreError(f"{what} Run again; nothing is lost.")
