"""What only a bucket can suffer from: pages, versions, parts, concurrent writers, and another setup."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError

from takings.adapters.aws.bucket import Bucket
from takings.adapters.aws.clients import Clients
from takings.adapters.aws.object_store import FINGERPRINT, VERSION, BucketStore
from takings.archive.moves import Original
from takings.errors import SettingsError, StoreError, StuckFile, UnreadableFile
from takings.intake.arrivals import ObjectInfo
from takings.layout import BatchId
from tests.aws.harness.shop import S3Shop
from tests.emulators import BUCKET, REGION
from tests.shop import NOON

BATCH = BatchId("b1")
KEY, TAKEN = "raw-data/orders/a.csv", "processed/2025/03/30/b1/orders/a.csv"
MIB = 1 << 20
#: S3's smallest part
PART = 5 * MIB


class Body:
    """The body of an answer that came from no server."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> list[bytes]:
        """Return the body in one piece."""
        return [self._content]


@contextmanager
def refused(clients: Clients, operation: str, status: int, code: str, *, times: int) -> Iterator[list[str]]:
    """Make S3 refuse an operation some times; return the list in which each refusal is recorded."""
    noted: list[str] = []

    def answer(request: Any, **_: object) -> AWSResponse | None:
        if len(noted) >= times:
            return None
        noted.append(operation)
        body: Any = Body(f"<Error><Code>{code}</Code><Message>Not now</Message></Error>".encode())
        return AWSResponse(request.url, status, HTTPHeaders(), body)

    events: Any = clients.s3.meta.events
    events.register(f"before-send.s3.{operation}", answer)
    try:
        yield noted
    finally:
        events.unregister(f"before-send.s3.{operation}", answer)


@pytest.fixture
def bytes_of_three_parts() -> bytes:
    """Return more bytes than fit into two parts."""
    return random.Random(7).randbytes(2 * PART + 1)


@pytest.mark.parametrize("aws", ["ministack"], indirect=True)
def test_a_listing_has_all_pages(shop: S3Shop) -> None:
    """S3 returns a thousand keys at a time."""
    keys = {f"raw-data/orders/{number}.csv" for number in range(1005)}
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda key: shop.bucket.create(key, b"1"), keys))
    assert {info.key for info in shop.bucket.list("raw-data/")} == keys
    shop.bucket.delete(keys)
    assert list(shop.bucket.list("raw-data/")) == []


def test_an_older_version_is_found_by_its_etag(shop: S3Shop) -> None:
    """After newer bytes, and after a delete marker; a key with the same prefix is not affected."""
    shop.drop("orders/a.csv", b"old")
    (listed,) = shop.bucket.list(KEY)
    shop.drop("orders/a.csv.gz", b"old")
    shop.drop("orders/a.csv", b"new")
    found = shop.bucket.find(KEY, listed.etag)
    assert found is not None
    assert (found.key, found.size) == (KEY, 3)
    shop.bucket.delete([KEY])
    assert shop.bucket.find(KEY, listed.etag) == found
    assert shop.bucket.find("raw-data/orders/a", listed.etag) is None
    assert shop.bucket.find(KEY, "0" * 32) is None


def test_a_large_original_is_filed_away_in_parts(shop: S3Shop, tmp_path: Path, bytes_of_three_parts: bytes) -> None:
    """Byte for byte, with version and fingerprint; the test lowers the limit."""
    shop.drop("orders/a.csv", bytes_of_three_parts)
    bucket = Bucket(shop.clients.s3, BUCKET, part_bytes=PART)
    store = BucketStore(bucket, tmp_path)
    (listed,) = store.list("raw-data/")
    fingerprint = sha256(bytes_of_three_parts).hexdigest()
    fetched = store.fetch(KEY, listed.etag, BATCH)
    assert fetched is not None
    assert fetched.read_bytes() == bytes_of_three_parts
    for _ in range(2):
        store.archive(KEY, listed.etag, BATCH, TAKEN, NOON, fingerprint)
    archived = bucket.newest(TAKEN)
    assert archived is not None
    assert dict(archived.metadata) == {VERSION: "2025-03-30T12:00:00.000000Z", FINGERPRINT: fingerprint}
    assert bucket.fingerprint(TAKEN) == fingerprint
    assert store.read(KEY) is None


def test_a_large_file_is_uploaded_in_parts(shop: S3Shop, tmp_path: Path, bytes_of_three_parts: bytes) -> None:
    """Unless the key exists; unused parts are removed."""
    path = tmp_path / "large"
    path.write_bytes(bytes_of_three_parts)
    bucket = Bucket(shop.clients.s3, BUCKET, part_bytes=PART)
    assert bucket.upload(path, "lake/large", {"a": "b"}) is True
    assert bucket.upload(path, "lake/large") is False
    assert bucket.read("lake/large") == bytes_of_three_parts
    assert shop.clients.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []


@pytest.mark.parametrize("aws", ["moto"], indirect=True)
def test_a_large_file_is_downloaded_in_ranges(shop: S3Shop, tmp_path: Path) -> None:
    """Byte for byte; MiniStack returns all of a version when asked for a range."""
    content = random.Random(7).randbytes(33 * MIB)
    shop.drop("orders/a.csv", content)
    version = shop.bucket.newest(KEY)
    assert version is not None
    shop.bucket.download(version, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == content


def test_a_download_that_is_cut_short_is_an_error(shop: S3Shop, tmp_path: Path) -> None:
    """A part of the file never counts as the file."""
    shop.drop("orders/a.csv", b"rows")
    version = shop.bucket.newest(KEY)
    assert version is not None
    with pytest.raises(StoreError) as cut:
        shop.bucket.download(replace(version, size=5), tmp_path / "a.csv")
    assert str(cut.value) == f"s3://{BUCKET}/{KEY}: 4 of 5 bytes arrived. Run again; nothing is lost."


@pytest.mark.parametrize("aws", ["ministack"], indirect=True)
def test_of_sixteen_who_create_a_key_one_does(shop: S3Shop) -> None:
    """The others are told."""
    with ThreadPoolExecutor(16) as pool:
        written = list(pool.map(lambda number: shop.bucket.create("lake/commits/1.json", b"%d" % number), range(16)))
    assert written.count(True) == 1
    assert shop.content("lake/commits/1.json") == b"%d" % written.index(True)


class TestContested:
    """S3 answers 409 to concurrent writers, and asks them to try again."""

    @pytest.mark.parametrize(
        ("operation", "write"),
        [
            ("PutObject", lambda bucket: bucket.create("a.json", b"1")),
            ("DeleteObject", lambda bucket: bucket.delete_unchanged("b.json", "1")),
        ],
    )
    @pytest.mark.parametrize("aws", ["ministack"], indirect=True)
    def test_a_contested_write_is_tried_again(
        self, shop: S3Shop, operation: str, write: Callable[[Bucket], object]
    ) -> None:
        """With growing, random pauses."""
        pauses: list[float] = []
        with refused(shop.clients, operation, 409, "ConditionalRequestConflict", times=3) as refusals:
            write(Bucket(shop.clients.s3, BUCKET, pause=pauses.append))
        assert (len(refusals), len(pauses), len(set(pauses))) == (3, 3, 3)

    @pytest.mark.parametrize("aws", ["ministack"], indirect=True)
    def test_it_gives_up_some_time(self, shop: S3Shop) -> None:
        """Then the error is reported as it is."""
        with (
            refused(shop.clients, "PutObject", 409, "ConditionalRequestConflict", times=99) as refusals,
            pytest.raises(ClientError, match="ConditionalRequestConflict"),
        ):
            Bucket(shop.clients.s3, BUCKET, pause=lambda _: None).create("a.json", b"1")
        assert len(refusals) == 10

    @pytest.mark.parametrize("aws", ["moto"], indirect=True)
    def test_a_copy_that_another_attempt_made_first_is_no_conflict(self, shop: S3Shop, tmp_path: Path) -> None:
        """S3 refuses the second one."""
        shop.drop("orders/a.csv", b"rows")
        (listed,) = shop.bucket.list(KEY)
        version = shop.bucket.find(KEY, listed.etag)
        assert version is not None
        with refused(shop.clients, "CopyObject", 412, "PreconditionFailed", times=1):
            assert shop.bucket.copy(version, TAKEN, {}) is False
        assert shop.bucket.copy(version, TAKEN, {}) is True


@contextmanager
def requests(shop: S3Shop) -> Iterator[list[str]]:
    """Note the operations of S3 that are asked for."""
    noted: list[str] = []
    events = shop.clients.s3.meta.events

    def note(model: Any, **_: object) -> None:
        noted.append(model.name)

    events.register("before-call.s3", note)
    try:
        yield noted
    finally:
        events.unregister("before-call.s3", note)


def test_a_file_takes_few_requests(shop: S3Shop, tmp_path: Path) -> None:
    """One to fetch it, two to file it away; only what changed meanwhile takes more."""
    store = BucketStore(shop.bucket, tmp_path)
    shop.drop("orders/a.csv", b"rows")
    (listed,) = store.list(KEY)
    with requests(shop) as asked:
        assert store.fetch(KEY, listed.etag, BATCH) is not None
        assert store.archive_each(BATCH, [original(listed)]) == [None]
    assert asked == ["GetObject", "CopyObject", "DeleteObject"]
    with requests(shop) as asked:
        assert store.archive_each(BATCH, [original(listed)]) == [None]
    assert asked == ["CopyObject", "HeadObject", "DeleteObject"]


def original(listed: ObjectInfo) -> Original:
    return Original(
        key=KEY,
        etag=listed.etag,
        size=listed.size,
        destination=TAKEN,
        version=NOON,
        fingerprint=sha256(b"rows").hexdigest(),
    )


def test_what_cannot_be_removed_is_told(shop: S3Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 answers a removal of many keys with 200, whatever happens to each."""
    answer = {"Errors": [{"Key": "a.json", "Code": "AccessDenied", "Message": "Denied"}]}
    monkeypatch.setattr(shop.clients.s3, "delete_objects", lambda **_: answer)
    with pytest.raises(StoreError, match=r"s3://shop: a\.json could not be removed: AccessDenied: Denied\. Run again"):
        shop.bucket.delete(["a.json"])


def test_a_bucket_without_versions_is_refused(shop: S3Shop, tmp_path: Path) -> None:
    """A file overwritten while it is read would be lost; the message names the command that repairs it."""
    plain = "shop-without-versions"
    shop.clients.s3.create_bucket(Bucket=plain, CreateBucketConfiguration={"LocationConstraint": REGION})
    shop.clients.s3.put_object(Bucket=plain, Key=KEY, Body=b"rows")
    store = BucketStore(Bucket(shop.clients.s3, plain), tmp_path)
    (listed,) = store.list("raw-data/")
    with pytest.raises(SettingsError, match=r"s3://shop-without-versions: versioning is off.*put-bucket-versioning"):
        store.fetch(KEY, listed.etag, BATCH)


@contextmanager
def handling(s3: Any, operation: str, refuse: Callable[..., None]) -> Iterator[None]:
    """Call `refuse` before each request of a kind, until the block ends."""
    event = f"provide-client-params.s3.{operation}"
    s3.meta.events.register(event, refuse)
    try:
        yield
    finally:
        s3.meta.events.unregister(event, refuse)


class TestRefusals:
    """What S3 refuses for one object."""

    @pytest.mark.parametrize(
        ("operation", "code"),
        [
            ("GetObject", "AccessDenied"),
            ("GetObject", "KMS.DisabledException"),
            ("GetObject", "InvalidObjectState"),
        ],
    )
    def test_an_object_that_may_not_be_read_is_its_own_trouble(
        self, moto: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str, code: str
    ) -> None:
        """The error names permission, key or storage class, and the others are fetched."""
        s3 = moto.emptied(monkeypatch).s3
        store = BucketStore(Bucket(s3, BUCKET), tmp_path)
        for name in ("a", "b"):
            s3.put_object(Bucket=BUCKET, Key=f"raw-data/orders/{name}.csv", Body=b"rows")
        etags = {info.key: info.etag for info in store.list("raw-data/")}

        def refuse(params: dict[str, Any], **_: object) -> None:
            if params.get("Key") == "raw-data/orders/a.csv":
                raise ClientError({"Error": {"Code": code, "Message": "not yours."}}, operation)

        with handling(s3, operation, refuse), pytest.raises(UnreadableFile) as unread:
            store.fetch("raw-data/orders/a.csv", etags["raw-data/orders/a.csv"], BatchId("b1"))
        assert str(unread.value).startswith(
            f"raw-data/orders/a.csv: it cannot be read: AWS refused {operation}: {code}: not yours."
            " Let these credentials read the object"
        )
        other = store.fetch("raw-data/orders/b.csv", etags["raw-data/orders/b.csv"], BatchId("b1"))
        assert other is not None

    def test_an_object_that_may_not_be_removed_is_archived_and_told(
        self, moto: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The batch continues."""
        s3 = moto.emptied(monkeypatch).s3
        store = BucketStore(Bucket(s3, BUCKET), tmp_path)
        s3.put_object(Bucket=BUCKET, Key="raw-data/orders/a.csv", Body=b"rows")
        (etag,) = (info.etag for info in store.list("raw-data/"))

        def refuse(**_: object) -> None:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not yours."}}, "DeleteObject")

        told = "it is archived, but cannot be removed from raw-data/"
        with handling(s3, "DeleteObject", refuse), pytest.raises(StuckFile, match=told):
            store.archive(
                "raw-data/orders/a.csv", etag, BatchId("b1"), "processed/a.csv", NOON, sha256(b"rows").hexdigest()
            )
        assert store.read("processed/a.csv") == b"rows"
