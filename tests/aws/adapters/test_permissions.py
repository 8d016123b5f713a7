"""Every role allows what its part calls, nothing else, and nothing forbidden.

The end-to-end tests enforce the roles as well (tests/aws_emulator/permissions.py); their calls are recorded in calls.json.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, Final

import pytest

from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.policies import Role, roles
from tests.aws.harness.calls import recorded
from tests.aws.harness.forbidden_calls import FORBIDDEN, TO_NOBODY
from tests.aws.harness.policy_evaluator import Call, allows
from tests.aws.harness.unseen_calls import unseen
from tests.emulators import MINISTACK

ACCOUNT: Final = "000000000000"
SHOP: Final = Pipeline(bucket="shop", table_prefix="", account=ACCOUNT, region="eu-west-1")
#: of a pipeline with an application on EMR Serverless
ROLES: Final = {role.name: role for role in roles(SHOP, "00fexample")}
#: these know no resource
ON_EVERYTHING: Final = {
    "ecr:GetAuthorizationToken",
    *(f"xray:{verb}" for verb in ("PutTraceSegments", "PutTelemetryRecords")),
    *(f"xray:{verb}" for verb in ("GetSamplingRules", "GetSamplingTargets")),
    *(f"logs:{verb}LogDelivery" for verb in ("Create", "Get", "Update", "Delete")),
    *(f"logs:{verb}" for verb in ("ListLogDeliveries", "PutResourcePolicy", "DescribeResourcePolicies")),
    "logs:DescribeLogGroups",
}
Policy = Mapping[str, Any]


def grants(role: Role) -> Iterator[Policy]:
    """Yield what a role allows in the smallest parts: one action on one resource, with one value of its conditions."""
    for statement in role.statements:
        conditions = statement.get("Condition", {})
        values = [
            [(operator, key, value) for value in (wanted if isinstance(wanted, list) else [wanted])]
            for operator, keys in conditions.items()
            for key, wanted in keys.items()
        ]
        for action, resource, *under in product(statement["Action"], statement["Resource"], *values):
            condition = {operator: {key: value} for operator, key, value in under}
            yield {"Statement": [{"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition}]}


def asked(role: Role) -> list[Call]:
    """Return the calls of a role, seen or not."""
    return [*recorded().get(role.name, ()), *(call for name, call, _ in unseen() if name == role.name)]


@pytest.fixture(params=list(ROLES.values()), ids=list(ROLES))
def role(request: pytest.FixtureRequest) -> Role:
    """Return a role of a pipeline."""
    found: Role = request.param
    return found


def test_every_role_is_asked_for_something() -> None:
    """The recorded calls cover every role."""
    assert {*recorded(), *(name for name, _, _ in unseen())} == {*ROLES}


def test_what_is_asked_for_is_allowed(role: Role) -> None:
    """What the tests have seen, and what AWS does unseen."""
    assert [call for call in asked(role) if not allows(role.policy(), call)] == []


def test_nothing_is_allowed_that_nobody_asks_for(role: Role) -> None:
    """A call needs each action on each resource under each condition."""
    calls = asked(role)
    assert [grant["Statement"][0] for grant in grants(role) if not any(allows(grant, call) for call in calls)] == []


def test_an_exception_is_needed() -> None:
    """An exception is for calls that no test makes."""
    assert [(name, call) for name, call, _ in unseen() if call in recorded().get(name, ())] == []


def test_what_is_forbidden_is_denied(role: Role) -> None:
    """To this role, and to all of them."""
    calls = [*FORBIDDEN[role.name], *TO_NOBODY]
    assert [call for call in calls if allows(role.policy(), call)] == []


def test_nothing_is_allowed_on_everything() -> None:
    """Except the registry's token, traces and the delivery of logs, which have no resource; and no action is a pattern."""
    statements = [statement for role in ROLES.values() for statement in role.statements]
    actions = {action for statement in statements if "*" in statement["Resource"] for action in statement["Action"]}
    assert actions == ON_EVERYTHING
    assert [
        action for statement in statements for action in statement["Action"] if "*" in action or "?" in action
    ] == []
    assert {statement["Effect"] for statement in statements} == {"Allow"}


def test_roles_of_another_shop_differ() -> None:
    """With its own prefix, a shop cannot touch anything of this one, except the account's rule of Step Functions."""
    north = roles(Pipeline(bucket="north", table_prefix="north.", account=ACCOUNT, region="eu-west-1"), "00fnorth")
    shared = ON_EVERYTHING | {"events:PutTargets", "events:PutRule", "events:DescribeRule"}
    calls = [call for role in ROLES.values() for call in asked(role)]
    reached = {call.action for role in north for call in calls if allows(role.policy(), call)}
    assert reached == shared


def test_a_pipeline_without_jobs_has_nothing_of_them() -> None:
    """Neither roles nor permissions, and all else is the same."""
    without = {role.name: role for role in roles(SHOP)}
    assert {*ROLES} - {*without} == {"takings-validation-on-spark", "takings-transformation-on-spark"}
    assert [name for name, role in without.items() if role != ROLES[name]] == ["takings-state-machine"]
    assert "emr-serverless" not in str(without)


def trusts(role: Role, service: str, **source: str) -> bool:
    """Return whether a service may assume a role on behalf of something."""
    trust = role.trust(ACCOUNT)
    (statement,) = trust["Statement"]
    call = Call(
        action="sts:AssumeRole", resource="*", conditions={f"aws:Source{name}": value for name, value in source.items()}
    )
    return statement["Principal"] == {"Service": service} and allows(trust, call)


@pytest.mark.parametrize(
    ("name", "service", "source", "another"),
    [
        (
            "takings-validation-service",
            "ecs-tasks",
            f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task/takings/1",
            "arn:aws:ecs:eu-west-1:111111111111:task/takings/1",
        ),
        (
            "takings-state-machine",
            "states",
            f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:ecommerce-pipeline",
            f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:ecommerce-pipeline-of-another",
        ),
        (
            "takings-scheduler",
            "scheduler",
            f"arn:aws:scheduler:eu-west-1:{ACCOUNT}:schedule-group/takings",
            f"arn:aws:scheduler:eu-west-1:{ACCOUNT}:schedule-group/default",
        ),
        (
            "takings-transformation-on-spark",
            "emr-serverless",
            f"arn:aws:emr-serverless:eu-west-1:{ACCOUNT}:/applications/00fexample",
            f"arn:aws:emr-serverless:eu-west-1:{ACCOUNT}:/applications/00fanother",
        ),
    ],
)
def test_a_service_takes_a_role_for_the_own_pipeline_only(name: str, service: str, source: str, another: str) -> None:
    """Nobody can make an AWS service use it for anything else."""
    role = ROLES[name]
    assert trusts(role, f"{service}.amazonaws.com", Account=ACCOUNT, Arn=source)
    assert not trusts(role, f"{service}.amazonaws.com", Account=ACCOUNT, Arn=another)
    assert not trusts(role, f"{service}.amazonaws.com", Account="111111111111", Arn=source)
    assert not trusts(role, f"{service}.amazonaws.com", Account=ACCOUNT)
    assert not trusts(role, "lambda.amazonaws.com", Account=ACCOUNT, Arn=source)


def test_each_role_is_taken_by_one_service() -> None:
    """Lambda does not say on whose behalf it assumes a role."""
    trusted = {name: role.trust(ACCOUNT)["Statement"][0] for name, role in ROLES.items()}
    assert {name: statement["Principal"]["Service"] for name, statement in trusted.items()} == {
        "takings-file-detector": "lambda.amazonaws.com",
        "takings-file-archiver": "lambda.amazonaws.com",
        "takings-validation-service": "ecs-tasks.amazonaws.com",
        "takings-transformation-service": "ecs-tasks.amazonaws.com",
        "takings-maintenance": "ecs-tasks.amazonaws.com",
        "takings-task-execution": "ecs-tasks.amazonaws.com",
        "takings-state-machine": "states.amazonaws.com",
        "takings-scheduler": "scheduler.amazonaws.com",
        "takings-validation-on-spark": "emr-serverless.amazonaws.com",
        "takings-transformation-on-spark": "emr-serverless.amazonaws.com",
    }
    assert [name for name, statement in trusted.items() if "Condition" not in statement] == [
        "takings-file-detector",
        "takings-file-archiver",
    ]


#: asks MiniStack's evaluator for each of [policy, action, resource, conditions]
_ASKS: Final = """
import json, sys
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document
def decide(policy, action, resource, conditions):
    known = {key.lower(): value for key, value in conditions.items()}
    who = "arn:aws:sts::000000000000:assumed-role/role/session"
    context = EvalContext(principal_arn=who, principal_type="AssumedRole", principal_account="000000000000",
                          action=action, resource_arn=resource, region="eu-west-1", service_context=known)
    return evaluate(context, [parse_policy_document(policy)]).decision == "Allow"
json.dump([decide(*each) for each in json.load(sys.stdin)], sys.stdout)
"""


def test_two_evaluators_agree() -> None:
    """MiniStack's decides the same for every call and every role."""
    if not MINISTACK.exists():
        pytest.skip(f"MiniStack is not installed ({MINISTACK}); `make test` installs it")
    calls = [*TO_NOBODY, *(call for role in ROLES.values() for call in (*asked(role), *FORBIDDEN[role.name]))]
    pairs = [(role.policy(), call) for role in ROLES.values() for call in calls]
    given = json.dumps([[policy, call.action, call.resource, dict(call.conditions)] for policy, call in pairs])
    command = [str(MINISTACK.with_name("python")), "-c", _ASKS]
    said = subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout
    assert [
        call for (policy, call), allowed in zip(pairs, json.loads(said), strict=True) if allows(policy, call) != allowed
    ] == []
