"""Which slots take nothing but free words: their values cannot be confused with another value, only misspelt."""

from __future__ import annotations

from collections.abc import Iterator

from assistant.grammar.tree import Choice, Context, ListRef, Node, RuleRef, Sequence, Wildcard

_KEPT = 8
_known: dict[str, frozenset[str]] = {}


def free_slots(context: Context) -> frozenset[str]:
    """Names of the slots of `context` that are filled from wildcards only."""
    if context.hash not in _known:
        wildcards = {name for name, values in context.lists.items() if isinstance(values, Wildcard)}
        used = {(ref.slot, ref.list) for t in context.templates for ref in _references(t.node, context)}
        slots = frozenset(slot for slot, name in used if name in wildcards)
        slots -= {slot for slot, name in used if name not in wildcards}
        while len(_known) >= _KEPT:
            _known.pop(next(iter(_known)), None)
        _known[context.hash] = slots if wildcards else frozenset()
    return _known[context.hash]


def _references(node: Node, context: Context) -> Iterator[ListRef]:
    if isinstance(node, ListRef):
        yield node
    elif isinstance(node, Sequence | Choice):
        for item in node.items:
            yield from _references(item, context)
    elif isinstance(node, RuleRef):
        yield from _references(context.rules[node.rule], context)
