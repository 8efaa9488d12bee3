r"""Sentence templates in hassil's syntax as nodes: parsed by hassil, permutations written out, rare words weighted.

(a|b)  one of them     [a]  may be left out     (a;b)  in any order    {list:slot}    <rule>    \( \[ …  the sign
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping

from hassil.expression import (
    Alternative,
    Expression,
    Group,
    ListReference,
    Permutation,
    RuleReference,
    TextChunk,
)
from hassil.parse_expression import parse_sentence
from hassil.parser import ALT_SEP, DELIM, ESCAPE_CHAR, PERM_SEP, ParseError
from hassil.util import normalize_text

from assistant.grammar.tree import Choice, ListRef, Node, RuleRef, Sequence, Text

MAX_PERMUTED = 5  # items; 5! = 120 orders, the next would be 720

_SIGNS = frozenset((*DELIM, *DELIM.values(), ALT_SEP, PERM_SEP, ESCAPE_CHAR))
_NAME = re.compile(r"[\w.][\w. /-]*")
_INLINE_RANGE = re.compile(r"-?\d+\.\.-?\d+(,\d+)?")


class TemplateError(Exception):
    """A template that cannot be read; the text says why."""


def parse_template(source: str, rare: Mapping[str, float] | None = None, used: set[str] | None = None) -> Node:
    """Read one template.

    rare: alternative (its words in lower case) → natural log of its weight; applied to items of Choice that read so.
    used: the keys of `rare` that were met are added to it.
    Raises TemplateError.
    """
    if not source.strip():
        raise TemplateError("is empty")
    if not _SIGNS.intersection(source):
        return Text(normalize_text(source.strip()))
    _check_brackets(source)
    try:
        expression = parse_sentence(source).expression
    except (ParseError, AssertionError, IndexError) as error:
        raise TemplateError("is not a template that hassil can read") from error
    return _Reader(rare or {}, used if used is not None else set()).node(expression)


def sequence(items: Iterable[Node]) -> Node:
    """A Sequence of `items`, flattened, neighbouring Text joined; a single item is itself."""
    flat: list[Node] = []
    for item in items:
        for part in item.items if isinstance(item, Sequence) else (item,):
            if isinstance(part, Text) and flat and isinstance(flat[-1], Text):
                flat[-1] = Text(flat[-1].text + part.text)
            elif not (isinstance(part, Text) and part.text == ""):
                flat.append(part)
    if not flat:
        return Text("")
    return flat[0] if len(flat) == 1 else Sequence(tuple(flat))


def references(node: Node) -> Iterable[ListRef | RuleRef]:
    """Every ListRef and RuleRef of a node, in order, rules not entered."""
    if isinstance(node, (ListRef, RuleRef)):
        yield node
    elif isinstance(node, (Sequence, Choice)):
        for item in node.items:
            yield from references(item)


def replace_references(node: Node, replace: Callable[[ListRef | RuleRef], Node]) -> Node:
    """The same node with each ListRef and RuleRef replaced; nodes without any are shared, not copied."""
    if isinstance(node, (ListRef, RuleRef)):
        return replace(node)
    if isinstance(node, (Sequence, Choice)):
        items = tuple(replace_references(item, replace) for item in node.items)
        if all(new is old for new, old in zip(items, node.items, strict=True)):
            return node
        return Choice(items, node.weights) if isinstance(node, Choice) else Sequence(items)
    return node


def literal(node: Node) -> str | None:
    """The words of a node that is nothing but words, single-spaced and in lower case; else None."""
    return " ".join(node.text.split()).casefold() if isinstance(node, Text) else None


def words_of(node: Node) -> list[str]:
    """The words of a node's own text, in order, with what is glued to them ("light[s]" is "light" and "s")."""
    if isinstance(node, Text):
        return node.text.split()
    if isinstance(node, (Sequence, Choice)):
        return [word for item in node.items for word in words_of(item)]
    return []


class _Reader:
    def __init__(self, rare: Mapping[str, float], used: set[str]) -> None:
        self._rare = rare
        self._used = used

    def node(self, expression: Expression) -> Node:
        if isinstance(expression, TextChunk):
            return Text(expression.text)
        if isinstance(expression, ListReference):
            return _list_reference(expression)
        if isinstance(expression, RuleReference):
            name = expression.rule_name.strip()
            if not _NAME.fullmatch(name):
                raise TemplateError(f"names a rule <{expression.rule_name}>, which is no name")
            return RuleRef(name)
        if isinstance(expression, Alternative):
            return self._choice(expression)
        if isinstance(expression, Permutation):
            return self._orders(expression)
        if isinstance(expression, Group):
            return sequence(self.node(item) for item in expression.items)
        raise TemplateError(f"has a part of unknown kind ({type(expression).__name__})")

    def _choice(self, alternative: Alternative) -> Node:
        # `[a;b]` comes as an optional of one permutation, which is no mixture.
        optional_orders = alternative.is_optional and len(alternative.items) == 2
        if not optional_orders and any(isinstance(item, Permutation) for item in alternative.items):
            raise TemplateError("mixes | and ; in one group; put one of them into its own brackets")
        # The same alternative written twice is one.
        items = tuple(dict.fromkeys(self.node(item) for item in alternative.items))
        weights = tuple(self._weight(item) for item in items)
        if len(items) == 1:
            return items[0]
        return Choice(items, weights if any(weights) else ())

    def _weight(self, item: Node) -> float:
        words = literal(item)
        if words is None or words not in self._rare:
            return 0.0
        self._used.add(words)
        return self._rare[words]

    def _orders(self, permutation: Permutation) -> Node:
        items = [self.node(item) for item in permutation.items]
        if any(isinstance(item, Alternative) for item in permutation.items):
            raise TemplateError("mixes | and ; in one group; put one of them into its own brackets")
        if len(items) > MAX_PERMUTED:
            raise TemplateError(f"has {len(items)} parts in any order; at most {MAX_PERMUTED} are possible")
        # hassil's parser has put a space before and after each item; runs of spaces count as one.
        return Choice(tuple(sequence(order) for order in itertools.permutations(items)))


def _list_reference(reference: ListReference) -> ListRef:
    name, slot = reference.list_name.strip(), reference.slot_name.strip()
    if reference.is_capture:
        raise TemplateError(f"captures {{@{slot}}}, which only a reply may do")
    if not (_NAME.fullmatch(name) or _INLINE_RANGE.fullmatch(name)) or not _NAME.fullmatch(slot):
        raise TemplateError(f"names a list {{{name}}} with slot '{slot}', which is no name")
    if name == slot and _INLINE_RANGE.fullmatch(name):
        raise TemplateError(f"needs a slot for the range {{{name}}}: write {{{name}:slot}}")
    return ListRef(name, slot)


def _check_brackets(source: str) -> None:
    """Raise TemplateError for the first bracket that is not closed or closes nothing."""
    closers = {closer: opener for opener, closer in DELIM.items()}
    stack: list[tuple[str, int]] = []
    escaped = False
    for column, sign in enumerate(source, start=1):
        if escaped:
            escaped = False
        elif sign == ESCAPE_CHAR:
            escaped = True
        elif sign in DELIM:
            if stack and stack[-1][0] in "{<":
                raise TemplateError(f"has '{sign}' inside '{stack[-1][0]}' at column {column}")
            stack.append((sign, column))
        elif sign in closers:
            if not stack or stack[-1][0] != closers[sign]:
                raise TemplateError(f"has '{sign}' at column {column} that closes nothing")
            opener, at = stack.pop()
            if at == column - 1:  # `[ ]` is an optional space
                raise TemplateError(f"has an empty '{opener}{sign}' at column {at}")
    if stack:
        raise TemplateError(f"has '{stack[-1][0]}' at column {stack[-1][1]} that is never closed")
