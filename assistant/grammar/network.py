"""The context as a network of words: what may follow what, where a list is entered, which template a path ends in.

A list is a network of its own, entered by a call that names the slot and the node to return to, so that two hundred
devices in forty templates are stored once. Words are the stretches between spaces; a word that follows a list without a
space ("{brightness}%") is `glued`. Readers: the token acceptor, the meaning parser, the matcher.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from assistant.errors import ContextError
from assistant.grammar.spelling import number_writings, spellings
from assistant.grammar.tree import Choice, Context, ListRef, Node, NumberList, RuleRef, Sequence, Text, TextList

MAX_NUMBERS = 20_000
"""A number list with more values is refused: it would be a dictionary, not a slot."""


@dataclass(frozen=True, slots=True)
class WordArc:
    """A word to say on the way to node `to`; weight is a natural log."""

    word: str
    glued: bool
    to: int
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """Enter list `list`, remember its value as `slot`, go on at node `to`."""

    list: str
    slot: str
    to: int


@dataclass(slots=True)
class NetNode:
    """One node. `value` is set (to a 1-tuple) where a list value ends, `template` where a sentence ends."""

    words: list[WordArc] = field(default_factory=list)
    skips: list[tuple[int, float]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    value: tuple[Any] | None = None
    template: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """nodes[start] begins every sentence; entries[list] begins every list; wildcards have no entry."""

    context: Context
    nodes: tuple[NetNode, ...]
    start: int
    entries: dict[str, int]


def build_network(context: Context) -> Network:
    """Build the word network of `context`. Raises ContextError for number lists beyond MAX_NUMBERS."""
    return _Builder(context).build()


_FRAGMENT, _SPACE, _SKIP, _CALL = range(4)
_Arc = tuple[int, Any, int, float]
_After = tuple[int, bool]
"""A fragment state, and whether a space (or nothing) stands before it."""
_WordArc = tuple[int, Any, _After, float]


class _Builder:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._nodes: list[NetNode] = []
        self._fragments: list[list[_Arc]] = []
        self._text_arcs: dict[str, tuple[tuple[_Arc, ...], ...]] = {}

    def build(self) -> Network:
        start = self._node()
        for index, template in enumerate(self._context.templates):
            end = self._node()
            self._nodes[end].template = index
            self._nodes[start].skips.append((self._words(template.node, end), template.weight))
        entries: dict[str, int] = {}
        for name in self._used_lists():
            values = self._context.lists[name]
            if isinstance(values, TextList):
                entries[name] = self._text_list(values)
            elif isinstance(values, NumberList):
                entries[name] = self._number_list(values)
        return Network(self._context, tuple(self._nodes), start, entries)

    def _used_lists(self) -> list[str]:
        names = {call.list: None for node in self._nodes for call in node.calls}
        return list(names)

    def _node(self) -> int:
        self._nodes.append(NetNode())
        return len(self._nodes) - 1

    def _text_list(self, values: TextList) -> int:
        entry = self._node()
        for value in values.values:
            end = self._node()
            self._nodes[end].value = (value.value,)
            self._nodes[entry].skips.append((self._words(value.node, end), value.weight))
        return entry

    def _number_list(self, numbers: NumberList) -> int:
        count = (numbers.stop - numbers.start) // numbers.step + 1
        if count > MAX_NUMBERS:
            raise ContextError(
                f"list '{numbers.name}' holds {count:,} numbers, more than {MAX_NUMBERS:,}",
                where=str(numbers.place or ""),
                remedy="give it a larger step or a smaller range",
            )
        entry = self._node()
        for value in range(numbers.start, numbers.stop + 1, numbers.step):
            end = self._number_end(value, numbers)
            for writing in number_writings(value):
                self._chain(entry, writing.split(), end)
            if numbers.halves:
                half = self._number_end(value + 0.5, numbers)
                for writing in (*number_writings(value)[:1], str(value)):
                    self._chain(entry, [*writing.split(), "and", "a", "half"], half)
                self._chain(entry, [f"{value}.5"], half)
        return entry

    def _number_end(self, value: float, numbers: NumberList) -> int:
        end = self._node()
        scaled = value * numbers.multiplier
        self._nodes[end].value = (int(scaled) if float(scaled).is_integer() else scaled,)
        return end

    def _chain(self, at: int, words: list[str], end: int) -> None:
        for word in words[:-1]:
            following = self._node()
            self._nodes[at].words.append(WordArc(word, False, following))
            at = following
        self._nodes[at].words.append(WordArc(words[-1], False, end))

    # -- from a tree to fragments to words ------------------------------------------------------------------------

    def _words(self, tree: Node, end: int) -> int:
        """Words of `tree`, ending in node `end`; the node where they begin."""
        self._fragments = [[], []]
        self._expand(tree, 0, 1)
        made: dict[_After, int] = {(1, True): end, (1, False): end}
        first = self._node()
        made[(0, True)] = first
        todo = [(0, True)]
        while todo:
            state, spaced = todo.pop()
            node = self._nodes[made[(state, spaced)]]
            for kind, label, after, weight in self._word_arcs(state, spaced=spaced):
                if after not in made:
                    made[after] = self._node()
                    todo.append(after)
                if kind == _FRAGMENT:
                    node.words.append(WordArc(label[0], label[1], made[after], weight))
                elif kind == _CALL:
                    node.calls.append(Call(label.list, label.slot, made[after]))
                else:
                    node.skips.append((made[after], weight))
        return first

    def _word_arcs(self, state: int, *, spaced: bool) -> Iterator[_WordArc]:
        """Whole words, calls and the end, reachable from `state`; `spaced`: a space (or nothing) came before."""
        todo: list[tuple[int, str, bool, float]] = [(state, "", spaced, 0.0)]
        while todo:
            at, text, space, weight = todo.pop()
            if at == 1:
                yield _word(text, (1, True), weight, glued=not space)
            for kind, label, to, more in self._fragments[at]:
                if kind == _SKIP:
                    todo.append((to, text, space, weight + more))
                elif kind == _FRAGMENT:
                    todo.append((to, text + label, space, weight + more))
                elif kind == _SPACE and text:
                    yield _word(text, (to, True), weight + more, glued=not space)
                elif kind == _SPACE:
                    todo.append((to, "", True, weight + more))
                elif at == state and weight == 0.0 and not text:
                    yield _CALL, label, (to, False), 0.0
                else:  # a list after something: that ends first
                    yield _word(text, (at, space or bool(text)), weight, glued=not space)

    def _fragment(self) -> int:
        self._fragments.append([])
        return len(self._fragments) - 1

    def _expand(self, tree: Node, start: int, end: int, weight: float = 0.0) -> None:
        """Add arcs for `tree` between fragment states `start` and `end`."""
        if isinstance(tree, Text):
            self._expand_text(tree.text, start, end, weight)
        elif isinstance(tree, Sequence):
            at = start
            for index, item in enumerate(tree.items):
                to = end if index == len(tree.items) - 1 else self._fragment()
                self._expand(item, at, to, weight if index == 0 else 0.0)
                at = to
            if not tree.items:
                self._fragments[start].append((_SKIP, None, end, weight))
        elif isinstance(tree, Choice):
            weights = tree.weights or (0.0,) * len(tree.items)
            for item, own in zip(tree.items, weights, strict=True):
                self._expand(item, start, end, weight + own)
        elif isinstance(tree, ListRef):
            # A state of its own: words before the list end there, and must not go on with what stands beside the list.
            at = self._fragment()
            self._fragments[start].append((_SKIP, None, at, weight))
            self._fragments[at].append((_CALL, tree, end, 0.0))
        elif isinstance(tree, RuleRef):
            self._expand(self._context.rules[tree.rule], start, end, weight)

    def _expand_text(self, text: str, start: int, end: int, weight: float) -> None:
        for writing in spellings(text, self._context.settings.spellings):
            if not writing:
                self._fragments[start].append((_SKIP, None, end, weight))
                continue
            pieces = _split(writing)
            at = start
            for index, piece in enumerate(pieces):
                to = end if index == len(pieces) - 1 else self._fragment()
                kind = _SPACE if piece == " " else _FRAGMENT
                self._fragments[at].append((kind, piece, to, weight if index == 0 else 0.0))
                at = to


def _word(text: str, after: _After, weight: float, *, glued: bool) -> _WordArc:
    """The arc for `text`; a free move where there is no text."""
    return (_FRAGMENT, (text, glued), after, weight) if text else (_SKIP, None, after, weight)


@lru_cache(maxsize=10_000)
def _split(text: str) -> tuple[str, ...]:
    """Words and single spaces of `text`, in order."""
    pieces: list[str] = []
    for index, part in enumerate(text.replace("\n", " ").replace("\t", " ").split(" ")):
        if index and (not pieces or pieces[-1] != " "):
            pieces.append(" ")
        if part:
            pieces.append(part)
    return tuple(pieces)
