"""A shop that drops its files into a bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from takings.adapters.aws.bucket import Bucket
from takings.adapters.aws.clients import Clients
from tests.emulators import BUCKET
from tests.shop import ITEMS, ORDERS, PRODUCTS

#: in the command line's form
STORE: Final = f"s3://{BUCKET}"


@dataclass(frozen=True, kw_only=True)
class S3Shop:
    """A store in a bucket, and the means to change it from outside."""

    clients: Clients

    @property
    def bucket(self) -> Bucket:
        """Return the store's bucket."""
        return Bucket(self.clients.s3, BUCKET)

    def drop(self, file: str, content: bytes) -> None:
        """Drop a file under raw-data/, as `aws s3 cp` does."""
        self.clients.s3.put_object(Bucket=BUCKET, Key=f"raw-data/{file}", Body=content)

    def drop_all(self, name: str = "a.csv") -> None:
        """Drop the three standard files."""
        for folder, content in (("products", PRODUCTS), ("orders", ORDERS), ("order-items", ITEMS)):
            self.drop(f"{folder}/{name}", content)

    def files(self, *folders: str) -> list[str]:
        """Return the objects under some folders of the store, without days and batches."""
        found = [info.key.split("/") for folder in folders for info in self.bucket.list(f"{folder}/")]
        kept = (key[:1] + key[5:] if key[0] in {"processed", "failed"} else key for key in found)
        return sorted("/".join(parts) for parts in kept)

    def content(self, key: str) -> bytes:
        """Return an object's bytes."""
        content = self.bucket.read(key)
        assert content is not None, key
        return content
