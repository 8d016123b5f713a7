"""`takings aws bootstrap` creates what is missing and repairs what differs; doctor says what is wrong; destroy removes all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from takings.adapters.aws.clients import connected
from takings.adapters.aws.resources.quotas import processors_at_a_time
from takings.adapters.aws.resources.services import services
from takings.adapters.aws.resources.step import patiently
from takings.adapters.aws.resources.storage import keep_every_second
from takings.adapters.aws.resources.versions import FUNCTIONS
from takings.adapters.aws.tables import TABLES
from takings.entrypoints.task_size import task_size
from takings.settings import Settings
from tests.aws.harness.deployed import SERVICES, STORE
from tests.aws.harness.pipeline import Aws
from tests.cli.conftest import takings as takings_fixture
from tests.cli.terminal import Takings, unwrapped

takings = takings_fixture
Bootstrap = Callable[..., list[str]]
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
#: somebody else's settings on the bucket
OWN = {
    "Sid": "Own",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:DeleteObjectVersion",
    "Resource": "arn:aws:s3:::shop/processed/*",
}
COLDER = {
    "ID": "colder",
    "Status": "Enabled",
    "Filter": {"Prefix": "processed/"},
    "Transitions": [{"Days": 90, "StorageClass": "STANDARD_IA"}],
}


@pytest.fixture
def bootstrap(pipe: Aws, functions: Path, takings: Takings, monkeypatch: pytest.MonkeyPatch) -> Bootstrap:
    """Return the command, which finds the functions; the settings of this machine name no network."""
    del pipe
    for name in ("SUBNET_1", "SUBNET_2", "SECURITY_GROUP"):
        monkeypatch.delenv(name, raising=False)

    def call(*options: str, command: str = "bootstrap", code: int = 0) -> list[str]:
        ended = takings("aws", command, STORE, "--lambdas", functions, *options)
        assert ended.code == code, ended
        return ended.out.splitlines()

    return call


def test_says_makes_and_mends(pipe: Aws, bootstrap: Bootstrap) -> None:
    """A dry run changes nothing, a second run finds nothing to do, and a manual change is undone."""
    missing = [line.removeprefix("missing: ") for line in bootstrap("--dry-run")]
    made = [line.removeprefix("making: ") for line in bootstrap()]
    assert missing == made
    assert [
        line.split(" (")[0]
        for line in made
        if line.startswith(("function", "state machine", "queue", "schedule sweep"))
    ] == [
        "queue takings-dead-letters",
        "queue takings-events",
        "function file-detector",
        "function file-archiver",
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
        "making: function file-detector (its newest version becomes the live one)",
        "making: function file-archiver (its newest version becomes the live one)",
        "making: schedule sweep, rate(5 minutes)",
    ]
    assert bootstrap("--image-tag", "v2") == [
        "making: task definition validation-service with the image v2",
        "making: task definition transformation-service with the image v2",
        "making: task definition maintenance with the image v2",
        "making: state machine ecommerce-pipeline (does something else)",
    ]
    assert bootstrap() == ["s3://shop: nothing is missing"], "no tag: what is deployed stays"


def test_mends_what_was_loosened(pipe: Aws, bootstrap: Bootstrap) -> None:
    """For bucket, tables, queue, repositories and alarms; what somebody else added stays."""
    bootstrap()
    s3, ecr, cloudwatch = (pipe.client(name) for name in ("s3", "ecr", "cloudwatch"))
    s3.put_public_access_block(Bucket="shop", PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    s3.put_bucket_policy(Bucket="shop", Policy=json.dumps({"Version": "2012-10-17", "Statement": [OWN]}))
    rules = s3.get_bucket_lifecycle_configuration(Bucket="shop")["Rules"]
    rules[1]["NoncurrentVersionExpiration"] = {"NoncurrentDays": 1}
    s3.put_bucket_lifecycle_configuration(Bucket="shop", LifecycleConfiguration={"Rules": [COLDER, *rules]})
    pipe.client("dynamodb").update_continuous_backups(
        TableName="OrderKPIs", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    pipe.client("dynamodb").update_table(TableName="OrderKPIs", DeletionProtectionEnabled=False)
    queue = pipe.client("sqs").get_queue_url(QueueName="takings-dead-letters")["QueueUrl"]
    pipe.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"SqsManagedSseEnabled": "false"})
    ecr.delete_lifecycle_policy(repositoryName="validation-service")
    unscanned = {"scanOnPush": False}
    ecr.put_image_scanning_configuration(repositoryName="transformation-service", imageScanningConfiguration=unscanned)
    ecr.put_image_tag_mutability(repositoryName="transformation-service", imageTagMutability="MUTABLE")
    pipe.client("sns").set_topic_attributes(
        TopicArn="arn:aws:sns:eu-west-1:000000000000:takings-alarms", AttributeName="KmsMasterKeyId", AttributeValue=""
    )
    cloudwatch.delete_alarms(AlarmNames=["takings-batch-blocked"])
    cloudwatch.delete_dashboards(DashboardNames=["takings"])
    assert bootstrap("--notify", "night@example.com") == [
        "making: a life cycle: replaced and removed objects go after 30 days, drops and given up uploads after 7",
        "making: no public access",
        "making: a policy: TLS only, and nobody may delete the bucket",
        "making: point-in-time recovery of OrderKPIs",
        "making: deletion protection of OrderKPIs",
        "making: queue takings-dead-letters (keeps messages for 14 days, encrypted)",
        "making: repository validation-service (keeps other images)",
        "making: repository transformation-service (does not scan its images)",
        "making: repository transformation-service (its tags can be moved)",
        "making: topic takings-alarms (is not encrypted with its key)",
        "making: subscription of night@example.com: AWS sends a message there, and nothing else before it is confirmed",
        "making: alarm takings-batch-blocked",
        "making: dashboard takings",
        "making: tags takings-store=shop",
    ]
    assert bootstrap("--notify", "night@example.com") == ["s3://shop: nothing is missing"]
    policy = json.loads(s3.get_bucket_policy(Bucket="shop")["Policy"])
    assert [statement["Sid"] for statement in policy["Statement"]] == ["Own", "TakingsTlsOnly", "TakingsKept"]
    rules = s3.get_bucket_lifecycle_configuration(Bucket="shop")["Rules"]
    assert [rule["ID"] for rule in rules] == ["colder", "takings-uploads", "takings-versions", "takings-drops"]


def test_leaves_other_notifications_of_the_bucket_alone(pipe: Aws, bootstrap: Bootstrap, takings: Takings) -> None:
    """Somebody else may listen to the same bucket, before and after."""
    bootstrap("--github", "octocat/shop")
    s3 = pipe.client("s3")
    own = s3.get_bucket_notification_configuration(Bucket="shop")["QueueConfigurations"][0]
    other = own | {"Id": "other", "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "invoices/"}]}}}
    s3.put_bucket_notification_configuration(Bucket="shop", NotificationConfiguration={"QueueConfigurations": [other]})
    assert bootstrap() == ["making: notification of new files under s3://shop/raw-data/"]
    assert notified(pipe) == ["other", "takings-raw-data"]
    refused = takings("aws", "destroy", STORE, "--yes", "another-shop")
    assert (refused.code, notified(pipe)) == (2, ["other", "takings-raw-data"])
    removed = takings("aws", "destroy", STORE, "--yes", "shop").out.splitlines()
    assert removed[:2] == [
        "removing: notification of s3://shop",
        "removing: events from takings-events to file-detector",
    ]
    assert notified(pipe) == ["other"]
    assert pipe.client("lambda").list_functions()["Functions"] == []
    assert pipe.client("sqs").list_queues().get("QueueUrls", []) == []
    assert pipe.client("stepfunctions").list_state_machines()["stateMachines"] == []
    assert pipe.client("iam").list_roles()["Roles"] == []
    assert takings("aws", "destroy", STORE, "--yes", "shop").out == "s3://shop: there is nothing to remove\n"
    assert takings("status", STORE).code == 0
    with pytest.raises(ClientError, match="deletion protection"):
        pipe.client("dynamodb").delete_table(TableName="OrderKPIs")
    gone = takings("aws", "destroy", STORE, "--yes", "shop", "--with-data").out.splitlines()
    assert gone[-3:] == [
        "removing: table OwnKPIs",
        "removing: deletion protection of shop",
        "removing: bucket shop with every version of every file",
    ]
    assert gone[-5:-3] == ["removing: table CategoryKPIs", "removing: deletion protection of OwnKPIs"]
    assert takings("status", STORE).code == 2


def notified(pipe: Aws) -> list[str]:
    found = pipe.client("s3").get_bucket_notification_configuration(Bucket="shop")
    return sorted(each["Id"] for of in found.values() if isinstance(of, list) for each in of)


def test_events_of_an_earlier_version_go_to_the_queue(pipe: Aws, bootstrap: Bootstrap) -> None:
    """There the bucket called the detector itself. Somebody else's notification stays; a pause and another window do not."""
    bootstrap()
    s3, functions = pipe.client("s3"), pipe.client("lambda")
    detector = functions.get_function_configuration(FunctionName="file-detector")["FunctionArn"]
    functions.add_permission(
        FunctionName="file-detector",
        StatementId="takings-raw-data",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::shop",
    )
    called = [
        {"Id": name, "LambdaFunctionArn": detector, "Events": ["s3:ObjectCreated:*"], "Filter": starting(prefix)}
        for name, prefix in (("takings-raw-data", "raw-data/"), ("other", "invoices/"))
    ]
    s3.put_bucket_notification_configuration(
        Bucket="shop", NotificationConfiguration={"LambdaFunctionConfigurations": called}
    )
    (taken,) = functions.list_event_source_mappings()["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=taken["UUID"], Enabled=False, MaximumBatchingWindowInSeconds=1)
    assert bootstrap() == [
        "making: events from takings-events to file-detector (are taken otherwise)",
        "making: notification of new files under s3://shop/raw-data/",
        "making: permission for the bucket to call file-detector (is not needed any more)",
    ]
    assert bootstrap() == ["s3://shop: nothing is missing"]
    found = s3.get_bucket_notification_configuration(Bucket="shop")
    assert [each["Id"] for each in found["LambdaFunctionConfigurations"]] == ["other"]
    assert [each["Id"] for each in found["QueueConfigurations"]] == ["takings-raw-data"]


def test_what_costs_money_names_its_store(pipe: Aws, bootstrap: Bootstrap, monkeypatch: pytest.MonkeyPatch) -> None:
    """And has the user's tags; other tags stay, and what a deployment registers has them, too."""
    monkeypatch.setenv("TAKINGS_TAGS", "team=shop, cost-center=42")
    bootstrap()
    pipe.client("sns").tag_resource(
        ResourceArn="arn:aws:sns:eu-west-1:000000000000:takings-alarms", Tags=[{"Key": "own", "Value": "1"}]
    )
    assert bootstrap() == ["s3://shop: nothing is missing"]
    tags = {"takings-store": "shop", "team": "shop", "cost-center": "42"}
    found = list(tagged(pipe))
    assert {name: having for name, having in found if having != tags} == {"sns": tags | {"own": "1"}}
    assert len(found) == 17
    monkeypatch.setenv("TAKINGS_TAGS", "team=till, cost-center=42")
    assert bootstrap()[0] == "making: tags team=till, cost-center=42, takings-store=shop"
    assert [having["team"] for _, having in tagged(pipe)] == ["till"] * 17
    bootstrap("--image-tag", "v2")
    assert [having["team"] for _, having in tagged(pipe)] == ["till"] * 17


def tagged(pipe: Aws) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the tags of one part of each kind, and of every task definition."""
    arn = "arn:aws:{}:eu-west-1:000000000000:{}"
    logs, ecs, lambdas = (pipe.client(name) for name in ("logs", "ecs", "lambda"))
    yield "s3", plain(pipe.client("s3").get_bucket_tagging(Bucket="shop")["TagSet"])
    yield (
        "dynamodb",
        plain(
            pipe.client("dynamodb").list_tags_of_resource(ResourceArn=arn.format("dynamodb", "table/OwnKPIs"))["Tags"]
        ),
    )
    for name in ("file-detector", "file-archiver"):
        yield name, lambdas.list_tags(Resource=arn.format("lambda", f"function:{name}"))["Tags"]
    for group in ("/aws/lambda/file-detector", "/ecs/maintenance", "/aws/vendedlogs/states/ecommerce-pipeline"):
        yield group, logs.list_tags_for_resource(resourceArn=arn.format("logs", f"log-group:{group}"))["tags"]
    for service, resource in (("sns", "takings-alarms"), ("cloudwatch", "alarm:takings-dead-letters")):
        name = "ResourceArn" if service == "sns" else "ResourceARN"
        yield (
            service,
            plain(pipe.client(service).list_tags_for_resource(**{name: arn.format(service, resource)})["Tags"]),
        )
    machine = arn.format("states", "stateMachine:ecommerce-pipeline")
    yield "states", plain(pipe.client("stepfunctions").list_tags_for_resource(resourceArn=machine)["tags"])
    repository = arn.format("ecr", "repository/validation-service")
    yield "ecr", plain(pipe.client("ecr").list_tags_for_resource(resourceArn=repository)["tags"])
    group = arn.format("scheduler", "schedule-group/takings")
    yield "scheduler", plain(pipe.client("scheduler").list_tags_for_resource(ResourceArn=group)["Tags"])
    yield "cluster", plain(ecs.list_tags_for_resource(resourceArn=arn.format("ecs", "cluster/takings"))["tags"])
    for family in (*SERVICES, "maintenance"):
        yield family, plain(ecs.describe_task_definition(taskDefinition=family, include=["TAGS"])["tags"])
    queue = pipe.client("sqs").get_queue_url(QueueName="takings-events")["QueueUrl"]
    yield "sqs", pipe.client("sqs").list_queue_tags(QueueUrl=queue)["Tags"]


def plain(tags: list[dict[str, str]]) -> dict[str, str]:
    return {each.get("Key", each.get("key", "")): each.get("Value", each.get("value", "")) for each in tags}


def test_executions_are_logged_without_their_data(
    pipe: Aws, bootstrap: Bootstrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What went wrong, unless the settings want more or nothing."""
    bootstrap()

    def logged() -> tuple[str, bool, list[dict[str, dict[str, str]]]]:
        arn = "arn:aws:states:eu-west-1:000000000000:stateMachine:ecommerce-pipeline"
        found = pipe.client("stepfunctions").describe_state_machine(stateMachineArn=arn)["loggingConfiguration"]
        return found["level"], found["includeExecutionData"], found["destinations"]

    group = "arn:aws:logs:eu-west-1:000000000000:log-group:/aws/vendedlogs/states/ecommerce-pipeline:*"
    assert logged() == ("ERROR", False, [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}])
    monkeypatch.setenv("TAKINGS_EXECUTION_LOGS", "off")
    assert bootstrap() == ["making: state machine ecommerce-pipeline (is recorded otherwise)"]
    assert (logged(), bootstrap()) == (("OFF", False, []), ["s3://shop: nothing is missing"])


def test_functions_are_traced_if_asked(pipe: Aws, bootstrap: Bootstrap, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is off: X-Ray costs by the trace."""
    monkeypatch.setenv("TAKINGS_DELETION_PROTECTION", "false")
    monkeypatch.setenv("TAKINGS_TRACING", "true")
    made = bootstrap()
    assert [line for line in made if "protection" in line or "nobody may delete" in line] == []
    lambdas = pipe.client("lambda")
    versions = [lambdas.get_function_configuration(FunctionName=name, Qualifier="live") for name in FUNCTIONS]
    assert [(each["Version"], each["TracingConfig"]["Mode"]) for each in versions] == [("1", "Active")] * 2


def starting(prefix: str) -> dict[str, object]:
    return {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}


def test_a_doctor_says_what_is_wrong(pipe: Aws, bootstrap: Bootstrap, takings: Takings) -> None:
    """First what is missing; then what keeps a complete pipeline from working."""
    assert bootstrap(command="doctor", code=1)[0] == (
        "missing: bucket shop in eu-west-1. `takings aws bootstrap` creates it."
    )
    bootstrap()
    assert [line.partition(":")[0] for line in bootstrap(command="doctor", code=1)[:2]] == [
        "the image 000000000000.dkr.ecr.eu-west-1.amazonaws.com/validation-service",
        "the image 000000000000.dkr.ecr.eu-west-1.amazonaws.com/transformation-service",
    ]
    assert bootstrap(command="doctor", code=1)[2].endswith("tasks cannot start. Add a NAT gateway, or these endpoints.")
    open_the_network(pipe)
    assert len(bootstrap(command="doctor", code=1)) == 3
    for service in SERVICES:
        pipe.client("ecr").put_image(repositoryName=service, imageManifest="{}", imageTag="latest")
    remark, well = bootstrap(command="doctor")
    assert remark.startswith("by the way: whether Fargate has room for 9 processors is not known (")
    assert well == "s3://shop: all is well"
    queue = pipe.client("sqs").get_queue_url(QueueName="takings-dead-letters")["QueueUrl"]
    pipe.client("sqs").send_message(QueueUrl=queue, MessageBody="{}")
    assert bootstrap(command="doctor", code=1)[0].startswith("1 dead letters wait in takings-dead-letters: see")
    assert takings("aws", "redrive", STORE).out == "an event: looked at again\n"
    assert takings("aws", "redrive", STORE).out == "s3://shop: the dead-letter queue is empty\n"
    bootstrap("--notify", "night@example.com")
    unheard = "night@example.com gets no alarms yet: open the link that AWS has sent there."
    assert bootstrap(command="doctor", code=1)[:-1] == [unheard]


def test_a_doctor_knows_who_gets_through_an_internet_gateway(pipe: Aws, bootstrap: Bootstrap) -> None:
    """Only tasks with public addresses, which they get if every subnet assigns them."""
    open_the_network(pipe)
    ec2 = pipe.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
    bootstrap()
    found = [line for line in bootstrap(command="doctor", code=1) if line.startswith("subnet-")]
    assert found[0] == (
        f"{subnet} leads to an internet gateway, but not every subnet gives public addresses, and its VPC has no endpoint for"
        " ecr.api, ecr.dkr, logs, s3, dynamodb: tasks cannot start. Add a NAT gateway, or these endpoints."
    )
    assert len(found) == len(ec2.describe_subnets()["Subnets"])


def test_a_doctor_knows_who_may_not_use_a_key(pipe: Aws, bootstrap: Bootstrap) -> None:
    """Of the bucket and of the queues: each role by its own policies or by the key's, and S3 by the key's."""
    bootstrap()
    kms, sqs, iam = (pipe.client(name) for name in ("kms", "sqs", "iam"))
    key = kms.create_key()["KeyMetadata"]
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["KeyId"]}}
    pipe.client("s3").put_bucket_encryption(Bucket="shop", ServerSideEncryptionConfiguration={"Rules": [rule]})
    queue = sqs.get_queue_url(QueueName="takings-events")["QueueUrl"]
    encrypted = {"KmsMasterKeyId": key["Arn"], "SqsManagedSseEnabled": "false"}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes=encrypted)

    def complaints() -> list[str]:
        return [line for line in bootstrap(command="doctor", code=1) if "is encrypted with" in line]

    named = f"is encrypted with {key['Arn']},"
    readers = ["takings-file-detector", "takings-file-archiver", "takings-validation-service"]
    bucket, unwritten, unread = complaints()
    assert bucket.startswith(
        f"s3://shop {named} which may not be used by {', '.join(readers)}, takings-transformation-"
    )
    assert unwritten.startswith(f"takings-events {named} with which s3.amazonaws.com may not write: no event arrives")
    assert unread.startswith(
        f"takings-events {named} which may not be used by takings-file-detector. Allow kms:Decrypt"
    )
    allowed = {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": key["Arn"]}
    for role in readers:
        document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_role_policy(RoleName=role, PolicyName="key", PolicyDocument=document)
    (bucket, unwritten) = complaints()
    assert "used by takings-transformation-service. Allow" in bucket
    transformation = {"AWS": "arn:aws:iam::000000000000:role/takings-transformation-service"}
    policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"])
    for principal in (transformation, {"Service": "s3.amazonaws.com"}):
        policy["Statement"].append({**allowed, "Principal": principal, "Resource": "*"})
    kms.put_key_policy(KeyId=key["KeyId"], PolicyName="default", Policy=json.dumps(policy))
    assert complaints() == []
    assert bootstrap() == ["s3://shop: nothing is missing"], "the user's own key stays"


def test_a_doctor_knows_how_many_calls_there_is_room_for(pipe: Aws, bootstrap: Bootstrap) -> None:
    """Of an account's quota, what other functions have not reserved."""
    bootstrap()
    functions = pipe.client("lambda")
    free = functions.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    for left, told in ((5, []), (4, ["Lambda lets only 4 calls run at a time that no function reserves, and a store"])):
        functions.put_function_concurrency(FunctionName="file-archiver", ReservedConcurrentExecutions=free - left)
        found = [line.split(" may need")[0] for line in bootstrap(command="doctor", code=1) if "Lambda lets" in line]
        assert found == told


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"Quota": {"Value": 9.0}}, []),
        ({"Quota": {"Value": 6.0}}, ["Fargate lets only 6 processors run at a time, and a batch"]),
        ("AccessDeniedException", ["whether Fargate has room for 9 processors is not known (AccessDeniedException)"]),
    ],
)
def test_a_doctor_knows_how_many_processors_there_are(
    pipe: Aws, answer: dict[str, dict[str, float]] | str, said: list[str]
) -> None:
    """As a remark, which is no fault: neither a small quota nor one that may not be read."""
    del pipe
    with connected() as clients, services(clients) as found, Stubber(found.quotas) as stubbed:
        if isinstance(answer, str):
            stubbed.add_client_error("get_service_quota", answer)
        else:
            stubbed.add_response("get_service_quota", answer, {"ServiceCode": "fargate", "QuotaCode": "L-3032A538"})
        wanted = task_size(Settings().batch_max_bytes).cpu // 1024 + 1
        told = list(processors_at_a_time(found, wanted))
        assert [sentence[: len(each)] for sentence, each in zip(told, said, strict=True)] == said


def test_everything_is_removed_however_much_there_is(pipe: Aws, bootstrap: Bootstrap, takings: Takings) -> None:
    """AWS lists a hundred task definitions at a time; a role may have further policies of somebody's own."""
    bootstrap()
    ecs, iam = pipe.client("ecs"), pipe.client("iam")
    container = {"name": "validation-service", "image": "busybox", "essential": True}
    for _ in range(120):
        ecs.register_task_definition(family="validation-service", containerDefinitions=[container])
    document = json.dumps({"Version": "2012-10-17", "Statement": [EVERYTHING]})
    own = iam.create_policy(PolicyName="own", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="takings-file-detector", PolicyArn=own)
    removed = takings("aws", "destroy", STORE, "--yes", "shop").out.splitlines()
    assert len([line for line in removed if line.startswith("removing: task definition validation-service:")]) == 121
    assert ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"] == []
    assert iam.list_roles()["Roles"] == []
    assert takings("aws", "destroy", STORE, "--yes", "shop").out == "s3://shop: there is nothing to remove\n"


def open_the_network(pipe: Aws) -> None:
    """Give the default VPC the internet access that AWS gives it."""
    ec2 = pipe.client("ec2")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    for table in ec2.describe_route_tables()["RouteTables"]:
        ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)


def test_asks_for_the_functions(pipe: Aws, takings: Takings, tmp_path: Path) -> None:
    """The error says how to build them; a damaged description has its own error."""
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
    """A deployment creates no pipeline: the error says how to set one up, with a bucket and without one."""
    lambdas = ("--lambdas", functions) if command in {"functions", "check"} else ()
    for said in ("no bucket shop.", f"no {missing} in eu-west-1."):
        ended = takings("aws", "deploy", command.split()[0], STORE, *command.split()[1:], *lambdas)
        assert (ended.code, ended.out) == (2, "")
        assert f"there is {said} Set the pipeline up first: `takings aws bootstrap s3://shop`." in unwrapped(ended.err)
        if said.startswith("no bucket"):
            pipe.client("s3").create_bucket(
                Bucket="shop", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
            )


def test_a_key_of_the_users_own_stays_on_the_queue(pipe: Aws, bootstrap: Bootstrap) -> None:
    """SQS uses one kind of encryption at a time."""
    bootstrap()
    sqs = pipe.client("sqs")
    url = sqs.get_queue_url(QueueName="takings-dead-letters")["QueueUrl"]
    own = {"SqsManagedSseEnabled": "false", "KmsMasterKeyId": "alias/own", "MessageRetentionPeriod": "60"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=own)
    assert bootstrap() == ["making: queue takings-dead-letters (keeps messages for 14 days, encrypted)"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert {name: found[name] for name in own} == own | {"MessageRetentionPeriod": "1209600"}


def test_a_prefix_that_images_cannot_have_is_refused_before_anything_is_made(
    pipe: Aws, bootstrap: Bootstrap, takings: Takings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables may have such a prefix, for example with capitals."""
    monkeypatch.setenv("TAKINGS_TABLE_PREFIX", "North.")
    bootstrap(code=2)
    assert pipe.client("s3").list_buckets()["Buckets"] == []
    assert "table_prefix is 'North.'" in unwrapped(takings("aws", "bootstrap", STORE).err)
    bootstrap("--only-store")
    assert "North.OrderKPIs" in pipe.client("dynamodb").list_tables()["TableNames"]


def test_waits_for_a_new_role() -> None:
    """Other services learn of a role or a permission some seconds later; a refusal for another reason is reported at once."""
    waited: list[float] = []
    answers = iter([refusal("InvalidParameterValueException", "The role cannot be assumed"), None])

    def make() -> str:
        answer = next(answers)
        if answer is not None:
            raise answer
        return "made"

    assert (patiently(make, waited.append), waited) == ("made", [3])
    answers = iter([refusal("InvalidArgument", "Unable to validate the following destination configurations"), None])
    assert (patiently(make, waited.append), waited) == ("made", [3, 3])
    with pytest.raises(ClientError, match="no such runtime"):
        patiently(lambda: raised(refusal("InvalidParameterValueException", "no such runtime")), waited.append)
    with pytest.raises(ClientError, match="the role is nobody's"):
        patiently(lambda: raised(refusal("ValidationException", "the role is nobody's")), waited.append)
    assert len(waited) == 21


def test_waits_until_a_table_can_be_kept(monkeypatch: pytest.MonkeyPatch, pipe: Aws) -> None:
    """DynamoDB needs a while for a new one; any other refusal is reported at once."""
    waited: list[float] = []
    dynamodb = pipe.client("dynamodb")
    dynamodb.create_table(**TABLES[0].definition(""))
    answers = iter([refusal("ContinuousBackupsUnavailableException", "are being enabled"), None])
    real = dynamodb.update_continuous_backups

    def later(**wanted: object) -> object:
        answer = next(answers)
        if answer is not None:
            raise answer
        return real(**wanted)

    monkeypatch.setattr(dynamodb, "update_continuous_backups", later)
    keep_every_second(dynamodb, "PendingBatches", waited.append)
    kept = dynamodb.describe_continuous_backups(TableName="PendingBatches")["ContinuousBackupsDescription"]
    assert (kept["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"], waited) == ("ENABLED", [5])
    monkeypatch.setattr(dynamodb, "update_continuous_backups", lambda **_: raised(refusal("X", "no such table")))
    with pytest.raises(ClientError, match="no such table"):
        keep_every_second(dynamodb, "PendingBatches", waited.append)
    assert waited == [5]


def refusal(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Make")


def raised(error: Exception) -> None:
    raise error
