"""Apply infra/terraform to an emulated AWS, and compare what it makes with what `takings aws bootstrap` makes.

`python -m tests.terraform [--plugins FOLDER]`

Checks form and meaning; applies; plans again, which must find nothing to change; asks the bootstrap, which must find nothing
missing; takes everything down, which must leave nothing; then lets the bootstrap make its own and compares each resource.
Exit codes: 0 all is the same, 1 something differs, 2 terraform is missing.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from takings.bootstrap_aws import missing_on_aws, pipeline_on_aws
from tests.aws.deployed import BUCKET, STORE, built_functions
from tests.aws.pipeline import Aws, pipeline
from tests.emulators import REGION, Emulator, environment, started
from tests.terraform.command import Terraform, TerraformFailed
from tests.terraform.description import described
from tests.terraform.differences import PLANNED_AGAIN, differences

HOW_TO_GET_IT: Final = (
    "make terraform: there is no terraform on the PATH. It is one file, from https://developer.hashicorp.com/terraform/install"
    " or your system's packages; version 1.5 or newer will do."
)


def main() -> int:
    """Do it all, and say what was found."""
    parser = argparse.ArgumentParser(description="Compare infra/terraform with takings aws bootstrap.")
    parser.add_argument("--plugins", help="a folder of providers, where the registry cannot be reached")
    options = parser.parse_args()
    if shutil.which("terraform") is None:
        print(HOW_TO_GET_IT, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="takings-terraform-") as made:
        folder = Path(made)
        (folder / "emulator").mkdir()
        with started("ministack", folder / "emulator") as emulator, pytest.MonkeyPatch.context() as monkeypatch:
            wrong = list(_tried(emulator, monkeypatch, folder, options.plugins))
    for sentence in wrong:
        print(f"WRONG: {sentence}")
    print("infra/terraform and takings aws bootstrap make the same" if not wrong else f"{len(wrong)} things are wrong")
    return 1 if wrong else 0


def _tried(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, folder: Path, plugins: str | None) -> Iterator[str]:
    functions = built_functions(folder / "functions")
    variables = {"region": REGION, "bucket": BUCKET, "lambdas": str(functions), "endpoint": emulator.url}
    terraform = Terraform.copy(folder / "terraform", variables, environment(emulator.url), plugins)
    try:
        with pipeline(emulator, monkeypatch) as aws:
            untouched = described(aws.client)
            yield from _applied(terraform, aws, functions)
            by_terraform = described(aws.client)
            _say("terraform destroy")
            terraform.destroy()
            yield from (f"terraform destroy leaves: {each}" for each in differences(described(aws.client), untouched))
    except TerraformFailed as failed:
        yield str(failed)
        return
    with pipeline(emulator, monkeypatch) as aws:
        _say("takings aws bootstrap")
        made = _bootstrapped(functions)
        by_bootstrap = described(aws.client)
        _say(f"{len(made)} steps, {len(by_bootstrap)} resources; compared with {len(by_terraform)} of terraform")
        for difference in differences(by_terraform, by_bootstrap):
            if difference.reason is None:
                yield f"differs: {difference}"
            else:
                _say(f"differs, as expected: {difference}: {difference.reason}")
        for name in by_bootstrap:
            _say(f"  {name}")
        _say("takings aws destroy --with-data")
        with pipeline_on_aws(STORE, with_data=True) as parts:
            for step in parts:
                step.make()
        yield from (f"takings aws destroy leaves: {each}" for each in differences(untouched, described(aws.client)))


def _applied(terraform: Terraform, aws: Aws, functions: Path) -> Iterator[str]:
    """Apply, and ask both whether anything is left to be done."""
    _say("terraform init")
    terraform.init()
    _say("terraform fmt -check, validate")
    terraform.check()
    _say("terraform apply")
    terraform.apply()
    _say("terraform plan, once more")
    for address, change in terraform.changes().items():
        for name, (before, after) in change.items():
            reason = next(
                (why for known, why in PLANNED_AGAIN.items() if re.fullmatch(known, f"{address} {name}")), None
            )
            if reason is None:
                yield f"terraform would change {address} again: {name} is {before!r}, and would be {after!r}"
            else:
                _say(f"would change {address} again, as expected: {name}: {reason}")
    _say("takings aws bootstrap --dry-run, on what terraform made")
    with missing_on_aws(STORE, is_only_store=False, lambdas=functions, image_tag="latest") as missing:
        yield from [f"takings aws bootstrap would make: {step.what}" for step in missing]
    del aws


def _bootstrapped(functions: Path) -> list[str]:
    made = []
    with missing_on_aws(STORE, is_only_store=False, lambdas=functions, image_tag="latest") as missing:
        for step in missing:
            step.make()
            made.append(step.what)
    return made


def _say(sentence: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {sentence}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
