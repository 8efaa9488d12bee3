"""What was heard, encoder states and attention included, kept between runs: a net is then judged in seconds.

One compressed file a clip, in a folder whose name holds a hash of all that the result depends on. Half precision.
Several runs may keep and read the same files at once.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from assistant.listen.clip import cut_clip
from assistant.listen.vad import VoiceActivity
from assistant.recognize.moonshine.engine import Moonshine
from assistant.recognize.moonshine.grammar import MoonshineGrammar
from assistant.types import Transcript, frozen_array
from assistant.understand.fused.source import Sound, States
from benchmarks.clips import Clip
from benchmarks.store import code_key, transcript_of, transcript_row


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """transcript: with states, attention and vectors; sound: its other side, None where nothing was recognised."""

    transcript: Transcript
    sound: Sound | None


class StatesStore:
    """Hears clips under one prepared context and keeps what the features need, below `folder`."""

    def __init__(self, engine: Moonshine, prepared: MoonshineGrammar, vad: VoiceActivity, folder: Path) -> None:
        self._engine, self._prepared, self._vad = engine, prepared, vad
        settings = prepared.context.settings
        tuned = (settings.lambda_, settings.prune, settings.rerank, settings.token_penalty)
        self._key = f"{code_key()} {engine.variant} {prepared.context.hash} {tuned} {vad.name}"
        self._folder = folder

    def hear(self, clip: Clip) -> Heard:
        """What was heard in `clip`, now or in an earlier run."""
        digest = hashlib.sha256(f"{self._key} {clip.kind}".encode()).hexdigest()[:16]
        plain = "".join(c if c.isalnum() else "-" for c in f"{self._prepared.context.name} {clip.kind}")
        path = self._folder / f"{plain}-{digest}" / f"{clip.name}.npz"
        if not path.is_file():
            self._keep(clip, path)
        try:
            return self._read(path)
        except (zipfile.BadZipFile, ValueError, KeyError):  # the disk lost some of it
            self._keep(clip, path)
            return self._read(path)

    def _keep(self, clip: Clip, path: Path) -> None:
        utterance = cut_clip(clip.load(), self._vad)
        transcript = self._engine.open(self._prepared).finish(utterance)
        row = json.dumps(transcript_row(transcript)).encode()
        arrays: dict[str, Any] = {"row": np.frombuffer(row, np.uint8)}
        source = States()
        if source.sees(transcript):
            sound = source.sound(utterance, transcript)
            attention = [h.attention for h in transcript.hypotheses if h.attention is not None]
            arrays |= {
                "states": sound.states.astype(np.float16),
                "start_s": np.array(sound.start_s),
                "voice": sound.voice.astype(np.float16),
                "level_db": sound.level_db.astype(np.float16),
                "attention": np.concatenate(attention).astype(np.float16),
            }
        path.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(path, arrays)

    def _read(self, path: Path) -> Heard:
        with np.load(path) as file:
            transcript = transcript_of(json.loads(file["row"].tobytes()))
            if "states" not in file:
                return Heard(transcript, None)
            read = {name: file[name].astype(np.float32) for name in ("states", "voice", "level_db", "attention")}
            start_s = float(file["start_s"])
        lengths = np.cumsum([len(h.tokens) for h in transcript.hypotheses])[:-1]
        parts = np.split(read["attention"], lengths)
        vectors = self._engine.model.vectors_of
        hypotheses = tuple(
            replace(h, attention=frozen_array(part), vectors=frozen_array(vectors(h.tokens)))
            for h, part in zip(transcript.hypotheses, parts, strict=True)
        )
        sound = Sound(read["states"], start_s, read["voice"], read["level_db"])
        return Heard(replace(transcript, hypotheses=hypotheses, states=read["states"], decoded_start_s=start_s), sound)


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write `arrays` as one file, beside and renamed: who reads `path` finds all of it, or what was there before."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as beside:
        try:
            np.savez_compressed(beside, **arrays)
        except BaseException:
            Path(beside.name).unlink()
            raise
    Path(beside.name).replace(path)
