"""The word network seen through a recogniser's tokenizer: positions, token arcs, list calls; made as they are visited.

A position is a place between two tokens. The same node has three: plain, at the start of the sentence (a capital is
allowed) and glued to what came before (no leading space). After a list value a comma may be written, after a number a
hyphen ("5-minute"), after a sentence a full stop, question or exclamation mark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from assistant.grammar.network import Network, WordArc
from assistant.grammar.tree import Wildcard

PLAIN, START, GLUED = range(3)
SENTENCE_MARKS = (".", "?", "!")


class Spelling(Protocol):
    """What the acceptor needs of a tokenizer."""

    def encode_word(self, word: str, *, glued: bool = False) -> tuple[int, ...]:
        """Canonical tokens of one word."""
        ...


@dataclass(slots=True)
class Position:
    """arcs: token → (position, weight) …; skips: free moves; calls: (list entry position, return node).

    returns: None, or the mode in which the return node is entered. final: a sentence may end here.
    wildcard: position after one free token, or -1. node: the network's node that it stands at, or -1 inside a word.
    """

    arcs: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    skips: list[tuple[int, float]] = field(default_factory=list)
    calls: list[tuple[int, int]] = field(default_factory=list)
    returns: int | None = None
    final: bool = False
    wildcard: int = -1
    node: int = -1


class TokenNetwork:
    """Positions by number, built on first visit. Not thread-safe: one builder at a time.

    marks: token of a full stop, question or exclamation mark → what follows it: `closed`. pauses: comma and hyphen.
    """

    def __init__(self, network: Network, spelling: Spelling) -> None:
        self.network = network
        self._spelling = spelling
        self._made: list[Position] = []
        self._index: dict[tuple[int, int], int] = {}
        self._pending: dict[int, Callable[[Position], None]] = {}
        self._wildcards: dict[int, int] = {}
        self._inside: set[int] = set()
        self._comma, self._hyphen = (spelling.encode_word(mark, glued=True)[0] for mark in (",", "-"))
        self.pauses = (self._comma, self._hyphen)
        self.closed = self._add(Position(final=True))
        marks = [spelling.encode_word(mark, glued=True)[0] for mark in SENTENCE_MARKS]
        self.marks = {mark: [(self.closed, 0.0)] for mark in marks}
        self._after_comma = self._add(Position(returns=PLAIN))
        self._after_hyphen = self._add(Position(returns=GLUED))
        self.start = self.at(network.start, START)

    def __len__(self) -> int:
        return len(self._made)

    def at(self, node: int, mode: int) -> int:
        """Number of the position at `node` in `mode`."""
        key = (node, mode)
        if key not in self._index:
            self._index[key] = self._add(Position())
            self._pending[self._index[key]] = lambda position: self._fill(position, node, mode)
        return self._index[key]

    def __getitem__(self, number: int) -> Position:
        position = self._made[number]
        fill = self._pending.pop(number, None)
        if fill is not None:
            fill(position)
        return position

    def _add(self, position: Position) -> int:
        self._made.append(position)
        return len(self._made) - 1

    def _fill(self, position: Position, number: int, mode: int) -> None:
        node = self.network.nodes[number]
        position.node = number
        for arc in node.words:
            for tokens in self._writings(arc, mode):
                self._spell(position, tokens, self.at(arc.to, PLAIN), arc.weight)
        for to, weight in node.skips:
            position.skips.append((self.at(to, mode), weight))
        for call in node.calls:
            position.calls.append((self._entry(call.list, mode), call.to))
        if node.value is not None:
            position.returns = PLAIN
            position.arcs[self._comma] = [(self._after_comma, 0.0)]
            if isinstance(node.value[0], int | float) and not isinstance(node.value[0], bool):
                position.arcs[self._hyphen] = [(self._after_hyphen, 0.0)]
        if node.template is not None:
            position.final = True
            position.arcs.update(self.marks)

    def _entry(self, name: str, mode: int) -> int:
        if isinstance(self.network.context.lists[name], Wildcard):
            return self._wildcard(mode)
        return self.at(self.network.entries[name], mode)

    def _wildcard(self, mode: int) -> int:
        """One free token or more."""
        if mode not in self._wildcards:
            inside = self._add(Position(returns=PLAIN))
            self._made[inside].wildcard = inside
            self._wildcards[mode] = self._add(Position(wildcard=inside))
        return self._wildcards[mode]

    def _writings(self, arc: WordArc, mode: int) -> set[tuple[int, ...]]:
        words = {arc.word, arc.word.lower()}
        if mode == START:
            words |= {word[:1].upper() + word[1:] for word in words}
        return {self._spelling.encode_word(word, glued=arc.glued or mode == GLUED) for word in words}

    def _spell(self, position: Position, tokens: tuple[int, ...], end: int, weight: float) -> None:
        for token in tokens[:-1]:
            inner = next((to for to, _ in position.arcs.get(token, ()) if to in self._inside), -1)
            if inner < 0:
                inner = self._add(Position())
                self._inside.add(inner)
                position.arcs.setdefault(token, []).append((inner, 0.0))
            position = self._made[inner]
        position.arcs.setdefault(tokens[-1], []).append((end, weight))
