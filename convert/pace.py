"""How fast a net learns: AdamW with warm-up and cosine decay, the same for all nets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

COLD = 20
"""The highest learning rate is so many times that of the first step."""
LAST_RATE = 0.01
"""Share of it that is left in the end."""


@dataclass(frozen=True, slots=True)
class Pace:
    """epochs: at most; batch: utterances; rate: the highest, after warm_up (a share of all steps)."""

    epochs: int = 24
    batch: int = 28
    rate: float = 2e-3
    warm_up: float = 0.06
    weight_decay: float = 1e-3


def optimizer_of(keras: Any, pace: Pace, each: int) -> Any:
    """AdamW. each: steps of an epoch."""
    steps = each * pace.epochs
    warm = int(pace.warm_up * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=pace.rate / COLD,
        decay_steps=max(steps - warm, 1),
        warmup_target=pace.rate,
        warmup_steps=max(warm, 1),
        alpha=LAST_RATE,
    )
    return keras.optimizers.AdamW(rate, weight_decay=pace.weight_decay)
