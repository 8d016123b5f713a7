"""Connect to the services that a pipeline is set up with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from takings.adapters.aws.clients import CONFIG, Clients

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient


@dataclass(frozen=True, kw_only=True)
class Services:
    """A client for each service."""

    s3: S3Client
    iam: IAMClient
    lambdas: LambdaClient
    ecs: ECSClient
    ecr: ECRClient
    ec2: EC2Client
    logs: CloudWatchLogsClient
    sqs: SQSClient
    stepfunctions: SFNClient
    scheduler: EventBridgeSchedulerClient
    cloudwatch: CloudWatchClient
    sns: SNSClient
    kms: KMSClient
    #: Service Quotas, which looks only
    quotas: Any
    #: EMR Serverless
    emr_serverless: Any


@contextmanager
def services(clients: Clients) -> Iterator[Services]:
    """Make the clients, and close them when the block ends."""
    session = clients.session
    with ExitStack() as stack:
        yield Services(
            s3=clients.s3,
            iam=stack.enter_context(closing(session.client("iam", config=CONFIG))),
            lambdas=stack.enter_context(closing(session.client("lambda", config=CONFIG))),
            ecs=stack.enter_context(closing(session.client("ecs", config=CONFIG))),
            ecr=stack.enter_context(closing(session.client("ecr", config=CONFIG))),
            ec2=stack.enter_context(closing(session.client("ec2", config=CONFIG))),
            logs=stack.enter_context(closing(session.client("logs", config=CONFIG))),
            sqs=stack.enter_context(closing(session.client("sqs", config=CONFIG))),
            stepfunctions=stack.enter_context(closing(session.client("stepfunctions", config=CONFIG))),
            scheduler=stack.enter_context(closing(session.client("scheduler", config=CONFIG))),
            cloudwatch=stack.enter_context(closing(session.client("cloudwatch", config=CONFIG))),
            sns=stack.enter_context(closing(session.client("sns", config=CONFIG))),
            quotas=stack.enter_context(closing(session.client("service-quotas", config=CONFIG))),
            emr_serverless=stack.enter_context(closing(session.client("emr-serverless", config=CONFIG))),
            kms=stack.enter_context(closing(session.client("kms", config=CONFIG))),
        )


def account_of(clients: Clients) -> tuple[str, str]:
    """Return the account of these credentials, and its partition."""
    with closing(clients.session.client("sts", config=CONFIG)) as sts:
        identity = sts.get_caller_identity()
    return identity["Account"], identity["Arn"].split(":")[1]
