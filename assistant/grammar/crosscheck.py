"""Do sentences, replies and actions of a context name each other rightly? What does not fit is noted for the linter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from assistant.grammar.places import did_you_mean
from assistant.grammar.resolve import Resolved
from assistant.grammar.responses import WORDINGS_INTENT, ReplyError, Responses, slots_of
from assistant.grammar.template import references
from assistant.grammar.tree import Action, ListRef, Place, RuleRef, Template

Note = tuple[Place, str]

SLIP = 0.75
"""How alike (difflib's ratio) an unknown name in a reply must be to a slot's to be taken for a slip of it."""


def cross_check(
    resolved: Resolved, responses: Responses, actions: Mapping[str, Action], places: Mapping[str, Place]
) -> Iterator[Note]:
    """Yield what names something that is not there. places: where each action stands."""
    slots: dict[str, set[str]] = {}
    for template in resolved.templates:
        slots.setdefault(template.intent, set()).update(template.slots, _slots(template, resolved))
    yield from _sentences(resolved, responses, actions)
    yield from _replies(slots, responses)
    for intent, place in places.items():
        if intent not in slots:
            yield place, f"an action for '{intent}', which no sentence means{did_you_mean(intent, slots)}"


def _sentences(resolved: Resolved, responses: Responses, actions: Mapping[str, Action]) -> Iterator[Note]:
    seen: set[tuple[str, str]] = set()
    for template in resolved.templates:
        place = template.place or Place("sentences", 1)
        if template.intent not in actions and (template.intent, "") not in seen:
            yield place, f"intent '{template.intent}' has no action; write one in actions.yaml"
        replies = responses.templates.get(template.intent, {})
        if template.response not in replies and (template.intent, template.response) not in seen:
            hint = did_you_mean(template.response, replies)
            yield place, f"intent '{template.intent}' has no reply '{template.response}'{hint}; write one in responses/"
        seen |= {(template.intent, ""), (template.intent, template.response)}


def _replies(slots: Mapping[str, set[str]], responses: Responses) -> Iterator[Note]:
    for (intent, key), place in responses.places.items():
        if intent == WORDINGS_INTENT:
            continue
        if intent not in slots:
            yield place, f"a reply for '{intent}', which no sentence means{did_you_mean(intent, slots)}"
            continue
        try:
            named = slots_of(responses.templates[intent][key])
        except ReplyError:
            continue  # a fault already
        # A skill may bring values of its own, so only what looks like a slip is worth a word.
        for slot in named:
            hint = did_you_mean(slot, slots[intent], cutoff=SLIP)
            if slot not in slots[intent] and hint:
                yield place, f"reply '{key}' of '{intent}' names '{slot}', which no sentence fills{hint}"


def _slots(template: Template, resolved: Resolved) -> Iterator[str]:
    seen: set[str] = set()
    todo = [template.node]
    while todo:
        for reference in references(todo.pop()):
            if isinstance(reference, ListRef):
                yield reference.slot
            elif isinstance(reference, RuleRef) and reference.rule not in seen:
                seen.add(reference.rule)
                todo.append(resolved.rules[reference.rule])
