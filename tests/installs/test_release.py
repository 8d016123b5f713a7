"""A release has one version and one list of changes, and the tag names both."""

from __future__ import annotations

import pytest

from tools.release import NotReady, notes

BEFORE = "# Changelog\n\n## 0.2.0 (2026-12-01)\n\n* New.\n* Newer.\n\n## 0.1.0 (2026-11-01)\n\n* Old.\n"


@pytest.mark.parametrize("changelog", [BEFORE, BEFORE.replace("## 0.2.0", "## Unreleased\n\n## 0.2.0")])
def test_the_notes_are_the_newest_section(changelog: str) -> None:
    """An empty heading for what comes next may stand above it."""
    assert notes("v0.2.0", "0.2.0", changelog) == "* New.\n* Newer.\n"


@pytest.mark.parametrize(
    ("tag", "changelog", "said"),
    [
        ("v0.3.0", BEFORE, "the tag is v0.3.0, and src/takings/__init__.py says 0.2.0. Tag the commit v0.2.0."),
        ("v0.2.0", BEFORE.replace("0.2.0 (2026-12-01)", "Unreleased"), "has lines under 'Unreleased'"),
        ("v0.2.0", BEFORE.replace(" (2026-12-01)", ""), "has no newest heading '## 0.2.0 (YYYY-MM-DD)'"),
        ("v0.2.0", BEFORE.replace("* New.\n* Newer.\n", ""), "says nothing about 0.2.0"),
        ("v0.2.0", "# Changelog\n", "has no newest heading"),
    ],
)
def test_what_does_not_agree_is_not_released(tag: str, changelog: str, said: str) -> None:
    """With what to write."""
    with pytest.raises(NotReady, match=r".*") as refused:
        notes(tag, "0.2.0", changelog)
    assert said in str(refused.value)
