"""Run one step of a batch as a job on Amazon EMR Serverless, on the session that its spark-submit has prepared.

`step.py validate|transform STORE BATCH_ID ATTEMPT JOB`

It is the step that `entrypoints/tasks.py` runs as a container, with the same events and exit codes. EMR Serverless does not
hand an exit code on, so any but 0 is also left in the store, under the job's name.
"""

from __future__ import annotations

import os
import sys
import traceback
from functools import partial
from typing import Final

from pyspark.sql import SparkSession

from takings import layout
from takings.composition.stores import find_store
from takings.entrypoints import tasks
from takings.errors import TakingsError
from takings.layout import BatchId

_ARGUMENTS: Final = 5


def main() -> None:
    """Run the step that the job's arguments name, and end the process."""
    arguments = sys.argv[1:]
    if len(arguments) != _ARGUMENTS:
        tasks.tell(
            "task.failed", {"cause": "name a step, a store, a batch, an attempt and a job, as the state machine does."}
        )
        sys.exit(2)
    step, store, batch_id, attempt, job = arguments
    os.environ |= {"TAKINGS_STORE": store, "TAKINGS_BATCH_ID": batch_id, "TAKINGS_ATTEMPT": attempt}
    tasks.conclude(partial(_run, step), leave=partial(_leave, store, BatchId(batch_id), job))


def _run(step: str, hand_back: tasks.HandBack) -> int:
    # EMR Serverless has chosen the master, which nobody else may name, and the workers.
    session = SparkSession.builder.appName(f"takings {step}").getOrCreate()
    tasks.tell("job.began", {"step": step, "application": session.sparkContext.applicationId})
    return tasks.run([step], hand_back)


def _leave(store: str, batch_id: BatchId, job: str, code: int) -> None:
    """Leave the exit code in the store; where that fails, the job's own words have to do."""
    if code == tasks.DONE:
        return
    try:
        with find_store(store) as platform, platform.faults():
            platform.files().create(layout.job_outcome(batch_id, job), f"{code}\n".encode())
    except (TakingsError, OSError):
        traceback.print_exc()


if __name__ == "__main__":
    main()
