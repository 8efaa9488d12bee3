"""References of a context resolved: every list and rule exists, no rule needs itself, conditions have become lists.

Conditions are on Home Assistant's per-value context (`requires_context`, `excludes_context`); readers of the tree see
plain lists, of the values that fit.

A derived list or rule is called "NAME [condition]" or, when it is visible in one group only, "NAME (INTENT n)".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from assistant.grammar.places import Faults, did_you_mean
from assistant.grammar.sentences import Group, Rule, Sentence, Source
from assistant.grammar.template import references, replace_references, sequence
from assistant.grammar.tree import (
    Choice,
    ListRef,
    Node,
    NumberList,
    Place,
    RuleRef,
    Sequence,
    SlotList,
    Template,
    Text,
    TextList,
)

BEFORE = "words to skip (before)"
AFTER = "words to skip (after)"

_NEVER = Choice(())
_INLINE_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)(?:,(\d+))?")


@dataclass(slots=True)
class Resolved:
    """The parts of a Context. notes: what was left out, where and why (sentences that no value of a list fits)."""

    templates: list[Template] = field(default_factory=list)
    rules: dict[str, Node] = field(default_factory=dict)
    lists: dict[str, SlotList] = field(default_factory=dict)
    notes: list[tuple[Place, str]] = field(default_factory=list)


def base_name(name: str) -> str:
    """The name that the author wrote for a derived list or rule."""
    return re.split(r" [\[(]", name, maxsplit=1)[0]


def resolve(source: Source, faults: Faults) -> Resolved:
    """Check all references of `source` and derive what conditions and group-local names ask for."""
    resolved = Resolved(lists=dict(source.lists))
    scope = _Scope(source.lists, source.rules, {}, {}, "", resolved, faults)
    for name, rule in source.rules.items():
        resolved.rules[name] = scope.node(rule.node, rule.place, (name,))
    for text_list in source.lists.values():
        _check_values(text_list, source.rules, faults)
    if source.skip_words:
        resolved.rules[BEFORE] = Choice((*(sequence((n, Text(" "))) for n in source.skip_words.values()), Text("")))
        resolved.rules[AFTER] = Choice((*(sequence((Text(" "), n)) for n in source.skip_words.values()), Text("")))
    counts: dict[str, int] = {}
    for group in source.groups:
        counts[group.intent] = counts.get(group.intent, 0) + 1
        for text_list in group.lists.values():
            _check_values(text_list, {**source.rules, **group.rules}, faults)
        _resolve_group(group, f"{group.intent} {counts[group.intent]}", source, resolved, faults)
    _note_unused(source, resolved)
    return resolved


def _note_unused(source: Source, resolved: Resolved) -> None:
    """Note rules and lists that no sentence needs, also through rules."""
    used: set[str] = set()
    todo: list[Node] = [template.node for template in resolved.templates]
    while todo:
        for reference in references(todo.pop()):
            name = reference.list if isinstance(reference, ListRef) else reference.rule
            if name not in used:
                used.add(name)
                if isinstance(reference, RuleRef):
                    todo.append(resolved.rules[name])
                elif isinstance(values := resolved.lists[name], TextList):
                    todo += [value.node for value in values.values]
    written = {base_name(name) for name in used}
    for name, values in source.lists.items():
        if name not in written and values.place and name not in source.lent:
            resolved.notes.append((values.place, f"list '{name}' is never used"))
    for name, rule in source.rules.items():
        if name not in written:
            resolved.notes.append((rule.place, f"rule '{name}' is never used"))


def _resolve_group(group: Group, label: str, source: Source, resolved: Resolved, faults: Faults) -> None:
    scope = _Scope(
        {**source.lists, **group.lists},
        {**source.rules, **group.rules},
        {key: _allowed(value) for key, value in group.requires.items()},
        {key: _allowed(value) for key, value in group.excludes.items()},
        label,
        resolved,
        faults,
    )
    scope.local_lists = frozenset(group.lists)
    scope.local_rules = frozenset(group.rules)
    known = {key for values in scope.lists.values() for key in _keys(values)}
    for key in (*group.requires, *group.excludes):
        hint = did_you_mean(key, known)
        if key not in known and hint and not source.lent:  # another home may have it
            faults.add(group.place, f"no list has '{key}' in a value's context{hint}")
    for written in group.sentences:
        node = scope.node(written.node, written.place, ())
        missing = _unmet(written, group, scope)
        if missing:
            note = f"never matches: no list that it names has '{missing}' in its values' context"
            resolved.notes.append((written.place, note))
        elif node == _NEVER and any(values.name in source.lent for values in scope.lists_under(written.node)):
            pass  # this home has no such device, or no scenes; another may
        elif node == _NEVER:
            condition = _describe(scope.requires, scope.excludes)
            resolved.notes.append((written.place, f"never matches: no value of its lists has {condition}"))
        elif _may_be_empty(node, resolved.rules):
            faults.add(
                written.place, f'"{written.source}" can be said with no words at all', "make a word of it required"
            )
        else:
            if source.skip_words:
                node = sequence((RuleRef(BEFORE), node, RuleRef(AFTER)))
            resolved.templates.append(
                Template(group.intent, node, written.source, group.slots, group.weight, group.response, written.place)
            )


class _Scope:
    """Names and conditions that hold for one group of sentences, and what they make of references."""

    def __init__(
        self,
        lists: Mapping[str, SlotList],
        rules: Mapping[str, Rule],
        requires: Mapping[str, tuple[Any, ...]],
        excludes: Mapping[str, tuple[Any, ...]],
        label: str,
        resolved: Resolved,
        faults: Faults,
    ) -> None:
        self.lists = lists
        self.rules = rules
        self.requires = requires
        self.excludes = excludes
        self.local_lists: frozenset[str] = frozenset()
        self.local_rules: frozenset[str] = frozenset()
        self._label = label
        self._resolved = resolved
        self._faults = faults
        self._derived_lists: dict[str, str] = {}
        self._derived_rules: dict[str, Node] = {}

    def node(self, node: Node, place: Place, inside: tuple[str, ...]) -> Node:
        """`node` with its references replaced and its impossible branches cut; `inside`: rules being expanded."""

        def replaced(reference: ListRef | RuleRef) -> Node:
            if isinstance(reference, ListRef):
                return self._list(reference, place)
            return self._rule(reference, place, inside)

        return _cut(replace_references(node, replaced))

    def lists_under(self, node: Node, inside: frozenset[str] = frozenset()) -> Iterator[SlotList]:
        """The lists that a node as written names, also through rules."""
        for reference in references(node):
            if isinstance(reference, ListRef):
                if reference.list in self.lists:
                    yield self.lists[reference.list]
            elif reference.rule in self.rules and reference.rule not in inside:
                yield from self.lists_under(self.rules[reference.rule].node, inside | {reference.rule})

    def _list(self, reference: ListRef, place: Place) -> Node:
        name = reference.list
        if name not in self.lists:
            if self._inline_range(name, place):
                return reference
            hint = did_you_mean(name, self.lists)
            if not hint and name in self.rules:
                hint = f" (did you mean the rule <{name}>?)"
            self._faults.add(place, f"list '{name}' is not defined{hint}", "" if hint else "define it under lists:")
            return Text("…")
        if name not in self._derived_lists:
            self._derived_lists[name] = self._derive(name)
        derived = self._derived_lists[name]
        values = self._resolved.lists[derived]
        if isinstance(values, TextList) and not values.values:
            return _NEVER
        return ListRef(derived, reference.slot)

    def _derive(self, name: str) -> str:
        values = self.lists[name]
        derived = f"{name} ({self._label})" if name in self.local_lists else name
        kept = values
        keys = _keys(values)
        if isinstance(values, TextList) and keys:
            fitting = tuple(v for v in values.values if self._fits(v.context, keys))
            if fitting != values.values:
                conditions = _describe(
                    {key: allowed for key, allowed in self.requires.items() if key in keys},
                    {key: allowed for key, allowed in self.excludes.items() if key in keys},
                )
                derived = f"{derived} [{conditions}]"
                kept = replace(values, values=fitting)
        self._resolved.lists[derived] = kept if derived == name else replace(kept, name=derived)
        return derived

    def _fits(self, context: Mapping[str, Any], keys: frozenset[str]) -> bool:
        for key, allowed in self.requires.items():
            if key in keys and (key not in context or (allowed and context[key] not in allowed)):
                return False
        for key, forbidden in self.excludes.items():
            if key in context and (not forbidden or context[key] in forbidden):
                return False
        return True

    def _rule(self, reference: RuleRef, place: Place, inside: tuple[str, ...]) -> Node:
        name = reference.rule
        if name not in self.rules:
            hint = did_you_mean(name, self.rules)
            if not hint and name in self.lists:
                hint = f" (did you mean the list {{{name}}}?)"
            self._faults.add(
                place, f"rule '{name}' is not defined{hint}", "" if hint else "define it under expansion_rules:"
            )
            return Text("…")
        if name in inside:
            chain = " → ".join((*inside[inside.index(name) :], name))
            self._faults.add(self.rules[name].place, f"rule '{name}' needs itself: {chain}", "break the circle")
            return Text("…")
        if name not in self._derived_rules:
            rule = self.rules[name]
            body = self.node(rule.node, rule.place, (*inside, name))
            if body == _NEVER:
                self._derived_rules[name] = _NEVER
            elif name not in self.local_rules and body == self._resolved.rules.get(name, body):
                self._derived_rules[name] = RuleRef(name)
            else:
                condition = _describe(self.requires, self.excludes)
                changed = self.local_rules or self.local_lists
                derived = f"{name} ({self._label})" if changed else f"{name} [{condition}]"
                self._resolved.rules[derived] = body
                self._derived_rules[name] = RuleRef(derived)
        return self._derived_rules[name]

    def _inline_range(self, name: str, place: Place) -> bool:
        match = _INLINE_RANGE.fullmatch(name)
        if match is None:
            return False
        start, stop, step = int(match[1]), int(match[2]), int(match[3] or 1)
        if start > stop or step < 1:
            self._faults.add(place, f"the range {{{name}}} is empty")
        self._resolved.lists[name] = NumberList(name, start, max(start, stop), max(step, 1), place=place)
        return True


def _unmet(written: Sentence, group: Group, scope: _Scope) -> str:
    """The first required key that no list of the sentence can bring and that does not come from outside, or ""."""
    for key, value in group.requires.items():
        # `area: {slot: true}` asks for the room in which the device stands: known when it runs, not in the sentence.
        if isinstance(value, Mapping) and value.get("slot"):
            continue
        if not any(key in _keys(values) for values in scope.lists_under(written.node)):
            return key
    return ""


def _allowed(value: Any) -> tuple[Any, ...]:
    """The values that a condition names; () for any."""
    if isinstance(value, Mapping):
        return _allowed(value["value"]) if "value" in value else ()
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)


def _keys(values: SlotList) -> frozenset[str]:
    return frozenset(key for v in values.values for key in v.context) if isinstance(values, TextList) else frozenset()


def _describe(requires: Mapping[str, tuple[Any, ...]], excludes: Mapping[str, tuple[Any, ...]]) -> str:
    parts = [f"{key}: {'|'.join(map(str, allowed)) or 'any'}" for key, allowed in requires.items()]
    parts += [f"{key}: not {'|'.join(map(str, allowed)) or 'any'}" for key, allowed in excludes.items()]
    return ", ".join(parts)


def _cut(node: Node) -> Node:
    """`node` without branches that can never be said; _NEVER if nothing is left."""
    if isinstance(node, Sequence):
        items = tuple(_cut(item) for item in node.items)
        return _NEVER if _NEVER in items else sequence(items)
    if isinstance(node, Choice) and node.items:
        weights = node.weights or (0.0,) * len(node.items)
        kept = [(cut, w) for cut, w in zip((_cut(item) for item in node.items), weights, strict=True) if cut != _NEVER]
        if not kept:
            return _NEVER
        return Choice(tuple(item for item, _ in kept), tuple(w for _, w in kept) if node.weights else ())
    return node


def _may_be_empty(node: Node, rules: Mapping[str, Node]) -> bool:
    if isinstance(node, Text):
        return not node.text.strip()
    if isinstance(node, Sequence):
        return all(_may_be_empty(item, rules) for item in node.items)
    if isinstance(node, Choice):
        return any(_may_be_empty(item, rules) for item in node.items)
    return isinstance(node, RuleRef) and node.rule in rules and _may_be_empty(rules[node.rule], rules)


def _check_values(values: SlotList, rules: Mapping[str, Rule], faults: Faults) -> None:
    """A value's wordings may use rules of plain words, nothing else."""
    if not isinstance(values, TextList):
        return
    for value in values.values:
        place = value.place or Place("", 1)
        for reference in references(value.node):
            if isinstance(reference, ListRef):
                faults.add(place, f"a value of list '{values.name}' names the list {{{reference.list}}}", "use words")
            elif reference.rule not in rules:
                hint = did_you_mean(reference.rule, rules)
                faults.add(place, f"rule '{reference.rule}' is not defined{hint}")
            elif any(isinstance(inner, ListRef) for inner in references(rules[reference.rule].node)):
                faults.add(place, f"a value of list '{values.name}' uses <{reference.rule}>, which names a list")
        # Rules may still have circles here; those are faults already.
        if not faults and _may_be_empty(value.node, {name: rule.node for name, rule in rules.items()}):
            faults.add(place, f"a value of list '{values.name}' can be said with no words at all")
