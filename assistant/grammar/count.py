"""How many sentences a context has, and which rule or list makes them so many. Big integers; nothing is enumerated.

Counted are ways through the templates: each list value's wordings, each number once, a wildcard as one. Different
writings of the same words ("12", "twelve") are not counted. A sentence that two templates accept counts twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from assistant.grammar.resolve import base_name
from assistant.grammar.template import references
from assistant.grammar.tree import (
    Choice,
    Context,
    ListRef,
    Node,
    NumberList,
    RuleRef,
    Sequence,
    Template,
    Text,
    TextList,
)


@dataclass(frozen=True, slots=True)
class Cause:
    """What makes a context large.

    template: the template with the most sentences. sentences: how many it has.
    parts: the rules and lists in it with their sizes, largest first, as ("rule 'extras'", 90).
    """

    template: Template
    sentences: int
    parts: tuple[tuple[str, int], ...]


def count(context: Context) -> int:
    """Number of sentences of a context."""
    counter = _Counter(context)
    return sum(counter.node(template.node) for template in context.templates)


def count_by_intent(context: Context) -> dict[str, int]:
    """Number of sentences of each intent."""
    counter = _Counter(context)
    counts = dict.fromkeys(context.intents, 0)
    for template in context.templates:
        counts[template.intent] += counter.node(template.node)
    return counts


def largest(context: Context) -> Cause:
    """The template with the most sentences, and the rules and lists that it owes them to."""
    counter = _Counter(context)
    template = max(context.templates, key=lambda item: counter.node(item.node))
    sizes: dict[str, int] = {}
    todo: list[Node] = [template.node]
    while todo:
        for reference in references(todo.pop()):
            if isinstance(reference, ListRef):
                sizes[f"list '{base_name(reference.list)}'"] = counter.list(reference.list)
            elif (name := f"rule '{base_name(reference.rule)}'") not in sizes:
                sizes[name] = counter.node(reference)
                todo.append(context.rules[reference.rule])
    parts = sorted(sizes.items(), key=lambda item: -item[1])
    return Cause(template, counter.node(template.node), tuple(parts))


class _Counter:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._rules: dict[str, int] = {}
        self._lists: dict[str, int] = {}

    def node(self, node: Node) -> int:
        if isinstance(node, Text):
            return 1
        if isinstance(node, Sequence):
            product = 1
            for item in node.items:
                product *= self.node(item)
            return product
        if isinstance(node, Choice):
            return sum(self.node(item) for item in node.items)
        if isinstance(node, ListRef):
            return self.list(node.list)
        return self._rule(node)

    def _rule(self, reference: RuleRef) -> int:
        if reference.rule not in self._rules:
            self._rules[reference.rule] = self.node(self._context.rules[reference.rule])
        return self._rules[reference.rule]

    def list(self, name: str) -> int:
        if name not in self._lists:
            values = self._context.lists[name]
            if isinstance(values, TextList):
                self._lists[name] = sum(self.node(value.node) for value in values.values)
            elif isinstance(values, NumberList):
                self._lists[name] = len(range(values.start, values.stop + 1, values.step)) * (2 if values.halves else 1)
            else:
                self._lists[name] = 1
        return self._lists[name]
