"""The unit files: what systemd itself says about them, and what an installation writes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.cli.main import main
from assistant.cli.service import DROP_INS, SOCKET, UNIT, files, path_line, unit_sources

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("assistant")
THRESHOLD = 15
"""Tenths: exposure 1.5."""

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"XDG_RUNTIME_DIR": "/run", **os.environ}
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False, env=environment)


def installed(folder: Path, *drop_ins: str) -> Path:
    """The system's units as an installation writes them, below `folder`."""
    for file in files(unit_sources(), PROGRAM, user=False, drop_ins=drop_ins):
        path = folder / file.path.relative_to("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text)
    return folder / "etc/systemd/system"


@needs_systemd
def test_the_unit_exposes_almost_nothing() -> None:
    done = analyze("security", "--offline=yes", f"--threshold={THRESHOLD}", str(ROOT / "systemd/assistant.service"))
    assert done.returncode == 0, done.stdout


@needs_systemd
def test_the_network_costs_little_of_it(tmp_path: Path) -> None:
    unit = installed(tmp_path) / UNIT
    with unit.open("a") as text:  # offline, systemd-analyze reads no drop-ins
        for name in DROP_INS:
            drop_in = (ROOT / f"systemd/drop-ins/{name}.conf").read_text()
            text.write("\n[Service]\n" + drop_in.split("[Service]\n")[1])
    assert analyze("security", "--offline=yes", "--threshold=25", str(unit)).returncode == 0


@needs_systemd
@pytest.mark.parametrize("units", [("assistant.service", "assistant.socket"), ("user/assistant.service",)])
def test_systemd_has_nothing_to_say_against_the_units(units: tuple[str, ...]) -> None:
    done = analyze(
        "verify", *(["--user"] if "user" in units[0] else []), *(str(ROOT / "systemd" / unit) for unit in units)
    )
    # It returns 0 for a misspelt key, too: what counts is that it is silent.
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
def test_systemd_has_nothing_to_say_against_an_installation_with_drop_ins(tmp_path: Path) -> None:
    folder = installed(tmp_path, *DROP_INS)
    done = analyze("verify", str(folder / UNIT), str(folder / SOCKET))
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_a_misspelt_key_would_be_noticed(tmp_path: Path) -> None:
    unit = tmp_path / UNIT
    unit.write_text((ROOT / "systemd/assistant.service").read_text().replace("ProtectSystem=", "ProtectSytem="))
    assert "ProtectSytem" in analyze("verify", str(unit)).stderr


def test_an_installation_starts_the_program_that_installed_it(tmp_path: Path) -> None:
    unit = (installed(tmp_path) / UNIT).read_text()
    assert path_line(PROGRAM) in unit
    assert "/opt/assistant" not in unit.replace(str(PROGRAM.parent), "")


def test_installing_into_an_image_writes_and_removing_takes_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "image"
    assert main(["service", "install", "--root", str(root), "--lan"]) == 0
    written = sorted(path for path in root.rglob("*") if path.is_file())
    assert [str(path) for path in written] == sorted(capsys.readouterr().out.split())
    assert len(written) == 5
    assert main(["service", "remove", "--root", str(root)]) == 0
    assert not [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.skipif(
    Path(sys.executable).resolve().parts[1] not in ("home", "root"), reason="this interpreter lies in no home"
)
def test_a_program_in_a_home_is_no_system_service(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["service", "install"]) == 2
    assert "--user" in capsys.readouterr().err


def test_every_unit_is_packed(repository: Path) -> None:
    packed = (repository / "setup.cfg").read_text(encoding="utf-8")
    names = [
        path.relative_to(repository).as_posix()
        for path in (repository / "systemd").rglob("*.*")
        if path.suffix != ".md"
    ]
    assert len(names) == 7
    assert [name for name in names if name not in packed] == []
