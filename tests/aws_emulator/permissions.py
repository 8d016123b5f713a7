"""IAM as on AWS: the calls of functions, tasks, executions and schedules are checked against their policies, and recorded.

With AUTH on, MiniStack evaluates policies for signed requests. Here it also does so for the calls of Step Functions and the
Scheduler themselves, and a task gets the credentials of its task role.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any, Final

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import ecs, eventbridge, scheduler, sts

from tests.aws_emulator.patching import Function, needed, patch, put

#: the conditions that the pipeline's policies may use; the rest of a request's context is ignored
_CONDITIONS: Final = ("s3:prefix", "s3:if-match", "ecs:cluster", "iam:PassedToService")
#: operations with another name in IAM
_ACTIONS: Final = {"sqs:SendMessageBatch": "sqs:SendMessage"}
_headers: ContextVar[Mapping[str, str]] = ContextVar("headers")
_key: ContextVar[str] = ContextVar("key", default="")
#: role or user, action, resource, conditions and whether it was allowed, each once
_calls: set[tuple[str, str, str, tuple[tuple[str, str], ...], bool]] = set()


class NotAllowed(Exception):
    """A role lacks a permission."""


def hold_to_roles() -> None:
    """Record and evaluate the calls; nothing is refused until `enforce` says so."""
    needed(app, "AUTH")
    needed(iam_evaluator, "EvalContext", "evaluate", "_gather_role_policies", "resolve_caller_identity")
    needed(sts, "register_session")
    needed(ecs, "_run_task", "_task_defs", "_resolve_td_key")
    patch(app, "pin_request_origin", "source_ip, secure_transport", _over_tls)
    parameters = "access_key_id, iam_action, service, region, resource_arn, service_context"
    patch(iam_evaluator, "enforce", parameters, _noted)
    patch(iam_actions, "s3_additional_checks", "method, path, headers, body, query_params", _reading_what_it_removes)
    parameters = "service, method, path, headers, body, query_params, region, account_id"
    patch(iam_actions, "extract_resource_arn", parameters, _in_its_group)
    patch(scheduler, "_create_schedule", "name, body", _passing_its_role)
    patch(scheduler, "_update_schedule", "name, body", _passing_its_role)
    patch(eventbridge, "_invoke_target", "target, event, rule, view", _as_its_role)


def enforce(*, enforcing: bool) -> None:
    """Refuse from now on what a role does not allow, or stop doing so."""
    put(app, "AUTH", enforcing)


def begin(raw: Iterable[tuple[bytes, bytes]]) -> None:
    """Remember a request's headers: some are conditions."""
    _headers.set({name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw})


def calls() -> list[dict[str, Any]]:
    """Return the calls since the last reset, each once."""
    return [
        {"role": role, "action": action, "resource": resource, "conditions": dict(conditions), "allowed": allowed}
        for role, action, resource, conditions, allowed in sorted(_calls)
    ]


def forget() -> None:
    """Start again, without enforcing any role."""
    enforce(enforcing=False)
    _calls.clear()


def credentials(role: str, name: str) -> dict[str, str]:
    """Return the environment of a caller with this role; empty while no role is enforced."""
    if not app.AUTH:
        return {}
    key, secret, token = f"ASIA{secrets.token_hex(8).upper()}", secrets.token_hex(20), secrets.token_hex(20)
    role_name = role.rsplit("/", 1)[-1]
    session = {
        "Arn": f"arn:aws:sts::{get_account_id()}:assumed-role/{role_name}/{name}",
        "UserId": f"{role_name}:{name}",
        "SecretAccessKey": secret,
        "SessionToken": token,
    }
    sts.register_session(key, session)
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}


def demand(role: str, action: str, resource: str, conditions: Mapping[str, str] | None = None) -> None:
    """Raise NotAllowed if a role, by its ARN, does not allow AWS's call in its name."""
    if not app.AUTH:
        return
    name, account = role.rsplit("/", 1)[-1], get_account_id()
    context = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{name}/aws",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
        service_context={key.lower(): value for key, value in (conditions or {}).items()},
    )
    decision = iam_evaluator.evaluate(context, iam_evaluator._gather_role_policies(name, account)).decision
    _note(name, action, resource, conditions or {}, decision == "Allow")
    if decision != "Allow":
        raise NotAllowed(f"{role} is not authorized to perform: {action} on resource: {resource}")


def _over_tls(original: Function) -> Function:
    """On AWS, every request uses TLS; a policy may require it."""

    def pin(source_ip: str, secure_transport: bool) -> None:
        del secure_transport
        original(source_ip, True)

    return pin


def _noted(original: Function) -> Function:
    def checked(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: Mapping[str, Any] | None = None,
    ) -> Any:
        action, context = _ACTIONS.get(iam_action, iam_action), dict(service_context or {})
        if action == "s3:DeleteObject" and (etag := _headers.get({}).get("if-match")):
            context["s3:if-match"] = etag
        refused = original(access_key_id, action, service, region, resource_arn, context)
        _key.set(access_key_id)
        arn = (iam_evaluator.resolve_caller_identity(access_key_id) or {}).get("userArn", ":root")
        if not arn.endswith(":root"):
            # A session's name follows that of its role; users have none.
            _note(arn.split("/")[1], action, resource_arn, context, refused is None)
        return refused

    return checked


def _note(role: str, action: str, resource: str, context: Mapping[str, Any], allowed: bool) -> None:
    conditions = tuple((name, str(context[name])) for name in _CONDITIONS if name in context)
    _calls.add((role, action, resource, conditions, allowed))


def _reading_what_it_removes(original: Function) -> Function:
    """Removing an object only if it has certain bytes requires permission to read it."""

    def checks(method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Any) -> Any:
        found = original(method, path, headers, body, query_params)
        if method == "DELETE" and headers.get("if-match"):
            found = [*found, ("s3:GetObject", f"arn:aws:s3:::{path.strip('/')}")]
        return found

    return checks


def _in_its_group(original: Function) -> Function:
    """Keep a schedule's group, and the table whose tags are meant; MiniStack knows only a default one, and none."""

    def extract(
        service: str, method: str, path: str, headers: Any, body: bytes, params: Any, region: str, account: str
    ) -> Any:
        arn = original(service, method, path, headers, body, params, region, account)
        if service == "dynamodb" and arn == "*":
            return json.loads(body or b"{}").get("ResourceArn") or arn
        if service != "scheduler" or ":schedule/default/" not in arn:
            return arn
        named = params.get("groupName") or json.loads(body or b"{}").get("GroupName") or "default"
        group = named[0] if isinstance(named, list) else named
        return arn.replace(":schedule/default/", f":schedule/{group}/")

    return extract


def _passing_its_role(original: Function) -> Function:
    """Creating a schedule requires permission to pass its role to the Scheduler, which MiniStack does not check."""

    def write(name: str, body: Mapping[str, Any]) -> Any:
        role = body.get("Target", {}).get("RoleArn", "")
        if app.AUTH and role:
            passed = {"iam:PassedToService": "scheduler.amazonaws.com"}
            if iam_evaluator.enforce(_key.get(), "iam:PassRole", "iam", get_region(), role, passed):
                return error_response_json("AccessDeniedException", f"{role} may not be passed", 403)
        return original(name, body)

    return write


def _run_task(target: Mapping[str, Any]) -> Any:
    """Start a task as the Scheduler does, which MiniStack's cannot: in the name of the schedule's role."""
    wanted = target["EcsParameters"]
    definition = ecs._task_defs.get(ecs._resolve_td_key(wanted["TaskDefinitionArn"]))
    if definition:
        demand(target["RoleArn"], "ecs:RunTask", definition["taskDefinitionArn"], {"ecs:cluster": target["Arn"]})
        for role in ("taskRoleArn", "executionRoleArn"):
            demand(
                target["RoleArn"], "iam:PassRole", definition[role], {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
            )
    network = wanted["NetworkConfiguration"]["awsvpcConfiguration"]
    return ecs._run_task(
        {
            "cluster": target["Arn"],
            "taskDefinition": wanted["TaskDefinitionArn"],
            "launchType": wanted["LaunchType"],
            "networkConfiguration": {
                "awsvpcConfiguration": {name[:1].lower() + name[1:]: network[name] for name in network}
            },
        }
    )


def _as_its_role(original: Function) -> Function:
    """Invoke a schedule's target with the role that it names."""

    def invoke(target: Mapping[str, Any], event: Any, rule: Any, view: Any = None) -> Any:
        if ":lambda:" in target["Arn"] and target.get("RoleArn"):
            demand(target["RoleArn"], "lambda:InvokeFunction", target["Arn"])
        if target.get("EcsParameters"):
            return _run_task(target)
        return original(target, event, rule, view)

    return invoke
