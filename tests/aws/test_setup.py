"""`takings aws bootstrap` makes what is missing and mends what differs; doctor says what is wrong; destroy takes it down."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from takings.adapters.aws.resources.step import patiently
from tests.aws.deployed import SERVICES, STORE
from tests.aws.pipeline import Aws
from tests.cli.conftest import takings as takings_fixture
from tests.cli.terminal import Takings, unwrapped

takings = takings_fixture
Bootstrap = Callable[..., list[str]]
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@pytest.fixture
def bootstrap(pipe: Aws, functions: Path, takings: Takings, monkeypatch: pytest.MonkeyPatch) -> Bootstrap:
    """Return the command, which finds the functions and no network of the machine it runs on."""
    del pipe
    for name in ("SUBNET_1", "SUBNET_2", "SECURITY_GROUP"):
        monkeypatch.delenv(name, raising=False)

    def call(*options: str, command: str = "bootstrap", code: int = 0) -> list[str]:
        ended = takings("aws", command, STORE, "--lambdas", functions, *options)
        assert ended.code == code, ended
        return ended.out.splitlines()

    return call


def test_says_makes_and_mends(pipe: Aws, bootstrap: Bootstrap) -> None:
    """A dry run changes nothing, a second run finds nothing to do, and what somebody changed is changed back."""
    missing = [line.removeprefix("missing: ") for line in bootstrap("--dry-run")]
    made = [line.removeprefix("making: ") for line in bootstrap()]
    assert missing == made
    assert [
        line.split(" (")[0]
        for line in made
        if line.startswith(("function", "state machine", "queue", "schedule sweep"))
    ] == [
        "queue takings-dead-letters",
        "function file-detector",
        "function file-archiver",
        "state machine ecommerce-pipeline",
        "schedule sweep, rate(5 minutes)",
    ]
    assert bootstrap() == ["s3://shop: nothing is missing"]
    pipe.client("iam").put_role_policy(
        RoleName="takings-file-detector",
        PolicyName="takings",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [EVERYTHING]}),
    )
    pipe.client("lambda").update_function_configuration(FunctionName="file-archiver", Timeout=3)
    pipe.client("scheduler").delete_schedule(Name="sweep", GroupName="takings")
    assert bootstrap() == [
        "making: role takings-file-detector (allows something else)",
        "making: function file-archiver (is configured otherwise)",
        "making: schedule sweep, rate(5 minutes)",
    ]
    assert bootstrap("--image-tag", "v2") == [
        "making: task definition validation-service with the image v2",
        "making: task definition transformation-service with the image v2",
        "making: state machine ecommerce-pipeline (does something else)",
    ]
    assert bootstrap() == ["s3://shop: nothing is missing"], "no tag: what is deployed stays"


def test_leaves_other_notifications_of_the_bucket_alone(pipe: Aws, bootstrap: Bootstrap, takings: Takings) -> None:
    """Somebody else may listen to the same bucket, before and after."""
    bootstrap("--github", "octocat/shop")
    s3 = pipe.client("s3")
    own = s3.get_bucket_notification_configuration(Bucket="shop")["LambdaFunctionConfigurations"][0]
    other = own | {"Id": "other", "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "invoices/"}]}}}
    s3.put_bucket_notification_configuration(
        Bucket="shop", NotificationConfiguration={"LambdaFunctionConfigurations": [other]}
    )
    assert bootstrap() == ["making: notification of new files under s3://shop/raw-data/"]
    assert notified(pipe) == ["other", "takings-raw-data"]
    refused = takings("aws", "destroy", STORE, "--yes", "another-shop")
    assert (refused.code, notified(pipe)) == (2, ["other", "takings-raw-data"])
    removed = takings("aws", "destroy", STORE, "--yes", "shop").out.splitlines()
    assert removed[0] == "removing: notification of s3://shop"
    assert notified(pipe) == ["other"]
    assert pipe.client("lambda").list_functions()["Functions"] == []
    assert pipe.client("stepfunctions").list_state_machines()["stateMachines"] == []
    assert pipe.client("iam").list_roles()["Roles"] == []
    assert takings("aws", "destroy", STORE, "--yes", "shop").out == "s3://shop: nothing is there to be removed\n"
    assert takings("status", STORE).code == 0
    gone = takings("aws", "destroy", STORE, "--yes", "shop", "--with-data").out.splitlines()
    assert gone[-1] == "removing: bucket shop with every version of every file"
    assert takings("status", STORE).code == 2


def notified(pipe: Aws) -> list[str]:
    found = pipe.client("s3").get_bucket_notification_configuration(Bucket="shop")
    return sorted(each["Id"] for each in found.get("LambdaFunctionConfigurations", ()))


def test_a_doctor_says_what_is_wrong(pipe: Aws, bootstrap: Bootstrap, takings: Takings) -> None:
    """What is missing first; then what keeps a pipeline from working that has everything."""
    assert bootstrap(command="doctor", code=1)[0] == (
        "missing: bucket shop in eu-west-1. `takings aws bootstrap` makes it."
    )
    bootstrap()
    assert [line.partition(":")[0] for line in bootstrap(command="doctor", code=1)[:2]] == [
        "the image 000000000000.dkr.ecr.eu-west-1.amazonaws.com/validation-service",
        "the image 000000000000.dkr.ecr.eu-west-1.amazonaws.com/transformation-service",
    ]
    assert bootstrap(command="doctor", code=1)[2].endswith("tasks cannot start. Add a NAT gateway, or these endpoints.")
    open_the_network(pipe)
    assert len(bootstrap(command="doctor", code=1)) == 2
    for service in SERVICES:
        pipe.client("ecr").put_image(repositoryName=service, imageManifest="{}", imageTag="latest")
    assert bootstrap(command="doctor") == ["s3://shop: all is well"]
    queue = pipe.client("sqs").get_queue_url(QueueName="takings-dead-letters")["QueueUrl"]
    pipe.client("sqs").send_message(QueueUrl=queue, MessageBody="{}")
    assert bootstrap(command="doctor", code=1)[0].startswith("1 dead letters wait in takings-dead-letters: see")
    assert takings("aws", "redrive", STORE).out == "an event: looked at again\n"
    assert takings("aws", "redrive", STORE).out == "s3://shop: no dead letter waits\n"


def open_the_network(pipe: Aws) -> None:
    """Give the default VPC the way out that AWS gives it."""
    ec2 = pipe.client("ec2")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    for table in ec2.describe_route_tables()["RouteTables"]:
        ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)


def test_asks_for_the_functions(pipe: Aws, takings: Takings, tmp_path: Path) -> None:
    """Whoever has not built them is told how; a damaged description is told apart."""
    del pipe
    missing = takings("aws", "bootstrap", STORE, "--lambdas", tmp_path / "none")
    assert (missing.code, "Run `make lambdas`" in unwrapped(missing.err)) == (2, True)
    for name in ("lambdas.json", "file-detector.zip", "file-archiver.zip"):
        (tmp_path / name).write_text("[]")
    damaged = takings("aws", "bootstrap", STORE, "--lambdas", tmp_path)
    assert (damaged.code, "Build the functions again" in unwrapped(damaged.err)) == (3, True)


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("images --tag v1", "repository validation-service"),
        ("tasks --tag v1", "repository validation-service"),
        ("functions", "function file-detector"),
        ("state-machine", "state machine ecommerce-pipeline"),
        ("check", "repository validation-service"),
    ],
)
def test_what_is_not_set_up_is_not_deployed(
    pipe: Aws, functions: Path, takings: Takings, command: str, missing: str
) -> None:
    """A deployment makes nothing: whoever has not set the pipeline up is told how, with a bucket and without one."""
    lambdas = ("--lambdas", functions) if command in {"functions", "check"} else ()
    for said in ("no bucket shop.", f"no {missing} in eu-west-1."):
        ended = takings("aws", "deploy", command.split()[0], STORE, *command.split()[1:], *lambdas)
        assert (ended.code, ended.out) == (2, "")
        assert f"there is {said} Set the pipeline up first: `takings aws bootstrap s3://shop`." in unwrapped(ended.err)
        if said.startswith("no bucket"):
            pipe.client("s3").create_bucket(
                Bucket="shop", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
            )


def test_waits_for_a_new_role() -> None:
    """Other services hear of a role some seconds later; a refusal for any other reason is told at once."""
    waited: list[float] = []
    answers = iter([refusal("InvalidParameterValueException", "The role cannot be assumed"), None])

    def make() -> str:
        answer = next(answers)
        if answer is not None:
            raise answer
        return "made"

    assert (patiently(make, waited.append), waited) == ("made", [3])
    with pytest.raises(ClientError, match="no such runtime"):
        patiently(lambda: raised(refusal("InvalidParameterValueException", "no such runtime")), waited.append)
    with pytest.raises(ClientError, match="the role is nobody's"):
        patiently(lambda: raised(refusal("ValidationException", "the role is nobody's")), waited.append)
    assert len(waited) == 20


def refusal(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Make")


def raised(error: Exception) -> None:
    raise error
