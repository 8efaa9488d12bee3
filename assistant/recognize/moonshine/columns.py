"""Which column of the output layer belongs to which arc: the base vocabulary, then the context's rarer tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assistant.recognize.moonshine.model import Model, Step
from assistant.recognize.moonshine.tokenizer import END


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """arcs: int32 [arcs], column of each arc's token; end: column of the end token.

    extra: float32 [288, rare tokens], output weights of tokens outside the base vocabulary.
    free: int32 [columns], token that a wildcard may take, -1 where it may not; tokens: int32 [columns].
    """

    arcs: NDArray[np.int32]
    end: int
    extra: NDArray[np.float32]
    tokens: NDArray[np.int32]
    free: NDArray[np.int32]

    def extend(self, step: Step) -> NDArray[np.float32]:
        """Logits of base and rare tokens, float32 [beam, columns]."""
        if not self.extra.size:
            return step.logits
        return np.concatenate([step.logits, step.hidden @ self.extra], axis=1)


def columns_for(model: Model, arc_tokens: NDArray[np.int32]) -> Columns:
    """Columns for the tokens of an acceptor's arcs."""
    column = model.column
    rare = np.unique(arc_tokens[column[arc_tokens] < 0])
    if not len(rare):
        return Columns(column[arc_tokens], int(column[END]), _NONE, model.vocabulary, model.free)
    column = column.copy()
    column[rare] = len(model.vocabulary) + np.arange(len(rare), dtype=np.int32)
    tokens = np.concatenate([model.vocabulary, rare])
    free = np.concatenate([model.free, model.text_tokens(rare)])
    return Columns(column[arc_tokens], int(column[END]), model.columns_of(rare), tokens, free)


_NONE = np.zeros((0, 0), np.float32)


def log_sum_exp(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """log of the sum of exponentials over the last axis."""
    top = logits.max(axis=-1)
    result: NDArray[np.float32] = top + np.log(np.exp(logits - top[..., None]).sum(axis=-1))
    return result
