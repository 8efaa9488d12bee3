"""A context as one immutable tree. The loader builds it; matcher, sampler, linter, acceptor and engines only read it.

    Context ─┬─ templates: Template ── node: Node (Text | Sequence | Choice | ListRef | RuleRef)
             ├─ rules: name → Node
             ├─ lists: name → TextList (of ListValue) | NumberList | Wildcard
             └─ responses, actions, settings

White space in `Text` is significant: " " separates words, its absence glues ("light" then "s" is one word "lights").
Runs of spaces count as one; spaces at the ends of a sentence count as none. Text keeps the author's case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Union

from assistant.grammar.household import EMPTY, Home


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written: file (relative to the context's folder where it can be) and line, from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Text:
    """Literal words, spaces significant; "" is nothing (the skipped branch of an optional)."""

    text: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other, glued unless a Text brings the space."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several. `[x]` is Choice((x, Text(""))); `(a;b)` is expanded to its orders by the loader.

    weights: natural log of each item's weight, 0 or negative; () means all 0.
    """

    items: tuple[Node, ...]
    weights: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ListRef:
    """`{list:slot}`: one value of a list, captured as a slot."""

    list: str
    slot: str


@dataclass(frozen=True, slots=True)
class RuleRef:
    """`<rule>`: the expansion of a rule, in place."""

    rule: str


Node = Union[Text, Sequence, Choice, ListRef, RuleRef]


@dataclass(frozen=True, slots=True)
class ListValue:
    """One value of a list: what may be said and what it means.

    node: the wordings, e.g. "12 oz" with "twelve ounce"; holds Text, Sequence, Choice and RuleRef only.
    value: the canonical value that the slot takes (str, int or float).
    weight: natural log, 0 or negative.
    context: Home Assistant's per-value context, e.g. {"domain": "light"}.
    """

    node: Node
    value: Any
    weight: float = 0.0
    context: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class TextList:
    """A list of named values."""

    name: str
    values: tuple[ListValue, ...]
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class NumberList:
    """Whole numbers `start` to `stop` (inclusive) by `step`, said as words or digits; the slot takes value*multiplier.

    halves: also "and a half" (value + 0.5).
    """

    name: str
    start: int
    stop: int
    step: int = 1
    halves: bool = False
    multiplier: float = 1
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Wildcard:
    """Free words (the name of a thing), at least one, up to the next known word."""

    name: str
    place: Place | None = None


SlotList = Union[TextList, NumberList, Wildcard]


@dataclass(frozen=True, slots=True)
class Template:
    """One line of sentences/*.yaml.

    slots: fixed slots that the sentence brings along ({"domain": "light"}).
    weight: natural log of the template's weight, 0 or negative.
    response: key of the reply template in responses[intent], "default" unless said.
    source: the template as it was written.
    lists: names visible only here shadow the context's; the loader resolves them, so this is for the linter's messages.
    """

    intent: str
    node: Node
    source: str
    slots: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    weight: float = 0.0
    response: str = "default"
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """What an intent does (actions.yaml): a skill with parameters; `risk` "confirm" asks before acting."""

    skill: str
    parameters: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    risk: str = "none"


@dataclass(frozen=True, slots=True)
class Settings:
    """context.yaml and calibration.json: how to hear this context. None means the engine's default.

    language: BCP 47 ("en"). lambda_: weight of the internal language model in the beam. prune: nats below the best.
    rerank: second lambda, token_penalty: nats a token in the re-ranking. accept: parameters of the calibrated
    probability (understand/calibration.py reads them). ask_margin: nats between two meanings below which it asks.
    look_again: score nearly equal meanings once more, on the sound played slower and faster.
    ask_below, refuse_below: confidence (0..1) below which it asks whether that was said, and asks no more.
    harmless: intents that are done however unsure it is, where they were said to it at all.
    wait_for_more: people pause inside its sentences, so what may go on is waited for.
    confusable: pairs of phrases that sound alike and need a larger margin.
    spellings: word → other spellings that the recogniser may write ("iced" → ["ice"]).
    """

    language: str = "en"
    lambda_: float | None = None
    prune: float | None = None
    rerank: float | None = None
    token_penalty: float | None = None
    accept: Mapping[str, float] = field(default_factory=lambda: EMPTY)
    ask_margin: float | None = None
    look_again: bool = False
    ask_below: float = 0.0
    refuse_below: float = 0.0
    harmless: tuple[str, ...] = ()
    wait_for_more: bool = True
    confusable: tuple[tuple[str, str], ...] = ()
    spellings: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that can be said, what it means and what is answered.

    hash: SHA-256 (hex) over all that the acceptor depends on (templates, rules, lists, spellings, weights), so that
    an edit of a reply does not recompile. Calibrated thresholds are not in it.
    notes: what the loader left out, where and why (a sentence that no value of its lists fits), for the linter.
    family: SHA-256 (hex) over the sentences as they are written, for a context with a home: the same in every home.
    home: the home whose names its lists hold, None for a context that asks for none.
    """

    name: str
    folder: str
    templates: tuple[Template, ...]
    rules: Mapping[str, Node]
    lists: Mapping[str, SlotList]
    responses: Mapping[str, Mapping[str, str]]
    actions: Mapping[str, Action]
    settings: Settings
    hash: str
    notes: tuple[tuple[Place, str], ...] = ()
    home: Home | None = None
    family: str = ""

    @property
    def intents(self) -> tuple[str, ...]:
        """Intent names in the order in which they first appear."""
        return tuple(dict.fromkeys(template.intent for template in self.templates))
