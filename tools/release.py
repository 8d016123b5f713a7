"""Check that tag, version and changelog agree, and write the release's notes: `python -m tools.release TAG FILE`.

The version is in src/takings/__init__.py and nowhere else; what a release brings is in CHANGELOG.md and nowhere else.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

import takings

ROOT: Final = Path(__file__).resolve().parent.parent
#: as the changelog writes what is not released yet
UNRELEASED: Final = "Unreleased"


class NotReady(Exception):
    """Something has to be written before this tag can be released."""


def main() -> None:
    """Write the notes of a tag, or say what is missing."""
    tag, file = sys.argv[1:]
    try:
        found = notes(tag, takings.__version__, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    except NotReady as missing:
        sys.exit(f"make release: {missing}")
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(found, encoding="utf-8")
    sys.stdout.write(found)


def notes(tag: str, version: str, changelog: str) -> str:
    """Return what a release brings; NotReady where tag, version and changelog do not agree."""
    if tag != f"v{version}":
        raise NotReady(f"the tag is {tag}, and src/takings/__init__.py says {version}. Tag the commit v{version}.")
    sections = re.split(r"^## (.*)\n", changelog, flags=re.MULTILINE)
    headings, texts = sections[1::2], sections[2::2]
    if headings and headings[0] == UNRELEASED:
        if texts[0].strip():
            raise NotReady(
                f"CHANGELOG.md has lines under '{UNRELEASED}'. Name that heading '{version} (YYYY-MM-DD)', or leave them"
                " for the next release in a commit of their own."
            )
        headings, texts = headings[1:], texts[1:]
    if not headings or not re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d{{2}}-\d{{2}}\)", headings[0]):
        raise NotReady(f"CHANGELOG.md has no newest heading '## {version} (YYYY-MM-DD)'.")
    if not texts[0].strip():
        raise NotReady(f"CHANGELOG.md says nothing about {version}.")
    return texts[0].strip() + "\n"


if __name__ == "__main__":
    main()
