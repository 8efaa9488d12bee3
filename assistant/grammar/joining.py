"""Adds the template of joined commands to a context, as its context.yaml asks: what it means is together.py's.

One template holds all sentences of the intents twice, before and after the word between them, so that the acceptor
grows to about twice its size and not to its square.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from assistant.grammar.places import Faults, did_you_mean
from assistant.grammar.resolve import AFTER, BEFORE, Resolved
from assistant.grammar.schema import TogetherSpec
from assistant.grammar.template import references, replace_references, sequence
from assistant.grammar.together import FIRST, THEN, TOGETHER
from assistant.grammar.tree import (
    Choice,
    ListRef,
    ListValue,
    Node,
    Place,
    RuleRef,
    Sequence,
    Template,
    Text,
    TextList,
    Wildcard,
)

RAREST = math.log(0.5)
"""Sentences with a smaller weight are not joined: they would cost states and are hardly said together with others."""


def join(resolved: Resolved, spec: TogetherSpec, place: Place, faults: Faults) -> None:
    """Add the template of joined commands to `resolved`. An intent that is not there is a fault."""
    intents = {template.intent for template in resolved.templates}
    for intent in dict.fromkeys((*spec.first, *spec.then)):
        if intent not in intents:
            hint = did_you_mean(intent, intents)
            faults.add(place, f"together: there is no intent '{intent}'{hint}", "name intents that have sentences")
    names = {}
    for part, wanted in ((FIRST, spec.first), (THEN, spec.then)):
        templates = [t for t in resolved.templates if t.intent in wanted and _may_be_joined(t, resolved)]
        if not templates:
            return
        names[part] = f"commands [{part}]"
        items = tuple(_marked(template, part, resolved) for template in templates)
        resolved.rules[names[part]] = Choice(items, tuple(template.weight for template in templates))
    between = Choice(tuple(Text(f" {words} ") for words in spec.joined_by))
    parts: list[Node] = [RuleRef(names[FIRST]), between, RuleRef(names[THEN])]
    if BEFORE in resolved.rules:
        parts = [RuleRef(BEFORE), *parts, RuleRef(AFTER)]
    source = f"… {'|'.join(spec.joined_by)} …"
    resolved.templates.append(Template(TOGETHER, sequence(parts), source, weight=math.log(spec.weight), place=place))


def _marked(template: Template, part: str, resolved: Resolved) -> Node:
    """The sentence of `template` with its slots under `part`, and what it means and brings along as slots too."""
    fixed = {"intent": template.intent, **template.slots}
    if template.response != "default":
        fixed["response"] = template.response
    marks = [_mark(f"{part}.{name}", value, resolved) for name, value in fixed.items()]
    return sequence((_renamed(_without_skip_words(template.node), part, resolved), *marks))


def _mark(slot: str, value: Any, resolved: Resolved) -> ListRef:
    """A slot that is filled without a word: a list of one value that is said as nothing."""
    name = f"mark {value}"
    if name not in resolved.lists:
        resolved.lists[name] = TextList(name, (ListValue(Text(""), value),))
    return ListRef(name, slot)


def _renamed(node: Node, part: str, resolved: Resolved) -> Node:
    """`node` with every slot under `part`; rules with slots get a version of their own."""

    def replaced(reference: ListRef | RuleRef) -> Node:
        if isinstance(reference, ListRef):
            return ListRef(reference.list, f"{part}.{reference.slot}")
        if not any(_slots(resolved.rules[reference.rule], resolved)):
            return reference
        own = f"{reference.rule} [{part}]"
        if own not in resolved.rules:
            resolved.rules[own] = _renamed(resolved.rules[reference.rule], part, resolved)
        return RuleRef(own)

    return replace_references(node, replaced)


def _without_skip_words(node: Node) -> Node:
    if not isinstance(node, Sequence):
        return node
    return sequence(item for item in node.items if item not in (RuleRef(BEFORE), RuleRef(AFTER)))


def _may_be_joined(template: Template, resolved: Resolved) -> bool:
    """Usual wordings without free words, which could be anything, also the other command."""
    free = any(isinstance(resolved.lists[reference.list], Wildcard) for reference in _slots(template.node, resolved))
    return not free and template.weight >= RAREST


def _slots(node: Node, resolved: Resolved) -> Iterator[ListRef]:
    """The lists that a node names, also through rules."""
    todo: list[Iterable[ListRef | RuleRef]] = [references(node)]
    while todo:
        for reference in todo.pop():
            if isinstance(reference, ListRef):
                yield reference
            else:
                todo.append(references(resolved.rules[reference.rule]))
