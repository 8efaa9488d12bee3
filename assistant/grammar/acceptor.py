"""A deterministic acceptor over tokens: which tokens may come next, and may the sentence end here?

Subset construction over sets of (position, stack of return nodes) with the weight left over (Mohri, Finite-State
Transducers in Language and Speech Processing, 1997: weighted determinisation), then merging of equal states from the
end backwards. `LazyAcceptor` determinises what is visited and works at once; `Acceptor` is the whole, minimised, in
arrays. Both answer the same three questions, so that the beam does not know which it has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assistant.errors import ContextError
from assistant.grammar.tokens import TokenNetwork
from assistant.grammar.tree import Context

MAX_STATES = 400_000
"""Deterministic states beyond which a context is refused (about 1 GB while compiling)."""
NOT_FINAL = -np.inf


@dataclass(frozen=True, slots=True, eq=False)
class Arcs:
    """Ways out of one state.

    tokens, to: int32, shape [arcs], sorted by token; weights: float32, shape [arcs], natural logs.
    final: weight of ending here, -inf if not allowed. wildcard: state after any other token, -1 if none.
    terminal: the sentence may end and nothing more can be said, only written: a full stop, a comma before one.
    """

    tokens: NDArray[np.int32]
    to: NDArray[np.int32]
    weights: NDArray[np.float32]
    final: float
    wildcard: int
    terminal: bool


class TokenAcceptor(Protocol):
    """What the beam asks."""

    @property
    def start(self) -> int: ...

    def arcs(self, state: int) -> Arcs:
        """Ways out of `state`."""
        ...


_Item = tuple[int, int]


class LazyAcceptor:
    """Determinises a state when it is first asked for."""

    start = 0

    def __init__(self, network: TokenNetwork, max_states: int = MAX_STATES) -> None:
        self._network = network
        self._max_states = max_states
        self._stacks: list[tuple[int, int]] = [(-1, -1)]
        self._stack_index: dict[tuple[int, int], int] = {}
        kernel = (((network.start, 0), 0.0),)
        self._kernels: list[tuple[tuple[_Item, float], ...]] = [kernel]
        self._states: dict[tuple[tuple[_Item, float], ...], int] = {kernel: 0}
        self._arcs: dict[int, Arcs] = {}

    def __len__(self) -> int:
        return len(self._kernels)

    def arcs(self, state: int) -> Arcs:
        """Ways out of `state`, computed once."""
        made = self._arcs.get(state)
        if made is None:
            made = self._arcs[state] = self._expand(state)
        return made

    def _expand(self, state: int) -> Arcs:
        closure = self._closure(self._kernels[state])
        reached: dict[int, dict[_Item, float]] = {}
        free: dict[_Item, float] = {}
        final = NOT_FINAL
        for (number, stack), weight in closure.items():
            position = self._network[number]
            if position.final:
                final = max(final, weight)
            for token, targets in position.arcs.items():
                into = reached.setdefault(token, {})
                for to, more in targets:
                    _keep(into, (to, stack), weight + more)
            if position.wildcard >= 0:
                _keep(free, (position.wildcard, stack), weight)
        for token, into in reached.items():
            # A full stop ends free words too: a recogniser in a loop writes one sentence after another.
            for item, weight in free.items() if token not in self._network.marks else ():
                _keep(into, item, weight)
        terminal = final > NOT_FINAL and not free and self._is_silent(reached)
        tokens = sorted(reached)
        moves = [self._state(reached[token]) for token in tokens]
        wildcard = self._numbered(free, 0.0) if free else -1  # no arc takes its weight, so it stays with the items
        return Arcs(
            np.array(tokens, np.int32),
            np.array([to for to, _ in moves], np.int32),
            np.array([weight for _, weight in moves], np.float32),
            float(np.float32(final)),  # as the compiled acceptor keeps it
            wildcard,
            terminal,
        )

    def _is_silent(self, reached: dict[int, dict[_Item, float]]) -> bool:
        """True if nothing can be said on the way on: marks, or a comma or hyphen with silence behind it."""
        marks, pauses = self._network.marks, self._network.pauses
        return all(token in marks or token in pauses for token in reached) and all(
            self.arcs(self._state(reached[token])[0]).terminal for token in pauses if token in reached
        )

    def _closure(self, kernel: tuple[tuple[_Item, float], ...]) -> dict[_Item, float]:
        """All items reachable without a token, each with its best weight."""
        best: dict[_Item, float] = {}
        todo = list(kernel)
        network = self._network
        while todo:
            item, weight = todo.pop()
            if item in best and best[item] >= weight:
                continue
            best[item] = weight
            number, stack = item
            position = network[number]
            for to, more in position.skips:
                todo.append(((to, stack), weight + more))
            for entry, after in position.calls:
                todo.append(((entry, self._push(after, stack)), weight))
            if position.returns is not None and stack:
                after, below = self._stacks[stack]
                todo.append(((network.at(after, position.returns), below), weight))
        return best

    def _push(self, after: int, below: int) -> int:
        key = (after, below)
        if key not in self._stack_index:
            self._stack_index[key] = len(self._stacks)
            self._stacks.append(key)
        return self._stack_index[key]

    def _state(self, items: dict[_Item, float]) -> tuple[int, float]:
        """The state with these items, and the weight that moves onto the arc."""
        best = max(items.values())
        return self._numbered(items, best), best

    def _numbered(self, items: dict[_Item, float], taken: float) -> int:
        """The state with these items when the weight `taken` is theirs no longer."""
        kernel = tuple(sorted((item, round(weight - taken, 4)) for item, weight in items.items()))
        state = self._states.get(kernel)
        if state is None:
            state = self._states[kernel] = len(self._kernels)
            if state >= self._max_states:
                raise _too_large(self._network.network.context, self._max_states)
            self._kernels.append(kernel)
        return state


def _too_large(context: Context, max_states: int) -> ContextError:
    """Says how many sentences there are and which template, rules and lists make them so many."""
    from assistant.grammar.count import count, largest  # reads sentences: a compiled context is loaded without that

    cause = largest(context)
    parts = " and ".join(f"{name} ({size:,})" for name, size in cause.parts[:2] if size > 1)
    by_way = f", by way of {parts}" if parts else ""
    where = f"{context.folder}/{cause.template.place}" if cause.template.place else context.name
    grown = f"the acceptor of the context's {count(context):,} sentences grows beyond {max_states:,} states"
    if cause.sentences < len(context.templates):
        written = (
            f"{grown}; its {len(context.templates):,} templates say few sentences each, {cause.sentences:,} at most"
        )
        return ContextError(written, where=where, remedy="make lists and alternatives of what sentences share")
    return ContextError(
        f"{grown}; {cause.sentences:,} of them are this template's{by_way}",
        where=where,
        remedy="split or shorten what makes them so many",
    )


def _keep(into: dict[_Item, float], item: _Item, weight: float) -> None:
    if into.get(item, NOT_FINAL) < weight:
        into[item] = weight


@dataclass(frozen=True, slots=True, eq=False)
class Acceptor:
    """The whole minimised automaton in compressed rows; state 0 is the start.

    offsets: int32 [states + 1]; tokens, to: int32 [arcs]; weights: float32 [arcs]; final: float32 [states];
    wildcard: int32 [states]; terminal: bool [states].
    """

    offsets: NDArray[np.int32]
    tokens: NDArray[np.int32]
    to: NDArray[np.int32]
    weights: NDArray[np.float32]
    final: NDArray[np.float32]
    wildcard: NDArray[np.int32]
    terminal: NDArray[np.bool_]
    start: int = 0

    def __len__(self) -> int:
        return len(self.final)

    def arcs(self, state: int) -> Arcs:
        """Ways out of `state`: views, nothing is copied."""
        rows = slice(self.offsets[state], self.offsets[state + 1])
        return Arcs(
            self.tokens[rows],
            self.to[rows],
            self.weights[rows],
            float(self.final[state]),
            int(self.wildcard[state]),
            bool(self.terminal[state]),
        )


def compile_acceptor(network: TokenNetwork, max_states: int = MAX_STATES) -> Acceptor:
    """Determinise all of `network` and merge equal states. Raises ContextError when it grows beyond `max_states`."""
    lazy = LazyAcceptor(network, max_states)
    rows: list[Arcs] = []
    while len(rows) < len(lazy):
        rows.append(lazy.arcs(len(rows)))
    acceptor = _pack(rows, _merge(rows))
    if (acceptor.wildcard < 0).all():
        return acceptor
    return _pack([acceptor.arcs(state) for state in range(len(acceptor))], _bisimilar(acceptor))


def _merge(rows: list[Arcs]) -> list[int]:
    """Class of each state: equal final weight and equal ways on into equal classes. States in a loop stay apart."""
    classes = [-1] * len(rows)
    signatures: dict[object, int] = {}
    fresh = 0
    for state, row in enumerate(rows):
        if row.wildcard >= 0:
            classes[state] = fresh
            fresh += 1
    for state in _backwards(rows):
        if classes[state] >= 0:
            continue
        row = rows[state]
        signature = (
            row.final,
            row.tokens.tobytes(),
            row.weights.tobytes(),
            tuple(classes[to] for to in row.to.tolist()),
        )
        if signature not in signatures:
            signatures[signature] = fresh
            fresh += 1
        classes[state] = signatures[signature]
    return classes


def _backwards(rows: list[Arcs]) -> list[int]:
    """Post-order from the start; loops go only through wildcard states, which need no order."""
    seen = bytearray(len(rows))
    order: list[int] = []
    todo: list[tuple[int, bool]] = [(0, False)]
    while todo:
        state, done = todo.pop()
        if done:
            order.append(state)
            continue
        if seen[state]:
            continue
        seen[state] = 1
        todo.append((state, True))
        following = rows[state].to.tolist()
        if rows[state].wildcard >= 0:
            following.append(rows[state].wildcard)
        todo.extend((to, False) for to in following if not seen[to])
    return order


def _bisimilar(acceptor: Acceptor) -> list[int]:
    """Class of each state, loops included: split by what states answer until nothing changes (Moore 1956).

    Costs a round per token of the longest wording, so it runs on what `_merge` has left.
    """
    a, rows = acceptor, [acceptor.arcs(state) for state in range(len(acceptor))]
    answers = [(row.final, row.wildcard >= 0, row.tokens.tobytes(), row.weights.tobytes()) for row in rows]
    classes = _numbered(answers)
    while True:
        to, wild = classes[a.to], np.where(a.wildcard >= 0, classes[a.wildcard], -1)
        refined = _numbered(
            (classes[state], wild[state], to[a.offsets[state] : a.offsets[state + 1]].tobytes())
            for state in range(len(a))
        )
        if refined.max() == classes.max():
            return [int(c) for c in refined]
        classes = refined


def _numbered(things: Iterable[object]) -> NDArray[np.int32]:
    """Equal things get equal numbers, from 0 in the order in which they appear."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(thing, len(numbers)) for thing in things], np.int32)


def _pack(rows: list[Arcs], classes: list[int]) -> Acceptor:
    """One state for each class, numbered in the order of `rows`."""
    order: dict[int, int] = {}
    kept: list[Arcs] = []
    for state, row in enumerate(rows):
        if classes[state] not in order:
            order[classes[state]] = len(order)
            kept.append(row)
    number = np.array([order[c] for c in classes], np.int32)
    offsets = np.zeros(len(kept) + 1, np.int32)
    offsets[1:] = np.cumsum([len(row.tokens) for row in kept])
    return Acceptor(
        offsets,
        np.concatenate([row.tokens for row in kept]),
        number[np.concatenate([row.to for row in kept])],
        np.concatenate([row.weights for row in kept]),
        np.array([row.final for row in kept], np.float32),
        np.array([number[row.wildcard] if row.wildcard >= 0 else -1 for row in kept], np.int32),
        np.array([row.terminal for row in kept], np.bool_),
    )
