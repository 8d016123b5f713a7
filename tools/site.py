"""Write the pages of the site: docs/, what lies outside it, what is made from the package, and links between them.

    python -m tools.site build/pages

README.md is the first page. `make site` builds these pages with mkdocs.yml.
"""

from __future__ import annotations

import json
import posixpath
import re
import shutil
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
#: a file of the repository -> its page
PAGES: Final = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "infra/terraform/README.md": "terraform.md",
}
_FENCE: Final = re.compile(r"(^```.*?^```|`[^`\n]*`)", re.DOTALL | re.MULTILINE)
_LINK: Final = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")
#: `docs/x.md` in a sentence
_NAMED: Final = re.compile(r"(?<![\w/(\[.])docs/([a-z0-9/-]+\.md)\b")


def write(folder: Path) -> None:
    """Write every page of the site, and the images, into a folder."""
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(ROOT / "docs" / "images", folder / "images")
    for picture in (ROOT / "docs").glob("*.svg"):
        shutil.copy(picture, folder)
    for page, (source, text) in sorted(pages().items()):
        (folder / page).parent.mkdir(parents=True, exist_ok=True)
        (folder / page).write_text(linked(text, source, page), encoding="utf-8")


def pages() -> dict[str, tuple[str, str]]:
    """Return each page of the site by its path: the file of the repository that it comes from, and its text."""
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")} | PAGES.keys()
    found = {str(page_of(name)): (name, (ROOT / name).read_text(encoding="utf-8")) for name in files}
    made = {"adr/index.md": _decisions(), "schemas.md": _schemas()}
    return found | {page: (f"docs/{page}", text) for page, text in made.items()}


def linked(markdown: str, source: str, page: str) -> str:
    """Return a page's text with links to pages of the site; other links within the repository become plain text."""
    parts = _FENCE.split(markdown.replace('="docs/images/', '="images/'))
    return "".join(part if part.startswith("`") else _linked(part, source, page) for part in parts)


def _linked(text: str, source: str, place: str) -> str:
    def moved(found: re.Match[str]) -> str:
        words, target, anchor = found[1], found[2], found[3] or ""
        if "://" in target:
            return found[0]
        page = page_of(posixpath.normpath(posixpath.join(posixpath.dirname(source), target)))
        return words if page is None else f"[{words}]({_relative(page, place)}{anchor})"

    def named(found: re.Match[str]) -> str:
        return f"[{found[0]}]({_relative(found[1], place)})"

    text = text.replace("](docs/images/", "](images/")
    return _NAMED.sub(named, _LINK.sub(moved, text))


def page_of(path: str) -> str | None:
    """Return the page of the site for a path of the repository; None if it has none."""
    if path == "docs/adr":
        return "adr/index.md"
    if path in PAGES:
        return PAGES[path]
    is_page = path.startswith("docs/") and path.endswith(".md")
    return path.removeprefix("docs/") if is_page else None


def _relative(page: str, place: str) -> str:
    return posixpath.relpath(page, posixpath.dirname(place) or ".")


def _decisions() -> str:
    pages = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    lines = [f"* [{page.read_text(encoding='utf-8').splitlines()[0].lstrip('# ')}]({page.name})" for page in pages]
    return "# Decisions\n\nWhat may be reopened, and what would change our mind.\n\n" + "\n".join(lines) + "\n"


def _schemas() -> str:
    """Return a page with what each JSON schema of the package describes, and its fields."""
    parts = [
        "# Schemas\n\nThe JSON that commands print and the store keeps. The package has the schemas (`takings/schemas`).\n"
    ]
    for path in sorted((ROOT / "src" / "takings" / "schemas").glob("*.schema.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        fields = "\n".join(
            f"* `{name}`: {_said(field)}" for name, field in sorted(schema.get("properties", {}).items())
        )
        parts.append(f"## {path.name.removesuffix('.schema.json')}\n\n{schema['title']}\n\n{fields}\n")
    return "\n".join(parts)


def _said(field: dict[str, Any]) -> str:
    kind = field.get("type", field.get("$ref", "").rpartition("/")[2] or "one of several")
    kinds = " or ".join(kind) if isinstance(kind, list) else kind
    return f"{kinds}. {field['description']}" if "description" in field else kinds


if __name__ == "__main__":
    write(Path(sys.argv[1]))
