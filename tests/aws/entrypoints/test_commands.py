"""The command line on a store in a bucket: every command takes its name, and every error names the next step."""

from __future__ import annotations

import json
import os
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from takings.adapters.aws.changes import NoChanges
from takings.adapters.aws.clients import Clients, connected
from takings.adapters.aws.faults import aws_faults
from takings.composition.stores import notice_changes
from takings.contracts import load_contracts
from takings.errors import SettingsError, StoreError, TakingsError, UnknownThing
from takings.ports import Wake
from takings.runs.watch import watch
from tests.aws.harness.deployed import story
from tests.aws.harness.shop import STORE, S3Shop
from tests.cli.conftest import takings as takings_fixture
from tests.cli.terminal import Takings, unwrapped
from tests.shop import csv_of, drop_all, item, new_store, opened, published, run
from tests.till import contracts_with, till

takings = takings_fixture


@pytest.mark.parametrize("aws", ["ministack"], indirect=True)
def test_a_shop_is_run_from_a_laptop(shop: S3Shop, takings: Takings, tmp_path: Path) -> None:
    """Each command works as in a folder."""
    root = drop_all(new_store(tmp_path / "shop"))
    run(root)
    shop.drop_all()
    waiting = json.loads(takings("status", STORE, "--json").out)
    assert (waiting["state"], waiting["pending"]) == ("IDLE", {"order_items": 1, "orders": 1, "products": 1})
    ran = takings("run", STORE, "--now", "--json")
    assert (ran.code, len(json.loads(ran.out)["batches"])) == (0, 1), ran.err
    for by, wanted in zip(("day", "category"), published(root), strict=True):
        assert takings("kpis", STORE, "--by", by, "--format", "csv").out == wanted
    ((batch,),) = [json.loads(takings("batches", STORE, "--json").out)["batches"]]
    assert json.loads(takings("batches", STORE, batch["batch_id"], "--json").out)["state"] == "DONE"
    assert json.loads(takings("verify", STORE, "--json").out)["differences"] == []
    rows = takings("explain", STORE, "2025-03-30", "--format", "csv").out.splitlines()
    assert len(rows) == 3
    assert takings("maintain", STORE).code == 0
    assert takings("status", STORE).out.splitlines()[0] == "s3://shop: no file is pending"


@pytest.mark.parametrize("aws", ["ministack"], indirect=True)
def test_the_archive_of_a_bucket_is_taken_again(shop: S3Shop, takings: Takings, tmp_path: Path) -> None:
    """It is replayed in place, and rebuilt into a folder; a copy is recognised before it is dropped."""
    shop.drop_all()
    shop.drop("order-items/bad.csv", csv_of(item(9, 1, 1, "-1")))
    assert takings("run", STORE, "--now").code == 1
    before = published(STORE)
    replayed = takings("replay", STORE, "--file", "raw-data/orders/a.csv")
    assert (replayed.code, published(STORE)) == (0, before), replayed.err
    assert takings("replay", STORE, "--failed").code == 1
    rebuilt = takings("rebuild", STORE, tmp_path / "new")
    assert (rebuilt.code, published(tmp_path / "new")) == (0, before), rebuilt.err
    copy = tmp_path / "orders" / "copy.csv"
    copy.parent.mkdir()
    copy.write_bytes(shop.content(next(info.key for info in shop.bucket.list("processed/") if "/orders/" in info.key)))
    report = json.loads(takings("validate", copy, "--store", STORE, "--format", "json").out)
    assert report["files"][0]["verdict"] == "duplicate"


@pytest.mark.parametrize("aws", ["ministack"], indirect=True)
def test_a_folder_becomes_a_bucket(
    aws: Clients, takings: Takings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same numbers, verdicts and lineage, its settings and its own contracts; and it goes on there."""
    root = drop_all(new_store(tmp_path / "shop"))
    (root / "takings.toml").write_text('# ours\ncontracts = "contracts"\nbatch_files = 3\n')
    (root / "contracts").mkdir()
    for contract in files("takings.contracts").iterdir():
        if contract.name.endswith(".odcs.yaml"):
            (root / "contracts" / contract.name).write_bytes(contract.read_bytes())
    (root / "raw-data" / "order-items" / "bad.csv").write_bytes(csv_of(item(9, 1, 1, "-1")))
    assert takings("run", root, "--now").code == 1
    before = published(root)
    rebuilt = takings("rebuild", root, STORE)
    assert (rebuilt.code, published(STORE)) == (0, before), rebuilt.err
    assert rebuilt.out.startswith("rebuilt 1 batch with 4 files in s3://shop; 0 files with another verdict")
    assert story(STORE) == story(root)
    settings = aws.s3.get_object(Bucket="shop", Key="takings.toml")["Body"].read().decode()
    assert settings == '# ours\ncontracts = "s3://shop/contracts"\nbatch_files = 3\n'
    assert json.loads(takings("verify", STORE, "--json").out)["differences"] == []
    back = takings("rebuild", STORE, tmp_path / "back")
    assert (back.code, published(tmp_path / "back")) == (0, before), back.err

    again = takings("rebuild", root, STORE)
    assert (again.code, "s3://shop holds batches/" in unwrapped(again.err)) == (2, True)
    aws.s3.create_bucket(Bucket="other", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    aws.s3.put_bucket_versioning(Bucket="other", VersioningConfiguration={"Status": "Enabled"})
    assert takings("rebuild", root, "s3://other").code == 2, "its tables are those of another bucket"
    monkeypatch.setenv("TAKINGS_TABLE_PREFIX", "other.")
    assert takings("aws", "bootstrap", "s3://other", "--only-store").code == 0
    assert (takings("rebuild", root, "s3://other").code, published("s3://other")) == (0, before)


@pytest.mark.parametrize("aws", ["moto"], indirect=True)
def test_a_watch_sweeps(shop: S3Shop) -> None:
    """It gets no events; it looks when it starts and at every sweep, and ends when asked."""
    shop.drop_all()
    with opened(STORE, batch_files=3) as opened_shop, notice_changes(opened_shop) as changes:
        for happening in watch(opened_shop.ports, changes, sweep=opened_shop.settings.sweep):
            assert getattr(happening, "commit", None) == 1
            changes.stop()
    changes = NoChanges()
    assert changes.wait(0.01) is Wake.QUIET
    changes.stop()
    assert [changes.wait(60), changes.wait(60)] == [Wake.STOP, Wake.STOP]


# moto reads no conditions, so a refusal without TLS refuses everything.
@pytest.mark.parametrize("aws", ["ministack"], indirect=True)
def test_what_is_missing_is_made_once(aws: Clients, takings: Takings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bucket, tables and their protection; other rules of the bucket stay, and a dry run changes nothing."""
    monkeypatch.setenv("TAKINGS_TABLE_PREFIX", "new.")
    for _ in range(2):
        assert takings("aws", "bootstrap", "s3://new-shop", "--only-store", "--dry-run").out.splitlines() == [
            "missing: bucket new-shop in eu-west-1",
            "missing: versioning, so that no overwritten file is lost; S3 asks for 15 minutes before the first drop",
            "missing: a life cycle: replaced and removed objects go after 30 days, drops and given up uploads after 7",
            "missing: no public access",
            "missing: encryption of every object",
            "missing: a policy: TLS only, and nobody may delete the bucket",
            "missing: tables new.PendingBatches, new.ProcessedFiles, new.OrderKPIs, new.CategoryKPIs, new.OwnKPIs",
            *(
                f"missing: {of} of new.{table}"
                for table in ("PendingBatches", "ProcessedFiles", "OrderKPIs", "CategoryKPIs", "OwnKPIs")
                for of in ("point-in-time recovery", "deletion protection")
            ),
            "missing: tags takings-store=new-shop",
        ]
    made = takings("aws", "bootstrap", "s3://new-shop", "--only-store")
    assert (made.code, len(made.out.splitlines())) == (0, 18), made.err
    assert takings("aws", "bootstrap", "s3://new-shop", "--only-store").out == "s3://new-shop: nothing is missing\n"
    assert takings("status", "s3://new-shop").code == 0
    rules = aws.s3.get_bucket_lifecycle_configuration(Bucket="new-shop")["Rules"]
    assert [rule["ID"] for rule in rules] == ["takings-uploads", "takings-versions", "takings-drops"]
    own = {"ID": "own", "Status": "Enabled", "Filter": {"Prefix": "raw-data/"}, "Expiration": {"Days": 9}}
    aws.s3.put_bucket_lifecycle_configuration(Bucket="new-shop", LifecycleConfiguration={"Rules": [own]})  # type: ignore[list-item]
    assert len(takings("aws", "bootstrap", "s3://new-shop", "--only-store").out.splitlines()) == 1
    rules = aws.s3.get_bucket_lifecycle_configuration(Bucket="new-shop")["Rules"]
    assert [rule["ID"] for rule in rules] == ["own", "takings-uploads", "takings-versions", "takings-drops"]


class TestRefusals:
    @pytest.mark.parametrize("aws", ["moto"], indirect=True)
    @pytest.mark.parametrize(
        ("store", "said"),
        [
            ("s3://shop/prefix", "s3://shop/prefix: a store on AWS is a whole bucket. Name it as s3://bucket."),
            ("s3://", "s3://: a store on AWS is a whole bucket. Name it as s3://bucket."),
            ("s3://no-such-shop", "AWS refused GetObject: NoSuchBucket: The specified bucket does not exist."),
            ("s3://a b", "AWS: Parameter validation failed: Invalid bucket name"),
        ],
    )
    def test_a_store_that_is_none(self, aws: Clients, takings: Takings, store: str, said: str) -> None:
        """Exit code 2."""
        assert aws is not None
        ended = takings("status", store)
        assert (ended.code, ended.out) == (2, "")
        assert said in unwrapped(ended.err)

    @pytest.mark.parametrize("aws", ["moto"], indirect=True)
    def test_a_region_has_to_be_set(self, aws: Clients, takings: Takings, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing is guessed."""
        assert aws is not None
        monkeypatch.delenv("AWS_DEFAULT_REGION")
        monkeypatch.delenv("AWS_REGION")
        ended = takings("status", STORE)
        assert (ended.code, unwrapped(ended.err)) == (
            2,
            "takings: no AWS region is set. Set AWS_DEFAULT_REGION, or run `aws configure`.",
        )

    @pytest.mark.parametrize("aws", ["moto"], indirect=True)
    @pytest.mark.parametrize("name", ["AWS_DEFAULT_REGION", "AWS_REGION"])
    def test_either_name_of_the_region_will_do(
        self, aws: Clients, takings: Takings, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """boto3 reads the first one, AWS's other tools and containers the second one."""
        assert aws is not None
        region = os.environ["AWS_REGION"]
        monkeypatch.delenv("AWS_DEFAULT_REGION")
        monkeypatch.delenv("AWS_REGION")
        monkeypatch.setenv(name, region)
        assert takings("status", STORE).code == 0

    @pytest.mark.parametrize("aws", ["moto"], indirect=True)
    def test_credentials_have_to_be_set(self, aws: Clients, takings: Takings, monkeypatch: pytest.MonkeyPatch) -> None:
        """Otherwise the lake would be reached with other credentials than the rest."""
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        ended = takings("status", STORE)
        assert ended.code == 2
        assert "AWS: Unable to locate credentials. Set it up with `aws configure`" in unwrapped(ended.err)
        with connected() as nobody, pytest.raises(SettingsError, match="there are no credentials"):
            nobody.lake_options()
        assert aws is not None

    @pytest.mark.parametrize("aws", ["moto"], indirect=True)
    def test_tables_have_to_be_there(self, shop: S3Shop, takings: Takings) -> None:
        """The message names the setting; a store in a folder needs none."""
        shop.bucket.create("takings.toml", b'table_prefix = "other."\n')
        ended = takings("status", STORE)
        assert ended.code == 2
        assert "DynamoDB has no table other.PendingBatches in eu-west-1." in unwrapped(ended.err)

    @pytest.mark.parametrize("aws", ["moto"], indirect=True)
    def test_a_settings_file_has_to_be_text(self, shop: S3Shop, takings: Takings) -> None:
        """The error names it."""
        shop.bucket.create("takings.toml", b"\xff")
        ended = takings("status", STORE)
        assert (ended.code, unwrapped(ended.err)[:53]) == (2, "takings: s3://shop/takings.toml is not a TOML file: '")

    def test_boto3_is_needed_only_for_a_bucket(
        self, takings: Takings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Without it, the message has the command that installs it."""
        for module in [name for name in sys.modules if name.startswith("takings.adapters.aws")]:
            monkeypatch.delitem(sys.modules, module)
        monkeypatch.setitem(sys.modules, "boto3", None)
        ended = takings("status", STORE)
        assert (ended.code, unwrapped(ended.err)) == (
            2,
            "takings: s3://shop needs the package boto3. Install it: pip install 'takings[aws]'.",
        )
        assert takings("status", new_store(tmp_path / "shop")).code == 0


def refusal(code: str) -> ClientError:
    """Return an error as boto3 raises it."""
    return ClientError({"Error": {"Code": code, "Message": "No."}}, "GetObject")


@pytest.mark.parametrize(
    ("raised", "told", "text"),
    [
        (refusal("NoSuchBucket"), UnknownThing, "Check the bucket's name, the region and the account."),
        (refusal("AccessDenied"), StoreError, "Give these credentials the permission and run again; nothing is lost."),
        (refusal("InvalidAccessKeyId"), SettingsError, "Check the credentials: `aws sts get-caller-identity`"),
        (refusal("ExpiredToken"), StoreError, "AWS refused GetObject: ExpiredToken: No. Run again; nothing is lost."),
        (EndpointConnectionError(endpoint_url="http://x"), StoreError, "Check the network and run again"),
        (BotoCoreError(), StoreError, "AWS could not be reached"),
    ],
)
def test_faults_of_aws_name_the_next_step(raised: Exception, told: type[TakingsError], text: str) -> None:
    """A library's error becomes a Takings error that says what to do."""
    with pytest.raises(told) as found, aws_faults():
        raise raised
    assert text in str(found.value)
    assert found.value.__cause__ is raised


@pytest.mark.parametrize("aws", ["moto"], indirect=True)
def test_a_bucket_has_contracts_of_its_own(shop: S3Shop, takings: Takings, tmp_path: Path) -> None:
    """Functions and tasks find them there; another place is refused, and an empty one does not count."""
    shop.bucket.create("takings.toml", b'contracts = "s3://shop/contracts"')
    assert "no contract of 'products'" in unwrapped(takings("status", STORE).err)
    contracts_with(tmp_path, till=till())
    for file in (each for each in files("takings.contracts").iterdir() if each.name.endswith(".odcs.yaml")):
        text = file.read_text(encoding="utf-8").replace("exclusiveMinimum: 0", "exclusiveMinimum: 1")
        (tmp_path / file.name).write_text(text, encoding="utf-8")
        shop.bucket.create(f"contracts/{file.name}", text.encode())
    for name, text in till().items():
        shop.bucket.create(f"contracts/sources/till/{name}", text.encode())
    shop.bucket.create("contracts/sources/till/notes/old.sql", b"not a part of the source")
    with opened(STORE) as here:
        assert here.ports.contracts.hash == load_contracts(tmp_path).hash != load_contracts().hash
        assert here.ports.contracts.sources.folders == {"till": "till"}
    shop.clients.s3.put_object(Bucket="shop", Key="takings.toml", Body=b'contracts = "s3://other/contracts"')
    refused = takings("run", STORE)
    said = "contracts of s3://shop have to be in s3://shop/contracts"
    assert (refused.code, said in unwrapped(refused.err)) == (2, True)
