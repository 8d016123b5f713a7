"""Describe everything in an AWS account, in AWS's words, without what differs each time: numbers and dates."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import ClientError

Description = dict[str, Any]
Client = Callable[[str], Any]
#: what is new each time, or describes AWS's answer
_PASSING: Final = {
    *(
        "ResponseMetadata",
        "RoleId",
        "RevisionId",
        "TableId",
        "IndexId",
        "CodeSize",
        "revisionId",
        "registeredAt",
        "revision",
    ),
    *("TableSizeBytes", "ItemCount", "IndexSizeBytes", "IndexStatus", "TableStatus", "storedBytes", "registeredBy"),
    *("creationTime", "createdAt", "CreatedTimestamp", "LastModifiedTimestamp", "LastModified", "LatestStreamLabel"),
    *("StateReason", "StateReasonData", "StateValue", "StateUpdatedTimestamp", "AlarmConfigurationUpdatedTimestamp"),
    *("StateTransitionedTimestamp", "EarliestRestorableDateTime", "LatestRestorableDateTime", "LastUpdateStatus"),
    *(
        "KeyId",
        "CurrentKeyMaterialId",
        "Arn",
        "OwnerId",
        "VpcId",
        "SecurityGroupArn",
        "GroupId",
        "taskDefinitionArn",
        "clusterArn",
        "Size",
        "UUID",
        "EventSourceMappingArn",
        "LastProcessingResult",
        "StateTransitionReason",
    ),
    *("SubscriptionArn", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "RoleLastUsed"),
    *("ApproximateNumberOfMessagesDelayed", "registryId", "LastDecreaseDateTime", "LastIncreaseDateTime"),
}


def described(client: Client) -> Description:
    """Return every resource by its kind and name."""
    found: Description = {}
    for describe in (
        *(_buckets, _tables, _queues, _roles, _log_groups, _functions, _repositories, _clusters, _task_definitions),
        *(_state_machines, _schedules, _topics, _keys, _alarms, _dashboards, _security_groups, _identity_providers),
        _applications,
    ):
        for name, resource in describe(client):
            found[name] = resource
    numbers = _numbers(client)
    return {name: _plain(resource, numbers) for name, resource in sorted(found.items())}


def _buckets(client: Client) -> Iterator[tuple[str, object]]:
    s3 = client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        life_cycle = _or_none(lambda: s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"])  # noqa: B023 - called here
        yield (
            f"bucket {name}",
            {
                "region": s3.get_bucket_location(Bucket=name)["LocationConstraint"],
                "versioning": s3.get_bucket_versioning(Bucket=name).get("Status"),
                "encryption": s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"],
                "public access": _or_none(
                    lambda: s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]  # noqa: B023
                ),
                "policy": _or_none(lambda: json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])),  # noqa: B023
                "life cycle": life_cycle and sorted(life_cycle, key=lambda rule: rule["ID"]),
                "notifications": s3.get_bucket_notification_configuration(Bucket=name),
                "tags": _or_none(lambda: s3.get_bucket_tagging(Bucket=name)["TagSet"]),  # noqa: B023
            },
        )


def _tables(client: Client) -> Iterator[tuple[str, object]]:
    dynamodb = client("dynamodb")
    for name in dynamodb.list_tables()["TableNames"]:
        table = dynamodb.describe_table(TableName=name)["Table"]
        table["AttributeDefinitions"].sort(key=lambda each: each["AttributeName"])
        table.get("GlobalSecondaryIndexes", []).sort(key=lambda each: each["IndexName"])
        backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        yield f"table {name}", {**table, "backups": backups}


def _queues(client: Client) -> Iterator[tuple[str, object]]:
    sqs = client("sqs")
    for url in sqs.list_queues().get("QueueUrls", ()):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        # The same document may be written in several ways.
        documents = {name: json.loads(attributes[name]) for name in ("Policy", "RedrivePolicy") if name in attributes}
        yield f"queue {url.rpartition('/')[2]}", _without_times(attributes) | documents


def _roles(client: Client) -> Iterator[tuple[str, object]]:
    iam = client("iam")
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        policies = {
            policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
        }
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        yield f"role {name}", {**iam.get_role(RoleName=name)["Role"], "policies": policies, "attached": attached}


def _log_groups(client: Client) -> Iterator[tuple[str, object]]:
    for group in client("logs").describe_log_groups()["logGroups"]:
        yield f"log group {group['logGroupName']}", group


def _functions(client: Client) -> Iterator[tuple[str, object]]:
    lambdas = client("lambda")
    for function in lambdas.list_functions()["Functions"]:
        name = function["FunctionName"]
        policy = _or_none(lambda: json.loads(lambdas.get_policy(FunctionName=name)["Policy"]))  # noqa: B023 - called here
        configuration = lambdas.get_function_configuration(FunctionName=name)
        live = lambdas.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
        yield f"function {name}", {**configuration, "policy": policy, "live": live}
    for each in lambdas.list_event_source_mappings()["EventSourceMappings"]:
        function, source = (each[key].rpartition(":")[2] for key in ("FunctionArn", "EventSourceArn"))
        yield f"events from {source} to {function}", _without_times(each)


def _repositories(client: Client) -> Iterator[tuple[str, object]]:
    ecr = client("ecr")
    for repository in ecr.describe_repositories()["repositories"]:
        name = repository["repositoryName"]
        policy = _or_none(lambda: ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])  # noqa: B023
        yield f"repository {name}", {**repository, "life cycle": policy and json.loads(policy)}


def _clusters(client: Client) -> Iterator[tuple[str, object]]:
    ecs = client("ecs")
    for cluster in ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]:
        if cluster["status"] == "ACTIVE":
            yield f"cluster {cluster['clusterName']}", cluster


def _task_definitions(client: Client) -> Iterator[tuple[str, object]]:
    ecs = client("ecs")
    for arn in ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"]:
        definition = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        yield f"task definition {definition['family']}", definition


def _state_machines(client: Client) -> Iterator[tuple[str, object]]:
    machines = client("stepfunctions")
    for each in machines.list_state_machines()["stateMachines"]:
        machine = machines.describe_state_machine(stateMachineArn=each["stateMachineArn"])
        yield f"state machine {each['name']}", {**machine, "definition": json.loads(machine["definition"])}


def _schedules(client: Client) -> Iterator[tuple[str, object]]:
    scheduler = client("scheduler")
    for group in scheduler.list_schedule_groups()["ScheduleGroups"]:
        if group["Name"] != "default":
            yield f"schedule group {group['Name']}", group
        for each in scheduler.list_schedules(GroupName=group["Name"])["Schedules"]:
            schedule = scheduler.get_schedule(Name=each["Name"], GroupName=group["Name"])
            network = schedule["Target"].get("EcsParameters", {}).get("NetworkConfiguration", {})
            # The provider keeps subnets without an order.
            network.get("awsvpcConfiguration", {}).get("Subnets", []).sort()
            yield f"schedule {group['Name']}/{each['Name']}", schedule


def _topics(client: Client) -> Iterator[tuple[str, object]]:
    sns = client("sns")
    for topic in sns.list_topics()["Topics"]:
        arn = topic["TopicArn"]
        heard = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
        attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        # AWS's policy for a topic that is created without one.
        policy = json.loads(attributes.pop("Policy", "null"))
        yield f"topic {arn.rpartition(':')[2]}", {**attributes, "policy": policy, "heard by": heard}


def _keys(client: Client) -> Iterator[tuple[str, object]]:
    kms = client("kms")
    for alias in kms.list_aliases()["Aliases"]:
        if alias["AliasName"].startswith("alias/aws/") or "TargetKeyId" not in alias:
            continue
        key = alias["TargetKeyId"]
        yield (
            f"key {alias['AliasName']}",
            {
                **kms.describe_key(KeyId=key)["KeyMetadata"],
                "policy": json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]),
                "rotates": kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"],
            },
        )


def _alarms(client: Client) -> Iterator[tuple[str, object]]:
    for alarm in client("cloudwatch").describe_alarms()["MetricAlarms"]:
        alarm["Dimensions"].sort(key=lambda each: each["Name"])
        yield f"alarm {alarm['AlarmName']}", alarm


def _dashboards(client: Client) -> Iterator[tuple[str, object]]:
    cloudwatch = client("cloudwatch")
    for each in cloudwatch.list_dashboards()["DashboardEntries"]:
        name = each["DashboardName"]
        yield f"dashboard {name}", json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])


def _security_groups(client: Client) -> Iterator[tuple[str, object]]:
    for group in client("ec2").describe_security_groups()["SecurityGroups"]:
        if group["GroupName"] != "default":
            yield f"security group {group['GroupName']}", group


def _identity_providers(client: Client) -> Iterator[tuple[str, object]]:
    iam = client("iam")
    for each in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=each["Arn"])
        yield f"identity provider {provider['Url'].removeprefix('https://')}", provider


def _applications(client: Client) -> Iterator[tuple[str, object]]:
    emr = client("emr-serverless")
    for each in emr.list_applications()["applications"]:
        yield f"application {each['name']}", emr.get_application(applicationId=each["id"])["application"]


def _numbers(client: Client) -> dict[str, str]:
    """Return what AWS's ids stand for: definitions name a security group by its id."""
    groups = client("ec2").describe_security_groups()["SecurityGroups"]
    return {group["GroupId"]: f"the group {group['GroupName']}" for group in groups}


def _plain(found: object, numbers: Mapping[str, str]) -> Any:
    if isinstance(found, dict):
        return {key: _plain(value, numbers) for key, value in found.items() if _lasts(key, value)}
    if isinstance(found, list | tuple):
        return [_plain(value, numbers) for value in found]
    return numbers.get(found, found) if isinstance(found, str) else found


def _lasts(key: str, value: object) -> bool:
    # Empty means the same as absent.
    return key not in _PASSING and not isinstance(value, datetime) and value not in (None, "", [], {})


def _without_times(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if not name.endswith("Timestamp")}


def _or_none(look: Callable[[], Any]) -> Any:
    try:
        return look()
    except ClientError as refused:
        code = refused.response["Error"]["Code"]
        if code.startswith("NoSuch") or "NotFound" in code:
            return None
        raise
