"""The deterministic acceptor over words that the linter compares sentences with.

Subset construction over the word network: a state holds every place in the grammar to which the same words lead, so a
final state with two intents *is* an ambiguity, and the words that lead there are its witness. Words are lower case; a
word glued to a list before it ("{brightness}%") begins with GLUE; a wildcard's other words are all ANY. Digits are left
out where the same number can be said in words.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field

from assistant.errors import ContextError
from assistant.grammar.network import Network
from assistant.grammar.tree import Wildcard

MAX_WORD_STATES = 200_000
ANY = "…"
GLUE = "\b"

_DIGITS = re.compile(r"\d+(\.\d+)?(-.*)?")
_WAITING, _INSIDE = -1, -2  # nodes of a wildcard: before its first word, after it

_Position = tuple[int, int]  # node, and the node to return to from its list (-1: none)


@dataclass(slots=True)
class WordState:
    """arcs: word → state. ends: labels of what ends here. before: (state, word) by which it was first reached."""

    arcs: dict[str, int] = field(default_factory=dict)
    ends: frozenset[Hashable] = frozenset()
    before: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class WordAcceptor:
    """states[0] is the start; labels_below[state]: all labels that can still be reached."""

    states: tuple[WordState, ...]
    labels_below: tuple[frozenset[Hashable], ...]

    def words_to(self, state: int) -> list[str]:
        """The shortest words that lead to a state."""
        words: list[str] = []
        while (before := self.states[state].before) is not None:
            words.append(before[1])
            state = before[0]
        return words[::-1]

    def follow(self, state: int, words: Iterable[str]) -> WordState | None:
        """The state after `words`, None if they lead nowhere."""
        for word in words:
            if word not in self.states[state].arcs:
                return None
            state = self.states[state].arcs[word]
        return self.states[state]

    def words_from(self, left: int, right: int, differs: Callable[[WordState, WordState], bool]) -> list[str] | None:
        """The shortest words that lead from two states to two ends for which `differs` is true; None if none do."""
        seen = {(left, right): None}
        before: dict[tuple[int, int], tuple[tuple[int, int], str]] = {}
        todo = deque(seen)
        while todo and len(seen) < MAX_WORD_STATES // 20:
            pair = todo.popleft()
            first, second = self.states[pair[0]], self.states[pair[1]]
            if first.ends and second.ends and differs(first, second):
                words = []
                while pair in before:
                    pair, word = before[pair]
                    words.append(word)
                return words[::-1]
            for word in first.arcs.keys() & second.arcs.keys():
                after = (first.arcs[word], second.arcs[word])
                # Where both have come together nothing can differ any more.
                if after not in seen and after[0] != after[1]:
                    seen[after] = None
                    before[after] = (pair, word)
                    todo.append(after)
        return None


def spoken(words: Iterable[str]) -> str:
    """Words of an acceptor as a sentence."""
    return " ".join(words).replace(f" {GLUE}", "").replace(GLUE, "")


def sentence_acceptor(network: Network, label: Callable[[int], Hashable]) -> WordAcceptor:
    """The acceptor of all sentences; an end bears `label(index of the template)`. Raises ContextError if too large."""
    return _Builder(network, label, network.start).build()


def list_acceptor(network: Network, name: str) -> WordAcceptor:
    """The acceptor of one list's wordings; an end bears the values. Raises ContextError if too large."""
    return _Builder(network, None, network.entries[name]).build()


class _Builder:
    def __init__(self, network: Network, label: Callable[[int], Hashable] | None, start: int) -> None:
        self._nodes = network.nodes
        self._entries = network.entries
        self._lists = network.context.lists
        self._label = label
        self._start = start
        self._closures: dict[_Position, tuple[_Position, ...]] = {}

    def build(self) -> WordAcceptor:
        first = frozenset(self._closure((self._start, -1)))
        numbers = {first: 0}
        states = [WordState()]
        todo = deque([first])
        while todo:
            positions = todo.popleft()
            state = states[numbers[positions]]
            state.ends = frozenset(self._ends(positions))
            for word, targets in self._steps(positions).items():
                after = frozenset(targets)
                if after not in numbers:
                    if len(states) >= MAX_WORD_STATES:
                        raise ContextError("has too many different sentences to compare", remedy="split the context")
                    numbers[after] = len(states)
                    states.append(WordState(before=(numbers[positions], word)))
                    todo.append(after)
                state.arcs[word] = numbers[after]
        return WordAcceptor(tuple(states), _labels_below(states))

    def _steps(self, positions: frozenset[_Position]) -> dict[str, set[_Position]]:
        steps: dict[str, set[_Position]] = {}
        running: set[_Position] = set()
        for node, back in positions:
            if node in (_WAITING, _INSIDE):
                running.update(self._closure((_INSIDE, back)))
                continue
            for arc in self._nodes[node].words:
                if not _DIGITS.fullmatch(arc.word):
                    word = (GLUE if arc.glued else "") + arc.word.lower()
                    steps.setdefault(word, set()).update(self._closure((arc.to, back)))
        if running:
            for targets in steps.values():
                targets.update(running)
            steps[ANY] = running
        return steps

    def _closure(self, position: _Position) -> tuple[_Position, ...]:
        if position not in self._closures:
            found = {position: None}
            todo = [position]
            while todo:
                for following in self._free(todo.pop()):
                    if following not in found:
                        found[following] = None
                        todo.append(following)
            self._closures[position] = tuple(found)
        return self._closures[position]

    def _free(self, position: _Position) -> Iterator[_Position]:
        """Positions reached without a word."""
        node, back = position
        if node == _INSIDE:
            yield back, -1
        elif node >= 0:
            for to, _ in self._nodes[node].skips:
                yield to, back
            for call in self._nodes[node].calls:
                wild = isinstance(self._lists[call.list], Wildcard)
                yield (_WAITING if wild else self._entries[call.list]), call.to
            if self._nodes[node].value is not None and back >= 0:
                yield back, -1

    def _ends(self, positions: frozenset[_Position]) -> Iterator[Hashable]:
        for node, _ in positions:
            if node < 0:
                continue
            here = self._nodes[node]
            if self._label is None and here.value is not None:
                yield here.value[0]
            elif self._label is not None and here.template is not None:
                yield self._label(here.template)


def _labels_below(states: list[WordState]) -> tuple[frozenset[Hashable], ...]:
    """Labels that can be reached from each state, by passing them backwards until nothing changes."""
    into: list[list[int]] = [[] for _ in states]
    for number, state in enumerate(states):
        for to in state.arcs.values():
            into[to].append(number)
    below = [state.ends for state in states]
    todo = deque(number for number, state in enumerate(states) if state.ends)
    while todo:
        number = todo.popleft()
        for before in into[number]:
            if not below[number] <= below[before]:
                below[before] |= below[number]
                todo.append(before)
    return tuple(below)
