"""Apply infra/terraform to an emulated AWS, and compare the result with what `takings aws bootstrap` creates.

`python -m tests.terraform [--plugins FOLDER]`

Checks syntax and meaning, and runs the module's own tests; then twice, with the defaults and with every option set: applies
the example; plans again, which must find nothing to change, also after `takings aws deploy` has brought another version; asks
the bootstrap, which must find nothing missing; removes everything, which must be refused before the data are given up, and
then leave nothing; lets the bootstrap create its own pipeline, compares each resource, and removes that as well.
Exit codes: 0 no difference, 1 a difference, 2 terraform is missing.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from takings.composition.aws_deploy import deployment
from takings.composition.aws_setup import pipeline_on_aws
from tests.aws.harness.deployed import BUCKET, STORE, built_functions, new_version
from tests.aws.harness.pipeline import Aws, pipeline
from tests.aws.harness.spark_package import package_for_tests
from tests.emulators import REGION, Emulator, environment, started
from tests.terraform.command import Terraform, TerraformFailed
from tests.terraform.description import Description, described
from tests.terraform.differences import LEFT, LEFT_BY_TERRAFORM, PLANNED_AGAIN, differences
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
    (folder / "package").mkdir()
    package = package_for_tests(folder / "package")
    terraform = Terraform.copy(folder / "terraform", environment(emulator.url), plugins)
    variables = {"region": REGION, "bucket": BUCKET, "lambdas": str(functions)}
    try:
        _say("terraform init, fmt -check, validate, test")
        terraform.init()
        terraform.check()
        yield from _linted(terraform.folder)
        for wishes in (USUAL, EVERYTHING_NAMED):
            _say(f"--- {wishes.name}")
            with pytest.MonkeyPatch.context() as monkeypatch:
                jobs = {"spark": str(package)} if wishes.has_jobs else {}
                given = terraform.given({**variables, **wishes.variables, **jobs})
                yield from _compared(emulator, monkeypatch, given, wishes, (functions, package))
    except TerraformFailed as failed:
        yield str(failed)


def _compared(
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    terraform: Terraform,
    wishes: Wishes,
    built: tuple[Path, Path],
) -> Iterator[str]:
    with pipeline(emulator, monkeypatch) as aws:
        terraform = terraform.given(wishes.made(aws, monkeypatch))
        untouched = described(aws.client)
        yield from _applied(terraform, wishes, aws, built)
        by_terraform = described(aws.client)
        yield from _deployed(terraform, aws, built[0])
        yield from _destroyed(terraform, aws, untouched)
    with pipeline(emulator, monkeypatch) as aws:
        wishes.made(aws, monkeypatch)
        _say("takings aws bootstrap")
        with wishes.missing(aws, *built) as missing:
            for step in missing:
                step.make()
        yield from _told(by_terraform, described(aws.client))
        _say("takings aws destroy --with-data")
        with pipeline_on_aws(STORE, with_data=True) as parts:
            for step in parts:
                step.make()
        left = [each for each in differences(untouched, described(aws.client)) if not re.fullmatch(LEFT, each.place)]
        yield from (f"takings aws destroy leaves: {each}" for each in left)


def _linted(folder: Path) -> Iterator[str]:
    """Ask tflint, where it is installed."""
    if shutil.which("tflint") is None:
        _say("tflint is not on the PATH, so nobody asked it")
        return
    _say("tflint")
    ended = subprocess.run(["tflint", "--recursive"], cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode:
        yield f"tflint: {ended.stdout}{ended.stderr}"


def _deployed(terraform: Terraform, aws: Aws, functions: Path) -> Iterator[str]:
    """Deploy another version, and plan: what `takings aws deploy` owns is left alone."""
    _say("takings aws deploy, and terraform plan")
    for repository in aws.client("ecr").describe_repositories()["repositories"]:
        aws.client("ecr").put_image(
            repositoryName=repository["repositoryName"], imageManifest='{"of": "another version"}', imageTag="another"
        )
    newer = new_version(functions, Path(tempfile.mkdtemp(dir=terraform.folder)) / "newer")
    with deployment(STORE, account=None) as here:
        for steps in (here.tasks("another"), here.functions(newer), here.state_machine(None, (), None)):
            count = 0
            for step in steps:
                step.make()
                count += 1
            if not count:
                yield "takings aws deploy found nothing to do, so nothing was shown"
    for address, change in terraform.changes().items():
        if names := sorted(name for name in change if _planned_again(address, name) is None):
            yield f"after takings aws deploy terraform would change {address}: {names}"


def _destroyed(terraform: Terraform, aws: Aws, untouched: Description) -> Iterator[str]:
    """Remove everything, after terraform has refused to remove the data."""
    _say("terraform destroy, which is refused")
    refusal = terraform.refusal_to_destroy()
    if "Instance cannot be destroyed" not in refusal:
        yield f"terraform destroy failed otherwise: {refusal}"
    _say("terraform destroy, with the data")
    # A repository with images is not removed.
    for repository in aws.client("ecr").describe_repositories()["repositories"]:
        name = repository["repositoryName"]
        images = aws.client("ecr").list_images(repositoryName=name)["imageIds"]
        aws.client("ecr").batch_delete_image(repositoryName=name, imageIds=images)
    terraform.destroy()
    left = differences(described(aws.client), untouched)
    yield from (f"terraform destroy leaves: {each}" for each in left if not re.fullmatch(LEFT_BY_TERRAFORM, each.place))


def _planned_again(address: str, name: str) -> str | None:
    """Return why a plan wants to change something right after it was applied; None where it may not."""
    return next((why for known, why in PLANNED_AGAIN.items() if re.fullmatch(known, f"{address} {name}")), None)


def _applied(terraform: Terraform, wishes: Wishes, aws: Aws, built: tuple[Path, Path]) -> Iterator[str]:
    """Apply, and ask both whether anything is left to do."""
    _say("terraform apply")
    terraform.apply()
    _say("terraform plan, once more")
    for address, change in terraform.changes().items():
        for name, (before, after) in change.items():
            reason = _planned_again(address, name)
            if reason is None:
                yield f"terraform would change {address} again: {name} is {before!r}, and would be {after!r}"
            else:
                _say(f"would change {address} again, as expected: {name}: {reason}")
    _say("takings aws bootstrap --dry-run, on what terraform made")
    with wishes.missing(aws, *built) as missing:
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
