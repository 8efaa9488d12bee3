"""The internal language model of the decoder over a grammar: what it expects to hear next when it hears nothing.

`ILM[state][token] = log p(token | one prefix that leads to state, silence)`: the decoder runs once per state, along a
spanning tree of the acceptor, on encoded silence. Subtracting it in the beam (lambda about 0.4) takes away the
decoder's liking for short and common sentences, and with it most errors in noise (internal LM estimation:
Meng et al., arXiv 2011.01991; here it is exact for the grammar because the grammar is finite).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assistant.grammar.acceptor import Acceptor
from assistant.recognize.moonshine.columns import Columns, log_sum_exp
from assistant.recognize.moonshine.model import Encoded, Model, Past
from assistant.recognize.moonshine.tokenizer import START

SILENCE_S = 1.0
BATCH = 64
"""States decoded in one step; more costs memory and gains nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """arcs: float32 [arcs] beside the acceptor's tokens; ends: float32 [states], log p(end).

    free: float32 [columns], what is expected inside wildcards, the mean over their states; empty where there are none.
    """

    arcs: NDArray[np.float32]
    ends: NDArray[np.float32]
    free: NDArray[np.float32]


def encode_silence(model: Model) -> Encoded:
    """The encoder's view of nothing."""
    return model.encode(np.zeros(int(SILENCE_S * 16_000), np.float32))


@dataclass(slots=True)
class _Batch:
    """States at one depth with the token that led to each and the row of `past` that it continues."""

    states: list[int]
    tokens: list[int]
    rows: list[int]
    past: Past
    depth: int


def build_table(
    acceptor: Acceptor, columns: Columns, model: Model, progress: Callable[[int, int], None] | None = None
) -> Table:
    """Run the decoder along a spanning tree of `acceptor`; `progress` is told (states done, states)."""
    silence = encode_silence(model)
    wild = int((acceptor.wildcard >= 0).sum())
    free = np.zeros(len(columns.tokens) if wild else 0, np.float32)
    table = Table(np.zeros(len(acceptor.tokens), np.float32), np.zeros(len(acceptor), np.float32), free)
    seen = np.zeros(len(acceptor), bool)
    seen[acceptor.start] = True
    todo = [_Batch([acceptor.start], [START], [0], model.begin(), 0)]
    done = 0
    while todo:
        batch = todo.pop()
        step = model.step(
            silence, np.array(batch.tokens, np.int64), np.array(batch.rows, np.int64), batch.depth, batch.past
        )
        logits = columns.extend(step)
        _fill(table, acceptor, columns, batch.states, logits)
        done += len(batch.states)
        if progress is not None:
            progress(done, len(acceptor))
        todo.extend(_children(acceptor, batch, step.past, seen))
    table.free[:] /= max(wild, 1)
    return table


def _fill(table: Table, acceptor: Acceptor, columns: Columns, states: list[int], logits: NDArray[np.float32]) -> None:
    norm = log_sum_exp(logits)
    for row, state in enumerate(states):
        arcs = slice(acceptor.offsets[state], acceptor.offsets[state + 1])
        table.arcs[arcs] = logits[row, columns.arcs[arcs]] - norm[row]
        table.ends[state] = logits[row, columns.end] - norm[row]
        if acceptor.wildcard[state] >= 0:
            table.free[:] += logits[row] - norm[row]


def _children(acceptor: Acceptor, batch: _Batch, past: Past, seen: NDArray[np.bool_]) -> list[_Batch]:
    """New states one token further, in batches; the deepest are done first so that few pasts are kept."""
    states: list[int] = []
    tokens: list[int] = []
    rows: list[int] = []
    for row, state in enumerate(batch.states):
        arcs = acceptor.arcs(state)
        for token, to in zip(arcs.tokens.tolist(), arcs.to.tolist(), strict=True):
            if not seen[to]:
                seen[to] = True
                states.append(to)
                tokens.append(token)
                rows.append(row)
        if arcs.wildcard >= 0 and not seen[arcs.wildcard]:
            seen[arcs.wildcard] = True
            states.append(arcs.wildcard)
            tokens.append(_A_THING)
            rows.append(row)
    return [
        _Batch(states[i : i + BATCH], tokens[i : i + BATCH], rows[i : i + BATCH], past, batch.depth + 1)
        for i in range(0, len(states), BATCH)
    ]


_A_THING = 2655
"""Token that stands for the unknown words of a wildcard in a prefix ("▁thing")."""
