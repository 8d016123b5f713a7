"""Alarms and their subscribers, as AWS returns them.

In XML, which terraform's provider requests, MiniStack leaves out most of an alarm; and it treats every address as confirmed.
"""

from __future__ import annotations

from typing import Any, Final
from xml.etree import ElementTree

from ministack.services import cloudwatch, sns

from tests.aws_emulator.patching import Function, needed, patch

_SPACE: Final = "http://monitoring.amazonaws.com/doc/2010-08-01/"
_MEMBERS: Final = f".//{{{_SPACE}}}MetricAlarms/{{{_SPACE}}}member"


def behave() -> None:
    """Correct what differs from AWS."""
    needed(cloudwatch, "_alarms")
    needed(sns, "_get_topic", "_p")
    patch(cloudwatch, "_describe_alarms", "params, cbor_data, is_cbor, is_json", _whole)
    patch(sns, "_subscribe", "params", _to_be_confirmed)
    patch(sns, "_list_subscriptions_by_topic", "params", _without_arn)


def _whole(original: Function) -> Function:
    def described(params: Any, cbor_data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        status, headers, body = original(params, cbor_data, is_cbor, is_json)
        if is_cbor or is_json or status != 200:
            return status, headers, body
        answer = ElementTree.fromstring(body)
        for member in answer.findall(_MEMBERS):
            alarm = cloudwatch._alarms[member.findtext(f"{{{_SPACE}}}AlarmName")]
            for name, value in alarm.items():
                # There, instants are numbers, which XML writes differently; nobody asks for them.
                is_told = member.find(f"{{{_SPACE}}}{name}") is not None
                if value is not None and not is_told and not name.endswith("Timestamp"):
                    member.append(_element(name, value))
        return status, headers, ElementTree.tostring(answer, default_namespace=_SPACE)

    return described


def _element(name: str, value: object) -> ElementTree.Element:
    made = ElementTree.Element(f"{{{_SPACE}}}{name}")
    if isinstance(value, list):
        made.extend([_element("member", each) for each in value])
    elif isinstance(value, dict):
        made.extend([_element(key, each) for key, each in value.items()])
    else:
        made.text = str(value).lower() if isinstance(value, bool) else str(value)
    return made


def _to_be_confirmed(original: Function) -> Function:
    def subscribe(params: Any) -> Any:
        answer = original(params)
        for subscription in _by_mail(params):
            subscription["confirmed"] = False
            subscription["attributes"]["PendingConfirmation"] = "true"
        return answer

    return subscribe


def _without_arn(original: Function) -> Function:
    def listed(params: Any) -> Any:
        status, headers, body = original(params)
        for subscription in _by_mail(params):
            body = body.replace(subscription["arn"].encode(), b"PendingConfirmation")
        return status, headers, body

    return listed


def _by_mail(params: Any) -> list[Any]:
    topic, refused = sns._get_topic(sns._p(params, "TopicArn"))
    return [] if refused is not None else [each for each in topic["subscriptions"] if each["protocol"] == "email"]
