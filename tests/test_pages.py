"""Everything that the pages tell a reader to type exists: commands with options, make targets, pages, headings."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from takings.entrypoints.cli import app
from takings.entrypoints.listed import ListedCommands
from tools import commands, site

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "infra/terraform/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
COMMANDS = typer.main.get_command(app)


def code(page: str) -> Iterator[str]:
    """Yield every line of the shell blocks, and every code span."""
    for block in re.findall(r"^```(?:sh)?\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        yield from block.replace("\\\n", " ").splitlines()
    without_blocks = re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)
    yield from (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", without_blocks))


def typed(line: str, program: str) -> Iterator[list[str]]:
    """Yield the words after a program's name that belong to its call."""
    for part in re.split(r"\s#\s|\||&&|;", line):
        found = re.match(rf"\s*(?:\$ )?(?:\.venv/bin/)?{program} (\S.*)", part)
        if found:
            yield shlex.split(found[1])


def wrong_words(words: list[str]) -> list[str]:
    """Return the command or options of a takings call that do not exist."""
    command: Any = COMMANDS
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        name, *words = words
        if name not in command.commands:
            return [name]
        command = command.loaded(name) if isinstance(command, ListedCommands) else command.commands[name]
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}
    options = [part for word in words if word.startswith("-") for part in word.split("/") if part.startswith("-")]
    return [option for option in options if option.split("=")[0] not in known]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_and_targets_exist(page: Path) -> None:
    """A copied line does what the page promises."""
    lines = list(code(page.read_text()))
    assert [line for line in lines for words in typed(line, "takings") if wrong_words(words)] == []

    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = [word for line in lines for words in typed(line, "make") for word in words if re.fullmatch("[a-z-]+", word)]
    assert [target for target in asked if target not in targets] == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("takings kpis shop --by category --from 2025-01-14", []),
        ("takings kpis shop --per category", ["--per"]),
        ("takings aws bootstrap s3://my-shop --image-tag TAG", []),
        ("takings aws polish s3://my-shop", ["polish"]),
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str, wrong: list[str]) -> None:
    """The search knows subcommands, and the options of each."""
    assert [word for words in typed(line, "takings") for word in wrong_words(words)] == wrong


#: a heading's anchor as the site and GitHub make it, or nearly: signs and letters of other alphabets are left out
def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings."""
    without_blocks = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", without_blocks, re.MULTILINE)
    return {re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pages_and_headings_exist(page: Path) -> None:
    """Every link leads to an existing page and heading."""
    text = page.read_text()
    without_blocks = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", without_blocks) if "://" not in link]
    broken = []
    for link in links:
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            broken.append(link)
    assert broken == []
    assert [name for name in re.findall(r"(?<![\w./])docs/[a-z/-]+\.md\b", text) if not (ROOT / name).is_file()] == []


def test_every_page_is_named_in_the_readme() -> None:
    """Nobody reads a page that nothing links to."""
    readme = (ROOT / "README.md").read_text()
    pages = [
        page.relative_to(ROOT).as_posix() for page in sorted((ROOT / "docs").rglob("*.md")) if "adr" not in page.parts
    ]
    assert [page for page in pages if page not in readme] == []


def nav(part: Any) -> Iterator[str]:
    """Yield the pages of the site's navigation."""
    if isinstance(part, str):
        yield part
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from nav(each)


def test_the_site_has_every_page() -> None:
    """Each page is in its navigation once; decisions are listed on a page of their own."""
    listed = sorted(nav(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert listed == sorted(page for page in site.pages() if not re.match("adr/0", page))


def test_links_within_the_site_lead_to_its_pages() -> None:
    """What lies outside docs/ has other links there than in the repository; what is no page is plain text."""
    pages = site.pages()
    for page, (source, text) in pages.items():
        shown = re.sub(r"^```.*?^```", "", site.linked(text, source, page), flags=re.DOTALL | re.MULTILINE)
        links = [
            link.partition("#")[0] for link in re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", shown) if "://" not in link
        ]
        targets = {posixpath.normpath(posixpath.join(posixpath.dirname(page), link)) for link in links if link}
        assert (
            page,
            sorted(targets - pages.keys() - {f"images/{each.name}" for each in (ROOT / "docs" / "images").iterdir()}),
        ) == (page, [])


def test_the_page_of_commands_is_the_command_lines() -> None:
    """After a change of a command: python -m tools.commands --write."""
    assert commands.PAGE.read_text(encoding="utf-8") == commands.page()
