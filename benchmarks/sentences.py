"""Sentences of a context to be spoken, and whether a sentence from elsewhere belongs to it after all."""

from __future__ import annotations

from assistant.grammar import tree
from assistant.grammar.match import matcher_of
from assistant.grammar.sample import Sample, sample

NEAR_EDITS = 3.0
"""A foreign sentence within so many slips of the context is none: "turn the lights off please" belongs to a home."""


def known_sentences(context: tree.Context, count: int, seed: int) -> list[Sample]:
    """`count` different sentences without free names: what a wildcard holds has no one right spelling."""
    drawn = (s for s in sample(context, 6 * count, seed) if not _has_wildcard(s.template.node, context))
    return list({s.text: s for s in drawn}.values())[:count]


def belongs(text: str, context: tree.Context) -> bool:
    """Whether a sentence could rightly be understood in `context`."""
    return bool(text) and bool(matcher_of(context).match_within(text, NEAR_EDITS))


def _has_wildcard(node: tree.Node, context: tree.Context) -> bool:
    if isinstance(node, tree.ListRef):
        return isinstance(context.lists[node.list], tree.Wildcard)
    if isinstance(node, tree.RuleRef):
        return _has_wildcard(context.rules[node.rule], context)
    return isinstance(node, tree.Sequence | tree.Choice) and any(_has_wildcard(item, context) for item in node.items)
