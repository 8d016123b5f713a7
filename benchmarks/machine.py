"""Say what machine and which versions figures come from."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from benchmarks.contenders.cast import CONTENDERS, Contender

_ROOT: Final = Path(__file__).resolve().parent.parent
_ASK: Final = (
    "import json, sys; from importlib.metadata import version; print(json.dumps({n: version(n) for n in sys.argv[1:]}))"
)


def about(contenders: Iterable[Contender] = CONTENDERS) -> dict[str, Any]:
    """Return the machine, the source that is measured, and the versions of these contenders' packages."""
    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "source": _source(),
        "versions": {each.name: _versions(each) for each in contenders if each.is_installed},
    }


def beside() -> str:
    """Return how busy the machine is, as the load of the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def has_room(folder: Path, needed: int) -> bool:
    """Say whether a folder's disk has so many bytes left."""
    return shutil.disk_usage(folder).free > needed


def _versions(contender: Contender) -> dict[str, str]:
    asked = subprocess.run(
        [str(contender.python), "-c", _ASK, *contender.packages], check=True, capture_output=True, text=True
    )
    found: dict[str, str] = json.loads(asked.stdout)
    return found


def _processor() -> str:
    names = _lines_of(Path("/proc/cpuinfo"), "model name")
    return next(iter(names), platform.machine())


def _lines_of(file: Path, name: str) -> Iterable[str]:
    lines = file.read_text().splitlines() if file.exists() else []
    return (line.partition(":")[2].strip() for line in lines if line.startswith(name))


def _source() -> str:
    """Return the newest commit that touched the package, and whether it was changed since."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    newest, changed = (
        subprocess.run([git, *words, "src"], cwd=_ROOT, check=False, capture_output=True, text=True).stdout.strip()
        for words in (["log", "-1", "--format=%h", "--"], ["status", "--porcelain", "--"])
    )
    return f"{newest or 'unknown'}{' and changes' if changed else ''}"


if __name__ == "__main__":
    json.dump(about(), sys.stdout, indent=1)
