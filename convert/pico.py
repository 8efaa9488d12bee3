"""SVOX Pico in a process of its own: its library takes TensorFlow's memory functions for its own and dies beside it.

python -m convert.pico FOLDER < JSON       {"voice", "pace", "pitch", "texts"}: FOLDER/0.raw …, int16 at 16 kHz
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def main() -> None:
    """Say what standard input asks for."""
    asked = json.load(sys.stdin)
    engine = importlib.import_module("py_nanotts").NanoTTS()
    for i, text in enumerate(asked["texts"]):
        pcm = engine.speak(text, voice=asked["voice"], speed=asked["pace"], pitch=asked["pitch"])
        (Path(sys.argv[1]) / f"{i}.raw").write_bytes(pcm)


if __name__ == "__main__":
    main()
