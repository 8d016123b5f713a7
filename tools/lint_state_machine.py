"""Check the state machine's definition with cfn-lint, which supports the states language as a part of CloudFormation.

`python -m tools.lint_state_machine` ends with 1 if something is wrong.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from cfnlint.api import lint

from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.spark_jobs import SparkJobs
from takings.adapters.aws.state_machine import definition

#: an example account
PIPELINE = Pipeline(bucket="shop", table_prefix="", account="123456789012", region="eu-west-1")


#: an example of an application on EMR Serverless with its package
SPARK = SparkJobs(application="00fabcdefghijk01", package="s3://shop/spark/0123456789abcdef")


def main() -> None:
    """Print what is wrong with either definition: without an application on EMR Serverless, and with one."""
    documents = [
        definition(PIPELINE, subnets=["subnet-1"], security_groups=["sg-1"], has_public_ip=True, spark=spark)
        for spark in (None, SPARK)
    ]
    wrong = [sentence for document in documents for sentence in (*_linted(document), *dangling(document))]
    sys.stdout.writelines(f"ecommerce-pipeline.asl.json: {sentence}\n" for sentence in wrong)
    sys.exit(bool(wrong))


def _linted(document: dict[str, Any]) -> Iterator[str]:
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"RoleArn": PIPELINE.role("takings-state-machine"), "Definition": document},
    }
    for match in lint(json.dumps({"Resources": {"StateMachine": machine}})):
        yield f"{match.rule.id} {match.message}"


def dangling(document: dict[str, Any]) -> Iterator[str]:
    """Yield what cfn-lint does not check: states that nothing leads to, and transitions to missing states."""
    states = document["States"]
    reached = {document["StartAt"]}
    for name, state in states.items():
        branches = [*state.get("Choices", ()), *state.get("Catch", ()), state]
        ways = {way for branch in branches for way in (branch.get("Next"), branch.get("Default")) if way}
        reached |= ways
        yield from (f"{name} leads to {way}, which is not a state" for way in sorted(ways - set(states)))
    yield from (f"nothing leads to {name}" for name in sorted(set(states) - reached))


if __name__ == "__main__":
    main()
