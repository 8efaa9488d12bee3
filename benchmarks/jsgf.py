"""A context as a JSGF grammar (W3C JSpeech Grammar Format, 2000), for recognisers that read that."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.errors import ContextError
from assistant.grammar.spelling import number_words
from assistant.grammar.tree import Choice, Context, ListRef, Node, NumberList, RuleRef, Sequence, Text, TextList


def to_jsgf(context: Context) -> str:
    """The grammar of `context`, words in lower case, numbers as words.

    Raises ContextError for wildcards and for words glued from parts, which JSGF does not have.
    """
    rules = [f"public <sentence> = {_any(_written(t.node, context) for t in context.templates)};"]
    rules += [f"<rule_{name}> = {_written(node, context)};" for name, node in context.rules.items()]
    for name, values in context.lists.items():
        if isinstance(values, TextList):
            options: Iterator[str] = (_written(value.node, context) for value in values.values)
        elif isinstance(values, NumberList):
            options = (number_words(n) for n in range(values.start, values.stop + 1, values.step))
        else:
            raise ContextError("a wildcard has no JSGF", where=f"list {name}", remedy="compare another context")
        rules.append(f"<list_{name}> = {_any(options)};")
    return "#JSGF V1.0;\ngrammar context;\n" + "\n".join(rules) + "\n"


def _any(options: Iterator[str]) -> str:
    return "(" + " | ".join(dict.fromkeys(option or "<NULL>" for option in options)) + ")"


def _written(node: Node, context: Context) -> str:
    if isinstance(node, Text):
        return " ".join(re.findall(r"[a-z']+", node.text.lower()))
    if isinstance(node, Choice):
        return _any(_written(item, context) for item in node.items)
    if isinstance(node, RuleRef):
        return f"<rule_{node.rule}>"
    if isinstance(node, ListRef):
        return f"<list_{node.list}>"
    _check_spaces(node)
    return " ".join(filter(None, (_written(item, context) for item in node.items)))


def _check_spaces(node: Sequence) -> None:
    """Two literal pieces without a space between them are one word, which a list of words cannot say."""
    for left, right in zip(node.items, node.items[1:], strict=False):
        if not (isinstance(left, Text) and isinstance(right, Text) and left.text and right.text):
            continue
        if not left.text.endswith(" ") and not right.text.startswith(" "):
            raise ContextError("a word made of parts has no JSGF", where=left.text, remedy="compare another context")
