"""Call terraform on a copy of the module and its example, so that it leaves nothing in the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tests.emulators import ROOT

SOURCE: Final = ROOT / "infra" / "terraform"
#: the configuration that uses the module
EXAMPLE: Final = Path("examples") / "shop"
#: what the folder contains after somebody has used it by hand
_STATE: Final = (".terraform", "*.tfstate*", "*.tfvars", "override.tf.json", "backend.tf")
#: an emulator knows neither accounts nor names of buckets in hosts
_EMULATED: Final = {
    "s3_use_path_style": True,
    "skip_credentials_validation": True,
    "skip_metadata_api_check": True,
    "skip_region_validation": True,
}
_KEPT: Final = "prevent_destroy = true"
#: which of the caller's variables terraform gets besides the emulator's
_PASSED_ON: Final = (
    "PATH",
    "HOME",
    "TMPDIR",
    "TF_CLI_CONFIG_FILE",
    "TF_PLUGIN_CACHE_DIR",
    "HTTPS_PROXY",
    "SSL_CERT_FILE",
)


class TerraformFailed(Exception):
    """A terraform command failed; the message is its output."""


@dataclass(frozen=True, kw_only=True)
class Terraform:
    """Terraform with a copy of the module, its arguments, and an environment that points to an emulator."""

    folder: Path
    #: of the module; the example says the usual ones
    arguments: Mapping[str, object]
    environment: Mapping[str, str]
    #: a folder of providers, if the registry cannot be reached
    plugins: str | None

    @classmethod
    def copy(cls, folder: Path, environment: Mapping[str, str], plugins: str | None) -> Terraform:
        """Copy the module and the example into a new folder."""
        shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns(*_STATE))
        kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        if not Path(kept.get("TF_CLI_CONFIG_FILE", "/")).exists():
            del kept["TF_CLI_CONFIG_FILE"]
        return cls(folder=folder, arguments={}, environment=kept | dict(environment), plugins=plugins)

    def given(self, arguments: Mapping[str, object]) -> Terraform:
        """Return the same with additional arguments of the module."""
        return replace(self, arguments={**self.arguments, **arguments})

    def init(self) -> None:
        """Fetch the provider, for the example as its lock file says, and for the module's own tests."""
        mirror = [f"-plugin-dir={self.plugins}"] if self.plugins else []
        self._run("init", *mirror, "-lockfile=readonly")
        self._run("init", *mirror, folder=self.folder)

    def check(self) -> None:
        """Check syntax and meaning, and run the module's own tests, which plan without AWS."""
        self._run("fmt", "-check", "-diff", "-recursive", folder=self.folder)
        self._run("validate")
        self._run("test", folder=self.folder)

    def apply(self) -> None:
        """Create everything."""
        self._override()
        self._run("apply", "-auto-approve", *self._variables())

    def refusal_to_destroy(self) -> str:
        """Try to remove everything, and return what terraform says; TerraformFailed if it does remove it."""
        try:
            self._run("destroy", "-auto-approve", *self._variables())
        except TerraformFailed as refused:
            return str(refused)
        raise TerraformFailed("terraform destroy removed bucket and tables, which `prevent_destroy` ought to keep")

    def destroy(self) -> None:
        """Remove everything, the data as well, as README.md says."""
        as_written = {file: file.read_text() for file in self.folder.glob("*.tf")}
        for file, text in as_written.items():
            file.write_text(text.replace(_KEPT, _KEPT.replace("true", "false")))
        self.given({"deletion_protection": False}).apply()
        self._run("destroy", "-auto-approve", *self._variables())
        for file, text in as_written.items():
            file.write_text(text)

    def changes(self) -> dict[str, Any]:
        """Plan, and return the changes: by resource, the present and the planned values that differ."""
        self._override()
        self._run("plan", "-out=plan", *self._variables())
        planned = json.loads(self._run("show", "-json", "plan"))
        return {
            each["address"]: _difference(each["change"])
            for each in planned.get("resource_changes", ())
            if each["change"]["actions"] not in (["no-op"], ["read"])
        }

    def _override(self) -> None:
        """Write the arguments that the example leaves as they come, and what an emulator needs."""
        written = {"module": {"takings": dict(self.arguments)}, "provider": {"aws": _EMULATED}}
        (self.folder / EXAMPLE / "override.tf.json").write_text(json.dumps(written, indent=1))

    def _variables(self) -> list[str]:
        return [f"-var={name}={self.arguments[name]}" for name in ("region", "bucket")]

    def _run(self, command: str, *options: str, folder: Path | None = None) -> str:
        takes_no_input = command in {"init", "plan", "apply", "destroy"}
        words = ["terraform", command, *(["-input=false"] if takes_no_input else []), *options]
        if command not in {"show", "fmt"}:
            words.append("-no-color")
        ended = subprocess.run(
            words,
            cwd=folder or self.folder / EXAMPLE,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode != 0:
            raise TerraformFailed(f"terraform {command} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
        return ended.stdout


def _difference(change: Mapping[str, Any]) -> dict[str, tuple[object, object]]:
    before, after = change["before"] or {}, change["after"] or {}
    unknown = {name for name, is_unknown in (change.get("after_unknown") or {}).items() if is_unknown is True}
    return {
        name: (before.get(name), "known after it is applied" if name in unknown else after.get(name))
        for name in sorted({*before, *after, *unknown})
        if name in unknown or before.get(name) != after.get(name)
    }
