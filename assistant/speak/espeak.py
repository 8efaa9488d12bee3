"""The fallback voice: the program espeak-ng (GPL-3, a separate process), small, quick and in a hundred languages.

The text goes over standard input, never on the command line, so nothing in a reply can become an option.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from assistant.errors import PluginError

PROGRAM = "espeak-ng"
SAMPLE_RATE_HZ = 22_050
WORDS_PER_MINUTE = 165
TIMEOUT_S = 20.0

# English without a region sounds American, as hibari does.
VOICE_OF_LANGUAGE = {"en": "en-us"}

DATA_CHUNK_HEADER_BYTES = 8


def create(*, language: str = "en") -> EspeakVoice:
    """Entry point. Raises PluginError when the engine is not installed or lacks the language."""
    return EspeakVoice(language=language)


class EspeakVoice:
    """One espeak-ng process a sentence: 10 ms to start, nothing resident."""

    sample_rate = SAMPLE_RATE_HZ
    loaded = True

    def __init__(self, *, language: str = "en") -> None:
        program = shutil.which(PROGRAM)
        if program is None:
            raise PluginError(
                "the program espeak-ng is not installed",
                where="voice 'espeak'",
                remedy="apt-get install espeak-ng, or use the voice none",
            )
        self._program = program
        self._voice = VOICE_OF_LANGUAGE.get(language.lower(), language.lower())
        self.name = f"espeak/{self._voice}"

    def load(self) -> None:
        """Check that the program runs and has the language."""
        if not self._run("a"):
            raise PluginError("makes no sound", where=f"voice '{self.name}'", remedy="reinstall espeak-ng")

    def unload(self) -> None:
        """Nothing is resident."""

    def stream(self, text: str) -> Iterator[NDArray[np.int16]]:
        """One chunk, 22.05 kHz. Raises PluginError when the program fails, hangs or lacks the language."""
        if not text.strip():
            return
        sound = _samples(self._run(text), where=f"voice '{self.name}'")
        if len(sound):
            yield sound

    def _run(self, text: str) -> bytes:
        command = [self._program, "--stdin", "--stdout", "-b", "1", "-v", self._voice, "-s", str(WORDS_PER_MINUTE)]
        where = f"voice '{self.name}'"
        try:
            done = subprocess.run(
                command, input=text.encode(errors="replace"), capture_output=True, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise PluginError(f"took longer than {TIMEOUT_S:.0f} s", where=where, remedy="use another voice") from error
        except OSError as error:
            raise PluginError(f"cannot be started ({error.strerror})", where=where, remedy="reinstall it") from error
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise PluginError(
                said[0].rstrip(".") if said else f"ended with status {done.returncode}",
                where=where,
                remedy="espeak-ng --voices lists the languages it has",
            )
        return done.stdout


def _samples(wav: bytes, *, where: str) -> NDArray[np.int16]:
    """The samples of a WAV written to a pipe, whose sizes in the header are placeholders."""
    data = wav.find(b"data")
    if wav[:4] != b"RIFF" or data < 0:
        raise PluginError("wrote no WAV", where=where, remedy="reinstall espeak-ng")
    (rate,) = struct.unpack_from("<I", wav, wav.index(b"fmt ") + 12)
    if rate != SAMPLE_RATE_HZ:
        raise PluginError(f"speaks at {rate} Hz, not {SAMPLE_RATE_HZ}", where=where, remedy="use another voice")
    body = wav[data + DATA_CHUNK_HEADER_BYTES :]
    return np.frombuffer(body[: len(body) // 2 * 2], dtype="<i2").astype(np.int16)
