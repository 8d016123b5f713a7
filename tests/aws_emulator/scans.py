"""ECR's scan of an image, which MiniStack lacks: the image's manifest says what the scan finds (`findings`, `scan`)."""

from __future__ import annotations

import json
from typing import Any, Final

from ministack.core import responses
from ministack.services import ecr

from tests.aws_emulator.patching import Function, needed, patch

_ACTION: Final = "AmazonEC2ContainerRegistry_V20150921.DescribeImageScanFindings"
#: so that a second page is tried
_PAGE: Final = 2


def behave() -> None:
    """Answer what MiniStack does not know."""
    needed(ecr, "_find_image", "_registry_id", "error_response_json", "json_response")
    patch(ecr, "handle_request", "method, path, headers, body, query_params", _scanning)


def _scanning(original: Function) -> Function:
    async def handled(method: Any, path: Any, headers: Any, body: Any, query_params: Any) -> Any:
        if headers.get("x-amz-target") == _ACTION:
            return _described(json.loads(body))
        return await original(method, path, headers, body, query_params)

    return handled


def _described(given: dict[str, Any]) -> Any:
    image = ecr._find_image(given["repositoryName"], given["imageId"])
    if image is None:
        return responses.error_response_json("ImageNotFoundException", "The image does not exist", 400)
    manifest = json.loads(image["imageManifest"])
    said = manifest if isinstance(manifest, dict) else {}
    status = said.get("scan", "COMPLETE")
    if status == "NONE":
        return responses.error_response_json("ScanNotFoundException", "Image scan does not exist", 400)
    kind = "enhancedFindings" if status == "ACTIVE" else "findings"
    first = int(given.get("nextToken", 0))
    last = first + min(_PAGE, given.get("maxResults", _PAGE))
    found = said.get("findings", [])
    return responses.json_response(
        {
            "registryId": ecr._registry_id(),
            "repositoryName": given["repositoryName"],
            "imageId": image["imageId"],
            "imageScanStatus": {"status": status},
            "imageScanFindings": {kind: found[first:last]},
            **({"nextToken": str(last)} if last < len(found) else {}),
        }
    )
