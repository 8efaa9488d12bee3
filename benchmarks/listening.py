"""Clips to rows: each is cut to its speech once, heard by the systems compared, and what they heard is kept."""

from __future__ import annotations

from typing import Any

from assistant.listen.clip import cut_clip
from assistant.listen.vad import VoiceActivity
from assistant.types import Utterance
from benchmarks.clips import Clip
from benchmarks.store import Shelf, Store
from benchmarks.systems import System


class Listening:
    """Hears clips with one voice activity detector; what was heard is kept."""

    def __init__(self, vad: VoiceActivity, store: Store) -> None:
        self.vad, self._store = vad, store
        self._shelves: dict[str, Shelf] = {}
        self._cut: tuple[Clip, Utterance] | None = None

    def hear(self, system: System, clip: Clip) -> Any:
        """The row that `system` makes of `clip`."""
        key = f"{system.key} {self.vad.name} {clip.kind}"
        if key not in self._shelves:
            self._shelves[key] = self._store.open(f"{system.name} {clip.kind}", key)
        shelf = self._shelves[key]
        row = shelf.get(clip.name)
        if row is None:
            row = system.hear(self._utterance(clip))
            shelf.put(clip.name, row)
        return row

    def _utterance(self, clip: Clip) -> Utterance:
        if self._cut is None or self._cut[0] != clip:
            self._cut = (clip, cut_clip(clip.load(), self.vad))
        return self._cut[1]
