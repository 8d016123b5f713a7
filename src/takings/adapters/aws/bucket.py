"""Read and write one S3 bucket as a store needs it: exact versions, writes that never replace, large objects in parts.

Conditional writes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from s3transfer.utils import ReadFileChunk

from takings.adapters.aws.clients import THREADS
from takings.adapters.aws.faults import code_of
from takings.errors import SettingsError, StoreError
from takings.intake.arrivals import ObjectInfo

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, HeadObjectOutputTypeDef

#: S3 copies at most 5 GB at once and takes at most 10,000 parts; parts are copied in parallel
PART_BYTES: Final = 512 << 20
#: larger objects are fetched in ranges, in parallel
_RANGE_BYTES: Final = 16 << 20
_BLOCK: Final = 1 << 20
#: the size of each part of a large object
_CHECKSUM: Final = "CRC32"
#: the most keys in one request
_MOST_DELETED: Final = 1000
_ABSENT: Final = {"404", "NoSuchKey", "NoSuchVersion"}
_CHANGED: Final = {"412", "PreconditionFailed"}
#: somebody else writes the same key at the same time; S3 asks for a retry, but boto3 does not retry
_CONTESTED: Final = {"409", "ConditionalRequestConflict", "OperationAborted"}
_CONTESTED_TRIES: Final = 10


@dataclass(frozen=True, kw_only=True)
class ObjectVersion:
    """The bytes that a key had at some time; they never change."""

    key: str
    version_id: str
    size: int
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def as_source(self) -> dict[str, str]:
        """Return it as S3 names the source of a copy."""
        return {"Key": self.key, "VersionId": self.version_id}


class Bucket:
    """A bucket with versioning."""

    def __init__(
        self,
        s3: S3Client,
        name: str,
        *,
        part_bytes: int = PART_BYTES,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._s3 = s3
        self.name = name
        self._part_bytes = part_bytes
        self._pause = pause

    def __str__(self) -> str:
        return f"s3://{self.name}"

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """List all objects under a prefix, page by page."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        for page in pages:
            for found in page.get("Contents", ()):
                yield ObjectInfo(
                    key=found["Key"],
                    size=found["Size"],
                    written_at=found["LastModified"],
                    etag=found["ETag"].strip('"'),
                )

    def read(self, key: str) -> bytes | None:
        """Return an object's bytes; None where it is absent."""
        try:
            return self._s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        except ClientError as refused:
            if code_of(refused) in _ABSENT:
                return None
            raise

    def newest(self, key: str) -> ObjectVersion | None:
        """Return the version that a key has now; None where it is absent."""
        try:
            return self._version(key, self._s3.head_object(Bucket=self.name, Key=key))
        except ClientError as refused:
            if code_of(refused) in _ABSENT:
                return None
            raise

    def find(self, key: str, etag: str) -> ObjectVersion | None:
        """Return the version of a key that an ETag names, even behind newer bytes or a delete marker."""
        try:
            return self._version(key, self._s3.head_object(Bucket=self.name, Key=key, IfMatch=f'"{etag}"'))
        except ClientError as refused:
            if code_of(refused) not in _ABSENT | _CHANGED:
                raise
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self.name, Prefix=key)
        for page in pages:
            for found in page.get("Versions", ()):
                if found["Key"] == key and found["ETag"].strip('"') == etag:
                    return ObjectVersion(key=key, version_id=found["VersionId"], size=found["Size"])
        return None

    def _version(self, key: str, head: HeadObjectOutputTypeDef) -> ObjectVersion:
        if "VersionId" not in head:
            raise self._unversioned()
        return ObjectVersion(
            key=key, version_id=head["VersionId"], size=head["ContentLength"], metadata=head["Metadata"]
        )

    def download(self, version: ObjectVersion, target: Path) -> None:
        """Write the bytes of a version to a local file; StoreError if some are missing."""
        self._s3.download_file(
            self.name,
            version.key,
            str(target),
            ExtraArgs={"VersionId": version.version_id},
            Config=TransferConfig(multipart_threshold=_RANGE_BYTES, multipart_chunksize=_RANGE_BYTES),
        )
        if (got := target.stat().st_size) != version.size:
            raise StoreError(
                f"{self}/{version.key}: {got} of {version.size} bytes arrived. Run again; nothing is lost."
            )

    def download_newest(self, key: str, target: Path) -> bool:
        """Write a key's present bytes to a local file, with one request; return whether the key exists."""
        try:
            body = self._s3.get_object(Bucket=self.name, Key=key)["Body"]
        except ClientError as refused:
            if code_of(refused) in _ABSENT:
                return False
            raise
        with target.open("wb") as file:
            shutil.copyfileobj(body, file, _BLOCK)
        return True

    def fingerprint(self, key: str) -> str:
        """Return the SHA-256 of a key's present bytes."""
        digest = sha256()
        for block in self._s3.get_object(Bucket=self.name, Key=key)["Body"].iter_chunks(_BLOCK):
            digest.update(block)
        return digest.hexdigest()

    def create(self, key: str, content: bytes) -> bool:
        """Write an object unless the key exists; return whether it was written."""
        return self._unless_exists(
            lambda absent: self._s3.put_object(Bucket=self.name, Key=key, Body=content, IfNoneMatch=absent)
        )

    def upload(self, path: Path, key: str, metadata: Mapping[str, str] | None = None) -> bool:
        """Write a local file to a key unless the key exists; return whether it was written."""
        size = path.stat().st_size
        if size > self._part_bytes:

            def send(upload: str, number: int, start: int, length: int) -> Mapping[str, Any]:
                with ReadFileChunk.from_filename(str(path), start, length) as part:
                    return self._s3.upload_part(
                        Bucket=self.name,
                        Key=key,
                        UploadId=upload,
                        PartNumber=number,
                        Body=cast("IO[bytes]", part),
                        ChecksumAlgorithm=_CHECKSUM,
                    )

            return self._in_parts(key, size, metadata or {}, send)

        def put(absent: str) -> object:
            with path.open("rb") as body:
                return self._s3.put_object(
                    Bucket=self.name, Key=key, Body=body, Metadata=metadata or {}, IfNoneMatch=absent
                )

        return self._unless_exists(put)

    def copy(self, source: ObjectVersion, destination: str, metadata: Mapping[str, str]) -> bool:
        """Copy a version within the bucket unless the destination exists; return whether it was written."""
        origin: Any = {"Bucket": self.name, **source.as_source}
        if source.size > self._part_bytes:

            def send(upload: str, number: int, start: int, length: int) -> Mapping[str, Any]:
                sent = self._s3.upload_part_copy(
                    Bucket=self.name,
                    Key=destination,
                    UploadId=upload,
                    PartNumber=number,
                    CopySource=origin,
                    CopySourceRange=f"bytes={start}-{start + length - 1}",
                )
                return sent["CopyPartResult"]

            return self._in_parts(destination, source.size, metadata, send)
        return self._unless_exists(
            lambda absent: self._s3.copy_object(
                Bucket=self.name,
                Key=destination,
                CopySource=origin,
                Metadata=metadata,
                MetadataDirective="REPLACE",
                TaggingDirective="REPLACE",
                IfNoneMatch=absent,
            )
        )

    def copy_present(self, key: str, etag: str, size: int, destination: str, metadata: Mapping[str, str]) -> bool:
        """Copy a key's present bytes with one request, if they are those of the ETag and the destination is free.

        Return whether they were copied. Otherwise a condition does not hold, or they are too large for one request.
        """
        if size > self._part_bytes:
            return False
        origin: Any = {"Bucket": self.name, "Key": key}
        try:
            return self._unless_exists(
                lambda absent: self._s3.copy_object(
                    Bucket=self.name,
                    Key=destination,
                    CopySource=origin,
                    CopySourceIfMatch=f'"{etag}"',
                    Metadata=metadata,
                    MetadataDirective="REPLACE",
                    TaggingDirective="REPLACE",
                    IfNoneMatch=absent,
                )
            )
        except ClientError as refused:
            if code_of(refused) in _ABSENT:
                return False
            raise

    def fetch_small(self, key: str, target: Path, etag: str | None = None) -> bool:
        """Write a key's present bytes to a local file with one request, if they are small and those of the ETag, if any.

        Return whether they were written.
        """
        condition: Any = {} if etag is None else {"IfMatch": f'"{etag}"'}
        try:
            found = self._s3.get_object(Bucket=self.name, Key=key, **condition)
        except ClientError as refused:
            if code_of(refused) in _ABSENT | _CHANGED:
                return False
            raise
        with closing(found["Body"]) as body:
            if found["ContentLength"] > _RANGE_BYTES:
                return False
            if "VersionId" not in found:
                raise self._unversioned()
            with target.open("wb") as file:
                shutil.copyfileobj(body, file, _BLOCK)
        if (got := target.stat().st_size) != found["ContentLength"]:
            raise StoreError(
                f"{self}/{key}: {got} of {found['ContentLength']} bytes arrived. Run again; nothing is lost."
            )
        return True

    def _unversioned(self) -> SettingsError:
        return SettingsError(
            f"{self}: versioning is off, so a file that is overwritten while it is read would be lost. Turn it on:"
            f" aws s3api put-bucket-versioning --bucket {self.name} --versioning-configuration Status=Enabled"
        )

    def _in_parts(
        self, key: str, size: int, metadata: Mapping[str, str], send: Callable[[str, int, int, int], Mapping[str, Any]]
    ) -> bool:
        """Write an object in parallel parts, unless the key exists; `send` returns S3's answer to a part."""

        def write(absent: str) -> object:
            # S3 takes parts with checksums only if the request names the algorithm first and every checksum at the end.
            upload = self._s3.create_multipart_upload(
                Bucket=self.name, Key=key, Metadata=metadata, ChecksumAlgorithm=_CHECKSUM
            )["UploadId"]

            def send_part(number: int) -> CompletedPartTypeDef:
                start = (number - 1) * self._part_bytes
                length = min(self._part_bytes, size - start)
                sent = send(upload, number, start, length)
                told = {name: sent[name] for name in ("ETag", f"Checksum{_CHECKSUM}") if name in sent}
                return cast("CompletedPartTypeDef", {"PartNumber": number, **told})

            try:
                with ThreadPoolExecutor(THREADS) as pool:
                    parts = list(pool.map(send_part, range(1, -(-size // self._part_bytes) + 1)))
                return self._s3.complete_multipart_upload(
                    Bucket=self.name, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, IfNoneMatch=absent
                )
            except BaseException:
                self._s3.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload)
                raise

        return self._unless_exists(write)

    def _unless_exists(self, write: Callable[[str], object]) -> bool:
        anything = "*"
        return self._while_contested(lambda: write(anything)) is not None

    def delete_unchanged(self, key: str, etag: str) -> None:
        """Put a delete marker on a key, if it still holds the bytes that the ETag names."""
        very_bytes = f'"{etag}"'
        try:
            self._while_contested(lambda: self._s3.delete_object(Bucket=self.name, Key=key, IfMatch=very_bytes))
        except ClientError as refused:
            if code_of(refused) not in _ABSENT:
                raise

    def delete(self, keys: Iterable[str]) -> None:
        """Put delete markers on objects; the bucket's life cycle removes the bytes."""
        rest = iter(keys)
        while some := list(islice(rest, _MOST_DELETED)):
            done = self._s3.delete_objects(
                Bucket=self.name, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True}
            )
            for error in done.get("Errors", ()):
                raise StoreError(
                    f"{self}: {error.get('Key')} could not be removed: {error.get('Code')}: {error.get('Message')}."
                    " Run again; nothing is lost."
                )

    def _while_contested(self, write: Callable[[], object]) -> object | None:
        """Write, and retry while others write the same key; None where the write's condition does not hold."""
        for tried in range(1, _CONTESTED_TRIES + 1):
            try:
                return write()
            except ClientError as refused:
                if code_of(refused) in _CHANGED:
                    return None
                if code_of(refused) not in _CONTESTED or tried == _CONTESTED_TRIES:
                    raise
            self._pause(random.uniform(0, min(0.05 * 2**tried, 5)))
        raise AssertionError("the last try returns or raises")
