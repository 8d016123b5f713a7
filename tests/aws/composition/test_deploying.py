"""`takings aws deploy` brings a new version to AWS, as the workflow on GitHub calls it, without disturbing any batch."""

from __future__ import annotations

import json
import os
import shlex
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from takings.adapters.aws.deploy_role import deploy_role
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.versions import FUNCTIONS
from tests.aws.harness.deployed import BUCKET, SERVICES, STORE, Deployed, new_version, stopping_at
from tests.aws.harness.engine import install_engine
from tests.aws.harness.pipeline import Aws
from tests.aws.harness.policy_evaluator import Call, allows
from tests.cli.conftest import takings as takings_fixture
from tests.cli.terminal import Ended, Takings, unwrapped
from tests.test_workflows import commands_of_deployment

pytestmark = pytest.mark.xdist_group("deploying")

takings = takings_fixture
Deploy = Callable[..., Ended]
PIPELINE = Pipeline(bucket=BUCKET, table_prefix="", account="000000000000", region="eu-west-1")
EVERYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
REGISTRY = "000000000000.dkr.ecr.eu-west-1.amazonaws.com"
#: what docker and podman call, outside the recorded calls
NOT_CALLED_BY_US = {
    *(f"ecr:{verb}" for verb in ("BatchCheckLayerAvailability", "BatchGetImage", "InitiateLayerUpload")),
    *(f"ecr:{verb}" for verb in ("UploadLayerPart", "CompleteLayerUpload", "PutImage")),
    "iam:PassRole",
    # of a task definition that is registered with tags, and for an alias that somebody else made
    "ecs:TagResource",
    "lambda:ListVersionsByFunction",
}


@pytest.fixture
def secrets(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the values of GitHub's secrets for the emulated AWS."""
    ec2 = deployed.aws.client("ec2")
    first, second = ec2.describe_subnets()["Subnets"][:2]
    given = {
        "AWS_ACCOUNT_ID": PIPELINE.account,
        "STEP_FUNCTIONS_ARN": PIPELINE.state_machine,
        "S3_BUCKET_NAME": BUCKET,
        "SUBNET_1": first["SubnetId"],
        "SUBNET_2": second["SubnetId"],
        "SECURITY_GROUP": ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"],
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return given


@pytest.fixture
def deploy(deployed: Deployed, takings: Takings, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Return the command; the settings of this machine name no network."""
    del deployed
    for name in ("SUBNET_1", "SUBNET_2", "SECURITY_GROUP", "AWS_ACCOUNT_ID", "STEP_FUNCTIONS_ARN"):
        monkeypatch.delenv(name, raising=False)

    def call(command: str, *options: object, code: int = 0) -> Ended:
        ended = takings("aws", "deploy", command, STORE, *options)
        assert ended.code == code, ended
        return ended

    return call


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Return the calls to AWS, as policies name them."""
    calls: list[Call] = []
    call = BaseClient._make_api_call  # type: ignore[attr-defined] # the one place through which every call goes

    def noticed(client: Any, operation: str, given: Any) -> Any:
        known_as = {"HeadBucket": "ListBucket", "ListObjectsV2": "ListBucket"}.get(operation, operation)
        action = f"{client.meta.service_model.signing_name}:{known_as}"
        calls.append(Call(action=action, resource=resource_of(action, given)))
        return call(client, operation, given)

    monkeypatch.setattr(BaseClient, "_make_api_call", noticed)
    return calls


def resource_of(action: str, given: Mapping[str, Any]) -> str:
    """Return a call's resource; * if IAM has no resource for it."""
    match action.partition(":")[0]:
        case "s3":
            return "/".join([PIPELINE.bucket_arn, *([given["Key"]] if "Key" in given else [])])
        case "lambda":
            return PIPELINE.arn("lambda", f"function:{given['FunctionName']}")
        case "states":
            return str(given["stateMachineArn"])
        case "scheduler":
            return PIPELINE.schedule(given["Name"])
        case "ecr" if action != "ecr:GetAuthorizationToken":
            return PIPELINE.repository(given.get("repositoryName") or given["repositoryNames"][0])
        case _:
            return "*"


def running(deployed: Deployed) -> dict[str, str]:
    """Return the image that each service runs, according to the newest task definition."""
    return {name: newest(deployed, name)["containerDefinitions"][0]["image"] for name in SERVICES}


def newest(deployed: Deployed, family: str) -> dict[str, Any]:
    """Return the newest task definition of a service."""
    return dict(deployed.aws.client("ecs").describe_task_definition(taskDefinition=family)["taskDefinition"])


def digest_of(deployed: Deployed, service: str, tag: str) -> str:
    found = deployed.aws.client("ecr").describe_images(repositoryName=service, imageIds=[{"imageTag": tag}])
    return str(found["imageDetails"][0]["imageDigest"])


def machine_of(deployed: Deployed) -> str:
    found = deployed.aws.client("stepfunctions").describe_state_machine(stateMachineArn=PIPELINE.state_machine)
    return str(found["definition"])


def push(deployed: Deployed, tag: str) -> None:
    """Put an image of each service into its repository."""
    for service in SERVICES:
        deployed.aws.client("ecr").put_image(repositoryName=service, imageManifest=f'{{"of": "{tag}"}}', imageTag=tag)


def test_the_workflow_deploys(
    deployed: Deployed,
    functions: Path,
    takings: Takings,
    secrets: dict[str, str],
    called: list[Call],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every line of deploy.yml, as it is: the role allows what they call and nothing else; a second run changes nothing."""
    engine = install_engine(tmp_path / "bin", monkeypatch)
    built = new_version(functions, tmp_path / "new")
    (Path.cwd() / "build").mkdir()
    (Path.cwd() / "build" / "lambdas").symlink_to(built)
    commit = "08c6903cd8c0fde910a37f88322edcfb5dd907a8"
    (Path.cwd() / "build" / "images").mkdir()
    for service in SERVICES:
        (Path.cwd() / "build" / "images" / f"{service}.tar").touch()

    def run() -> list[str]:
        ended = [takings(*words) for words in commands_of_deployment(secrets | {"GITHUB_SHA": commit})]
        assert [each.code for each in ended] == [0] * 6, ended
        return [line for each in ended for line in each.out.splitlines()]

    told = run()
    network = ", ".join([*sorted([secrets["SUBNET_1"], secrets["SUBNET_2"]]), secrets["SECURITY_GROUP"]])
    assert told == [
        f"deploying: image {REGISTRY}/validation-service:{commit}",
        f"deploying: image {REGISTRY}/transformation-service:{commit}",
        f"s3://shop: nothing in the images {commit} stops a deployment (scan_fails_on = high; other findings: 0)",
        f"deploying: task definition validation-service with the image {commit}",
        f"deploying: task definition transformation-service with the image {commit}",
        f"deploying: task definition maintenance with the image {commit}",
        "deploying: function file-detector (its code is another one)",
        "deploying: function file-archiver (its code is another one)",
        "deploying: function file-detector (its newest version becomes the live one)",
        "deploying: function file-archiver (its newest version becomes the live one)",
        f"deploying: state machine ecommerce-pipeline with validation-service:2, transformation-service:2, {network}",
        "deploying: schedule maintain (runs otherwise)",
        "running executions continue with the definition and the images that they began with",
        "s3://shop: everything is deployed",
    ]
    load, login, tag, pushed, logout, *_ = [each for each in engine.asked() if each[0] != ["info"]]
    assert load[0] == ["load", "--input", "build/images/validation-service.tar"]
    assert login == (["login", "--username", "AWS", "--password-stdin", REGISTRY], "ministack-auth-token")
    assert tag[0] == ["tag", f"validation-service:{commit}", f"{REGISTRY}/validation-service:{commit}"]
    assert pushed[0] == ["push", f"{REGISTRY}/validation-service:{commit}"]
    assert logout[0] == ["logout", REGISTRY]
    assert running(deployed) == {name: f"{REGISTRY}/{name}@{digest_of(deployed, name, commit)}" for name in SERVICES}
    assert '"TaskDefinition": "transformation-service:2"' in machine_of(deployed)
    digests = {name: (Path("build/digests") / f"{name}.sha256").read_text() for name in SERVICES}
    signed = {name: f"{digest_of(deployed, name, commit)[7:]}  {REGISTRY}/{name}\n" for name in SERVICES}
    assert digests == signed

    assert [line for line in run() if "already" not in line][1:] == ["s3://shop: everything is deployed"]
    for name in ("SUBNET_1", "SUBNET_2", "SECURITY_GROUP"):
        monkeypatch.delenv(name)
    kept = takings("aws", "deploy", "state-machine", STORE)
    assert kept.out == "s3://shop: the state machine is already up to date\n", "it leaves the network as it is"

    policy = deploy_role(PIPELINE, "a/b").policy()
    # Everybody may ask for their own identity.
    needed = [call for call in called if call.action != "sts:GetCallerIdentity"]
    assert [call for call in needed if not allows(policy, call)] == []
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    assert {call.action for call in needed} == allowed - NOT_CALLED_BY_US


BASIC = {"name": "CVE-2026-1", "severity": "CRITICAL", "attributes": [{"key": "package_name", "value": "zlib"}]}
ENHANCED = {
    "severity": "HIGH",
    "packageVulnerabilityDetails": {
        "vulnerabilityId": "CVE-2026-2",
        "vulnerablePackages": [{"name": "openssl", "version": "3.0", "fixedInVersion": "3.1"}],
    },
}
LOW = {"name": "CVE-2026-3", "severity": "LOW"}


def push_scanned(deployed: Deployed, tag: str, findings: list[object], status: str = "COMPLETE") -> None:
    """Put an image of each service into its repository; ECR finds something in that of the validation only."""
    manifests = [{"of": tag, "scan": status, "findings": findings}, {"of": f"{tag} of the other"}]
    for service, manifest in zip(SERVICES, manifests, strict=True):
        deployed.aws.client("ecr").put_image(repositoryName=service, imageManifest=json.dumps(manifest), imageTag=tag)


@pytest.mark.parametrize(
    ("tag", "findings", "status", "told"),
    [
        ("clean", [], "COMPLETE", []),
        ("weak", [LOW, LOW, BASIC], "COMPLETE", ["validation-service: CRITICAL CVE-2026-1 in zlib"]),
        (
            "inspected",
            [ENHANCED],
            "ACTIVE",
            ["validation-service: HIGH CVE-2026-2 in openssl 3.0, fixed in 3.1"],
        ),
    ],
)
def test_a_weak_image_is_not_deployed(
    deployed: Deployed, deploy: Deploy, tag: str, findings: list[object], status: str, told: list[str]
) -> None:
    """What a basic scan or Amazon Inspector found decides, on every page of the answer."""
    push_scanned(deployed, tag, findings, status)
    ended = deploy("scan", "--tag", tag, code=1 if told else 0)
    assert ended.out.splitlines()[: len(told)] == told
    assert ("are not to be deployed" in ended.out) is bool(told)


def test_how_bad_is_too_bad_is_a_setting(deployed: Deployed, deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finding may be accepted by its name, and any severity may be let through."""
    push_scanned(deployed, "judged", [BASIC, LOW])
    deploy("scan", "--tag", "judged", code=1)
    monkeypatch.setenv("TAKINGS_SCAN_ACCEPTS", "CVE-2026-1, CVE-2026-9")
    passed = deploy("scan", "--tag", "judged")
    assert passed.out.splitlines() == [
        "s3://shop: nothing in the images judged stops a deployment (scan_fails_on = high; other findings: 2)"
    ]
    monkeypatch.setenv("TAKINGS_SCAN_FAILS_ON", "low")
    assert deploy("scan", "--tag", "judged", code=1).out.startswith("validation-service: LOW CVE-2026-3\n")
    monkeypatch.setenv("TAKINGS_SCAN_FAILS_ON", "never")
    deploy("scan", "--tag", "judged")


@pytest.mark.parametrize(
    ("tag", "status", "code", "said"),
    [
        ("slow", "IN_PROGRESS", 3, "has not ended yet. Run this again later."),
        ("unscanned", "NONE", 3, "has not ended yet. Run this again later."),
        ("strange", "UNSUPPORTED_IMAGE", 3, "ended as UNSUPPORTED_IMAGE. Look at it in ECR"),
    ],
)
def test_an_image_without_a_scan_is_not_deployed(
    deployed: Deployed, deploy: Deploy, tag: str, status: str, code: int, said: str
) -> None:
    """Nobody knows what is in it."""
    push_scanned(deployed, tag, [], status)
    assert said in unwrapped(deploy("scan", "--tag", tag, "--wait", 0, code=code).err)


def test_a_tag_names_the_same_bytes_for_good(deployed: Deployed, deploy: Deploy) -> None:
    """A second push under the same tag is refused by the repository, and not tried by us."""
    push(deployed, "fixed")
    ecr = deployed.aws.client("ecr")
    with pytest.raises(ecr.exceptions.ImageTagAlreadyExistsException):
        ecr.put_image(repositoryName="validation-service", imageManifest='{"of": "another"}', imageTag="fixed")
    assert deploy("images", "--tag", "fixed", "--no-build").out == (
        "s3://shop: both repositories already have an image fixed; other bytes need another tag\n"
    )


def test_a_batch_in_flight_ends_as_it_began(
    deployed: Deployed, functions: Path, deploy: Deploy, tmp_path: Path
) -> None:
    """Its transformation runs the same image as its validation, although everything was deployed in between."""
    push(deployed, "old")
    push(deployed, "new")
    deploy("tasks", "--tag", "old")
    deploy("state-machine")
    old = running(deployed)
    deployed.set(batch_files="3", batch_wait="1h")
    deployed.run_services(stopping_at("task.done", "validation-service"))
    deployed.drop_all()
    task = deployed.stopped_at("task.done", "validation-service")
    deploy("tasks", "--tag", "new")
    deploy("functions", "--lambdas", new_version(functions, tmp_path / "newer"))
    deploy("state-machine")
    assert running(deployed) != old
    os.kill(task["pid"], signal.SIGCONT)
    assert deployed.settled() == ["SUCCEEDED"]
    assert [each["image"] for each in deployed.tasks()] == [old["validation-service"], old["transformation-service"]]
    for service in SERVICES:
        revision = newest(deployed, service)["revision"]
        assert f'"TaskDefinition": "{service}:{revision}"' in machine_of(deployed)


def test_a_deployment_of_functions_is_taken_back_at_once(
    deployed: Deployed, functions: Path, deploy: Deploy, tmp_path: Path
) -> None:
    """Everything calls the earlier versions again; whatever differed goes back, once, and the next deployment goes ahead."""
    built = new_version(functions, tmp_path / "1.1")
    deploy("functions", "--lambdas", built)
    before = live(deployed)
    new_version(functions, tmp_path / "1.2")
    (built / "file-archiver.zip").write_bytes((tmp_path / "1.2" / "file-archiver.zip").read_bytes())
    assert deploy("functions", "--lambdas", built).out.splitlines() == [
        "deploying: function file-archiver (its code is another one)",
        "deploying: function file-detector (its newest version becomes the live one)",
        "deploying: function file-archiver (its newest version becomes the live one)",
    ]
    after = live(deployed)
    assert (after["file-detector"], int(after["file-archiver"])) == (
        before["file-detector"],
        int(before["file-archiver"]) + 1,
    )
    back = f"function file-archiver from version {after['file-archiver']} to version {before['file-archiver']}"
    assert deploy("rollback", "--dry-run").out == f"would roll back: {back}\n"
    assert deploy("rollback").out == f"rolling back: {back}\n"
    assert live(deployed) == before
    assert deploy("rollback").out == "s3://shop: the functions are as they were before their last deployment\n"
    assert len(deploy("check", "--lambdas", built, code=1).out.splitlines()) == 2
    assert len(deploy("functions", "--lambdas", built).out.splitlines()) == 2
    assert live(deployed) == after
    deployed.set(batch_files="3", batch_wait="1h")
    deployed.drop_all()
    assert deployed.settled() == ["SUCCEEDED"]


def live(deployed: Deployed) -> dict[str, str]:
    """Return the live version of each function."""
    lambdas = deployed.aws.client("lambda")
    return {name: lambdas.get_alias(FunctionName=name, Name="live")["FunctionVersion"] for name in FUNCTIONS}


def test_there_is_no_way_back_from_a_first_deployment(
    pipe: Aws, functions: Path, takings: Takings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says how to go back nonetheless."""
    del pipe
    monkeypatch.delenv("AWS_ACCOUNT_ID", raising=False)
    takings("aws", "bootstrap", STORE, "--lambdas", functions)
    refused = takings("aws", "deploy", "rollback", STORE)
    assert (refused.code, refused.out) == (2, "")
    assert "no earlier version of file-detector is known in eu-west-1. Check out" in unwrapped(refused.err)


def test_bootstrap_turns_nothing_back(
    deployed: Deployed, functions: Path, secrets: dict[str, str], deploy: Deploy, takings: Takings
) -> None:
    """Unless an image, a network or a repository is named, it keeps the deployed ones; an older tag can be put back."""
    push(deployed, "v1")
    push(deployed, "v2")
    deploy("tasks", "--tag", "v1")
    before = running(deployed)
    deploy("tasks", "--tag", "v2")
    deploy("state-machine", "--subnet", secrets["SUBNET_1"], "--security-group", secrets["SECURITY_GROUP"])
    deploy("functions", "--lambdas", functions)
    bootstrap = ("aws", "bootstrap", STORE, "--lambdas", functions)
    assert takings(*bootstrap).out == "s3://shop: nothing is missing\n"
    assert f'"Subnets": ["{secrets["SUBNET_1"]}"]' in machine_of(deployed)
    assert takings(*bootstrap, "--image-tag", "v2").out == "s3://shop: nothing is missing\n"
    assert deploy("tasks", "--tag", "v1", "--dry-run").out.splitlines() == [
        "would deploy: task definition validation-service with the image v1",
        "would deploy: task definition transformation-service with the image v1",
        "would deploy: task definition maintenance with the image v1",
    ]
    assert deploy("check", "--tag", "v1", "--lambdas", functions, code=1).out.splitlines() == [
        "not deployed: task definition validation-service with the image v1",
        "not deployed: task definition transformation-service with the image v1",
        "not deployed: task definition maintenance with the image v1",
    ]
    deploy("tasks", "--tag", "v1")
    assert running(deployed) == before
    (behind,) = deploy("check", "--lambdas", functions, code=1).out.splitlines()
    assert behind.startswith("not deployed: state machine ecommerce-pipeline with validation-service:")
    deploy("state-machine")
    assert deploy("check", "--lambdas", functions).out == "s3://shop: everything is deployed\n"


def test_a_repository_may_deploy(deployed: Deployed, functions: Path, takings: Takings, deploy: Deploy) -> None:
    """Only its environment `production`; a changed role is repaired for the repository that it trusts."""
    del deploy
    bootstrap = ("aws", "bootstrap", STORE, "--lambdas", functions)
    made = takings(*bootstrap, "--github", "octocat@1/shop@2")
    assert made.out.splitlines() == [
        "making: identity provider token.actions.githubusercontent.com",
        "making: role takings-deploy (is missing)",
    ]
    iam = deployed.aws.client("iam")
    (trust,) = iam.get_role(RoleName="takings-deploy")["Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust == {
        "Effect": "Allow",
        "Principal": {
            "Federated": "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com",
        },
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {
                "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                "token.actions.githubusercontent.com:sub": "repo:octocat@1/shop@2:environment:production",
            }
        },
    }
    iam.put_role_policy(RoleName="takings-deploy", PolicyName="takings", PolicyDocument=EVERYTHING)
    assert takings(*bootstrap).out == "making: role takings-deploy (allows something else)\n"
    assert takings(*bootstrap, "--github", "octocat/till").out == "making: role takings-deploy (trusts somebody else)\n"
    assert takings(*bootstrap).out == "s3://shop: nothing is missing\n"
    refused = takings(*bootstrap, "--github", "octocat/*")
    assert (refused.code, "is not a repository on GitHub" in unwrapped(refused.err)) == (2, True)


def test_the_role_names_the_pipeline_s_own_parts() -> None:
    """A * is used only where there are no parts to name, and for the revisions of task definitions."""
    statements = deploy_role(PIPELINE, "a/b").policy()["Statement"]
    assert [each["Action"] for each in statements if each["Resource"] == ["*"]] == [
        [
            *("ecr:GetAuthorizationToken", "ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition"),
            *("ec2:DescribeSubnets", "ec2:DescribeSecurityGroups"),
        ]
    ]
    named = [name for each in statements for name in each["Resource"] if "*" in name[1:]]
    assert named == [
        f"arn:aws:ecs:eu-west-1:000000000000:task-definition/{family}:*" for family in (*SERVICES, "maintenance")
    ]
    assert {
        each["Condition"]["StringEquals"]["iam:PassedToService"]
        for each in statements
        if "PassRole" in each["Action"][0]
    } == {
        "ecs-tasks.amazonaws.com",
        "states.amazonaws.com",
        "scheduler.amazonaws.com",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("tasks --tag none", "validation-service:none is not in its repository. Push it: `takings aws deploy images"),
        (
            "state-machine --arn arn:aws:states:eu-west-1:1:stateMachine:x",
            "not arn:aws:states:eu-west-1:1:stateMachine:x.",
        ),
        ("functions --account 123456789012", "these credentials belong to account 000000000000, not 123456789012."),
        (
            "images --tag x --engine no-such-engine",
            "no container engine works here: no-such-engine is not on PATH",
        ),
        ("scan --tag none", "the repository validation-service has no image none. Push it: `takings aws deploy images"),
        ("images --tag x --engine true --saved nowhere", "nowhere/validation-service.tar is missing."),
        ("images --tag x --engine true", "Dockerfile is missing. Run this where the sources are."),
    ],
)
def test_what_cannot_be_deployed_is_refused(deploy: Deploy, words: str, said: str) -> None:
    """With the next step, before anything is changed."""
    assert said in unwrapped(deploy(*shlex.split(words), code=2).err)


def test_code_for_another_python_is_refused(deploy: Deploy, functions: Path, tmp_path: Path) -> None:
    """It would fail in the function, not here."""
    built = new_version(functions, tmp_path / "other")
    (built / "lambdas.json").write_text('{"runtime": "python3.99", "architecture": "x86_64"}')
    said = unwrapped(deploy("functions", "--lambdas", built, code=2).err)
    assert "but its code was built for python3.99." in said
    assert "let `takings aws bootstrap s3://shop` change both" in said


def test_an_engine_that_fails_is_told(
    deployed: Deployed, deploy: Deploy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its output is shown; it is logged out, and the repository has no image."""
    engine = install_engine(tmp_path / "bin", monkeypatch, "podman", "push")
    ended = deploy("images", "--tag", "v9", "--no-build", "--engine", "podman", code=3)
    assert "no space left on device" in ended.err
    assert "podman push` ended with code 1; its output is above." in unwrapped(ended.err)
    assert engine.asked()[-1][0] == ["logout", REGISTRY]
    assert deployed.aws.client("ecr").list_images(repositoryName="validation-service", filter={"tagStatus": "TAGGED"})
    assert deploy("images", "--tag", "v9", "--dry-run").out.splitlines() == [
        f"would deploy: image {REGISTRY}/validation-service:v9",
        f"would deploy: image {REGISTRY}/transformation-service:v9",
    ]
