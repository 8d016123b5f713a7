"""Nothing that is published tomorrow changes today's install."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.version import Version

from tests.installs.__main__ import all_pins, installed, record
from tests.installs.index import Index, chosen, index_of_tomorrow
from tests.installs.pins import FILES, ROOT, SERVICES, Pin, asked, environments, gaps, pins_of, project_asks

each_file = pytest.mark.parametrize("file", FILES)
#: here, as in requirements/dev.txt, a package requires another one with an extra
ASKING_FOR_EXTRAS = ["requirements/test.txt", "validation-service/requirements.txt"]


@each_file
def test_a_file_of_pins_is_closed(file: str) -> None:
    """Everything that project and packages require is pinned, with extras, on every supported Python and platform."""
    pins, known, by_project = pins_of(ROOT / file), asked(), project_asks(file)
    found = [
        (place["python_full_version"], place["sys_platform"], gap)
        for place in environments()
        for gap in gaps(pins, by_project, known, place)
    ]
    assert found == []


HERE = next(place for place in environments() if place["sys_platform"] == "linux")


def pin(name: str, version: str = "1", *extras: str, hashes: tuple[str, ...] = ("sha256:0",)) -> Pin:
    return Pin(name=name, version=version, extras=frozenset(extras), marker=None, hashes=hashes)


@pytest.mark.parametrize(
    ("pins", "found"),
    [
        ([pin("a"), pin("b", "2", "x"), pin("c")], []),
        ([pin("a"), pin("b", "2"), pin("c")], ["a==1 asks for b[x]>=2, and the pin b==2 lacks x"]),
        ([pin("a"), pin("b", "1", "x"), pin("c")], ["a==1 asks for b[x]>=2, and b[x]==1 is pinned"]),
        ([pin("a"), pin("b", "2", "x")], ['b[x]==2 asks for c; extra == "x", which is not pinned']),
        ([pin("a"), pin("c")], ["a==1 asks for b[x]>=2, which is not pinned"]),
        ([pin("a"), pin("b", "2", "x"), pin("c", hashes=())], ["c==1 has no hash"]),
        ([pin("b", "2", "x"), pin("c")], ["the project asks for a, which is not pinned"]),
        ([pin("a"), pin("b", "2", "x"), pin("c"), pin("d")], ["nobody knows what d==1 asks for: run `make asked`"]),
    ],
)
def test_what_is_open_is_found(pins: list[Pin], found: list[str]) -> None:
    """A missing extra, a wrong version, an extra's own package, a hash, a root, an unchecked package."""
    known = {
        "a==1": [Requirement("b[x]>=2"), Requirement("nowhere; sys_platform == 'win32'")],
        "b==2": [],
        "b[x]==1": [Requirement("c; extra == 'x'")],
        "b[x]==2": [Requirement("c; extra == 'x'")],
        "c==1": [],
    }
    assert gaps(pins, [Requirement("a")], known, HERE) == found


OWN = ("ministack", "lock", "security", "bench", "site", "mutants", "fuzz")
ENVIRONMENTS = [".venv", *(f".venv-{name}" for name in OWN)]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_packages_ask_for_is_what_they_say(environment: str) -> None:
    """asked.json was read from the packages; it is compared with those installed here."""
    said = record(all_pins(), installed([ROOT / environment]))
    if not said:
        pytest.skip(f"{environment} is not there: `make asked` makes it")
    written = {pin: [str(line) for line in lines] for pin, lines in asked().items()}
    assert {pin: written.get(pin) for pin in said} == said


@pytest.fixture(scope="module")
def tomorrow(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Return a folder with everything that is pinned and a newer release of each."""
    pytest.importorskip("pip")
    return index_of_tomorrow(tmp_path_factory.mktemp("tomorrow"), asked())


@each_file
def test_a_newer_release_changes_nothing(tomorrow: Index, file: str) -> None:
    """Pip takes exactly the pinned packages."""
    tomorrow.copy_files()
    ended = tomorrow.install(file)
    assert ended.returncode == 0, ended.stderr
    here = {name: str(value) for name, value in default_environment().items()}
    assert chosen(ended.stdout) == {f"{pin.name}=={pin.version}" for pin in pins_of(ROOT / file) if pin.applies(here)}


@pytest.mark.parametrize("file", ASKING_FOR_EXTRAS)
def test_a_pin_without_its_extra_is_refused_then(tomorrow: Index, file: str) -> None:
    """The extras in the files are needed for this (pypa/pip#9644); a newer pip than Python 3.11's may not need them."""
    tomorrow.copy_files(stripped=True)
    ended = tomorrow.install(file)
    if Version(version("pip")) < Version("23.3"):
        assert ended.returncode != 0
    assert ended.returncode == 0 or "coverage[toml]" in ended.stderr
    found = gaps(pins_of(tomorrow.root / file), project_asks(file), asked(), HERE)
    assert [gap for gap in found if "lacks" in gap] == [
        "the project asks for moto[dynamodb,s3]>=5.2, and the pin moto==5.2.5 lacks dynamodb, s3",
        "pytest-cov==7.1.0 asks for coverage[toml]>=7.10.6, and the pin coverage==7.17.3 lacks toml",
    ]


#: `make tried` is there to take other releases than the pinned ones; nothing is built in its environment
OPEN = "UV_TRIED = "


def installing_lines() -> Iterator[tuple[str, str]]:
    """Yield each line in which pip installs or builds something for us, with its file."""
    places = [ROOT / "Makefile", ROOT / ".ci" / "run", *sorted((ROOT / ".github" / "workflows").iterdir())]
    places += [ROOT / folder / "Dockerfile" for folder in (*SERVICES, "packaging")]
    makefile = (ROOT / "Makefile").read_text()
    for place in places:
        for line in re.split(r"\n|&&", re.sub(r"\\\n\s*", " ", place.read_text())):
            if re.search(r"(\bpip\b|\(PIP\))[^#]* (install|wheel|download) ", line) and not line.startswith(OPEN):
                (built,) = re.findall(r"^BUILT *:= (.*)$", makefile, re.MULTILINE)
                yield place.relative_to(ROOT).as_posix(), " ".join(line.replace("$(BUILT)", built).split())


LINES = list(installing_lines())


def test_the_lines_that_install_are_found() -> None:
    """Those that begin with their own script are tools.build_lambdas and tests.services."""
    places = [place for place, _ in LINES]
    assert {place: places.count(place) for place in places} == {
        "Makefile": 6,
        "validation-service/Dockerfile": 5,
        "transformation-service/Dockerfile": 5,
        "packaging/Dockerfile": 5,
    }


def is_closed(line: str) -> bool:
    """Return whether a pip call has hashes and fetches no build tools, or takes one package without its requirements."""
    has_hashes = "--require-hashes" in line and re.search(r"(-r|--requirement) ", line) is not None
    fetches_no_tools = "--no-build-isolation" in line or "--only-binary=:all:" in line
    is_alone = "--no-deps" in line and ("--no-index" in line or "--no-build-isolation" in line)
    return (has_hashes and fetches_no_tools) or is_alone


@pytest.mark.parametrize(("place", "line"), LINES)
def test_every_install_is_closed(place: str, line: str) -> None:
    """No newer release, and no newer build tool, gets in."""
    assert is_closed(line), f"{place}: {line}"


@pytest.mark.parametrize(
    "line",
    [
        "pip install --require-hashes -r requirements/web.txt",
        "pip install --no-build-isolation -r requirements/web.txt",
        "pip install --no-deps --editable .",
        "pip install --upgrade pip",
    ],
)
def test_an_open_install_is_found(line: str) -> None:
    """It builds in isolation, has no hashes, or only names a package."""
    assert not is_closed(line)


def test_scripts_that_install_are_closed() -> None:
    """The packages of functions and jobs are wheels with hashes; so are the services' own, except PySpark."""
    for script in ("build_lambdas.py", "build_spark.py"):
        source = (ROOT / "tools" / script).read_text()
        assert all(option in source for option in ('"--require-hashes"', '"--no-deps"', '"--only-binary=:all:"'))
    others = [
        path.relative_to(ROOT).as_posix()
        for folder in ("tools", "src", "tests", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if '"-m", "pip"' in path.read_text() and path != Path(__file__)
    ]
    assert others == [
        *("tools/build_lambdas.py", "tools/build_package.py", "tools/build_spark.py"),
        *("tests/installs/index.py", "tests/services/__main__.py"),
    ]
    trying = (ROOT / "tools" / "build_package.py").read_text()
    assert '"--require-hashes", "--only-binary=:all:", "-r", ROOT / "requirements" / "core.txt"' in trying
    assert '"--no-deps", "--no-index", wheel' in trying
    assert '"--require-hashes", options, "-r", pins' in (ROOT / "tests" / "services" / "__main__.py").read_text()
