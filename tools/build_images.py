"""Build the images of the container services with docker or podman: `python -m tools.build_images --tag TAG`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from takings.adapters.aws.names import TRANSFORMATION, VALIDATION
from takings.adapters.container_engine import find_engine
from takings.errors import MachineryError, TakingsError

ROOT: Final = Path(__file__).resolve().parent.parent


def main() -> None:
    """Build both images, or say what is missing and end with its exit code."""
    parser = argparse.ArgumentParser(description="Build the images of the container services.")
    parser.add_argument("--tag", default="latest", help="of both images (latest)")
    parser.add_argument("--engine", help="docker, podman, or a program that takes their arguments")
    parser.add_argument("--base", help="an image to build on instead of the pinned one")
    parser.add_argument("--save", type=Path, help="a folder, to write each image to a file as well")
    options = parser.parse_args()
    try:
        engine = find_engine(options.engine)
        for service in (VALIDATION, TRANSFORMATION):
            engine.build(ROOT, service, f"{service}:{options.tag}", options.base)
            if options.save:
                engine.save(f"{service}:{options.tag}", options.save / f"{service}.tar")
            sys.stdout.write(f"{service}:{options.tag}\n")
    except TakingsError as failure:
        base = " Where the base image cannot be pulled, BASE=… names another." * isinstance(failure, MachineryError)
        sys.stderr.write(f"make images: {failure}{base}\n")
        sys.exit(failure.exit_code)


if __name__ == "__main__":
    main()
