"""Make a folder behave like other file systems: several in one store, no hard links, bad blocks."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

from takings.adapters.local import placing

#: Linux: remove a capability from a process and its children
_PR_CAPBSET_DROP: Final = 24
#: what lets root read and write despite the permissions, and remove others' files from a sticky folder
_OF_ROOT: Final = {"dac_override": 1, "dac_read_search": 2, "fowner": 3}


def refusal(number: int, *places: object) -> OSError:
    """Return the error that the system raises."""
    return OSError(number, os.strerror(number), *(str(place) for place in places[:1]))


def keep_apart(patch: pytest.MonkeyPatch, root: Path) -> None:
    """Make each top folder of a store its own file system: no link and no rename leads from one to another."""

    def top(path: object) -> str:
        with suppress(ValueError):
            return Path(os.fspath(path)).relative_to(root).parts[0]  # type: ignore[call-overload]
        return ""

    for name in ("link", "rename"):
        real = getattr(os, name)

        def across(source: object, target: object, *, real: Callable[..., object] = real, **more: object) -> object:
            if top(source) != top(target):
                raise refusal(errno.EXDEV, source)
            return real(source, target, **more)

        patch.setattr(os, name, across)


def without_links(patch: pytest.MonkeyPatch, _: Path) -> None:
    """Make the file system refuse hard links, as FAT and many FUSE file systems do."""

    def no_link(source: object, *_: object, **__: object) -> NoReturn:
        raise refusal(errno.EPERM, source)

    patch.setattr(os, "link", no_link)


def without_links_and_exclusive_renames(patch: pytest.MonkeyPatch, root: Path) -> None:
    """Make it refuse hard links and renames that replace nothing."""
    without_links(patch, root)
    patch.setattr(placing, "_rename_without_replacing", lambda *_: errno.ENOSYS)


FILE_SYSTEMS: Final = {
    "several file systems": keep_apart,
    "no hard links": without_links,
    "no exclusive renames": without_links_and_exclusive_renames,
}


@contextmanager
def refusing_to_open(path: Path, number: int = errno.EACCES) -> Iterator[None]:
    """Refuse to open one file until the block ends, as the system refuses a user without permission."""
    real = os.open

    def opening(wanted: Any, *values: Any, **named: Any) -> int:
        if os.fspath(wanted) == str(path):
            raise refusal(number, path)
        return real(wanted, *values, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", opening)
        yield


@contextmanager
def bad_block(path: Path) -> Iterator[None]:
    """Make reading of one file fail after its first bytes until the block ends, as a bad block does."""
    real, inode = os.read, path.stat().st_ino
    begun: set[int] = set()

    def reading(descriptor: int, size: int) -> bytes:
        if os.fstat(descriptor).st_ino != inode:
            return real(descriptor, size)
        if descriptor in begun:
            begun.discard(descriptor)
            raise refusal(errno.EIO)
        begun.add(descriptor)
        return real(descriptor, 10)

    def no_clones(*_: object) -> NoReturn:
        raise refusal(errno.ENOTSUP)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "read", reading)
        patch.setattr(fcntl, "ioctl", no_clones)
        yield


@contextmanager
def refusing_to_move(path: Path) -> Iterator[None]:
    """Keep one file under its name until the block ends, like an immutable file or somebody else's in a sticky folder."""
    real = os.rename

    def renaming(source: Any, target: Any, **named: Any) -> None:
        if os.fspath(source) == str(path):
            raise refusal(errno.EPERM, path)
        real(source, target, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "rename", renaming)
        yield


@contextmanager
def mounted(*arguments: object, at: Path) -> Iterator[None]:
    """Mount something until the block ends; skip the test if this process may not."""
    at.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    try:
        done = subprocess.run(["mount", *map(str, arguments), str(at)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no program `mount`")
    if done.returncode:
        pytest.skip(f"this system does not let its root mount a file system: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(at)], check=True)


@contextmanager
def read_only(folder: Path, *, at: Path) -> Iterator[None]:
    """Show a folder at another place, read-only, until the block ends; skip the test if this process may not."""
    with mounted("--bind", folder, at=at):
        done = subprocess.run(["mount", "-o", "remount,ro,bind", at], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"this system does not let its root mount read-only: {done.stderr.strip()}")
        yield


def as_ordinary_user(command: Sequence[object], **more: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a command that obeys permissions: root's child gives up the right to ignore them."""

    def give_up() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        for number in _OF_ROOT.values():
            if libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0):
                raise refusal(ctypes.get_errno())

    is_root = os.geteuid() == 0
    try:
        return subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            check=False,
            preexec_fn=give_up if is_root else None,
            **more,
        )
    except subprocess.SubprocessError:
        pytest.skip("this system's root cannot give up what lets it pass over permissions")
