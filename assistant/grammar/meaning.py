"""What a token sequence means: the paths that it can take through the network, with their slots.

A sequence that the acceptor allows has at least one meaning, unless it says the same command twice, which has none; two
intents that accept the same words give two. Sequences of one n-best list share their prefixes, so the parser keeps what
it knows of each prefix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from assistant.grammar.household import EMPTY
from assistant.grammar.together import repeats
from assistant.grammar.tokens import TokenNetwork
from assistant.grammar.tree import Wildcard

LOOP_TOKENS = 3
"""Free words in which so many tokens come a second time are a loop, not a thing."""

_Slots = tuple[tuple[str, Any], ...]
_Stack = tuple["_Frame", ...]


@dataclass(frozen=True, slots=True)
class Meaning:
    """intent and canonical slots; weight: natural log of the wording's weight; template: index in the context.

    free: the slots that free words fill, whose spelling is the recogniser's own: the first of their tokens, and the
        one after the last.
    """

    intent: str
    slots: Mapping[str, Any]
    weight: float
    template: int
    free: Mapping[str, tuple[int, int]] = field(default_factory=lambda: EMPTY)

    @property
    def key(self) -> tuple[str, _Slots]:
        """Equal for equal meanings, however they were worded."""
        return self.intent, tuple(sorted(self.slots.items()))

    @property
    def apart_from_spelling(self) -> tuple[str, _Slots, frozenset[str]]:
        """Equal for meanings that differ only in how free words are written."""
        known = tuple(sorted(pair for pair in self.slots.items() if pair[0] not in self.free))
        return self.intent, known, frozenset(self.free)


class _FreeWords(str):
    """The value of a wildcard: text like any other, that remembers of which tokens it was made: `span`."""

    __slots__ = ("span",)
    span: tuple[int, int]


class _Frame(NamedTuple):
    """An open list: the node to return to, its slot, whether it is a wildcard, and where its words began."""

    after: int
    slot: str
    wildcard: bool
    since: int


class _Path(NamedTuple):
    """Where a way through the network has come to. A tuple, because thousands are hashed in each utterance."""

    position: int
    stack: _Stack
    slots: _Slots


class MeaningParser:
    """Parses sequences over one token network; `decode` turns tokens of a wildcard into text."""

    def __init__(self, network: TokenNetwork, decode: Any) -> None:
        self._network = network
        self._decode = decode
        self._context = network.network.context
        self._nodes = network.network.nodes
        self._signs = frozenset((*network.marks, *network.pauses))
        self._known: dict[tuple[int, ...], dict[_Path, float]] = {}

    def parse(self, tokens: tuple[int, ...]) -> list[Meaning]:
        """All meanings of `tokens` (without the end token), best weight first; empty if not in the language."""
        ends: dict[tuple[str, _Slots], Meaning] = {}
        for path, weight in self._paths(tokens).items():
            template_index = self._template(path)
            if template_index is None:
                continue
            template = self._context.templates[template_index]
            slots = {**template.slots, **dict(path.slots)}
            if repeats(template.intent, slots):
                continue
            free = {slot: value.span for slot, value in slots.items() if isinstance(value, _FreeWords)}
            slots |= {slot: str(slots[slot]) for slot in free}
            meaning = Meaning(template.intent, slots, weight, template_index, free)
            if meaning.key not in ends or ends[meaning.key].weight < weight:
                ends[meaning.key] = meaning
        return sorted(ends.values(), key=lambda meaning: -meaning.weight)

    def forget(self) -> None:
        """Drop what is known of prefixes (call between utterances)."""
        self._known.clear()

    def _template(self, path: _Path) -> int | None:
        node = self._network[path.position].node
        return None if path.stack or node < 0 else self._nodes[node].template

    def _paths(self, tokens: tuple[int, ...]) -> dict[_Path, float]:
        if tokens in self._known:
            return self._known[tokens]
        if not tokens:
            paths = self._closure({_Path(self._network.start, (), ()): 0.0}, tokens)
        else:
            paths = self._closure(dict(self._advance(self._paths(tokens[:-1]), tokens[-1])), tokens)
        self._known[tokens] = paths
        return paths

    def _advance(self, paths: dict[_Path, float], token: int) -> Iterator[tuple[_Path, float]]:
        best: dict[_Path, float] = {}
        for path, weight in paths.items():
            position = self._network[path.position]
            slots = path.slots + self._ended(path, position.node)
            for to, more in position.arcs.get(token, ()):
                moved = path if to == self._network.closed else _Path(to, path.stack, slots)
                best[moved] = max(best.get(moved, -1e9), weight + more)
            if position.wildcard >= 0 and token not in self._signs:
                moved = _Path(position.wildcard, path.stack, path.slots)
                best[moved] = max(best.get(moved, -1e9), weight)
        yield from best.items()

    def _closure(self, paths: dict[_Path, float], tokens: tuple[int, ...]) -> dict[_Path, float]:
        best: dict[_Path, float] = {}
        todo = list(paths.items())
        network = self._network
        while todo:
            path, weight = todo.pop()
            if best.get(path, -1e9) >= weight:
                continue
            best[path] = weight
            position = network[path.position]
            for to, more in position.skips:
                todo.append((_Path(to, path.stack, path.slots), weight + more))
            if position.calls:
                for call, (entry, after) in zip(self._nodes[position.node].calls, position.calls, strict=True):
                    free = isinstance(self._context.lists[call.list], Wildcard)
                    frame = _Frame(after, call.slot, free, len(tokens))
                    todo.append((_Path(entry, (*path.stack, frame), path.slots), weight))
            if position.returns is not None and path.stack and not self._is_loop(path, tokens):
                todo.append((self._return(path, position.returns, tokens), weight))
        return best

    def _is_loop(self, path: _Path, tokens: tuple[int, ...]) -> bool:
        """Whether free words say the same again and again, as a decoder does that predicts itself."""
        frame = path.stack[-1]
        if not frame.wildcard:
            return False
        free = tokens[frame.since :]
        runs = [free[at : at + LOOP_TOKENS] for at in range(len(free) - LOOP_TOKENS + 1)]
        return len(set(runs)) < len(runs)

    def _return(self, path: _Path, mode: int, tokens: tuple[int, ...]) -> _Path:
        frame = path.stack[-1]
        to = self._network.at(frame.after, mode)
        if frame.wildcard:
            words = _FreeWords(self._decode(tokens[frame.since :]))
            words.span = frame.since, len(tokens)
            ended: _Slots = ((frame.slot, words),)
        else:
            ended = self._ended(path, self._network[path.position].node)
        return _Path(to, path.stack[:-1], path.slots + ended)

    def _ended(self, path: _Path, node: int) -> _Slots:
        """The slot that is filled when `path` leaves a list's end at `node` (also by a comma or hyphen)."""
        if node < 0 or not path.stack or self._nodes[node].value is None:
            return ()
        value = self._nodes[node].value
        return ((path.stack[-1].slot, value[0]),) if value else ()
