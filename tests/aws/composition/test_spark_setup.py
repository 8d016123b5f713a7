"""`takings aws bootstrap --spark` gives a pipeline jobs on EMR Serverless; deploy brings new packages, destroy ends them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.aws.composition.test_setup import Bootstrap
from tests.aws.composition.test_setup import bootstrap as bootstrap_fixture
from tests.aws.harness.deployed import STORE
from tests.aws.harness.pipeline import Aws
from tests.cli.conftest import takings as takings_fixture
from tests.cli.terminal import Takings, unwrapped

takings = takings_fixture
bootstrap = bootstrap_fixture


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return a folder as `make spark` makes it, with little inside."""
    return packed(tmp_path / "one", b"one")


def packed(folder: Path, environment: bytes) -> Path:
    folder.mkdir()
    (folder / "environment.tar.gz").write_bytes(environment)
    (folder / "step.py").write_text("from takings.entrypoints.spark_step import main\n\nmain()\n")
    return folder


def application(pipe: Aws) -> dict[str, Any]:
    """Return the only application."""
    emr = pipe.client("emr-serverless")
    (found,) = emr.list_applications()["applications"]
    return dict(emr.get_application(applicationId=found["id"])["application"])


def machine(pipe: Aws) -> dict[str, Any]:
    """Return the definition of the state machine."""
    arn = "arn:aws:states:eu-west-1:000000000000:stateMachine:ecommerce-pipeline"
    document: dict[str, Any] = json.loads(
        pipe.client("stepfunctions").describe_state_machine(stateMachineArn=arn)["definition"]
    )
    return document


def of_jobs(lines: list[str]) -> list[str]:
    """Return the lines about what jobs need, without names that differ each time."""
    words = ("spark", "Spark", "state machine", "tags")
    return [
        line.split(": ", 1)[1].split(" (")[0].split(", s3://")[0]
        for line in lines
        if any(each in line for each in words)
    ]


def test_a_pipeline_gets_jobs_and_keeps_them(pipe: Aws, bootstrap: Bootstrap, package: Path) -> None:
    """A dry run says what is made. Afterwards no option is needed, and nothing is missing; what was loosened is mended."""
    named = of_jobs(bootstrap("--dry-run", "--spark", package))
    assert of_jobs(bootstrap("--spark", package)) == named
    assert [each for each in named if "tags" not in each] == [
        "log group /aws/emr-serverless/takings-spark",
        "log group /aws/emr-serverless/takings-spark keeps its lines for 90 days",
        "application takings-spark on EMR Serverless, emr-7.13.0",
        "role takings-validation-on-spark",
        "role takings-transformation-on-spark",
        "package of Spark's jobs",
        "state machine ecommerce-pipeline",
    ]
    assert bootstrap() == ["s3://shop: nothing is missing"]
    made = application(pipe)
    states = machine(pipe)["States"]
    assert states["ValidateDataOnSpark"]["Parameters"]["ApplicationId"] == made["applicationId"]
    assert made["tags"] == {"takings-store": "shop"}
    package_of = states["PlanBatch"]["Parameters"]["Payload"]["spark"].removeprefix("s3://shop/")
    keys = [each["Key"] for each in pipe.client("s3").list_objects_v2(Bucket="shop", Prefix="spark/")["Contents"]]
    assert keys == [f"{package_of}/environment.tar.gz", f"{package_of}/step.py"]

    emr = pipe.client("emr-serverless")
    emr.update_application(
        applicationId=made["applicationId"], clientToken="a", maximumCapacity={"cpu": "4000 vCPU", "memory": "30000 GB"}
    )
    emr.start_application(applicationId=made["applicationId"])
    assert bootstrap() == ["making: application takings-spark (is set up otherwise)"]
    assert application(pipe)["maximumCapacity"] == made["maximumCapacity"]


def test_a_pipeline_without_the_option_asks_for_no_application(pipe: Aws, bootstrap: Bootstrap) -> None:
    """Nor does it make one: its administrator may not be allowed to."""
    bootstrap()
    assert pipe.client("emr-serverless").list_applications()["applications"] == []
    assert "emr-serverless" not in str(machine(pipe))


def test_a_new_package_is_deployed_before_the_state_machine_names_it(
    pipe: Aws, bootstrap: Bootstrap, takings: Takings, package: Path, tmp_path: Path
) -> None:
    """Running executions keep theirs, which stays in the bucket; going back is a deployment of the earlier one."""
    bootstrap("--spark", package)
    first = machine(pipe)["States"]["PlanBatch"]["Parameters"]["Payload"]["spark"]
    second = packed(tmp_path / "two", b"two")

    def deploy(*words: object) -> str:
        ended = takings("aws", "deploy", *words)
        assert ended.code == 0, ended
        return unwrapped(ended.out)

    assert "already have this package" in deploy("spark", STORE, "--package", package)
    assert "deploying: package of Spark's jobs" in deploy("spark", STORE, "--package", second)
    assert machine(pipe)["States"]["PlanBatch"]["Parameters"]["Payload"]["spark"] == first
    assert "/spark/" in deploy("state-machine", STORE)
    moved = machine(pipe)["States"]["PlanBatch"]["Parameters"]["Payload"]["spark"]
    assert moved not in {first, ""}
    deploy("spark", STORE, "--package", package)
    deploy("state-machine", STORE)
    assert machine(pipe)["States"]["PlanBatch"]["Parameters"]["Payload"]["spark"] == first
    assert bootstrap() == ["s3://shop: nothing is missing"]


def test_what_cannot_be_deployed_is_refused(
    bootstrap: Bootstrap, takings: Takings, functions: Path, package: Path, tmp_path: Path
) -> None:
    """A folder without a package, and a pipeline without an application."""
    bootstrap()
    ended = takings("aws", "deploy", "spark", STORE, "--package", package)
    assert ended.code == 2
    assert "takings aws bootstrap s3://shop --spark FOLDER" in unwrapped(ended.err)
    ended = takings("aws", "bootstrap", STORE, "--lambdas", functions, "--spark", tmp_path)
    assert ended.code == 2
    assert "`make spark`" in unwrapped(ended.err)


def test_a_doctor_knows_that_no_batch_can_begin(
    bootstrap: Bootstrap, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings want jobs, and the pipeline has no application; with one, that complaint is gone."""
    said = "steps_on = 'emr-serverless', but the state machine starts no jobs"
    bootstrap()
    assert said not in "\n".join(bootstrap(command="doctor", code=1))
    monkeypatch.setenv("TAKINGS_STEPS_ON", "emr-serverless")
    assert said in "\n".join(bootstrap(command="doctor", code=1))
    bootstrap("--spark", package)
    assert said not in "\n".join(bootstrap(command="doctor", code=1))


def test_jobs_end_with_the_pipeline(pipe: Aws, bootstrap: Bootstrap, takings: Takings, package: Path) -> None:
    """The application is stopped first; its roles and its logs go, too."""
    bootstrap("--spark", package)
    pipe.client("emr-serverless").start_application(applicationId=application(pipe)["applicationId"])
    ended = takings("aws", "destroy", STORE, "--yes", "shop")
    assert ended.code == 0, ended
    assert pipe.client("emr-serverless").list_applications()["applications"] == []
    assert pipe.client("iam").list_roles()["Roles"] == []
    groups = [each["logGroupName"] for each in pipe.client("logs").describe_log_groups()["logGroups"]]
    assert [group for group in groups if "spark" in group] == []
