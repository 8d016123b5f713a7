"""Name every part of a pipeline on AWS, as the brief does, and derive the ARNs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from takings.errors import SettingsError

#: a prefix that also names repositories (small letters only) and roles (64 characters)
_FITS_ALL: Final = re.compile(r"(?=.{0,34}$)(?:[a-z0-9]+[-_.])*(?:[a-z0-9]+)?")

DETECTOR: Final = "file-detector"
ARCHIVER: Final = "file-archiver"
VALIDATION: Final = "validation-service"
TRANSFORMATION: Final = "transformation-service"
#: the task that keeps the lake small, in the image of the validation
MAINTENANCE: Final = "maintenance"
STATE_MACHINE: Final = "ecommerce-pipeline"
DEAD_LETTERS: Final = "takings-dead-letters"
#: the queue in which the bucket announces new drops
EVENTS: Final = "takings-events"
CLUSTER: Final = "takings"
SCHEDULES: Final = "takings"
#: the application on EMR Serverless
SPARK: Final = "takings-spark"
SECURITY_GROUP: Final = "takings-tasks"
#: the topic of the alarms, and the alias of the key that encrypts it
ALARMS: Final = "takings-alarms"
DASHBOARD: Final = "takings"
#: the namespace of the functions' own metrics, by store and service
METRICS: Final = "Takings"
#: the version of each function that everything calls: a deployment moves it ahead, a rollback back
LIVE: Final = "live"
#: the tag of everything that costs money; its value is the bucket
STORE_TAG: Final = "takings-store"
#: in the schedule group
DEADLINE: Final = "deadline"
SWEEP: Final = "sweep"
MAINTAIN: Final = "maintain"

#: roles, by who takes them
DETECTOR_ROLE: Final = "takings-file-detector"
ARCHIVER_ROLE: Final = "takings-file-archiver"
VALIDATION_ROLE: Final = "takings-validation-service"
TRANSFORMATION_ROLE: Final = "takings-transformation-service"
MAINTENANCE_ROLE: Final = "takings-maintenance"
#: of jobs on EMR Serverless
VALIDATION_ON_SPARK_ROLE: Final = "takings-validation-on-spark"
TRANSFORMATION_ON_SPARK_ROLE: Final = "takings-transformation-on-spark"
EXECUTION_ROLE: Final = "takings-task-execution"
STATE_MACHINE_ROLE: Final = "takings-state-machine"
SCHEDULER_ROLE: Final = "takings-scheduler"
#: the role for deploying from GitHub
DEPLOY_ROLE: Final = "takings-deploy"


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Where one store's pipeline is; with different prefixes several shops can share an account."""

    bucket: str
    #: the prefix of the tables' names, from `table_prefix`
    table_prefix: str
    account: str
    region: str
    #: aws, aws-cn or aws-us-gov
    partition: str = "aws"

    def check_names(self) -> None:
        """Raise SettingsError if the prefix suits tables, but not everything else that it names."""
        if not _FITS_ALL.fullmatch(self.table_prefix):
            raise SettingsError(
                f"table_prefix is '{self.table_prefix}', but it also names images and roles: use small letters and digits,"
                " with single - _ . between or after them, 34 characters at most. Change it in takings.toml, or create only"
                " the tables with --only-store."
            )

    def name(self, of: str) -> str:
        """Return the name of a resource in this pipeline; most services allow fewer characters than tables do."""
        return re.sub(r"[^A-Za-z0-9-]", "-", self.table_prefix) + of

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN in this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def function(self, of: str) -> str:
        """Return the ARN of a function."""
        return self.arn("lambda", f"function:{self.name(of)}")

    def live(self, of: str) -> str:
        """Return the ARN by which a function is called: its alias, whichever version that is."""
        return f"{self.function(of)}:{LIVE}"

    def role(self, of: str) -> str:
        """Return the ARN of a role; it has no region."""
        return f"arn:{self.partition}:iam::{self.account}:role/{self.name(of)}"

    @property
    def state_machine(self) -> str:
        """Return the ARN of the state machine."""
        return self.arn("states", f"stateMachine:{self.name(STATE_MACHINE)}")

    @property
    def dead_letters(self) -> str:
        """Return the ARN of the dead-letter queue."""
        return self.arn("sqs", self.name(DEAD_LETTERS))

    @property
    def events(self) -> str:
        """Return the ARN of the queue of the bucket's events."""
        return self.arn("sqs", self.name(EVENTS))

    @property
    def alarms(self) -> str:
        """Return the ARN of the topic of the alarms."""
        return self.arn("sns", self.name(ALARMS))

    @property
    def alarms_key(self) -> str:
        """Return the alias of the key that encrypts the topic's messages."""
        return f"alias/{self.name(ALARMS)}"

    @property
    def cluster(self) -> str:
        """Return the ARN of the cluster."""
        return self.arn("ecs", f"cluster/{self.name(CLUSTER)}")

    def spark_application(self, identity: str) -> str:
        """Return the ARN of an application on EMR Serverless."""
        return self.arn("emr-serverless", f"/applications/{identity}")

    @property
    def schedule_group(self) -> str:
        """Return the ARN of the group of the schedules."""
        return self.arn("scheduler", f"schedule-group/{self.name(SCHEDULES)}")

    def schedule(self, of: str) -> str:
        """Return the ARN of a schedule."""
        return self.arn("scheduler", f"schedule/{self.name(SCHEDULES)}/{of}")

    def log_group(self, of: str) -> str:
        """Return the name of the log group of a function, of the state machine, of jobs, or of a service's tasks."""
        if of == STATE_MACHINE:
            # With this prefix AWS needs no statement of its own in a policy that is soon too large.
            return f"/aws/vendedlogs/states/{self.name(of)}"
        if of == SPARK:
            return f"/aws/emr-serverless/{self.name(of)}"
        return f"/aws/lambda/{self.name(of)}" if of in {DETECTOR, ARCHIVER} else f"/ecs/{self.name(of)}"

    @property
    def registry(self) -> str:
        """Return the host of the repositories of images."""
        return f"{self.account}.dkr.ecr.{self.region}.{self.dns_suffix}"

    @property
    def dns_suffix(self) -> str:
        """Return the domain of the partition's services."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"

    def image(self, service: str, tag: str) -> str:
        """Return the address of a service's image with this tag."""
        return f"{self.registry}/{self.name(service)}:{tag}"

    def repository(self, service: str) -> str:
        """Return the ARN of the repository of a service's images."""
        return self.arn("ecr", f"repository/{self.name(service)}")

    @property
    def bucket_arn(self) -> str:
        """Return the ARN of the bucket; it has neither account nor region."""
        return f"arn:{self.partition}:s3:::{self.bucket}"

    def objects(self, *keys: str) -> list[str]:
        """Return the ARNs of the bucket's objects with these keys; a * stands for anything."""
        return [f"{self.bucket_arn}/{key}" for key in keys]

    def table(self, name: str) -> str:
        """Return the ARN of a table, or as table/index/name of one of its indexes."""
        return self.arn("dynamodb", f"table/{self.table_prefix}{name}")
