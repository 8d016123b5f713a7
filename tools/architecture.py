"""Draw the package's rooms, and the imports between them, in docs/architecture.md.

    python -m tools.architecture          prints the picture
    python -m tools.architecture --write  puts it into the page

A room is a folder or a module directly below `takings`, or a folder of `adapters`. An arrow means "imports"; an arrow that
follows from two others is left out, so that the picture stays readable.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import grimp

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "architecture.md"
_PICTURE: Final = re.compile(r"(?<=<!-- picture -->\n).*?(?=<!-- /picture -->)", re.DOTALL)

Arrows = Mapping[str, set[str]]


def arrows() -> Arrows:
    """Return which rooms each room imports, from the imports in the source."""
    graph = grimp.build_graph("takings", cache_dir=None)
    found: dict[str, set[str]] = {}
    for module in sorted(graph.modules):
        room = _room(module)
        if room is None:
            continue
        found.setdefault(room, set())
        for imported in graph.find_modules_directly_imported_by(module):
            other = _room(imported)
            if other is not None and other != room:
                found[room].add(other)
    return found


def picture(every: Arrows) -> str:
    """Return a Mermaid flowchart of the rooms, without arrows that follow from others."""
    lines = ["```mermaid", "flowchart TD"]
    for room in sorted(every):
        lines += [f"    {_name(room)} --> {_name(other)}" for other in sorted(_nearest(every, room))]
    return "\n".join([*lines, "```", ""])


def page_with(text: str, drawn: str) -> str:
    """Return the page's text with this picture in place of the one it has; ValueError where it has no place for one."""
    if _PICTURE.search(text) is None:
        raise ValueError(f"{PAGE}: there is no <!-- picture --> … <!-- /picture -->. Put it where the picture belongs.")
    return _PICTURE.sub(lambda _: drawn, text)


def _room(module: str) -> str | None:
    """Return the room of a module; None for the package itself and `__main__`."""
    parts = module.split(".")[1:]
    if not parts or parts == ["__main__"]:
        return None
    if parts[0] == "adapters" and len(parts) > 1 and (ROOT / "src" / "takings" / "adapters" / parts[1]).is_dir():
        return f"adapters.{parts[1]}"
    return parts[0]


def _name(room: str) -> str:
    return room.replace(".", "/")


def _nearest(every: Arrows, room: str) -> set[str]:
    """Return the direct imports of a room that no other import already reaches."""
    return {
        other
        for other in every[room]
        if not any(other in _reached(every, between) for between in every[room] if between != other)
    }


def _reached(every: Arrows, room: str) -> set[str]:
    found: set[str] = set()
    ahead = [room]
    while ahead:
        for other in every[ahead.pop()] - found:
            found.add(other)
            ahead.append(other)
    return found


def main() -> None:
    """Print the picture, or put it into the page."""
    parser = argparse.ArgumentParser(description="Draw the package's rooms into docs/architecture.md.")
    parser.add_argument("--write", action="store_true", help="put the picture into the page")
    drawn = picture(arrows())
    if parser.parse_args().write:
        PAGE.write_text(page_with(PAGE.read_text(), drawn))
    else:
        sys.stdout.write(drawn)


if __name__ == "__main__":
    main()
