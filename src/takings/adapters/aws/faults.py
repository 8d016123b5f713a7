"""Translate AWS errors into errors that a person can act on."""

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

from takings.errors import (
    SettingsError,
    StoreError,
    StuckFile,
    TakingsError,
    UnknownThing,
    UnreadableFile,
    UsageError,
)

_NOT_ALLOWED: Final = {"AccessDenied", "AccessDeniedException", "403"}
#: not allowed, or in an archive storage class from which it has to be restored; a HEAD request returns only the status
_OF_ONE_OBJECT: Final = _NOT_ALLOWED | {"InvalidObjectState", "400"}
_REMEDY: Final = (
    "Let these credentials read the object and decrypt with its key; if it is archived in Glacier, restore it first."
)
_NOT_KNOWN: Final = {
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}


@contextmanager
def aws_faults() -> Iterator[None]:
    """Raise Takings errors instead of boto3's."""
    try:
        yield
    except ClientError as refused:
        raise _explain(refused) from refused
    except (NoCredentialsError, PartialCredentialsError, NoRegionError, ProfileNotFound) as missing:
        raise SettingsError(f"AWS: {missing}. Set it up with `aws configure`, or with AWS_* variables.") from missing
    except ParamValidationError as senseless:
        raise UsageError(f"AWS: {' '.join(str(senseless).split())}") from senseless
    except (BotoCoreError, Boto3Error) as failed:
        raise StoreError(
            f"AWS could not be reached: {failed}. Check the network and run again; nothing is lost."
        ) from failed


@contextmanager
def refused_to_be_read(key: str) -> Iterator[None]:
    """Raise UnreadableFile where S3 refuses one object: because of credentials, encryption key or storage class."""
    try:
        yield
    except ClientError as refused:
        if code_of(refused) not in _OF_ONE_OBJECT and not code_of(refused).startswith("KMS."):
            raise
        raise UnreadableFile(f"{key}: it cannot be read: {_said(refused)} {_REMEDY}") from refused


@contextmanager
def refused_to_be_removed() -> Iterator[None]:
    """Raise StuckFile where S3 refuses to remove one object."""
    try:
        yield
    except ClientError as refused:
        if code_of(refused) not in _NOT_ALLOWED:
            raise
        raise StuckFile(
            f"it is archived, but cannot be removed from raw-data/: {_said(refused)} Give these credentials the"
            " permission, and remove it by hand."
        ) from refused


def _said(refused: ClientError) -> str:
    said = str(refused.response.get("Error", {}).get("Message", "")).rstrip(".")
    return f"AWS refused {refused.operation_name}: {code_of(refused)}: {said}."


def code_of(refused: ClientError) -> str:
    """Return an error's code, such as NoSuchKey; for a HEAD request, which has none, the HTTP status."""
    return str(refused.response.get("Error", {}).get("Code", ""))


def _explain(refused: ClientError) -> TakingsError:
    code, what = code_of(refused), _said(refused)
    if code == "NoSuchBucket":
        return UnknownThing(f"{what} Check the bucket's name, the region and the account.")
    if code in _NOT_ALLOWED:
        return StoreError(f"{what} Give these credentials the permission and run again; nothing is lost.")
    if code in _NOT_KNOWN:
        return SettingsError(f"{what} Check the credentials: `aws sts get-caller-identity` says whose they are.")
    return StoreError(f"{what} Run again; nothing is lost.")
