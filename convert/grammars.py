"""Contexts that are made, not written: from text sets for spoken commands, and around one transcript for read speech.

The generic net must know how any grammar errs. Text sets give commands with slots; a transcript gives a small grammar
in which words are replaced, left out or put in: the recogniser's own beam offers what was read beside what was not.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from types import MappingProxyType
from typing import Any

from assistant.grammar import tree
from assistant.grammar.tree import Choice, Context, ListRef, ListValue, Node, Settings, Template, Text, TextList

MOST_WORDS, LEAST_WORDS = 14, 2
INTENTS, TEMPLATES, VALUES = 5, 7, 9
"""Of one context made from a text set."""
REPLACED, LEFT_OUT, PUT_IN = 0.55, 0.25, 0.15
"""How often a word of a transcript can be another, be missing, or have one after it that was not read."""
RIVALS = 3
NEAR_RIVALS = 40
"""Of so many words those that are written most alike are taken: they also sound alike."""

Pieces = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Lattice:
    """A grammar around one transcript; `said` are the slots of what was read."""

    context: Context
    said: Mapping[str, Any]


def made_context(name: str, templates: Sequence[Template], lists: Mapping[str, TextList]) -> Context:
    """A context without replies and actions."""
    content = json.dumps(
        [name, [t.source for t in templates], {k: [v.value for v in x.values] for k, x in lists.items()}]
    )
    digest = hashlib.sha256(content.encode()).hexdigest()
    empty: Mapping[str, Any] = MappingProxyType({})
    return Context(name, "", tuple(templates), empty, MappingProxyType(dict(lists)), empty, empty, Settings(), digest)


def text_contexts(name: str, sentences: Iterable[tuple[str, Pieces]], count: int, seed: int) -> list[Context]:
    """`count` contexts of a few intents each, their templates and slot values drawn from a text set."""
    by_intent: dict[str, list[Pieces]] = {}
    values: dict[str, list[str]] = {}
    for intent, pieces in sentences:
        if LEAST_WORDS <= len(" ".join(words for words, _ in pieces).split()) <= MOST_WORDS:
            by_intent.setdefault(intent, []).append(pieces)
            for words, slot in pieces:
                if slot and len(words.split()) <= 4:
                    values.setdefault(slot, []).append(words)
    rng = random.Random(f"{name}|{seed}")
    known = {slot: list(dict.fromkeys(found)) for slot, found in values.items()}
    return [_text_context(f"{name}-{i}", by_intent, known, rng) for i in range(count)]


def _text_context(
    name: str, by_intent: Mapping[str, list[Pieces]], values: Mapping[str, list[str]], rng: random.Random
) -> Context:
    chosen: list[tuple[str, Pieces]] = []
    intents = sorted(by_intent)
    for intent in rng.sample(intents, min(INTENTS, len(intents))):
        chosen += [(intent, pieces) for pieces in rng.sample(by_intent[intent], min(TEMPLATES, len(by_intent[intent])))]
    slots = sorted({slot for _, pieces in chosen for _, slot in pieces if slot in values})
    lists = {}
    for slot in slots:
        own = [words for _, pieces in chosen for words, s in pieces if s == slot and words in values[slot]]
        more = rng.sample(values[slot], min(VALUES, len(values[slot])))
        lists[slot] = _text_list(slot, [*own[:2], *more])
    templates = {
        _text_template(intent, pieces, lists).source: _text_template(intent, pieces, lists) for intent, pieces in chosen
    }
    return made_context(name, list(templates.values()), lists)


def _text_template(intent: str, pieces: Pieces, lists: Mapping[str, TextList]) -> Template:
    """A sentence with its slots opened; a slot that comes twice stays words the second time."""
    items: list[Node] = []
    source = []
    used: set[str] = set()
    for words, slot in pieces:
        opened = slot in lists and slot not in used
        used.add(slot)
        items += [Text(" "), ListRef(slot, slot) if opened else Text(words)]
        source.append(f"{{{slot}}}" if opened else words)
    # What the sentence says beyond its slots tells it from others of its intent.
    fixed = " ".join(words for words, slot in pieces if slot not in lists)
    return Template(intent, tree.Sequence(tuple(items[1:])), " ".join(source), MappingProxyType({"as": fixed}))


def lattice(said: str, vocabulary: Sequence[str], rng: random.Random, *, complete: bool) -> Lattice:
    """A small grammar around the transcript `said`. complete: no word may be left out (for sound that was cut)."""
    words = said.split()
    near = rng.sample(vocabulary, min(len(vocabulary), 400))
    lists: dict[str, TextList] = {}
    slots: dict[str, Any] = {}
    items: list[Node] = []
    for i, word in enumerate(words):
        node: Node = Text(word)
        if rng.random() < REPLACED:
            lists[f"w{i}"] = _text_list(f"w{i}", [word, *_rivals(word, near, rng)])
            node, slots[f"w{i}"] = ListRef(f"w{i}", f"w{i}"), word
        spaced = tree.Sequence((Text(" "), node)) if items else node
        missing = isinstance(node, ListRef) and len(words) > LEAST_WORDS and not complete and rng.random() < LEFT_OUT
        items.append(Choice((spaced, Text(""))) if missing else spaced)
        if rng.random() < PUT_IN:
            lists[f"x{i}"] = _text_list(f"x{i}", rng.sample(vocabulary, min(RIVALS, len(vocabulary))))
            more = tree.Sequence((Text(" "), ListRef(f"x{i}", f"x{i}")))
            items.append(Choice((Text(""), more)))
    if not slots:  # nothing can be mistaken for anything: then at least the last word
        lists["w"] = _text_list("w", [words[-1], *_rivals(words[-1], near, rng)])
        slots["w"] = words[-1]
        last = ListRef("w", "w")
        items = [Text(" ".join(words[:-1])), Text(" "), last] if len(words) > 1 else [last]
    template = Template("read", tree.Sequence(tuple(items)), said)
    return Lattice(made_context("read", [template], lists), MappingProxyType(slots))


def _rivals(word: str, near: Sequence[str], rng: random.Random) -> list[str]:
    """Other words, half of them written alike."""
    others = [w for w in near if w != word]
    some = rng.sample(others, min(NEAR_RIVALS, len(others)))
    alike = sorted(some, key=lambda w: (-SequenceMatcher(None, word, w).ratio(), w))[: RIVALS // 2 + 1]
    return list(dict.fromkeys([*alike, *rng.sample(some, min(RIVALS, len(some)))]))[:RIVALS]


def _text_list(name: str, values: Iterable[str]) -> TextList:
    return TextList(name, tuple(ListValue(Text(value), value) for value in dict.fromkeys(values)))
