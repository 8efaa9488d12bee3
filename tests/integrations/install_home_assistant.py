"""Installs a real Home Assistant for the tests, once, in an environment of its own: from PyPI, in one to ten minutes.

    python -m tests.integrations.install_home_assistant [FOLDER]      # default: build/home-assistant

The tests find it there, or where $ASSISTANT_HASS says that `hass` is; where it is not they are skipped.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tests.integrations.hass import DEFAULT, Hass

# The newest that runs on Python 3.11; with josepy 2 each of its answers is an error 500.
# The others are asked for by its integrations mqtt, wyoming and assist_pipeline, which the tests set up.
PACKAGES = (
    "homeassistant==2024.3.3",
    "josepy<2",
    "setuptools<80",
    "wheel",
    "pip",
    "paho-mqtt==1.6.1",
    "wyoming==1.5.3",
    "webrtc-noise-gain==1.2.3",
)


def install(folder: Path) -> Path:
    """Make the environment, and let the first start fetch what its integrations need; the path of `hass`."""
    venv.create(folder, with_pip=True, clear=True)
    python = str(folder / "bin/python")
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))  # ten times as fast
    install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    subprocess.run([*install, "--quiet", *PACKAGES], check=True)
    executable = folder / "bin/hass"
    with tempfile.TemporaryDirectory() as scratch:
        hass = Hass(Path(scratch), executable, patience_s=600)
        try:
            hass.start()
        finally:
            hass.stop()
    return executable


if __name__ == "__main__":
    print(install(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT))
