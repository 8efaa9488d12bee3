"""The recordings that benchmarks hear: labelled orders, foreign speech, kitchen noise; found by $ASSISTANT_DATA."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from assistant.errors import InputError
from assistant.testing.recordings import DEFAULT, VARIABLE, find_recordings
from assistant.types import SAMPLE_RATE_HZ

KITCHEN = "noise/kitchen.flac"
BABBLE_SET = "librispeech_notext"


@dataclass(frozen=True, slots=True)
class Recording:
    """A file of one utterance. text: what is said, "" where nobody wrote it down. origin: the set that it is from."""

    path: Path
    origin: str
    text: str = ""

    @property
    def name(self) -> str:
        """File name with its suffix: what halves and noise are drawn by."""
        return self.path.name


@dataclass(frozen=True, slots=True)
class Order:
    """A recording with its meaning."""

    recording: Recording
    intent: str
    slots: Mapping[str, Any]


def data_folder(part: str = "") -> Path:
    """The folder of recordings, or one below it. Raises InputError with what to do where it is absent."""
    found = find_recordings(part)
    if found is None:
        raise InputError(
            f"no recordings{f' ({part})' if part else ''}",
            where=f"${VARIABLE}",
            remedy=f"point {VARIABLE} to the folder of development recordings (default: {DEFAULT})",
        )
    return found


def barista_orders(limit: int | None = None) -> list[Order]:
    """The labelled coffee orders by file name; `limit` takes that many, spread over all."""
    folder = data_folder("barista")
    rows = [json.loads(line) for line in (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines() if line]
    orders = [Order(Recording(folder / row["path"], "barista"), row["intent"], row["slots"]) for row in rows]
    return spread(sorted(orders, key=lambda order: order.recording.name), limit)


def recordings_of(origin: str, limit: int | None = None) -> list[Recording]:
    """All recordings of one set of the manifest, with transcripts where there are any."""
    root = data_folder()
    rows = map(json.loads, (root / "manifest.jsonl").read_text(encoding="utf-8").splitlines())
    found = [Recording(root / row["path"], origin, row.get("text", "")) for row in rows if row["set"] == origin]
    return spread(sorted(found, key=lambda recording: recording.name), limit)


def read_sentences(name: str) -> list[str]:
    """The sentences of a text set, each once, in alphabetical order."""
    lines = (data_folder("text") / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return sorted({json.loads(line)["text"] for line in lines if line})


def spread(items: list[Any], limit: int | None) -> list[Any]:
    """`limit` of `items`, evenly over the list; all of them where there are no more."""
    if limit is None or limit >= len(items):
        return items
    return [items[i * len(items) // limit] for i in range(limit)]


def in_half_a(file_name: str) -> bool:
    """Whether a file belongs to half A, on which thresholds are fitted; figures are reported on half B."""
    return hashlib.md5(file_name.encode(), usedforsecurity=False).digest()[-1] % 2 == 0


def read_int16(path: Path) -> NDArray[np.int16]:
    """A 16 kHz mono file as it is. Raises InputError for another rate or more channels."""
    pcm, rate = soundfile.read(path, dtype="int16")
    if rate != SAMPLE_RATE_HZ or pcm.ndim != 1:
        raise InputError("the benchmark needs 16 kHz, one channel", where=str(path), remedy="convert it")
    return np.asarray(pcm, np.int16)


def read_float(path: Path) -> NDArray[np.float64]:
    """The same in ±1, as the mixing rule takes it."""
    return read_int16(path).astype(np.float64) / 32768
