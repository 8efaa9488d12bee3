"""What plain words mean: every way through the word network, with the slots that it fills.

The linter asks it for both meanings of an ambiguous sentence, `assistant context test` for the one that was expected.
Words are compared without case; nothing is corrected (the matcher does that).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from assistant.grammar.network import Network
from assistant.grammar.tree import Wildcard

_WAITING, _INSIDE = -1, -2  # nodes of a wildcard: before its first word, after it

_Slots = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """One meaning of a sentence; template is its index in the context, weight the natural log of the wording's."""

    intent: str
    slots: Mapping[str, Any]
    template: int
    weight: float


@dataclass(frozen=True, slots=True)
class _Path:
    node: int
    back: int  # node after the list that is being said, -1 outside of lists
    slot: str
    since: int  # number of the wildcard's first word
    slots: _Slots
    weight: float


def readings(network: Network, text: str) -> list[Reading]:
    """All meanings of `text`, the most likely wording first; empty if it is no sentence of the context."""
    reader = _Reader(network, text.split())
    found: dict[tuple[str, str], Reading] = {}
    for path in reader.run():
        index = network.nodes[path.node].template if path.node >= 0 else None
        if index is None:
            continue
        template = network.context.templates[index]
        slots = {**template.slots, **dict(path.slots)}
        reading = Reading(template.intent, slots, index, path.weight)
        key = (template.intent, repr(sorted(slots.items())))
        if key not in found or found[key].weight < path.weight:
            found[key] = reading
    return sorted(found.values(), key=lambda reading: -reading.weight)


class _Reader:
    def __init__(self, network: Network, words: list[str]) -> None:
        self._nodes = network.nodes
        self._start = network.start
        self._entries = network.entries
        self._lists = network.context.lists
        self._words = [word.lower() for word in words]
        self._written = words

    def run(self) -> Iterable[_Path]:
        """Paths after the last word. A path stands at a word and after some of its letters: glued words end inside one."""
        start = _Path(self._start, -1, "", 0, (), 0.0)
        layers: list[dict[int, dict[_Path, None]]] = [{} for _ in range(len(self._words) + 1)]
        layers[0][0] = {start: None}
        for number in range(len(self._words) + 1):
            todo = [(path, letters) for letters, paths in layers[number].items() for path in paths]
            while todo:
                path, letters = todo.pop()
                for after, at, in_word in self._next(path, number, letters):
                    layer = layers[at].setdefault(in_word, {})
                    if after not in layer:
                        layer[after] = None
                        if at == number:
                            todo.append((after, in_word))
        return layers[-1].get(0, {})

    def _next(self, path: _Path, number: int, letters: int) -> Iterable[tuple[_Path, int, int]]:
        """Every step from `path`: what is then, at which word, after how many of its letters."""
        node, back = path.node, path.back
        if node < 0:
            if letters == 0:
                yield from self._in_wildcard(path, number)
            return
        here = self._nodes[node]
        for to, weight in here.skips:
            yield _Path(to, back, path.slot, path.since, path.slots, path.weight + weight), number, letters
        for call in here.calls:
            inside = _WAITING if isinstance(self._lists[call.list], Wildcard) else self._entries[call.list]
            yield _Path(inside, call.to, call.slot, number, path.slots, path.weight), number, letters
        if here.value is not None and back >= 0:
            slots = (*path.slots, (path.slot, here.value[0]))
            yield _Path(back, -1, "", 0, slots, path.weight), number, letters
        if number == len(self._words):
            return
        word = self._words[number]
        for arc in here.words:
            if arc.glued == (letters > 0) and word.startswith(arc.word.lower(), letters):
                end = letters + len(arc.word)
                to_word = (number + 1, 0) if end == len(word) else (number, end)
                yield _Path(arc.to, back, path.slot, path.since, path.slots, path.weight + arc.weight), *to_word

    def _in_wildcard(self, path: _Path, number: int) -> Iterable[tuple[_Path, int, int]]:
        if path.node == _INSIDE:
            name = " ".join(self._written[path.since : number])
            yield _Path(path.back, -1, "", 0, (*path.slots, (path.slot, name)), path.weight), number, 0
        if number < len(self._words):
            yield _Path(_INSIDE, path.back, path.slot, path.since, path.slots, path.weight), number + 1, 0
