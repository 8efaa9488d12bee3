"""What a context allows, by writing every sentence out: the slow, plain counterpart of network, acceptor and parser.

Also random small contexts, and a tokenizer whose tokens are letters, so that words share all their beginnings.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

from assistant.grammar.acceptor import LazyAcceptor, TokenAcceptor
from assistant.grammar.network import build_network
from assistant.grammar.spelling import number_writings, spellings
from assistant.grammar.tokens import SENTENCE_MARKS, Spelling, TokenNetwork
from assistant.grammar.tree import (
    Choice,
    Context,
    ListRef,
    ListValue,
    Node,
    NumberList,
    RuleRef,
    Sequence,
    Settings,
    SlotList,
    Template,
    Text,
    TextList,
)

Tokens = tuple[int, ...]
Slots = tuple[tuple[str, Any], ...]
Language = dict[Tokens, dict[tuple[str, Slots], float]]
"""Token sequence → meaning (intent and sorted slots) → weight of its best wording."""

MOST = 4000
"""Wordings beyond which a context is too large to be written out."""

BEGIN, END, COMMA, HYPHEN = "\x01\x02\x03\x04"
"""Edges of a list value in a wording, and the marks that may follow one."""


class TooMany(Exception):
    """There are more than MOST wordings."""


class Letters:
    """A tokenizer with one token a letter; the first letter of a word that is not glued carries the space."""

    def encode_word(self, word: str, *, glued: bool = False) -> Tokens:
        """Code points; 100,000 more for the first letter after a space."""
        return tuple(ord(c) + (100_000 if at == 0 and not glued else 0) for at, c in enumerate(word))

    def decode(self, tokens: Tokens) -> str:
        """The text again."""
        return "".join(f" {chr(t - 100_000)}" if t > 100_000 else chr(t) for t in tokens).strip()


def context_with(
    *templates: Template,
    lists: Mapping[str, SlotList] | None = None,
    rules: Mapping[str, Node] | None = None,
    spelling: Mapping[str, tuple[str, ...]] | None = None,
) -> Context:
    """A context straight from its tree."""
    settings = Settings(spellings=spelling or {})
    return Context("test", "", templates, rules or {}, lists or {}, {}, {}, settings, "0")


def network_of(context: Context, spelling: Spelling) -> TokenNetwork:
    """The token network of `context`."""
    return TokenNetwork(build_network(context), spelling)


def language(context: Context, spelling: Spelling) -> Language:
    """Every token sequence of `context` and what it means. Raises TooMany."""
    found: Language = {}
    count = 0
    for template in context.templates:
        for wording, slots, weight in _expand(template.node, context):
            meaning = template.intent, tuple(sorted({**template.slots, **dict(slots)}.items()))
            for tokens in _sequences(wording, spelling):
                count += 1
                if count > MOST:
                    raise TooMany
                meanings = found.setdefault(tokens, {})
                meanings[meaning] = max(meanings.get(meaning, -math.inf), weight + template.weight)
    return found


def accepted(acceptor: TokenAcceptor) -> dict[Tokens, float]:
    """Every token sequence that a loop-free `acceptor` accepts, with its weight."""
    found: dict[Tokens, float] = {}
    todo: list[tuple[int, Tokens, float]] = [(acceptor.start, (), 0.0)]
    while todo:
        state, tokens, weight = todo.pop()
        arcs = acceptor.arcs(state)
        if arcs.final > -math.inf:
            found[tokens] = weight + arcs.final
        for token, to, more in zip(arcs.tokens.tolist(), arcs.to.tolist(), arcs.weights.tolist(), strict=True):
            todo.append((to, (*tokens, token), weight + more))
    return found


def weight_of(acceptor: TokenAcceptor, tokens: Tokens) -> float:
    """Weight of one sequence, wildcards included; minus infinity if it is not accepted."""
    state, weight = acceptor.start, 0.0
    for token in tokens:
        arcs = acceptor.arcs(state)
        (at,) = (arcs.tokens == token).nonzero()
        if len(at):
            state, weight = int(arcs.to[at[0]]), weight + float(arcs.weights[at[0]])
        elif arcs.wildcard >= 0:
            state = arcs.wildcard
        else:
            return -math.inf
    return weight + acceptor.arcs(state).final


def lazy(context: Context, spelling: Spelling) -> LazyAcceptor:
    """The acceptor that determinises as it is asked."""
    return LazyAcceptor(network_of(context, spelling))


# -- writing out ---------------------------------------------------------------------------------------------------


def _expand(node: Node, context: Context) -> Iterator[tuple[str, Slots, float]]:
    if isinstance(node, Text):
        yield from ((writing, (), 0.0) for writing in spellings(node.text, context.settings.spellings))
    elif isinstance(node, Sequence):
        for parts in itertools.product(*(list(_expand(item, context)) for item in node.items)):
            texts, slots, weights = zip(*parts, strict=True) if parts else ((), (), ())
            yield "".join(texts), tuple(itertools.chain.from_iterable(slots)), sum(weights)
    elif isinstance(node, Choice):
        for item, own in zip(node.items, node.weights or (0.0,) * len(node.items), strict=True):
            yield from ((text, slots, weight + own) for text, slots, weight in _expand(item, context))
    elif isinstance(node, RuleRef):
        yield from _expand(context.rules[node.rule], context)
    else:
        for wording, value, weight in _values(context.lists[node.list], context):
            for mark in ("", COMMA, HYPHEN) if isinstance(value, (int, float)) else ("", COMMA):
                yield f"{BEGIN}{wording}{END}{mark}", ((node.slot, value),), weight


def _values(values: SlotList, context: Context) -> Iterator[tuple[str, Any, float]]:
    if isinstance(values, TextList):
        for entry in values.values:
            for wording, _, weight in _expand(entry.node, context):
                yield wording.strip(), entry.value, weight + entry.weight
    elif isinstance(values, NumberList):
        for number in range(values.start, values.stop + 1, values.step):
            for writing in number_writings(number):
                yield writing, number * values.multiplier, 0.0
            if values.halves:
                for writing in (f"{number_writings(number)[0]} and a half", f"{number} and a half", f"{number}.5"):
                    yield writing, (number + 0.5) * values.multiplier, 0.0


def _sequences(wording: str, spelling: Spelling) -> Iterator[Tokens]:
    """All ways to write `wording`: as it is or in lower case, a capital at the start, a mark at the end."""
    options: list[set[Tokens]] = []
    for word, glued, first in _words(wording):
        if word in (COMMA, HYPHEN):
            options.append({spelling.encode_word("," if word == COMMA else "-", glued=True)})
            continue
        cases = {word, word.lower()}
        if first:
            cases |= {case[:1].upper() + case[1:] for case in cases}
        options.append({spelling.encode_word(case, glued=glued) for case in cases})
    ends: list[Tokens] = [(), *(spelling.encode_word(mark, glued=True) for mark in SENTENCE_MARKS)]
    for parts in itertools.product(*options, ends):
        yield tuple(itertools.chain.from_iterable(parts))


def _words(wording: str) -> Iterator[tuple[str, bool, bool]]:
    """(word, glued to what stands before, first of the sentence). A list's value is always words of its own."""
    word, glued, first, hyphened = "", False, True, False
    for sign in (*wording, " "):
        if sign not in (" ", BEGIN, END, COMMA, HYPHEN):
            word += sign
            continue
        if word:
            yield word, glued or hyphened, first
            word, first, hyphened = "", False, False
        glued = sign in (END, COMMA, HYPHEN) or (glued and sign not in (" ", BEGIN))
        if sign in (COMMA, HYPHEN):
            yield sign, True, False
        hyphened = hyphened or sign == HYPHEN


# -- random contexts -----------------------------------------------------------------------------------------------

WORDS = ("on", "of", "off", "the", "lamp", "lamps", "TV", "xylophone", "café", "twelve ounce")
WEIGHTS = (0.0, 0.0, -0.5, -1.25, -3.0)

_literal = st.one_of(
    st.sampled_from(WORDS).map(lambda word: Text(f" {word} ")),
    st.sampled_from((*WORDS, "s", "%", "")).map(Text),
)
_value_node = st.one_of(
    st.sampled_from(WORDS).map(Text),
    st.tuples(st.sampled_from(WORDS), st.sampled_from(WORDS)).map(
        lambda pair: Sequence((Choice((Text(f"{pair[0]} "), Text(""))), Text(pair[1])))
    ),
)
_values_of = st.sampled_from(("red", "blue", 5, 2.5))


def contexts() -> st.SearchStrategy[Context]:
    """Small contexts: optionals, weighted choices, rules, lists of words and of numbers, glue."""
    leaf = st.one_of(
        _literal,
        st.tuples(st.sampled_from(("colour", "number")), st.sampled_from(("a", "b"))).map(lambda pair: ListRef(*pair)),
        st.just(RuleRef("rule")),
    )
    nodes: st.SearchStrategy[Node] = st.recursive(leaf, _compound, max_leaves=5)
    templates = st.lists(
        st.builds(
            Template,
            intent=st.sampled_from(("Paint", "Set")),
            node=nodes,
            source=st.just("written in a test"),
            slots=st.sampled_from(({}, {"domain": "light"})),
            weight=st.sampled_from(WEIGHTS),
        ),
        min_size=1,
        max_size=3,
    )
    return st.builds(
        lambda templates, rule, colours, numbers, spelling: context_with(
            *templates, rules={"rule": rule}, lists={"colour": colours, "number": numbers}, spelling=spelling
        ),
        templates,
        st.one_of(_literal, st.lists(_literal, min_size=1, max_size=2).map(lambda items: Choice(tuple(items)))),
        st.lists(
            st.builds(ListValue, node=_value_node, value=_values_of, weight=st.sampled_from(WEIGHTS)),
            min_size=1,
            max_size=2,
        ).map(lambda values: TextList("colour", tuple(values))),
        st.builds(
            lambda start, count, step, halves, multiplier: NumberList(
                "number", start, start + count * step, step, halves, multiplier
            ),
            st.sampled_from((0, 19, 21, 100)),
            st.integers(0, 1),
            st.integers(1, 2),
            st.booleans(),
            st.sampled_from((1, 2, 0.5)),
        ),
        st.sampled_from(({}, {"lamp": ("light", "desk lamp")})),
    )


def _compound(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    items = st.lists(children, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        items.map(Sequence),
        items.flatmap(
            lambda chosen: st.one_of(
                st.just(Choice(chosen)),
                st.tuples(*(st.sampled_from(WEIGHTS) for _ in chosen)).map(lambda weights: Choice(chosen, weights)),
            )
        ),
        children.map(lambda child: Choice((child, Text("")))),
    )
