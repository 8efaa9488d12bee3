"""A second witness beside the fused net: what the net for sound alone says of meanings that the recogniser found.

It reads the same encoder states and knows nothing of words, attention or scores, so that its agreement is worth
something beside them. One run for all meanings; only of a bundle that was made for the context.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.types import Hypothesis
from assistant.understand.fused.heads import FLOOR, OUTSIDE, Basis, log_p_of, open_sound
from assistant.understand.fused.manifest import INTENT, Head, Manifest, SoundNet
from assistant.understand.fused.net import as_model_error

Floats = NDArray[np.float32]

LEAST = float(np.log(FLOOR))


@dataclass(frozen=True, slots=True, eq=False)
class Witness:
    """An open net for sound alone. Not thread-safe. labels: of each output, the number of each label."""

    net: SoundNet
    heads: Mapping[str, Head]
    labels: Mapping[str, Mapping[str, int]]
    basis: Basis
    run: Callable[..., Mapping[str, Any]]
    path: Path

    def of(self, states: Floats, hypotheses: Sequence[Hypothesis]) -> list[tuple[float, float]]:
        """For each meaning its log-probability, and that of its least likely part relative to the likeliest there.

        states: float32 [frames, dim], of the encoder. Raises ModelError.
        """
        frames = self.basis.frames(states, self.net.frames, self.net.pool)
        with as_model_error(self.path):
            logits = self.run(frames=frames[None])
        log_p = {name: log_p_of(np.ravel(logits[name]), self.net.temperature) for name in self.heads}
        return [self._says(log_p, h) for h in hypotheses]

    def _says(self, log_p: Mapping[str, Floats], h: Hypothesis) -> tuple[float, float]:
        total = faintest = 0.0
        for name, head in self.heads.items():
            value = h.intent if name == INTENT else h.slots.get(head.slot, OUTSIDE)
            number = self.labels[name].get(OUTSIDE if value is None else str(value))
            p = LEAST if number is None else float(log_p[name][number])
            total += p
            faintest = min(faintest, p - float(log_p[name].max()))
        return total, faintest


def open_witness(folder: Path, manifest: Manifest, interpreter: Callable[..., Any]) -> Witness | None:
    """The net for sound alone of the bundle in `folder`; None where it has none. Raises ModelError."""
    net = manifest.sound
    if net is None:
        return None
    basis, run = open_sound(folder, net, manifest.heads, interpreter)
    labels = {name: {label: i for i, label in enumerate(head.labels)} for name, head in manifest.heads.items()}
    return Witness(net, manifest.heads, labels, basis, run, folder / net.file)
