"""List the commands for AWS, as `takings.entrypoints.commands` lists the others."""

from __future__ import annotations

from typing import Final

#: name -> summary, in the order in which `--help` shows them
AWS_COMMANDS: Final = {
    "bootstrap": "Create what a store on AWS lacks and correct what differs; may be repeated.",
    "doctor": "List what is missing, differs or keeps the pipeline from working; exit with 1 if there is anything.",
    "redrive": "Put the files of the dead-letter queue back under raw-data/, as new arrivals, once the cause is fixed.",
    "destroy": "Remove the pipeline, after asking; bucket and tables stay without --with-data.",
    "export": "Let DynamoDB export tables to S3; repeated within the hour, it is the same export.",
    "athena": "Print the statements that let Athena read the newest export and the lake; run nothing.",
    "deploy": "Deploy a new version to a pipeline that `takings aws bootstrap` created: images, scan, tasks,"
    " functions, state-machine, in this order.",
}
