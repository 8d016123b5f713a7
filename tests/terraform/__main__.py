"""Apply infra/terraform to an emulated AWS, and compare the result with what `takings aws bootstrap` creates.

`python -m tests.terraform [--plugins FOLDER]`

Checks syntax and meaning; then twice, with the defaults and with every option set: applies; plans again, which must find
nothing to change; asks the bootstrap, which must find nothing missing; removes everything, which must leave nothing; lets
the bootstrap create its own pipeline, compares each resource, and removes that as well.
Exit codes: 0 no difference, 1 a difference, 2 terraform is missing.
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

from takings.composition.aws_setup import pipeline_on_aws
from tests.aws.harness.deployed import BUCKET, STORE, built_functions
from tests.aws.harness.pipeline import Aws, pipeline
from tests.emulators import REGION, Emulator, environment, started
from tests.terraform.command import Terraform, TerraformFailed
from tests.terraform.description import Description, described
from tests.terraform.differences import LEFT, PLANNED_AGAIN, differences
from tests.terraform.wishes import EVERYTHING_NAMED, USUAL, Wishes

HOW_TO_GET_IT: Final = (
    "make terraform: there is no terraform on the PATH. It is one file, from https://developer.hashicorp.com/terraform/install"
    " or your system's packages; version 1.5 or newer will do."
)


def main() -> int:
    """Run everything, and print what was found."""
    parser = argparse.ArgumentParser(description="Compare infra/terraform with takings aws bootstrap.")
    parser.add_argument("--plugins", help="a folder of providers, where the registry cannot be reached")
    options = parser.parse_args()
    if shutil.which("terraform") is None:
        print(HOW_TO_GET_IT, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="takings-terraform-") as made:
        folder = Path(made)
        (folder / "emulator").mkdir()
        with started("ministack", folder / "emulator") as emulator:
            wrong = list(_tried(emulator, folder, options.plugins))
    for sentence in wrong:
        print(f"WRONG: {sentence}")
    print("infra/terraform and takings aws bootstrap make the same" if not wrong else f"{len(wrong)} things are wrong")
    return 1 if wrong else 0


def _tried(emulator: Emulator, folder: Path, plugins: str | None) -> Iterator[str]:
    functions = built_functions(folder / "functions")
    terraform = Terraform.copy(folder / "terraform", environment(emulator.url), plugins)
    variables = {"region": REGION, "bucket": BUCKET, "lambdas": str(functions), "endpoint": emulator.url}
    try:
        _say("terraform init, fmt -check, validate")
        terraform.init()
        terraform.check()
        for wishes in (USUAL, EVERYTHING_NAMED):
            _say(f"--- {wishes.name}")
            with pytest.MonkeyPatch.context() as monkeypatch:
                yield from _compared(
                    emulator, monkeypatch, terraform.given({**variables, **wishes.variables}), wishes, functions
                )
    except TerraformFailed as failed:
        yield str(failed)


def _compared(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, terraform: Terraform, wishes: Wishes, functions: Path
) -> Iterator[str]:
    with pipeline(emulator, monkeypatch) as aws:
        terraform = terraform.given(wishes.made(aws, monkeypatch))
        untouched = described(aws.client)
        yield from _applied(terraform, wishes, aws, functions)
        by_terraform = described(aws.client)
        _say("terraform destroy")
        terraform.destroy()
        yield from (f"terraform destroy leaves: {each}" for each in differences(described(aws.client), untouched))
    with pipeline(emulator, monkeypatch) as aws:
        wishes.made(aws, monkeypatch)
        _say("takings aws bootstrap")
        with wishes.missing(aws, functions) as missing:
            for step in missing:
                step.make()
        yield from _told(by_terraform, described(aws.client))
        _say("takings aws destroy --with-data")
        with pipeline_on_aws(STORE, with_data=True) as parts:
            for step in parts:
                step.make()
        left = [each for each in differences(untouched, described(aws.client)) if not re.fullmatch(LEFT, each.place)]
        yield from (f"takings aws destroy leaves: {each}" for each in left)


def _applied(terraform: Terraform, wishes: Wishes, aws: Aws, functions: Path) -> Iterator[str]:
    """Apply, and ask both whether anything is left to do."""
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
    with wishes.missing(aws, functions) as missing:
        yield from [f"takings aws bootstrap would make: {step.what}" for step in missing]


def _told(by_terraform: Description, by_bootstrap: Description) -> Iterator[str]:
    """Print whether each resource is the same on both sides; yield the unexpected differences."""
    found = differences(by_terraform, by_bootstrap)
    for name in sorted({*by_terraform, *by_bootstrap}):
        own = [each for each in found if each.place == name or each.place.startswith(f"{name} / ")]
        _say(f"{'differs' if own else 'same':8}{name}")
        for difference in own:
            if difference.reason is None:
                yield f"differs: {difference}"
            else:
                _say(f"{'':10}as expected, for {difference.reason}: {difference}")


def _say(sentence: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {sentence}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
