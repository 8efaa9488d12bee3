"""The word network compiled for typed text: from each stop, one look-up by a folded word gives the steps it allows.

Free moves are taken beforehand, so that entering a list of two hundred devices costs one look-up too. Stops are
compiled when they are first visited.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from assistant.grammar.network import Call, Network, WordArc
from assistant.grammar.tree import Wildcard
from assistant.grammar.typed import folded


@dataclass(frozen=True, slots=True)
class Step:
    """Take the folded word `atom` to stop `to`.

    writing: the author's word, on the last atom of a hyphened one, else "". glued: written without a space before it.
    """

    atom: str
    to: int
    weight: float
    writing: str
    glued: bool


@dataclass(slots=True)
class Stop:
    """steps by folded word; calls, list values that end here and templates that end here, each with its log weight."""

    steps: dict[str, list[Step]] = field(default_factory=dict)
    calls: list[tuple[Call, float]] = field(default_factory=list)
    values: list[tuple[Any, float]] = field(default_factory=list)
    ends: list[tuple[int, float]] = field(default_factory=list)


class Steps:
    """Stops by number: those of the network, and negative ones inside hyphened words.

    words: folded word → templates that it occurs in (bit i is template i). wild: templates that use a wildcard.
    suffixes: folded words that are written right behind a list's value.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.starts = network.nodes[network.start].skips
        self.words: dict[str, int] = {}
        self.wild = 0
        self.suffixes: set[str] = set()
        self._stops: dict[int, Stop] = {}
        self._inside: dict[int, tuple[tuple[str, ...], WordArc]] = {}
        self._numbers = itertools.count(-1, -1)
        self._least: dict[int, int] = {}
        self._leads: dict[str, dict[str, list[tuple[Step, Step]]]] = {}
        self._read_vocabulary()

    def __getitem__(self, number: int) -> Stop:
        stop = self._stops.get(number)
        if stop is None:
            stop = self._stops[number] = self._inner(number) if number < 0 else self._compile(number)
        return stop

    def is_wildcard(self, name: str) -> bool:
        """True if list `name` takes free words."""
        return isinstance(self.network.context.lists[name], Wildcard)

    def least(self, number: int) -> int:
        """How many words at least lead from a stop to the end of its template or list value."""
        todo = [] if number in self._least else [number]
        while todo:
            at = todo[-1]
            ways = list(self._ways(at))
            open_ = [to for _, targets in ways for to in targets if to not in self._least]
            if open_:
                todo += open_
                continue
            self._least[at] = min(words + sum(self._least[to] for to in targets) for words, targets in ways)
            todo.pop()
        return self._least[number]

    def leads(self, name: str) -> dict[str, list[tuple[Step, Step]]]:
        """Second word of a value of list `name` → (first step, second step): where a value's first word is missing."""
        if name not in self._leads:
            leads: dict[str, list[tuple[Step, Step]]] = {}
            for first in _every(self[self.network.entries[name]]):
                for second in _every(self[first.to]):
                    leads.setdefault(second.atom, []).append((first, second))
            self._leads[name] = leads
        return self._leads[name]

    def _ways(self, number: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        stop = self[number]
        if stop.values or stop.ends:
            yield 0, ()
        for step in _every(stop):
            yield 1, (step.to,)
        for call, _ in stop.calls:
            yield (1, (call.to,)) if self.is_wildcard(call.list) else (0, (self.network.entries[call.list], call.to))

    def _compile(self, number: int) -> Stop:
        nodes, stop = self.network.nodes, Stop()
        reached = {number: 0.0}
        todo = [number]
        while todo:
            at = todo.pop()
            free = [*nodes[at].skips, *((arc.to, arc.weight) for arc in nodes[at].words if not folded(arc.word))]
            for to, weight in free:
                if reached[at] + weight > reached.get(to, float("-inf")):
                    reached[to] = reached[at] + weight
                    todo.append(to)
        for at, weight in reached.items():
            node = nodes[at]
            for arc in node.words:
                if atoms := folded(arc.word):
                    step = self._step(atoms, arc, weight + arc.weight)
                    stop.steps.setdefault(step.atom, []).append(step)
            stop.calls += [(call, weight) for call in node.calls]
            if node.value is not None:
                stop.values.append((node.value[0], weight))
            if node.template is not None:
                stop.ends.append((node.template, weight))
        return stop

    def _step(self, atoms: tuple[str, ...], arc: WordArc, weight: float) -> Step:
        if len(atoms) == 1:
            return Step(atoms[0], arc.to, weight, arc.word, arc.glued)
        inside = next(self._numbers)
        self._inside[inside] = atoms[1:], arc
        return Step(atoms[0], inside, weight, "", arc.glued)

    def _inner(self, number: int) -> Stop:
        atoms, arc = self._inside[number]
        step = self._step(atoms, arc, 0.0)
        return Stop(steps={step.atom: [step]})

    def _read_vocabulary(self) -> None:
        within: dict[str, int] = {}
        for index, (start, _) in enumerate(self.starts):
            self._read_words(start, 1 << index, within)
        for name, templates in within.items():
            if self.is_wildcard(name):
                self.wild |= templates
            else:
                self._read_words(self.network.entries[name], templates, {})

    def _read_words(self, start: int, templates: int, within: dict[str, int]) -> None:
        nodes = self.network.nodes
        seen, todo = {start}, [start]
        while todo:
            node = nodes[todo.pop()]
            for arc in node.words:
                atoms = folded(arc.word)
                for atom in atoms:
                    self.words[atom] = self.words.get(atom, 0) | templates
                if arc.glued and len(atoms) == 1:
                    self.suffixes.add(atoms[0])
            for call in node.calls:
                within[call.list] = within.get(call.list, 0) | templates
            onward = {arc.to for arc in node.words} | {to for to, _ in node.skips} | {call.to for call in node.calls}
            todo += onward - seen
            seen |= onward


def _every(stop: Stop) -> Iterator[Step]:
    return itertools.chain.from_iterable(stop.steps.values())
