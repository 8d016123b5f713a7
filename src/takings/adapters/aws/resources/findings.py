"""Read what ECR's scan found in both images of a tag, so that nothing is deployed that is known to be weak."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.images import find_digest
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.tasks import SERVICES
from takings.errors import MachineryError, UnknownThing
from takings.settings import ScanLimit

#: ECR's words, worst first; a word that is not among them counts as the worst
_SEVERITIES: Final = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")
#: a basic scan ends; an enhanced one goes on for as long as the image is kept
_DONE: Final = {"COMPLETE", "ACTIVE"}
_UNDER_WAY: Final = {"IN_PROGRESS", "PENDING"}
_PAUSE_SECONDS: Final = 5


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A weak spot that the scan knows of in an image."""

    service: str
    #: as its publisher calls it, such as CVE-2026-12345
    name: str
    #: ECR's word
    severity: str
    #: where it is, with the version; empty where the scan does not say
    package: str
    #: the version without it; empty where there is none, or the scan does not say
    fixed_in: str

    def __str__(self) -> str:
        """Return it as one line."""
        where = f" in {self.package}" if self.package else ""
        return f"{self.service}: {self.severity} {self.name}{where}" + (
            f", fixed in {self.fixed_in}" if self.fixed_in else ""
        )


def read_findings(services: Services, pipeline: Pipeline, tag: str, wait_seconds: int) -> Iterator[Finding]:
    """Yield what was found in both images; wait for their scans.

    UnknownThing where a repository has no such image, MachineryError where a scan failed or does not end in time.
    """
    until = time.monotonic() + wait_seconds
    for service in SERVICES:
        digest = find_digest(services, pipeline, service, f"tag:{tag}")
        if digest is None:
            raise UnknownThing(
                f"the repository {pipeline.name(service)} has no image {tag}. Push it: `takings aws deploy images"
                f" s3://{pipeline.bucket} --tag {tag}`."
            )
        _wait(services, pipeline.name(service), digest, until)
        yield from _found(services, pipeline.name(service), digest, service)


def too_bad(findings: Iterable[Finding], limit: ScanLimit, accepted: Iterable[str]) -> list[Finding]:
    """Return the findings at or above a limit that nobody has accepted, worst first."""
    if limit is ScanLimit.NEVER:
        return []
    lowest = _SEVERITIES.index(limit.value.upper())
    known = set(accepted)
    left = [each for each in findings if _rank(each) <= lowest and each.name not in known]
    return sorted(left, key=lambda each: (_rank(each), each.service, each.name, each.package))


def _rank(finding: Finding) -> int:
    return _SEVERITIES.index(finding.severity) if finding.severity in _SEVERITIES else 0


def _wait(services: Services, repository: str, digest: str, until: float) -> None:
    while (status := _status(services, repository, digest)) not in _DONE:
        if status not in _UNDER_WAY:
            raise MachineryError(
                f"the scan of {repository}@{digest} ended as {status}. Look at it in ECR; `aws ecr start-image-scan` repeats a"
                " basic one."
            )
        if time.monotonic() >= until:
            raise MachineryError(f"the scan of {repository}@{digest} has not ended yet. Run this again later.")
        time.sleep(_PAUSE_SECONDS)


def _status(services: Services, repository: str, digest: str) -> str:
    """Return the state of a scan; just after a push there is none yet."""
    image: Any = {"imageDigest": digest}
    try:
        found = services.ecr.describe_image_scan_findings(repositoryName=repository, imageId=image, maxResults=1)
    except services.ecr.exceptions.ScanNotFoundException:
        return "PENDING"
    return found["imageScanStatus"]["status"]


def _found(services: Services, repository: str, digest: str, service: str) -> Iterator[Finding]:
    image: Any = {"imageDigest": digest}
    pages = services.ecr.get_paginator("describe_image_scan_findings").paginate(
        repositoryName=repository, imageId=image
    )
    for page in pages:
        found: dict[str, Any] = dict(page.get("imageScanFindings", {}))
        yield from (_basic(service, each) for each in found.get("findings", ()))
        for each in found.get("enhancedFindings", ()):
            yield from _enhanced(service, each)


def _basic(service: str, found: dict[str, Any]) -> Finding:
    more = {each["key"]: each.get("value", "") for each in found.get("attributes", ())}
    return Finding(
        service=service,
        name=found["name"],
        severity=found["severity"],
        package=f"{more.get('package_name', '')} {more.get('package_version', '')}".strip(),
        fixed_in="",
    )


def _enhanced(service: str, found: dict[str, Any]) -> Iterator[Finding]:
    details = found.get("packageVulnerabilityDetails", {})
    for package in details.get("vulnerablePackages", ()) or [{}]:
        yield Finding(
            service=service,
            name=details.get("vulnerabilityId", found.get("title", "")),
            severity=found["severity"],
            package=f"{package.get('name', '')} {package.get('version', '')}".strip(),
            fixed_in=package.get("fixedInVersion", "").replace("NotAvailable", ""),
        )
