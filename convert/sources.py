"""What others recorded and wrote: readings with transcripts, noises, texts; with licences and splits by speaker.

Found by $ASSISTANT_DATA. The folders `barista` and `wakeword` are never opened here: they judge the result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zlib import crc32

from assistant.errors import InputError
from assistant.testing.recordings import DEFAULT, VARIABLE, find_recordings

READ_SETS = ("an4", "so762")
CROWD_SETS = ("librispeech_notext", "so762")
"""Fluent speech for who talks into a sentence. Of the first, half of the speakers; the others judge."""
NOISE_SET = "esc10"
TEXT_SETS = ("hwu64", "snips")
VALIDATION_NOISES = ("helicopter", "person sneeze")
"""Classes of noise that only validation hears."""
LICENCES: Mapping[str, str] = MappingProxyType(
    {
        "an4": "CMU AN4 (BSD-like), Carnegie Mellon University",
        "so762": "CC BY 4.0, speechocean762 (OpenSLR 101)",
        "librispeech_notext": "CC BY 4.0, LibriSpeech (Panayotov et al. 2015)",
        "esc10": "CC BY 3.0, ESC-10 (Karol J. Piczak; each clip's Freesound author)",
        "hwu64": "CC BY 4.0, HWU64 (Liu et al. 2019)",
        "snips": "CC0, SNIPS NLU benchmark",
    }
)
_TRAIN, _VALID, _TEST = "train", "valid", "test"
_SPLITS = ((_TRAIN, 70), (_VALID, 15), (_TEST, 15))
_CROWD_SPLITS = ((_TRAIN, 42), (_VALID, 8), (_TEST, 50))
"""Percent of a set's speakers."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A recording of read speech. name: below the data folder. said: its words in lower case. split: by speaker."""

    path: Path
    name: str
    origin: str
    speaker: str
    said: str
    duration_s: float
    split: str


def data_folder() -> Path:
    """The folder of recordings. Raises InputError with what to do where it is absent."""
    found = find_recordings()
    if found is None:
        raise InputError(
            "no recordings to train from",
            where=f"${VARIABLE}",
            remedy=f"point {VARIABLE} to the folder of recordings (default: {DEFAULT})",
        )
    return found


def split_of(origin: str, speaker: str) -> str:
    """Which split a speaker belongs to: a hash, so that further recordings change nothing."""
    percent = crc32(f"{origin}|{speaker}".encode()) % 100
    for name, share in _CROWD_SPLITS if origin == CROWD_SETS[0] else _SPLITS:
        if percent < share:
            return name
        percent -= share
    return _TEST


def readings(data: Path, sets: Iterable[str] = READ_SETS) -> list[Reading]:
    """All transcribed recordings of `sets`, by file name. Raises InputError when there are none."""
    wanted = set(sets)
    found = [
        Reading(
            data / row["path"],
            row["path"],
            row["set"],
            row.get("speaker", ""),
            _plain(row.get("text", "")),
            float(row["dur"]),
            split_of(row["set"], row.get("speaker", "")),
        )
        for row in _manifest(data)
        if row["set"] in wanted
    ]
    if not found:
        raise InputError(f"no recordings of {', '.join(sorted(wanted))}", where=str(data / "manifest.jsonl"))
    return sorted(found, key=lambda reading: str(reading.path))


def noise_files(data: Path, split: str) -> list[Path]:
    """Environmental sounds of a split, by class. Raises InputError when there are none."""
    rows = [row for row in _manifest(data) if row["set"] == NOISE_SET]
    files = sorted(data / row["path"] for row in rows if (row["label"] in VALIDATION_NOISES) == (split == _VALID))
    if not files:
        raise InputError("no noise to train with", where=str(data / NOISE_SET), remedy="see `assistant-convert --help`")
    return files


def texts(data: Path, name: str) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Sentences of a text set: intent, and pieces (words, slot or "")."""
    read = _hwu_pieces if name == "hwu64" else _snips_pieces
    path = data / "text" / f"{name}.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from error
    return [(row["intent"], read(row)) for row in map(json.loads, filter(None, lines))]


def _manifest(data: Path) -> list[dict[str, Any]]:
    path = data / "manifest.jsonl"
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, ValueError) as error:
        raise InputError(f"is not a list of recordings ({error})", where=str(path)) from error


def _snips_pieces(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((_plain(piece["text"]), piece.get("entity", "")) for piece in row["data"] if _plain(piece["text"]))


def _hwu_pieces(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    pieces: list[tuple[str, str]] = []
    for part in re.split(r"(\[[^\]]*\])", row["annotation"]):
        slot, _, words = part.strip("[]").partition(":") if part.startswith("[") else ("", "", part)
        if _plain(words):
            pieces.append((_plain(words), slot.strip()))
    return tuple(pieces)


def _plain(text: str) -> str:
    """Lower case, words and apostrophes only."""
    return " ".join(re.findall(r"[a-z0-9']+", text.lower())) if text.isascii() else ""
