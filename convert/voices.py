"""Who speaks the training sentences: every free English voice of this machine, as speakers with their licences.

Recorded speakers come from hibari, flite and festival; espeak-ng adds accents and variants of one formant synthesiser.
Two recorded speakers (rms, slt) never train: they are what a trained net is tried with (`HELD_OUT`).
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from assistant.errors import PluginError
from assistant.speak.hibari import BUNDLED_VOICE, NOISE_SEED, HibariVoice
from assistant.speak.hibari import SAMPLE_RATE_HZ as HIBARI_HZ
from assistant.types import SAMPLE_RATE_HZ

ACTIVE_RMS = 0.08
"""Every voice is brought to this root mean square of its louder half: engines differ by 12 dB."""
PADDING_S = 0.35
BATCH = 40
ENGINE_TIMEOUT_S = 120
FLITE_HZ, FESTIVAL_HZ = 100.0, 105.0
"""Mean pitch of these engines' voices by themselves."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice. engine: who synthesises; name: the engine's name for it; person: who was recorded, "" for nobody.

    pace, pitch: so many times as fast and as high as the engine would speak by itself, formants untouched; an engine
    that has no such switch speaks as ever.
    """

    engine: str
    name: str
    person: str
    pace: float = 1.0
    pitch: float = 1.0

    @property
    def key(self) -> str:
        """As plans and files call it."""
        plain = f"{self.engine}-{self.name}"
        return plain if self.pace == self.pitch == 1 else f"{plain}@{self.pace:g},{self.pitch:g}"


LICENCES: Mapping[str, str] = MappingProxyType(
    {
        "hibari": "Apache-2.0 (hibari-tts, voice heart)",
        "flite": "BSD-like (CMU Flite, its voices)",
        "festival": "BSD-like (Festival, festvox kal, ked and slt)",
        "espeak": "GPL-3.0-or-later (espeak-ng; the program, not what it says)",
    }
)
FURTHER_LICENCES: Mapping[str, str] = MappingProxyType(
    {
        "pico": "Apache-2.0 (SVOX Pico, its voices en-US and en-GB; package py-nanotts)",
        "hts": "BSD-like (festvox us-slt-hts)",
    }
)
"""Of FURTHER."""
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

FURTHER = (
    Speaker("pico", "en-US", "lh"),
    Speaker("pico", "en-GB", "kh"),
    Speaker("festival", "cmu_us_slt_arctic_hts", "slt"),
    Speaker("flite", "kal", "kal"),
)
"""Voices that only the net for sound alone hears: it needs voices more than anything, and real recordings judge it."""


def installed(speakers: Iterable[Speaker]) -> list[Speaker]:
    """Those of `speakers` whose engine is here."""
    programs = {"flite": "flite", "festival": "text2wave", "espeak": "espeak-ng"}
    modules = {"pico": "py_nanotts"}
    return [
        s
        for s in speakers
        if (s.engine not in programs or shutil.which(programs[s.engine]))
        and (s.engine not in modules or importlib.util.find_spec(modules[s.engine]))
    ]


def sound_file(folder: Path, speaker: Speaker, text: str) -> Path:
    """Where `text` spoken by `speaker` is kept."""
    name = hashlib.sha256(f"{speaker.key}|{text}".encode()).hexdigest()[:20]
    return folder / speaker.key / f"{name}.flac"


def batches(lines: Iterable[tuple[Speaker, str]]) -> list[tuple[Speaker, tuple[str, ...]]]:
    """`lines` in groups that one voice says at once, each line once."""
    of: dict[Speaker, list[str]] = {}
    for speaker, text in dict.fromkeys(lines):
        of.setdefault(speaker, []).append(text)
    return [
        (speaker, tuple(texts[start : start + BATCH]))
        for speaker, texts in of.items()
        for start in range(0, len(texts), BATCH)
    ]


def speak(speaker: Speaker, texts: Sequence[str]) -> list[bytes]:
    """`texts` said by `speaker`, each as a FLAC file at 16 kHz. Raises PluginError when its engine fails."""
    return [_flac(levelled(pcm, rate)) for pcm, rate in _ENGINES[speaker.engine](speaker, texts)]


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


def _flac(pcm: Floats) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, pcm, SAMPLE_RATE_HZ, format="FLAC")
    return out.getvalue()


def _hibari(speaker: Speaker, texts: Sequence[str]) -> list[tuple[Floats, int]]:
    if speaker.pace != 1:
        engine = _hibari_engine()
        return [(engine(text, speed=speaker.pace, seed=NOISE_SEED).astype(np.float64), HIBARI_HZ) for text in texts]
    voice = _hibari_voice()
    rate = int(voice.sample_rate)
    return [(np.concatenate(list(voice.stream(text))).astype(np.float64) / 32768, rate) for text in texts]


@cache
def _hibari_voice() -> HibariVoice:
    voice = HibariVoice()
    voice.load()
    return voice


@cache
def _hibari_engine() -> Any:
    """The same engine, which the device's voice does not let speak slower or faster."""
    return importlib.import_module("hibari").Hibari(voice=BUNDLED_VOICE, threads=1)


def _by_command(command: Callable[[Speaker, str, Path], list[str]], speaker: Speaker, text: str) -> tuple[Floats, int]:
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder) / "said.wav"
        _run(command(speaker, text, wave), speaker)
        return _read(wave, speaker)


def _run(command: list[str], speaker: Speaker, told: str = "") -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=ENGINE_TIMEOUT_S, input=told.encode())
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
        moved = {"duration_stretch": 1 / who.pace, "f0_shift": who.pitch, "int_f0_target_mean": FLITE_HZ * who.pitch}
        settings = [f"{name}={value:.3f}" for name, value in moved.items()] if "@" in who.key else []
        options = [word for setting in settings for word in ("--setf", setting)]
        return ["flite", "-voice", who.name, *options, "-t", text, "-o", str(wave)]

    return [_by_command(command, speaker, text) for text in texts]


def _espeak(speaker: Speaker, texts: Sequence[str]) -> list[tuple[Floats, int]]:
    def command(who: Speaker, text: str, wave: Path) -> list[str]:
        pitch = ["-p", str(round(min(50 * who.pitch**2, 99)))] if who.pitch != 1 else []
        return ["espeak-ng", "-v", who.name, "-s", str(round(160 * who.pace)), *pitch, "-w", str(wave), "--", text]

    return [_by_command(command, speaker, text) for text in texts]


def _festival(speaker: Speaker, texts: Sequence[str]) -> list[tuple[Floats, int]]:
    """One process for many sentences: festival takes 0.7 s to begin."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [f"(voice_{speaker.name})"]
        if "@" in speaker.key:
            hz = FESTIVAL_HZ * speaker.pitch
            lines.append(f"(Parameter.set 'Duration_Stretch {1 / speaker.pace:.3f})")
            to = f"(target_f0_mean {hz:.0f}) (target_f0_std 14) (model_f0_mean 170) (model_f0_std 34)"
            lines.append(f"(set! int_lr_params '({to}))")
        for i, text in enumerate(texts):
            plain = text.replace("\\", " ").replace('"', " ")
            lines.append(f'(utt.save.wave (utt.synth (Utterance Text "{plain}")) "{folder}/{i}.wav" \'riff)')
        script = Path(folder) / "say.scm"
        script.write_text("\n".join(lines), encoding="utf-8")
        _run(["festival", "-b", str(script)], speaker)
        return [_read(Path(folder) / f"{i}.wav", speaker) for i in range(len(texts))]


def _pico(speaker: Speaker, texts: Sequence[str]) -> list[tuple[Floats, int]]:
    asked = {"voice": speaker.name, "pace": speaker.pace, "pitch": speaker.pitch, "texts": list(texts)}
    with tempfile.TemporaryDirectory() as folder:
        _run([sys.executable, "-m", "convert.pico", folder], speaker, json.dumps(asked))
        spoken = [np.fromfile(Path(folder) / f"{i}.raw", np.int16) for i in range(len(texts))]
    return [(pcm.astype(np.float64) / 32768, SAMPLE_RATE_HZ) for pcm in spoken]


_ENGINES: Mapping[str, Callable[[Speaker, Sequence[str]], list[tuple[Floats, int]]]] = MappingProxyType(
    {
        "hibari": _hibari,
        "flite": _flite,
        "festival": _festival,
        "espeak": _espeak,
        "pico": _pico,
    }
)
