"""Call terraform on a copy of infra/terraform, so that it leaves nothing in the repository."""

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
#: what the folder contains after somebody has used it by hand
_STATE: Final = (".terraform", ".terraform.lock.hcl", "*.tfstate*", "*.tfvars")
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
    """Terraform with a copy of the sample, its variables, and an environment that points to an emulator."""

    folder: Path
    variables: Mapping[str, str]
    environment: Mapping[str, str]
    #: a folder of providers, if the registry cannot be reached
    plugins: str | None

    @classmethod
    def copy(cls, folder: Path, environment: Mapping[str, str], plugins: str | None) -> Terraform:
        """Copy the sample into a new folder."""
        shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns(*_STATE))
        kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        if not Path(kept.get("TF_CLI_CONFIG_FILE", "/")).exists():
            del kept["TF_CLI_CONFIG_FILE"]
        return cls(folder=folder, variables={}, environment=kept | dict(environment), plugins=plugins)

    def given(self, variables: Mapping[str, str]) -> Terraform:
        """Return the same with additional variables."""
        return replace(self, variables={**self.variables, **variables})

    def init(self) -> None:
        """Fetch the provider."""
        self._run("init", *([f"-plugin-dir={self.plugins}"] if self.plugins else []))

    def check(self) -> None:
        """Check syntax and meaning."""
        self._run("fmt", "-check", "-diff", "-recursive")
        self._run("validate")

    def apply(self) -> None:
        """Create everything."""
        self._run("apply", "-auto-approve", *self._variables())

    def destroy(self) -> None:
        """Remove everything."""
        self._run("destroy", "-auto-approve", *self._variables())

    def changes(self) -> dict[str, Any]:
        """Plan, and return the changes: by resource, the present and the planned values that differ."""
        self._run("plan", "-out=plan", *self._variables())
        planned = json.loads(self._run("show", "-json", "plan"))
        return {
            each["address"]: _difference(each["change"])
            for each in planned.get("resource_changes", ())
            if each["change"]["actions"] not in (["no-op"], ["read"])
        }

    def _variables(self) -> list[str]:
        return [f"-var={name}={value}" for name, value in self.variables.items()]

    def _run(self, command: str, *options: str) -> str:
        takes_no_input = command in {"init", "plan", "apply", "destroy"}
        words = ["terraform", command, *(["-input=false"] if takes_no_input else []), *options]
        if command not in {"show", "fmt"}:
            words.append("-no-color")
        ended = subprocess.run(
            words, cwd=self.folder, env=dict(self.environment), capture_output=True, text=True, check=False
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
