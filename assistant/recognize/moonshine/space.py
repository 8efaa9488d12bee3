"""What the beam searches: for the rows of a beam, every token that the grammar allows next, with its expectation (ILM).

`CompiledSpace` reads arrays (acceptor and table). `LazySpace` determinises as it goes and runs the decoder on silence
beside the beam: exact for each prefix, dearer, and there from the first second on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assistant.grammar.acceptor import Acceptor, Arcs, LazyAcceptor
from assistant.recognize.moonshine.columns import Columns, columns_for, log_sum_exp
from assistant.recognize.moonshine.model import Encoded, Model, Past
from assistant.recognize.moonshine.table import Table


@dataclass(frozen=True, slots=True, eq=False)
class Ways:
    """All arcs out of the beam's rows, flat.

    row, token, to, column: int32 [ways]; ilm, weight: float32 [ways].
    end_row: int32 [ends]; end_ilm, end_weight: float32 [ends]; terminal: bool [ends].
    free: (row, state after, whole ILM row) where any token is allowed.
    columns: how columns map to tokens now (a lazy grammar finds rare tokens as it goes).
    """

    row: NDArray[np.int32]
    token: NDArray[np.int32]
    to: NDArray[np.int32]
    column: NDArray[np.int32]
    ilm: NDArray[np.float32]
    weight: NDArray[np.float32]
    end_row: NDArray[np.int32]
    end_ilm: NDArray[np.float32]
    end_weight: NDArray[np.float32]
    terminal: NDArray[np.bool_]
    free: list[tuple[int, int, NDArray[np.float32]]]
    columns: Columns


class Space(Protocol):
    """A grammar as the beam sees it, for one utterance."""

    @property
    def start(self) -> int: ...

    @property
    def marks(self) -> frozenset[int]:
        """Tokens that may close a sentence: full stop, question and exclamation mark."""
        ...

    def ways(self, states: NDArray[np.int32], tokens: NDArray[np.int64], parents: NDArray[np.int64], at: int) -> Ways:
        """Arcs out of `states`; row i took tokens[i] from old row parents[i] to get there, at position `at`."""
        ...


class CompiledSpace:
    """An acceptor with its table."""

    def __init__(self, acceptor: Acceptor, table: Table, columns: Columns, marks: frozenset[int]) -> None:
        self._acceptor, self._table, self._columns = acceptor, table, columns
        self.marks = marks
        self.start = acceptor.start

    def ways(self, states: NDArray[np.int32], tokens: NDArray[np.int64], parents: NDArray[np.int64], at: int) -> Ways:
        """Arcs out of `states`, gathered from the compressed rows."""
        del tokens, parents, at
        a, table = self._acceptor, self._table
        first, counts = a.offsets[states], a.offsets[states + 1] - a.offsets[states]
        row = np.repeat(np.arange(len(states), dtype=np.int32), counts)
        arc = np.arange(len(row), dtype=np.int32) + np.repeat(first - np.cumsum(counts) + counts, counts)
        ends = np.flatnonzero(a.final[states] > -np.inf).astype(np.int32)
        free = [(int(i), int(a.wildcard[states[i]]), table.free) for i in np.flatnonzero(a.wildcard[states] >= 0)]
        return Ways(
            row=row,
            token=a.tokens[arc],
            to=a.to[arc],
            column=self._columns.arcs[arc],
            ilm=table.arcs[arc],
            weight=a.weights[arc],
            end_row=ends,
            end_ilm=table.ends[states[ends]],
            end_weight=a.final[states[ends]],
            terminal=a.terminal[states[ends]],
            free=free,
            columns=self._columns,
        )


class LazySpace:
    """A lazy acceptor, with silence decoded beside the beam. One utterance; not thread-safe."""

    def __init__(self, acceptor: LazyAcceptor, model: Model, silence: Encoded) -> None:
        self._acceptor, self._model, self._silence = acceptor, model, silence
        self._past: Past = model.begin()
        self.marks = model.marks
        self.start = acceptor.start

    def ways(self, states: NDArray[np.int32], tokens: NDArray[np.int64], parents: NDArray[np.int64], at: int) -> Ways:
        """Arcs out of `states`, determinised now; one decoder step on silence gives their expectations."""
        step = self._model.step(self._silence, tokens, parents, at, self._past)
        self._past = step.past
        arcs: list[Arcs] = [self._acceptor.arcs(int(state)) for state in states]
        counts = [len(a.tokens) for a in arcs]
        row = np.repeat(np.arange(len(states), dtype=np.int32), counts)
        token = np.concatenate([a.tokens for a in arcs])
        columns = columns_for(self._model, token)
        logits = columns.extend(step)
        log_p = logits - log_sum_exp(logits)[:, None]
        ends = np.array([i for i, a in enumerate(arcs) if a.final > -np.inf], np.int32)
        return Ways(
            row=row,
            token=token,
            to=np.concatenate([a.to for a in arcs]),
            column=columns.arcs,
            ilm=log_p[row, columns.arcs],
            weight=np.concatenate([a.weights for a in arcs]),
            end_row=ends,
            end_ilm=log_p[ends, columns.end],
            end_weight=np.array([arcs[i].final for i in ends], np.float32),
            terminal=np.array([arcs[i].terminal for i in ends], np.bool_),
            free=[(i, a.wildcard, log_p[i]) for i, a in enumerate(arcs) if a.wildcard >= 0],
            columns=columns,
        )
