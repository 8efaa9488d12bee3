"""What may be said while a question is open, as a context of its own: yes, no, the first one, and what differs.

The values are worded as the context's lists word them, and as people shorten them: of "twelve ounce" and "twenty ounce"
"twelve" is enough. The same constrained recogniser listens to the answer, so nothing else can be heard into it.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass, replace
from typing import Any

from assistant.grammar.repairs import FUNCTION_WORDS
from assistant.grammar.spelling import number_words, number_writings
from assistant.grammar.tree import (
    Choice,
    Context,
    ListRef,
    ListValue,
    Node,
    NumberList,
    RuleRef,
    Sequence,
    Template,
    Text,
    TextList,
    Wildcard,
)
from assistant.grammar.typed import folded, is_number
from assistant.types import EMPTY

INTENT = "intent"
ANSWERS = YES, NO, CHOICE, VALUE = "answer.yes", "answer.no", "answer.choice", "answer.value"
"""Intents of answers; CHOICE has the slot "choice", the number of the alternative, from 0; VALUE what was asked for."""

MAX_WORDINGS = 48
"""More wordings of one value are cut: the shortest answers come first."""

YES_WORDINGS = (
    "yes",
    "yes please",
    "yeah",
    "yep",
    "yup",
    "sure",
    "correct",
    "that's right",
    "right",
    "do it",
    "exactly",
)
NO_WORDINGS = ("no", "no thanks", "no thank you", "nope", "neither", "none of them", "wrong", "cancel", "forget it")
WITHOUT_WORDINGS = ("without", "or not", "not", "rather not", "without it")
ORDINALS = ("first", "second", "third", "fourth", "fifth")

# Never "no": "no milk" is another alternative than "milk".
_BEFORE = ("", "the ", "I said ", "I meant ", "I want ", "make it ")
_AFTER = ("", " one", " please")
_BEFORE_VALUE = ("", "the ", "for ", "to ", "at ", "make it ")
_AFTER_VALUE = ("", " please")


@dataclass(frozen=True, slots=True)
class Meaning:
    """One thing that may have been meant.

    text: its wording. response: key of its reply template. also: other ways to name it.
    sentence: the command's words, where `text` is only what tells it from the others. confirmed: yes to it is what a
    risky action waits for.
    """

    intent: str
    slots: Mapping[str, Any]
    text: str
    response: str = "default"
    also: tuple[str, ...] = ()
    sentence: str = ""
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """An open question about `context`.

    meanings: what may have been meant, best first; the first two were named, one alone was asked yes or no.
    differs: slots in which they differ, or ("intent",). question: as it was asked.
    slot: what is missing ("For how long?"): any value of it answers; "" where the meanings are all there is.
    """

    context: Context
    meanings: tuple[Meaning, ...]
    differs: tuple[str, ...]
    question: str
    slot: str = ""

    @property
    def fuller(self) -> int | None:
        """Of two meanings of which one lacks the slot ("With milk, or not?") the number of the other, else None."""
        if len(self.meanings) < 2 or len(self.differs) != 1 or self.differs[0] == INTENT:
            return None
        has = [meaning.slots.get(self.differs[0]) is not None for meaning in self.meanings[:2]]
        return None if all(has) or not any(has) else has.index(True)


def answer_context(pending: Pending) -> Context:
    """The answers to `pending`. Its settings are the context's; its hash depends on all that can be answered."""
    choices = _unambiguous([list(_wordings(pending, number)) for number in range(len(pending.meanings))])
    said = {wording for wordings in choices for wording in wordings}
    templates = [_template(YES, YES_WORDINGS), _template(NO, _left(NO_WORDINGS, said))]
    values = _values_of(pending)
    for number, wordings in enumerate(choices):
        if wordings:
            node = Sequence((_choice(_BEFORE), _choice(wordings), _choice(_AFTER)))
            templates.append(Template(CHOICE, node, " | ".join(wordings), {"choice": number}))
        if len(choices) > 1 and pending.fuller is None:
            templates.append(_template(CHOICE, _left(_ordinals(number, len(choices)), said), {"choice": number}))
    if pending.fuller is not None:
        templates.append(_template(CHOICE, _left(WITHOUT_WORDINGS, said), {"choice": 1 - pending.fuller}))
    templates += values
    source = pending.context
    content = repr([(template.intent, dict(template.slots), template.node) for template in templates])
    content = f"{source.settings.spellings} {content} {source.hash if values else ''}"
    return Context(
        name=f"{source.name}-answers",
        folder=source.folder,
        templates=tuple(templates),
        rules=source.rules if values else EMPTY,
        lists=source.lists if values else EMPTY,
        responses=EMPTY,
        actions=EMPTY,
        settings=replace(source.settings, confusable=(), ask_below=0.0, refuse_below=0.0),
        hash=hashlib.sha256(content.encode()).hexdigest(),
    )


def _values_of(pending: Pending) -> list[Template]:
    """Sentences for the value that is asked for: the rules and lists by which sentences of the intent say it."""
    if not pending.slot:
        return []
    context, intent = pending.context, pending.meanings[0].intent
    nodes: dict[Node, None] = {}
    for template in context.templates:
        if template.intent == intent:
            nodes.update(dict.fromkeys(_saying(context, template.node, pending.slot)))
    return [Template(VALUE, Sequence((_choice(_BEFORE_VALUE), node, _choice(_AFTER_VALUE))), "") for node in nodes]


def _saying(context: Context, node: Node, slot: str) -> Iterator[Node]:
    """The smallest whole things in a sentence that fill `slot`: a rule ("five minutes"), else the list."""
    if isinstance(node, (ListRef, RuleRef)):
        if any(reference.slot == slot for reference in _lists_in(context, [node])):
            yield node
    elif isinstance(node, (Sequence, Choice)):
        for item in node.items:
            yield from _saying(context, item, slot)


def _template(intent: str, wordings: Iterable[str], slots: Mapping[str, Any] = EMPTY) -> Template:
    wordings = tuple(wordings)
    return Template(intent, _choice(wordings), " | ".join(wordings), slots)


def _choice(wordings: Items[str]) -> Choice:
    return Choice(tuple(Text(wording) for wording in wordings))


def _left(wordings: Iterable[str], said: set[str]) -> list[str]:
    """Those of `wordings` that are not themselves a value in question: "second" may be one."""
    return [wording for wording in wordings if wording not in said]


def _ordinals(number: int, count: int) -> list[str]:
    names = [ORDINALS[number], "last"] if number == count - 1 else [ORDINALS[number]]
    said = [f"{article}{name}{one}" for name in names for article in ("the ", "") for one in (" one", "")]
    return [*said, f"number {number_words(number + 1)}"]


# -- how an alternative is said ------------------------------------------------------------------------------------


def _wordings(pending: Pending, number: int) -> Iterator[str]:
    """Ways to name alternative `number`, also those that fit another one."""
    own = pending.meanings[number]
    others = [meaning for other, meaning in enumerate(pending.meanings) if other != number]
    for name in pending.differs if INTENT not in pending.differs else ():
        if own.slots.get(name) is None:
            fuller = {value for other in others for value in _said(pending.context, other, name)}
            yield from (f"{without} {value}" for value in sorted(fuller) for without in ("no", "without"))
            continue
        values = list(_said(pending.context, own, name))
        rivals = [rival for other in others for rival in _said(pending.context, other, name)]
        whole = {_singular(rival) for rival in rivals}
        yield from values
        yield from (part for value in values for part in _parts(value) if _singular(part) not in whole)
        for value, rival in itertools.product(values, rivals):
            yield from _shortened(value, rival)
    if len(pending.differs) > 1:
        yield from _joined(pending, own)
    text = _plain(own.text)
    yield text
    yield from map(_plain, own.also)
    for other in others:
        yield from _shortened(text, _plain(other.text))


def _joined(pending: Pending, meaning: Meaning) -> Iterator[str]:
    """All differing values at once, as they stand in the wording: "large latte"."""
    said = [(name, _first_in(meaning.text, _said(pending.context, meaning, name))) for name in pending.differs]
    places = sorted((place, value) for _, (place, value) in said if value)
    if len(places) > 1:
        yield " ".join(value for _, value in places)


def _first_in(text: str, values: Iterable[str]) -> tuple[int, str]:
    """The first of `values` that stands in `text` and where; (-1, "") if none does."""
    words = f" {_plain(text)} "
    return next(((words.index(f" {v} "), v) for v in map(_plain, values) if f" {v} " in words), (-1, ""))


def _parts(value: str) -> Iterator[str]:
    """The beginnings and ends of a value that may stand for it ("desk", "lamp"); a number is not cut."""
    words = value.split()
    for cut in range(1, len(words)):
        if not (_numeric(words[:cut]) and _numeric(words[cut:])):
            for part in (words[:cut], words[cut:]):
                if not FUNCTION_WORDS.issuperset(part):
                    yield " ".join(part)


def _numeric(words: Items[str]) -> bool:
    return any(is_number(atom) for word in words for atom in folded(word))


def _shortened(words: str, rival: str) -> Iterator[str]:
    """`words` without what they share with `rival` at the end, at the beginning, at both."""
    a, b = words.split(), rival.split()
    shorter = min(len(a), len(b))
    front = next((i for i in range(shorter) if a[i] != b[i]), shorter)
    back = next((i for i in range(shorter - front) if a[-1 - i] != b[-1 - i]), shorter - front)
    end = len(a) - back
    for short in (a[front:end], a[:end], a[front:]):
        if front < end and short:
            yield " ".join(short)


def _unambiguous(choices: list[list[str]]) -> list[list[str]]:
    """Without wordings that name two alternatives, be it in the plural; the shortest first, at most MAX_WORDINGS."""
    counts = Counter(key for wordings in choices for key in {_singular(wording) for wording in wordings})
    return [
        sorted({w for w in wordings if counts[_singular(w)] == 1}, key=lambda w: (len(w.split()), w))[:MAX_WORDINGS]
        for wordings in choices
    ]


def _singular(wording: str) -> str:
    return wording.removesuffix("s")


# -- how a value is said -------------------------------------------------------------------------------------------


def _said(context: Context, meaning: Meaning, slot: str) -> Iterator[str]:
    """Wordings of the value that `meaning` has in `slot`, as the lists that fill it have them."""
    value = meaning.slots.get(slot)
    if value is None:
        return
    for name in _lists_of(context, meaning.intent, slot):
        values = context.lists[name]
        if isinstance(values, Wildcard):
            yield _plain(str(value))
        elif isinstance(values, TextList):
            for entry in values.values:
                if entry.value == value:
                    yield from _with_plurals(_entry(entry, context))
        elif (raw := _raw(values, value)) is not None:
            yield from _number(raw, meaning.text)


def _lists_of(context: Context, intent: str, slot: str) -> list[str]:
    """Lists that fill `slot` in sentences of `intent`."""
    nodes = [template.node for template in context.templates if template.intent == intent]
    return list(dict.fromkeys(ref.list for ref in _lists_in(context, nodes) if ref.slot == slot))


def _lists_in(context: Context, nodes: Iterable[Node]) -> Iterator[ListRef]:
    """The lists that nodes name, also through rules."""
    todo = list(nodes)
    seen: set[str] = set()
    while todo:
        node = todo.pop()
        if isinstance(node, (Sequence, Choice)):
            todo += node.items
        elif isinstance(node, ListRef):
            yield node
        elif isinstance(node, RuleRef) and node.rule not in seen:
            seen.add(node.rule)
            todo.append(context.rules[node.rule])


def _entry(entry: ListValue, context: Context) -> list[str]:
    return [" ".join(wording.lower().split()) for wording in _expanded(entry.node, context)]


def _expanded(node: Node, context: Context) -> list[str]:
    """Wordings of a list value's node."""
    if isinstance(node, Text):
        return [node.text]
    if isinstance(node, Choice):
        return [wording for item in node.items for wording in _expanded(item, context)][:MAX_WORDINGS]
    if isinstance(node, RuleRef):
        return _expanded(context.rules[node.rule], context)
    if isinstance(node, Sequence):
        wordings = [""]
        for item in node.items:
            more = _expanded(item, context)
            wordings = [before + after for before in wordings for after in more][:MAX_WORDINGS]
        return wordings
    return []


def _with_plurals(wordings: Iterable[str]) -> Iterator[str]:
    """Also "twelve ounces" for "twelve ounce"."""
    for wording in wordings:
        yield wording
        words = wording.split()
        if len(words) > 1 and words[-1].isalpha() and not words[-1].endswith("s") and _is_amount(words):
            yield f"{wording}s"


def _is_amount(words: Items[str]) -> bool:
    atoms = folded(words[0])
    return bool(atoms) and is_number(atoms[0]) and atoms not in {("one",), ("1",)}


def _raw(numbers: NumberList, value: Any) -> float | None:
    """What is said for `value`, if the list has it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    raw = value / numbers.multiplier
    whole = raw - 0.5 if numbers.halves and not float(raw).is_integer() else raw
    inside = float(whole).is_integer() and int(whole) in range(numbers.start, numbers.stop + 1, numbers.step)
    return raw if inside else None


def _number(raw: float, text: str) -> Iterator[str]:
    """A number alone and with the word behind it in `text`: "fifteen", "fifteen minutes"."""
    half = not float(raw).is_integer()
    words = number_words(int(raw)) + (" and a half" if half else "")
    yield words
    atoms = folded(text)
    for writing in (words, *number_writings(int(raw))) if not half else (words,):
        said = folded(writing)
        for at in range(len(atoms) - len(said)):
            if atoms[at : at + len(said)] == said and not is_number(atoms[at + len(said)]):
                yield f"{words} {atoms[at + len(said)]}"


def _plain(text: str) -> str:
    """A wording without its punctuation, in lower case."""
    return " ".join(piece.strip(".,;:!?").lower() for piece in text.split() if piece.strip(".,;:!?"))
