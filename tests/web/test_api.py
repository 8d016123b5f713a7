"""The API: what it answers, to whom, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import re
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from takings.composition.stores import open_store_to_read
from takings.entrypoints.metrics import UNITS
from takings.entrypoints.web.opening import OpenedStore
from takings.entrypoints.web.store_reader import StoreReader
from takings.kpis.publication import visible
from takings.layout import BatchId
from takings.queries.batches import batch_ids
from takings.queries.published_kpis import HalfPublishedError
from tests.shop import csv_of, drop, drop_all, item, new_store, opened, order, published, run, silent
from tests.web.looking import Asker, asking
from tests.web.site import served

TOKEN = "0123456789abcdef"


def state_of(root: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of a store's files, without those that SQLite keeps next to its database while it is read."""
    found = {
        path: path.stat() for path in root.rglob("*") if path.is_file() and path.suffix not in {".db-shm", ".db-wal"}
    }
    return {str(path): (status.st_size, status.st_mtime_ns) for path, status in found.items()}


class TestKpis:
    @pytest.mark.parametrize(("by", "place"), [("day", 0), ("category", 1)])
    def test_csv_is_what_the_command_prints(self, ask: Asker, shown: Path, by: str, place: int) -> None:
        """Byte for byte, including a category that looks like a formula."""
        answer = ask(f"/api/v1/kpis?by={by}&format=csv")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.text == published(shown)[place]

    def test_csv_for_a_spreadsheet_holds_no_formula(self, ask: Asker) -> None:
        """A quote before it makes it text."""
        rows = list(csv.DictReader(io.StringIO(ask("/api/v1/kpis?by=category&format=csv&for_spreadsheet=true").text)))
        assert {row["category"] for row in rows} == {"'=1+1", "<b>Bold</b>", "Books", "Toys"}

    def test_json_is_a_page_of_rows_as_of_one_commit(self, ask: Asker) -> None:
        """With the guard's columns, and whether the day is over."""
        document = ask.json("/api/v1/kpis?from=2025-03-31")
        (row,) = document["rows"]
        assert {name: document[name] for name in ("commit", "by", "rows_in_all", "next")} == {
            "commit": 3,
            "by": "day",
            "rows_in_all": 1,
            "next": None,
        }
        assert (row["order_date"], row["total_revenue"], row["net_revenue"]) == ("2025-03-31", "4.25", "0.00")
        assert (row["commit"], row["unfinished"]) == (3, False)

    def test_parquet_holds_the_same(self, ask: Asker, tmp_path: Path) -> None:
        """Typed, for DuckDB and pandas."""
        (tmp_path / "kpis.parquet").write_bytes(ask("/api/v1/kpis?by=category&format=parquet").content)
        with duckdb.connect() as connection:
            found = connection.execute(f"select sum(daily_revenue)::varchar from '{tmp_path}/kpis.parquet'").fetchone()
        rows = ask.json("/api/v1/kpis?by=category")["rows"]
        assert found == (f"{sum(float(row['daily_revenue']) for row in rows):.2f}",)

    def test_pages_join_to_the_whole(self, ask: Asker) -> None:
        """Each page has a cursor to the next one, also in a Link header."""
        whole = ask.json("/api/v1/kpis?by=category")["rows"]
        found, address = [], "/api/v1/kpis?by=category&limit=2"
        while address:
            answer = ask(address)
            found += answer.json()["rows"]
            link = answer.headers.get("link")
            assert (link is None) == (answer.json()["next"] is None)
            address = link.partition(">")[0].removeprefix("<") if link else ""
        assert found == whole

    def test_a_cursor_ends_with_the_numbers_it_is_of(self, tmp_path: Path) -> None:
        """Pages of old and new numbers are never mixed."""
        root = drop_all(new_store(tmp_path / "shop"))
        run(root)
        with served(root) as site, asking(site) as ask:
            following = ask.json("/api/v1/kpis?by=category&limit=1")["next"]
            drop(root, "order-items/more.csv", csv_of(item(9, 1, 1, "5.00")))
            run(root)
            refused = ask(f"/api/v1/kpis?by=category&limit=1&cursor={following}")
        assert (refused.status_code, refused.json()["title"]) == (409, "Conflict")

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("category=Toys", 400),
            ("by=category&category=Nothing", 404),
            ("from=yesterday", 422),
            ("limit=0", 422),
            ("cursor=%00", 404),
        ],
    )
    def test_a_wrong_question_is_a_problem(self, ask: Asker, query: str, status: int) -> None:
        """It says what is wrong."""
        answer = ask(f"/api/v1/kpis?{query}")
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.json()["status"] == status
        assert answer.json()["detail"]


class TestOthers:
    def test_batches_newest_first(self, ask: Asker, shown: Path) -> None:
        """And one in full, as the command prints it."""
        found = ask.json("/api/v1/batches")["rows"]
        with opened(shown) as shop:
            known = batch_ids(shop.ports)
        assert [row["batch_id"] for row in found] == known[::-1]
        one = ask.json(f"/api/v1/batches/{known[1]}")
        assert one["verdicts"] == {"accepted": 2, "duplicate": 1, "rejected": 1}
        assert ask("/api/v1/batches/none").status_code == 404

    def test_files_by_what_became_of_them(self, ask: Asker) -> None:
        """The ledger's records."""
        found = ask.json("/api/v1/files?verdict=rejected")["rows"]
        assert [(row["key"], row["records"]["rejected"]) for row in found] == [("raw-data/order-items/bad.csv", 2)]
        assert [row["key"] for row in ask.json("/api/v1/files?search=PRODUCTS/A")["rows"]] == [
            "raw-data/products/a.csv"
        ]

    def test_violations_by_file_and_rule(self, ask: Asker) -> None:
        """Newest first, of every policy."""
        found = ask.json("/api/v1/violations")["rows"]
        assert [(row["key"], row["rule"], row["severity"], row["records"], row["verdict"]) for row in found] == [
            ("raw-data/order-items/some-bad.csv", "status|one_of", "error", 1, "accepted"),
            ("raw-data/order-items/bad.csv", "sale_price|greater_than", "error", 1, "rejected"),
        ]

    def test_explain_adds_up(self, ask: Asker) -> None:
        """To the published cent."""
        document = ask.json("/api/v1/explain?day=2025-03-30&category=Toys")
        assert (document["revenue"], document["commit"], len(document["rows"])) == ("20.25", 3, 1)
        assert document["rows"][0]["key"] == "raw-data/order-items/a.csv"
        assert ask("/api/v1/explain?day=1999-01-01").status_code == 404

    def test_metrics_are_those_of_aws(self, ask: Asker) -> None:
        """In the format of Prometheus."""
        kinds = re.findall(r"^# TYPE takings_(\w+?)(?:_total)? ", ask("/metrics").text, re.MULTILINE)
        of_tasks = {"BatchAgeSeconds", "LakeFilesVacuumed"}  # what only alarms on AWS look at
        assert sorted(kinds) == sorted(
            re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower() for name in UNITS.keys() - of_tasks
        )
        lines = dict(line.rsplit(" ", 1) for line in ask("/metrics").text.splitlines() if not line.startswith("#"))
        seconds = lines.pop("takings_arrival_to_publish_seconds")
        assert float(seconds) > 0
        assert lines == {
            "takings_batches_blocked": "0",
            "takings_files_accepted_total": "7",
            "takings_files_rejected_total": "1",
            "takings_rows_rejected_total": "3",
            "takings_oldest_pending_seconds": "0",
            "takings_orphans_waiting": "1",
        }

    def test_orphans_say_what_they_wait_for(self, tmp_path: Path) -> None:
        """The order, the product, or both."""
        root = drop_all(new_store(tmp_path / "shop"))
        drop(root, "order-items/orphans.csv", csv_of(item(90, 77), item(91, 1, 66), item(92, 78, 67)))
        run(root)
        with served(root) as site, asking(site) as ask:
            page = ask("/quality", accept="text/html").text
        found = re.findall(r"<tr><th scope=\"row\">(\d+)</th><td>(.*?)</td>", page)
        assert found == [("90", "order 77"), ("91", "product 66"), ("92", "order 78 and product 67")]

    def test_health_says_ok(self, ask: Asker) -> None:
        """To whatever monitors the process."""
        assert (ask("/health").status_code, ask("/health").text) == (200, "ok\n")

    def test_what_is_known_is_not_sent_again(self, ask: Asker) -> None:
        """An ETag names the bytes."""
        first = ask("/api/v1/kpis")
        again = ask("/api/v1/kpis", if_none_match=first.headers["etag"])
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])

    def test_head_has_the_headers_only(self, ask: Asker) -> None:
        """As HTTP requires."""
        answer = ask("/api/v1/kpis", "HEAD")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["etag"] == ask("/api/v1/kpis").headers["etag"]


class TestDownloads:
    def test_reasons_name_every_line(self, ask: Asker) -> None:
        """For a spreadsheet."""
        (found,) = ask.json("/api/v1/files?verdict=rejected")["rows"]
        text = ask(f"/batches/{found['batch_id']}/reasons.csv?key={found['key']}").text
        assert [(row["line"], row["rule"]) for row in csv.DictReader(io.StringIO(text))] == [
            ("2", "sale_price|greater_than")
        ]

    def test_quarantine_without_formulas_or_to_the_byte(self, ask: Asker, shown: Path) -> None:
        """The one to read, the other to correct and drop again."""
        (found,) = ask.json("/api/v1/files?search=some-bad")["rows"]
        address = f"/batches/{found['batch_id']}/quarantine.csv?key={found['key']}"
        (row,) = csv.DictReader(io.StringIO(ask(address).text))
        assert row["status"] == "'=cmd()"
        (kept,) = (shown / "quarantine").rglob("some-bad.csv")
        assert ask(f"{address}&exactly=true").content == kept.read_bytes()

    @pytest.mark.parametrize("key", ["../../etc/passwd", "raw-data/orders/a.csv", "%00"])
    def test_nothing_else_is_handed_out(self, ask: Asker, key: str) -> None:
        """Only what the ledger names in that batch."""
        batch = ask.json("/api/v1/batches")["rows"][0]["batch_id"]
        assert ask(f"/batches/{batch}/quarantine.csv?key={key}").status_code == 404


class TestSafety:
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
    def test_only_reads(self, ask: Asker, method: str) -> None:
        """Every other method is refused, everywhere."""
        answer = ask("/api/v1/kpis", method)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")

    @pytest.mark.parametrize(
        "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "[::1"]
    )
    def test_another_name_is_refused(self, ask: Asker, host: str) -> None:
        """Another site may rebind a name to this machine."""
        assert ask("/api/v1/kpis", host=host).status_code == 421

    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8321", "127.0.0.1:1", "[::1]:8321", "192.168.1.5"])
    def test_addresses_and_localhost_are_known(self, ask: Asker, host: str) -> None:
        """No site can be rebound to them."""
        assert ask("/api/v1/kpis", host=host).status_code == 200

    def test_every_answer_has_the_headers(self, ask: Asker) -> None:
        """Pages, files, refusals."""
        for address in ("/", "/api/v1/kpis", "/static/takings.css", "/no-such-page"):
            headers = ask(address).headers
            assert "script-src 'self'" in headers["content-security-policy"], address
            assert "unsafe" not in headers["content-security-policy"], address
            assert headers["x-content-type-options"] == "nosniff"

    def test_with_a_token_nobody_comes_in_without(self, shown: Path) -> None:
        """As bearer token or as password; only health is open."""
        basic = b64encode(f"me:{TOKEN}".encode()).decode()
        with served(shown, token=TOKEN) as site, asking(site) as ask:
            assert ask("/").status_code == 401
            assert ask("/").headers["www-authenticate"].startswith("Basic ")
            for wrong in ("Bearer nothing", "Basic %%%", f"Digest {TOKEN}", f"Bearer {TOKEN}x"):
                assert ask("/api/v1/kpis", authorization=wrong).status_code == 401, wrong
            assert ask("/api/v1/kpis", authorization=f"Bearer {TOKEN}").status_code == 200
            assert ask("/", authorization=f"Basic {basic}").status_code == 200
            assert ask("/health").status_code == 200

    def test_html_is_escaped(self, ask: Asker) -> None:
        """A category's name is text."""
        page = ask("/", accept="text/html").text
        assert "&lt;b&gt;Bold" in page
        assert "<b>Bold" not in page

    def test_nothing_is_written(self, tmp_path: Path) -> None:
        """Whatever is requested, in a store with batches and in one without."""
        root = drop_all(new_store(tmp_path / "shop"))
        run(root)
        fresh = new_store(tmp_path / "fresh")
        before = state_of(root), sorted(fresh.rglob("*"))
        for store in (root, fresh):
            with served(store) as site, asking(site) as ask:
                for address in (
                    "/",
                    "/batches",
                    "/files",
                    "/quality",
                    "/metrics",
                    "/explain/2025-03-30",
                    "/api/v1/kpis",
                ):
                    assert ask(address, accept="text/html").status_code in {200, 404}, address
        assert (state_of(root), sorted(fresh.rglob("*"))) == before


class TestWhileBatchesRun:
    def test_a_store_is_seen_from_its_first_batch_on(self, tmp_path: Path) -> None:
        """Its database is created while the page is open."""
        root = new_store(tmp_path / "shop")
        with served(root) as site, asking(site) as ask:
            assert ask.json("/api/v1/kpis")["rows"] == []
            run(drop_all(root))
            assert ask.json("/api/v1/kpis")["rows_in_all"] == 2

    def test_no_day_is_seen_half_published(self, tmp_path: Path) -> None:
        """While a batch has published one table only, the answer is the previous state."""
        root = drop_all(new_store(tmp_path / "shop"))
        run(root)
        drop(root, "order-items/more.csv", csv_of(item(9, 1, 1, "5.00")))
        store = OpenedStore(str(root), silent)
        reader = StoreReader(store)
        with store.reading() as seen, opened(root) as shop:
            before = reader.kpis(seen)
            gate = shop.ports.ledger.gate()
            claimed = shop.ports.ledger.change_gate(gate.claimed(BatchId("b"), "me", datetime.now(UTC)))
            running = shop.ports.ledger.change_gate(claimed.running())
            by_day = shop.ports.kpi_tables[0]
            rows = [replace(row, batch_id=str(running.batch_id), commit=2) for row in shop.ports.kpis.rows(by_day)]
            shop.ports.kpis.publish(by_day, rows)

            assert reader.kpis(seen) is before
            with pytest.raises(HalfPublishedError, match="takings run"):
                StoreReader(store).kpis(seen)
            running = shop.ports.ledger.change_gate(running.blocked("numbers contradict."))
            with pytest.raises(HalfPublishedError, match="takings unblock"):
                StoreReader(store).kpis(seen)

            shop.ports.ledger.change_gate(running.released(last_commit=2))
            after = reader.kpis(seen)
            assert [row.commit for row in after.rows_of["OrderKPIs"]] == [2, 2]
        store.close()

    def test_a_day_that_is_not_over_is_unfinished(self, tmp_path: Path) -> None:
        """Today's numbers are marked."""
        root = drop_all(new_store(tmp_path / "shop"))
        now = datetime.now(UTC) - timedelta(minutes=1)
        drop(root, "orders/today.csv", csv_of(order(50, now.strftime("%Y-%m-%dT%H:%M:%S"))))
        run(root)
        with served(root) as site, asking(site) as ask:
            found = {row["order_date"]: row["unfinished"] for row in ask.json("/api/v1/kpis")["rows"]}
        assert found == {"2025-03-30": False, "2025-03-31": False, f"{now.date()}": True}

    def test_a_damaged_store_says_what_to_do(self, done: Path) -> None:
        """The page and the API say what to do, and health is not ok."""
        with served(done) as site, asking(site) as ask:
            assert ask("/").status_code == 200
            (done / ".takings" / "takings.db").rename(done / ".takings" / "away.db")
            answer = ask("/api/v1/kpis")
            assert (answer.status_code, ask("/health").status_code) == (500, 503)
            assert "rebuild" in answer.json()["detail"]
            (done / ".takings" / "away.db").rename(done / ".takings" / "takings.db")
            assert ask("/api/v1/kpis").status_code == 200

    def test_a_reader_cannot_write(self, done: Path) -> None:
        """Not even by mistake."""
        with open_store_to_read(done, silent) as shop:
            rows = list(visible(shop.ports.kpis.rows(shop.ports.kpi_tables[0])))
            with pytest.raises(Exception, match="readonly"):
                shop.ports.kpis.publish(shop.ports.kpi_tables[0], rows)


def test_the_description_is_public(ask: Asker) -> None:
    """OpenAPI, with every path of the API."""
    paths = json.loads(ask("/api/v1/openapi.json").text)["paths"]
    assert all(path.startswith("/api/v1/") for path in paths)
