"""How the JVMs of tests run: what they compute is small, so compiling it thoroughly takes longer than running it."""

from __future__ import annotations

from typing import Final

_QUICKLY: Final = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
#: for Spark's driver, and for the JVM that only puts its command together
QUICK: Final = {"SPARK_SUBMIT_OPTS": _QUICKLY, "SPARK_LAUNCHER_OPTS": _QUICKLY}
