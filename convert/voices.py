"""Who speaks the training sentences: every free English voice of this machine, as speakers with their licences.

Recorded speakers come from hibari, flite and festival; espeak-ng adds accents and variants of one formant synthesiser.
Two recorded speakers (rms, slt) never train: they are what a trained net is tried with (`HELD_OUT`).
"""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from assistant.errors import PluginError
from assistant.speak.hibari import HibariVoice
from assistant.types import SAMPLE_RATE_HZ
from convert.files import write_whole

ACTIVE_RMS = 0.08
"""Every voice is brought to this root mean square of its louder half: engines differ by 12 dB."""
PADDING_S = 0.35
FESTIVAL_BATCH = 40
ENGINE_TIMEOUT_S = 120

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice. engine: who synthesises; name: the engine's name for it; person: who was recorded, "" for nobody."""

    engine: str
    name: str
    person: str

    @property
    def key(self) -> str:
        """As plans and files call it."""
        return f"{self.engine}-{self.name}"


LICENCES: Mapping[str, str] = MappingProxyType(
    {
        "hibari": "Apache-2.0 (hibari-tts, voice heart)",
        "flite": "BSD-like (CMU Flite, its voices)",
        "festival": "BSD-like (Festival, festvox kal, ked and slt)",
        "espeak": "GPL-3.0-or-later (espeak-ng; the program, not what it says)",
    }
)
RECORDED = (
    Speaker("hibari", "heart", "heart"),
    Speaker("flite", "awb", "awb"),
    Speaker("flite", "kal16", "kal"),
    Speaker("festival", "kal_diphone", "kal"),
    Speaker("festival", "ked_diphone", "ked"),
)
HELD_OUT = (Speaker("flite", "rms", "rms"), Speaker("flite", "slt", "slt"))
_ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029", "en-us-nyc")
_VARIANTS = ("m1", "m3", "m7", "f1", "f2", "f4", "f5", "klatt2", "klatt4", "steph", "Andy", "Annie", "max", "Michael")
FORMANT = tuple(
    Speaker("espeak", f"{accent}+{_VARIANTS[(3 * a + 2 * i) % len(_VARIANTS)]}", "")
    for a, accent in enumerate(_ACCENTS)
    for i in range(3)
)


def installed(speakers: Iterable[Speaker]) -> list[Speaker]:
    """Those of `speakers` whose engine is here."""
    programs = {"flite": "flite", "festival": "text2wave", "espeak": "espeak-ng"}
    return [s for s in speakers if s.engine not in programs or shutil.which(programs[s.engine])]


def sound_file(folder: Path, speaker: Speaker, text: str) -> Path:
    """Where `text` spoken by `speaker` is kept."""
    name = hashlib.sha256(f"{speaker.key}|{text}".encode()).hexdigest()[:20]
    return folder / speaker.key / f"{name}.flac"


def speak(lines: Sequence[tuple[Speaker, str]], folder: Path, advance: Callable[[int], None]) -> None:
    """Speak all `lines` that are not yet files below `folder`; `advance` is told how many are done.

    Raises PluginError when an engine fails or is missing.
    """
    for engine, render in _ENGINES.items():
        todo = [(s, text) for s, text in dict.fromkeys(lines) if s.engine == engine]
        missing = [(s, text) for s, text in todo if not sound_file(folder, s, text).is_file()]
        advance(len(todo) - len(missing))
        for speaker in dict.fromkeys(s for s, _ in missing):
            texts = [text for s, text in missing if s == speaker]
            for start in range(0, len(texts), FESTIVAL_BATCH):
                batch = texts[start : start + FESTIVAL_BATCH]
                for text, (pcm, rate) in zip(batch, render(speaker, batch), strict=True):
                    _keep(sound_file(folder, speaker, text), levelled(pcm, rate))
                advance(len(batch))


def levelled(pcm: Floats, rate: int) -> Floats:
    """Sound at 16 kHz, at the common level, with silence around it."""
    pcm = soxr.resample(pcm, rate, SAMPLE_RATE_HZ, "HQ") if rate != SAMPLE_RATE_HZ else pcm
    frames = pcm[: len(pcm) // 320 * 320].reshape(-1, 320)
    energy = np.sort((frames**2).mean(axis=1)) if len(frames) else np.zeros(1)
    level = float(np.sqrt(energy[len(energy) // 2 :].mean() + 1e-12))
    scaled = pcm * min(ACTIVE_RMS / level, 0.97 / max(float(np.abs(pcm).max(initial=0)), 1e-9))
    return np.asarray(np.pad(scaled, int(PADDING_S * SAMPLE_RATE_HZ)), np.float64)


def stretched(pcm: Floats, factor: float) -> Floats:
    """The same spoken `factor` times as fast and as high (resampling moves pitch, rate and formants together)."""
    if factor == 1:
        return pcm
    return np.asarray(soxr.resample(pcm, round(SAMPLE_RATE_HZ * factor), SAMPLE_RATE_HZ, "HQ"), np.float64)


def _keep(path: Path, pcm: Floats) -> None:
    out = io.BytesIO()
    soundfile.write(out, pcm, SAMPLE_RATE_HZ, format="FLAC")
    write_whole(path, out.getvalue())


def _hibari(speaker: Speaker, texts: Sequence[str]) -> list[tuple[Floats, int]]:
    del speaker
    voice = _hibari_voice()
    rate = int(voice.sample_rate)
    return [(np.concatenate(list(voice.stream(text))).astype(np.float64) / 32768, rate) for text in texts]


@cache
def _hibari_voice() -> HibariVoice:
    voice = HibariVoice()
    voice.load()
    return voice


def _by_command(command: Callable[[Speaker, str, Path], list[str]], speaker: Speaker, text: str) -> tuple[Floats, int]:
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder) / "said.wav"
        _run(command(speaker, text, wave), speaker)
        return _read(wave, speaker)


def _run(command: list[str], speaker: Speaker) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=ENGINE_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise PluginError(
            f"the voice {speaker.key} failed ({error})",
            where=command[0],
            remedy="install it, or leave it out with --voices",
        ) from error


def _read(wave: Path, speaker: Speaker) -> tuple[Floats, int]:
    try:
        pcm, rate = soundfile.read(wave, dtype="float64")
    except soundfile.LibsndfileError as error:
        raise PluginError(f"the voice {speaker.key} wrote no sound ({error})", where=speaker.engine) from error
    return np.asarray(pcm, np.float64), int(rate)


def _flite(speaker: Speaker, texts: Sequence[str]) -> list[tuple[Floats, int]]:
    def command(who: Speaker, text: str, wave: Path) -> list[str]:
        return ["flite", "-voice", who.name, "-t", text, "-o", str(wave)]

    return [_by_command(command, speaker, text) for text in texts]


def _espeak(speaker: Speaker, texts: Sequence[str]) -> list[tuple[Floats, int]]:
    def command(who: Speaker, text: str, wave: Path) -> list[str]:
        return ["espeak-ng", "-v", who.name, "-s", "160", "-w", str(wave), "--", text]

    return [_by_command(command, speaker, text) for text in texts]


def _festival(speaker: Speaker, texts: Sequence[str]) -> list[tuple[Floats, int]]:
    """One process for many sentences: festival takes 0.7 s to begin."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [f"(voice_{speaker.name})"]
        for i, text in enumerate(texts):
            plain = text.replace("\\", " ").replace('"', " ")
            lines.append(f'(utt.save.wave (utt.synth (Utterance Text "{plain}")) "{folder}/{i}.wav" \'riff)')
        script = Path(folder) / "say.scm"
        script.write_text("\n".join(lines), encoding="utf-8")
        _run(["festival", "-b", str(script)], speaker)
        return [_read(Path(folder) / f"{i}.wav", speaker) for i in range(len(texts))]


_ENGINES: Mapping[str, Callable[[Speaker, Sequence[str]], list[tuple[Floats, int]]]] = MappingProxyType(
    {"hibari": _hibari, "flite": _flite, "festival": _festival, "espeak": _espeak}
)
