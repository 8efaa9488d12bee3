"""What is installed: locked files that name everything with hashes, entry points that load, data inside the wheel."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from assistant.cli.version import DISTRIBUTION

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
GROUPS = ("assistant.recognizers", "assistant.voices", "assistant.skills", "assistant.policies", "assistant.wakewords")


def setup() -> configparser.ConfigParser:
    """setup.cfg."""
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def normal(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(requirements: str) -> set[str]:
    """The names in a block of requirements."""
    lines = (line for line in requirements.splitlines() if line and not line.startswith("#"))
    return {normal(re.split(r"[ <>=!~;\[]", line, maxsplit=1)[0]) for line in lines}


def locked(path: Path) -> dict[str, list[str]]:
    """The releases in a locked file, each with its hashes."""
    blocks = re.split(r"\n(?=\S)", path.read_text(encoding="utf-8"))
    return {
        block.splitlines()[0]: re.findall(r"--hash=sha256:([0-9a-f]{64})", block) for block in blocks if "==" in block
    }


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_release_is_exact_and_hashed_and_no_index_is_named(lock: Path) -> None:
    assert "://" not in lock.read_text(encoding="utf-8")
    releases = locked(lock)
    assert releases
    assert [line for line, hashes in releases.items() if not hashes] == []
    assert [line for line in releases if not re.match(r"[a-z0-9._-]+==[^ ]+( ; .+)? \\$", line)] == []


def test_there_is_a_locked_file_for_each_extra_with_everything_that_it_wants() -> None:
    parser = setup()
    extras = {"device": parser["options"]["install_requires"], **parser["options.extras_require"]}
    assert {path.stem for path in LOCKS} == {*extras, "build"}
    for extra, requirements in extras.items():
        names = {normal(line.partition("==")[0]) for line in locked(ROOT / "requirements" / f"{extra}.txt")}
        assert wanted(requirements) - names == set(), f"run `make lock`: {extra}"


def test_the_device_needs_neither_a_compiler_nor_what_trains_models() -> None:
    names = {line.partition("==")[0] for line in locked(ROOT / "requirements/device.txt")}
    assert names & {"tensorflow", "tf-keras", "pandas", "matplotlib", "ray", "torch"} == set()


@pytest.mark.parametrize("group", GROUPS)
def test_each_entry_point_of_ours_loads_as_a_factory(group: str) -> None:
    ours = [entry for entry in metadata.distribution(DISTRIBUTION).entry_points if entry.group == group]
    assert {entry.name for entry in ours} == set(declared(group))
    assert all(callable(entry.load()) for entry in ours)


def declared(group: str) -> list[str]:
    """The names that setup.cfg registers in a group."""
    lines = setup()["options.entry_points"].get(group, "").split("\n")
    return [line.partition("=")[0].strip() for line in lines if line]


def test_the_interpreters_that_are_allowed_are_those_that_are_advertised() -> None:
    parser = setup()
    minors = {f"3.{minor}" for minor in range(10, 14)}
    assert parser["options"]["python_requires"] == ">=3.10, <3.14"
    assert minors == set(re.findall(r"Python :: (3\.\d+)", parser["metadata"]["classifiers"]))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("assistant", "benchmarks", "convert", "models", "systemd"):
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source" / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*command, str(folder / "source")], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.real
def test_the_wheel_holds_the_contexts_and_catalogues_that_the_source_has(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    suffixes = ("py", "yaml", "json", "npz", "txt")
    data = {str(path.relative_to(ROOT)) for suffix in suffixes for path in (ROOT / "assistant").rglob(f"*.{suffix}")}
    assert data - inside == set()
    assert {"assistant/py.typed", "models/__init__.py", "convert/__init__.py"} <= inside
    assert not any(name.startswith("tests/") for name in inside)


@pytest.mark.real
def test_help_is_there_even_where_no_dependency_is_installed(wheel: Path) -> None:
    script = (
        f"import sys; sys.path[:0] = [{str(wheel)!r}]; from assistant.cli.main import main; sys.exit(main(['help']))"
    )
    alone = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False)
    assert (alone.returncode, alone.stderr) == (0, "")
    assert alone.stdout.startswith("usage: assistant")
