"""Read and write DynamoDB tables: complete results, named conditions, decimals and never floats."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from takings.adapters.aws.clients import SIDE_BY_SIDE, THREADS
from takings.adapters.aws.faults import code_of
from takings.adapters.aws.tables import Index, Table
from takings.errors import SettingsError, StoreError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: attributes by name; None stands for an absent attribute
Item = Mapping[str, Any]

#: the most keys in one request
_MOST_ASKED: Final = 100
#: the most items in one request
_MOST_PUT: Final = 25
_UNPROCESSED_TRIES: Final = 12
_serializer: Final = TypeSerializer()
_deserializer: Final = TypeDeserializer()


class Database:
    """The tables of one store."""

    def __init__(self, dynamodb: DynamoDBClient, prefix: str, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._dynamodb = dynamodb
        self._prefix = prefix
        self._pause = pause

    def get(self, table: Table, key: Item) -> Item | None:
        """Return the present item of a key; None where there is none."""
        found = self._call(table, self._dynamodb.get_item, Key=_write(key), ConsistentRead=True)
        return _read(found["Item"]) if "Item" in found else None

    def get_each(self, table: Table, keys: Iterable[Item]) -> Iterator[Item]:
        """Yield the present items of these keys, in no order; leave out those that do not exist."""
        name, rest = self._prefix + table.name, iter(keys)
        while some := [_write(key) for key in islice(rest, _MOST_ASKED)]:
            for tried in range(1, _UNPROCESSED_TRIES + 1):
                asked = {name: {"Keys": some, "ConsistentRead": True}}
                found = self._call_named(name, self._dynamodb.batch_get_item, RequestItems=asked)
                yield from map(_read, found["Responses"].get(name, ()))
                some = found.get("UnprocessedKeys", {}).get(name, {}).get("Keys", [])
                if not some:
                    break
                if tried == _UNPROCESSED_TRIES:
                    raise StoreError(f"DynamoDB does not keep up with the reads of {name}. Run again; nothing is lost.")
                self._pause(random.uniform(0, min(0.05 * 2**tried, 10)))

    def query(self, table: Table, condition: str, values: Item, index: Index | None = None) -> Iterator[Item]:
        """Yield the items that match a condition on the key, in the order of the sort key, page by page.

        They are the present items; those from an index may be a moment old.
        """
        where: dict[str, Any] = {"ConsistentRead": True} if index is None else {"IndexName": index.name}
        return self._pages(
            table, self._dynamodb.query, KeyConditionExpression=condition, **where, **_terms(condition, values)
        )

    def scan(self, table: Table, columns: Iterable[str] | None = None) -> Iterator[Item]:
        """Yield all present items, in no order, page by page; with these columns, or all."""
        wanted: dict[str, Any] = {}
        if columns is not None:
            projection = ", ".join(f"#{column}" for column in columns)
            wanted = {"ProjectionExpression": projection, **_terms(projection, {})}
        return self._pages(table, self._dynamodb.scan, ConsistentRead=True, **wanted)

    def put(self, table: Table, item: Item, condition: str | None = None, values: Item | None = None) -> Item | None:
        """Write an item if the condition holds for the present one; otherwise return the present one.

        In a condition, :name is one of `values`, or else the new item's attribute of that name.
        """
        where: dict[str, Any] = {}
        if condition is not None:
            where = {
                "ConditionExpression": condition,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                **_terms(condition, {**item, **(values or {})}),
            }
        try:
            self._call(table, self._dynamodb.put_item, Item=_write(item), **where)
        except self._dynamodb.exceptions.ConditionalCheckFailedException as failed:
            there: dict[str, Any] = failed.response  # type: ignore[assignment] # its type does not know the item
            return _read(there.get("Item", {}))
        return None

    def put_all(self, table: Table, items: Iterable[Item]) -> None:
        """Write items, 25 with one request, requests in parallel; of items with the same key the last one counts."""
        distinct = {tuple(item[name] for name in table.key): item for item in items}
        rest = iter(distinct.values())
        requests = list(iter(lambda: [{"PutRequest": {"Item": _write(item)}} for item in islice(rest, _MOST_PUT)], []))
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda puts: self._put_all(table, puts), requests))

    def _put_all(self, table: Table, puts: list[dict[str, Any]]) -> None:
        name, left = self._prefix + table.name, puts
        for tried in range(1, _UNPROCESSED_TRIES + 1):
            done = self._call_named(name, self._dynamodb.batch_write_item, RequestItems={name: left})
            left = done.get("UnprocessedItems", {}).get(name, [])
            if not left:
                return
            self._pause(random.uniform(0, min(0.05 * 2**tried, 10)))
        raise StoreError(f"DynamoDB does not keep up with the writes of {name}. Run again; nothing is lost.")

    def put_each(
        self, table: Table, items: Iterable[Item], condition: str | None = None, values: Item | None = None
    ) -> Sequence[bool]:
        """Write items in parallel, each if the condition holds for it; return in their order which were written."""
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            return list(pool.map(lambda item: self.put(table, item, condition, values) is None, items))

    def query_each(
        self, table: Table, condition: str, each: Iterable[Item], index: Index | None = None
    ) -> Iterator[Item]:
        """Yield the results of one query for each of these values; the queries run in parallel."""
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            for found in pool.map(lambda values: list(self.query(table, condition, values, index)), each):
                yield from found

    def _pages(self, table: Table, ask: Callable[..., Any], **arguments: Any) -> Iterator[Item]:  # noqa: ANN401 - boto3's
        start: dict[str, Any] = {}
        while True:
            page = self._call(table, ask, **arguments, **start)
            yield from map(_read, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _call(self, table: Table, ask: Callable[..., Any], **arguments: Any) -> Any:  # noqa: ANN401 - boto3's
        name = self._prefix + table.name
        return self._call_named(name, ask, TableName=name, **arguments)

    def _call_named(self, name: str, ask: Callable[..., Any], **arguments: Any) -> Any:  # noqa: ANN401 - boto3's
        try:
            return ask(**arguments)
        except self._dynamodb.exceptions.ResourceNotFoundException as missing:
            raise SettingsError(
                f"DynamoDB has no table {name} in {self._dynamodb.meta.region_name}. Check region and `table_prefix`, or"
                " create what is missing: takings aws bootstrap s3://bucket."
            ) from missing
        except ClientError as refused:
            if code_of(refused) != "ValidationException" or "Item size" not in str(refused):
                raise
            raise StoreError(
                f"an item of {name} would be larger than the 400 KB that DynamoDB keeps. Nothing was written; `takings status`"
                " shows what the gate lists."
            ) from refused


def _terms(expression: str, values: Item) -> dict[str, Any]:
    """Return the names and values that an expression uses as #name and :value."""
    names = {f"#{name}": name for name in re.findall(r"#(\w+)", expression)}
    mentioned = {f":{name}": _serializer.serialize(values[name]) for name in re.findall(r":(\w+)", expression)}
    terms: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
    return terms | ({"ExpressionAttributeValues": mentioned} if mentioned else {})


def _write(item: Item) -> dict[str, Any]:
    """Convert an item's attributes for DynamoDB; refuse a float."""
    return {name: _serializer.serialize(value) for name, value in item.items() if value is not None}


def _read(stored: Mapping[str, Any]) -> Item:
    return {name: _plain(_deserializer.deserialize(value)) for name, value in stored.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever an attribute may hold
    """Return whole numbers as int; only decimals stay Decimal."""
    match value:
        case Decimal() if value == value.to_integral_value():
            return int(value)
        case dict():
            return {name: _plain(part) for name, part in value.items()}
        case list():
            return [_plain(part) for part in value]
    return value
