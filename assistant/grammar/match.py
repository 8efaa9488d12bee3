"""Typed text to meanings, over the word network: exactly, or best first with a bounded number of repairs.

What a repair costs is in `assistant.grammar.repairs`. A value of a list needs words that were typed.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from assistant.grammar.network import Network, build_network
from assistant.grammar.repairs import (
    FUNCTION_WORD_COST,
    FUNCTION_WORDS,
    Edit,
    made_up,
    missing_cost,
    passing_cost,
    slip_cost,
)
from assistant.grammar.steps import Step, Steps, Stop
from assistant.grammar.together import repeats
from assistant.grammar.tree import Context
from assistant.grammar.typed import Slips, Typed, folded, is_number, read_typed

MARGIN = 2.0
"""Matches that cost so much more than the best one are not looked for."""

MAX_EXPANSIONS = 20_000
MAX_MATCHES = 20
CACHED_CONTEXTS = 4

Slots = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Match:
    """One meaning of a typed text.

    intent, slots: canonical values. text: the grammar's wording of it, repairs made. cost: of the repairs, in slips, 0
    when exact. weight: natural log of the wording's weight. template: index in the context. differs: the repairs.
    """

    intent: str
    slots: Mapping[str, Any]
    text: str
    cost: float
    weight: float
    template: int
    differs: tuple[Edit, ...] = ()

    @property
    def key(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Equal for equal meanings, however they were worded."""
        return self.intent, tuple(sorted((name, repr(value)) for name, value in self.slots.items()))


class Matcher:
    """Matches typed texts in one context. Compiles what it visits; may be shared by threads."""

    def __init__(self, network: Network) -> None:
        self.context = network.context
        self._steps = Steps(network)
        self._slips = Slips(self._steps.words)

    def match(self, text: str) -> tuple[Match, ...]:
        """All meanings of `text` as it stands, the best weight first; empty if the context does not have it.

        Case, punctuation, hyphens, digits or words for numbers do not matter. A wildcard takes as few words as it can.
        """
        return self.match_within(text, 0)

    def match_within(self, text: str, max_edits: float) -> tuple[Match, ...]:
        """Meanings of `text` whose repairs cost at most `max_edits` slips, best first, at most MAX_MATCHES.

        What costs MARGIN more than the best is left out, and so is what lacks or passes over as many words as it keeps.
        """
        typed = read_typed(text, self._steps.words, self._steps.suffixes)
        return _Search(self._steps, self._slips, typed, max_edits).run()


def match(context: Context, text: str) -> tuple[Match, ...]:
    """All meanings of `text` in `context` as it stands (see Matcher.match). Raises ContextError (see build_network)."""
    return matcher_of(context).match(text)


def matcher_of(context: Context) -> Matcher:
    """A matcher for `context`; the last few are kept by the context's hash. Raises ContextError (see build_network)."""
    with _lock:
        matcher = _matchers.get(context.hash)
        if matcher is None:
            matcher = _matchers[context.hash] = Matcher(build_network(context))
            if len(_matchers) > CACHED_CONTEXTS:
                _matchers.popitem(last=False)
        _matchers.move_to_end(context.hash)
        return matcher


_matchers: OrderedDict[str, Matcher] = OrderedDict()
_lock = threading.Lock()


class _Frame(NamedTuple):
    """An open list: where to go on and the slot that its value fills."""

    list: str
    slot: str
    after: int


class _State(NamedTuple):
    """kept, lost: words of the open value that were typed and that are missing. repaired: a word was just left out."""

    template: int
    stop: int
    frame: _Frame | None
    slots: Slots
    at: int
    kept: int = 0
    lost: int = 0
    repaired: bool = False


class _Trail(NamedTuple):
    """The way to a state, backwards: each word's writing, whether it is glued, what repair it was, if it counts."""

    before: _Trail | None
    writing: str
    glued: bool
    edit: Edit | None
    wild: int = 0


_Item = tuple[float, int, float, float, _State, "_Trail | None"]
_Found = tuple[Match, list[int]]  # and how many words each wildcard took


class _Search:
    """A* over (place in the grammar, place in the text); one use."""

    def __init__(self, steps: Steps, slips: Slips, typed: Typed, budget: float) -> None:
        self._steps = steps
        self._typed = typed
        self._budget = self._limit = budget
        self._heap: list[_Item] = []
        self._serial = itertools.count(0, -1)
        self._seen: dict[_State, tuple[float, float]] = {}
        self._found: dict[Any, _Found] = {}
        self._ahead: dict[int, list[float]] = {}
        self._near = [slips.near(atom.word) if budget else () for atom in typed.atoms]
        self._passing = [
            passing_cost(atom.word, tuple(word for word, _ in near), known=atom.word in steps.words)
            for atom, near in zip(typed.atoms, self._near, strict=True)
        ]

    def run(self) -> tuple[Match, ...]:
        for template, (start, weight) in enumerate(self._steps.starts):
            if self._may_fit(template):
                self._push(0.0, weight, _State(template, start, None, (), 0), None)
        for _ in range(MAX_EXPANSIONS):
            if not self._heap or self._heap[0][0] > self._limit or len(self._found) >= MAX_MATCHES:
                break
            _, _, cost, weight, state, trail = heapq.heappop(self._heap)
            if self._seen.get(state) == (cost, -weight):
                self._expand(cost, weight, state, trail)
        ranked = sorted((found for found in self._found.values() if found[0].cost <= self._limit), key=_rank)
        return tuple(match for match, wild in ranked if not (wild and _is_listed(match, ranked)))

    # -- bounds ----------------------------------------------------------------------------------------------------

    def _may_fit(self, template: int) -> bool:
        """Note what the words from each position on cost at least, in words that `template` does not have at all."""
        bit = 1 << template
        costs = [0.0] * (self._typed.end + 1)
        if not self._steps.wild & bit:
            cheapest = [self._cheapest(at, bit) for at in range(self._typed.end)]
            for at in reversed(range(self._typed.end)):
                costs[at] = costs[at + 1] + cheapest[at]
        self._ahead[template] = costs
        return costs[0] <= self._budget

    def _cheapest(self, at: int, bit: int) -> float:
        words = self._steps.words
        covering = itertools.chain(self._typed.edges[at], self._typed.edges[at - 1] if at else ())
        if any(words.get(word, 0) & bit for word, _ in covering):
            return 0.0
        slips = (self._slip_cost(at, slips) for word, slips in self._near[at] if words[word] & bit)
        return min(self._passing[at], min(slips, default=self._passing[at]))

    def _bound(self, state: _State) -> float:
        """Least cost from `state` to the end: foreign words, and missing ones where more are needed than are left."""
        least = self._steps.least(state.stop)
        if state.frame is not None:
            least += self._steps.least(state.frame.after)
        short = max(0, least - self._typed.words_left[state.at])
        return self._ahead[state.template][self._typed.atom_at[state.at]] + FUNCTION_WORD_COST * short

    def _push(self, cost: float, weight: float, state: _State, trail: _Trail | None) -> None:
        bound = cost + self._bound(state) if self._budget else 0.0
        if bound > self._limit or self._seen.get(state, (float("inf"), 0.0)) <= (cost, -weight):
            return
        self._seen[state] = (cost, -weight)
        heapq.heappush(self._heap, (bound, next(self._serial), cost, weight, state, trail))

    def _slip_cost(self, at: int, slips: int) -> float:
        return slip_cost(slips, known=self._typed.atoms[at].word in self._steps.words)

    # -- moves -----------------------------------------------------------------------------------------------------

    def _expand(self, cost: float, weight: float, state: _State, trail: _Trail | None) -> None:
        stop, frame = self._steps[state.stop], state.frame
        if frame is None and state.at == self._typed.end:
            for template, more in stop.ends:
                self._finish(cost, weight + more, template, state.slots, trail)
        # Nothing kept and nothing lost: at the entry of a list, where only a value without words can end (a mark).
        if frame is not None and state.kept >= state.lost and (state.kept or not state.lost):
            for value, more in stop.values:
                left = state._replace(
                    stop=frame.after, frame=None, slots=(*state.slots, (frame.slot, value)), kept=0, lost=0
                )
                self._push(cost, weight + more, left, trail)
        for call, more in stop.calls:
            if self._steps.is_wildcard(call.list):
                self._take_free_words(cost, weight + more, state, call.slot, call.to, trail)
            else:
                entered = state._replace(
                    stop=self._steps.network.entries[call.list], frame=_Frame(call.list, call.slot, call.to)
                )
                self._push(cost, weight + more, entered, trail)
        for word, to in self._typed.edges[state.at]:
            for step in stop.steps.get(word, ()):
                self._take(cost, weight, state, step, to, trail, None)
        if self._budget and state.at <= self._typed.end:
            self._repair(cost, weight, state, stop, trail)

    def _take(
        self, cost: float, weight: float, state: _State, step: Step, to: int, trail: _Trail | None, edit: Edit | None
    ) -> None:
        kept = state.kept + 1 if state.frame else 0
        taken = _State(state.template, step.to, state.frame, state.slots, to, kept, state.lost)
        self._push(cost, weight + step.weight, taken, _Trail(trail, step.writing, step.glued, edit))

    def _take_free_words(
        self, cost: float, weight: float, state: _State, slot: str, after: int, trail: _Trail | None
    ) -> None:
        for to in range(state.at + 1, self._typed.end + 1) if state.at < self._typed.end else ():
            if self._budget and FUNCTION_WORDS.issuperset(atom.word for atom in self._typed.atoms[state.at : to]):
                continue  # between repairs "add to the list" would add "to"
            words = self._typed.span(state.at, to)
            taken = _State(state.template, after, None, (*state.slots, (slot, words)), to)
            self._push(cost, weight, taken, _Trail(trail, words, False, None, to - state.at))

    def _repair(self, cost: float, weight: float, state: _State, stop: Stop, trail: _Trail | None) -> None:
        at = state.at
        at_entry = state.frame is not None and state.kept == 0
        if at < self._typed.end:
            typed = self._typed.atoms[at].word
            for word, slips in self._near[at]:
                for step in stop.steps.get(word, ()):
                    more = cost + self._slip_cost(at, slips)
                    self._take(more, weight, state, step, at + 1, trail, Edit(typed, word))
            # One order of passing over and leaving out is enough, and outside a list rather than at its border.
            if not state.repaired and not at_entry and (state.frame is None or stop.steps):
                more = cost + self._passing[at]
                self._push(more, weight, state._replace(at=at + 1), _Trail(trail, "", False, Edit(typed, "")))
        if state.frame is not None and state.kept == 0:
            self._leave_out_first_word(cost, weight, state, state.frame.list, trail)
        else:
            for steps in stop.steps.values():
                for step in steps:
                    self._leave_out(cost, weight, state, step, trail)

    def _leave_out(self, cost: float, weight: float, state: _State, step: Step, trail: _Trail | None) -> None:
        if is_number(step.atom):
            return
        lost = state.lost + 1 if state.frame else 0
        left = state._replace(stop=step.to, lost=lost, repaired=True)
        more = cost + missing_cost(step.atom, inside=state.frame is not None)
        self._push(more, weight + step.weight, left, _Trail(trail, step.writing, step.glued, Edit("", step.atom)))

    def _leave_out_first_word(self, cost: float, weight: float, state: _State, name: str, trail: _Trail | None) -> None:
        """A value of list `name` without its first word must go on with the word that was typed."""
        for word, to in self._typed.edges[state.at]:
            for first, second in self._steps.leads(name).get(word, ()):
                if not is_number(first.atom):
                    more = cost + missing_cost(first.atom, inside=True)
                    without = _Trail(trail, first.writing, first.glued, Edit("", first.atom))
                    self._take(more, weight + first.weight, state._replace(lost=1), second, to, without, None)

    # -- ends ------------------------------------------------------------------------------------------------------

    def _finish(self, cost: float, weight: float, template: int, slots: Slots, trail: _Trail | None) -> None:
        way = [*_backwards(trail)][::-1]
        edits = tuple(step.edit for step in way if step.edit is not None)
        if edits and (_heard(way) <= made_up(edits) or _swallowed(way, edits)):
            return
        known = self._steps.network.context.templates[template]
        if repeats(known.intent, {**known.slots, **dict(slots)}):
            return
        match = Match(
            known.intent, {**known.slots, **dict(slots)}, _written(way), round(cost, 6), weight, template, edits
        )
        wild = {value for name, value in slots if any(step.wild and step.writing == value for step in way)}
        key = match.intent, *(pair for pair in match.key[1] if pair[1] not in {repr(value) for value in wild})
        ranked = match, [step.wild for step in way if step.wild]
        if key not in self._found or _rank(ranked) < _rank(self._found[key]):
            self._found[key] = ranked
        self._limit = min(self._limit, cost + MARGIN)


def _is_listed(free: Match, found: list[_Found]) -> bool:
    """Whether what `free` takes for free words is a value that the context lists: the same words, known."""
    words = "".join(folded(free.text))
    return any(
        not wild
        and match.intent == free.intent
        and match.slots.keys() == free.slots.keys()
        and "".join(folded(match.text)) == words
        for match, wild in found
        if match.cost <= free.cost
    )


def _heard(way: list[_Trail]) -> float:
    """Words that the text has in common with the grammar's; a slip counts half, what a wildcard swallows nothing."""
    right = sum(bool(step.edit is None and step.writing and not step.wild) for step in way)
    return right + 0.5 * sum(bool(step.edit and step.edit.typed and step.edit.meant) for step in way)


def _swallowed(way: list[_Trail], edits: tuple[Edit, ...]) -> bool:
    """True if a word is missing because a wildcard took it: "add to the list" is not to add "add"."""
    free = {atom for step in way if step.wild for atom in folded(step.writing)}
    return any(edit.meant in free for edit in edits if not edit.typed)


def _rank(found: _Found) -> tuple[float, int, list[int], float, int, str]:
    """Cheapest first, then fewest words in wildcards, the earlier the fewer, then likelier, then the author's order."""
    match, wild = found
    return match.cost, sum(wild), wild, -match.weight, match.template, match.text


def _backwards(trail: _Trail | None) -> Iterator[_Trail]:
    while trail is not None:
        yield trail
        trail = trail.before


def _written(way: list[_Trail]) -> str:
    text = ""
    for step in way:
        text += step.writing if step.glued or not text or not step.writing else f" {step.writing}"
    return text
