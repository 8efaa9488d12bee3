"""`assistant completion`: scripts that the shells themselves accept and that know every verb."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from assistant.cli.completion import SHELLS
from assistant.cli.main import main
from assistant.cli.verbs import VERBS


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_knows_every_verb(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert [verb for verb in VERBS if verb not in script] == []


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_accepts_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    assert main(["completion", shell]) == 0
    checked = subprocess.run(
        [program, "-n"], input=capsys.readouterr().out, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_bash_completes_a_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out + (
        "\nCOMP_WORDS=(assistant conf); COMP_CWORD=1; _shtab_assistant; printf '%s\\n' \"${COMPREPLY[@]}\"\n"
    )
    done = subprocess.run(["bash"], input=script, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["config"]
