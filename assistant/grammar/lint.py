"""The linter: what loads and is still likely to disappoint whoever speaks.

what                                             severity   found by
two meanings for the same words                  error      the word acceptor: ends with two labels
the same, where free words (a wildcard) cause it warning
two wordings that sound alike, meanings differ   warning    arcs of one state, and words that lead both to an end
a word that the recognizer cannot write          error      `spell`
an intent without reply or action, a reply to nothing, rules and lists unused, sentences that never match
                                                 warning    the loader's notes
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from itertools import combinations

from assistant.errors import ContextError
from assistant.grammar.match import Match, Matcher
from assistant.grammar.network import Network, build_network
from assistant.grammar.resolve import base_name
from assistant.grammar.sounds import alike
from assistant.grammar.template import references, words_of
from assistant.grammar.tree import Context, ListRef, NumberList, Place, RuleRef, SlotList, Template, TextList, Wildcard
from assistant.grammar.words import ANY, GLUE, WordAcceptor, WordState, list_acceptor, sentence_acceptor, spoken

MAX_FINDINGS_PER_KIND = 50
EXAMPLES_PER_END = 2
"""Sentences read again for each set of templates that end together: two intents show in the first, slots may not."""
MAX_CONTRASTS = 2_000
"""Pairs of words whose continuations are compared, so that a large grammar is not compared for minutes."""


class Severity(enum.Enum):
    """error: it will go wrong. warning: it is likely to. A lint with errors fails."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend: where, how bad, what, and the remedy ("" if the message says it)."""

    place: Place
    severity: Severity
    message: str
    remedy: str = ""


def lint(context: Context, spell: Callable[[str], bool] | None = None) -> tuple[Finding, ...]:
    """All findings of a context that loads, errors first.

    spell: True for words that the recognizer can write; None leaves that check out.
    """
    findings = [Finding(place, Severity.WARNING, note) for place, note in context.notes]
    try:
        network = build_network(context)
        sentences = sentence_acceptor(network, lambda index: index)
    except ContextError as error:
        findings.append(Finding(Place("sentences", 1), Severity.WARNING, error.what, error.remedy))
        return tuple(findings)
    matcher = Matcher(network)
    findings += _ambiguous(matcher, sentences)
    beside_free = _beside_free_words(context)
    for name in network.entries:
        if name not in beside_free:
            findings += _alike_values(network, name)
    findings = _once_per_message(findings)
    findings += _alike_sentences(matcher, sentences)
    if spell is not None:
        findings += _unspellable(context, spell)
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda finding: (finding.severity is Severity.WARNING,)))


def _ambiguous(matcher: Matcher, sentences: WordAcceptor) -> Iterator[Finding]:
    """Words with two meanings: per pair of templates the shortest."""
    seen: set[tuple[int, int]] = set()
    examined: Counter[frozenset[Hashable]] = Counter()
    for number, state in enumerate(sentences.states):
        if not state.ends or examined[state.ends] >= EXAMPLES_PER_END:
            continue
        examined[state.ends] += 1
        text = spoken(sentences.words_to(number)).replace(ANY, "something")
        for first, second in _two_meanings(matcher.match(text)):
            pair = (min(first.template, second.template), max(first.template, second.template))
            if pair not in seen and len(seen) < MAX_FINDINGS_PER_KIND:
                seen.add(pair)
                yield _ambiguity(matcher.context, text, first, second)


def _two_meanings(found: tuple[Match, ...]) -> Iterator[tuple[Match, Match]]:
    """Pairs that differ; two ways to end a wildcard within one template are one meaning here."""
    for first, second in combinations(found, 2):
        if first.template != second.template or first.slots.keys() != second.slots.keys():
            yield first, second


def _ambiguity(context: Context, text: str, first: Match, second: Match) -> Finding:
    here, there = context.templates[first.template], context.templates[second.template]
    message = f'"{text}" means both {_meaning(first)} and {_meaning(second)} ({there.place})'
    # Free words can be anything, also what another sentence says: not to be avoided, but worth knowing.
    wild = any(isinstance(values, Wildcard) for values in _lists_of(context, here, there))
    severity = Severity.WARNING if wild else Severity.ERROR
    return Finding(here.place or Place("sentences", 1), severity, message, "reword one of them")


def _lists_of(context: Context, *templates: Template) -> Iterator[SlotList]:
    """The lists that templates name, also through rules."""
    for reference in _references_of(context, *templates):
        yield context.lists[reference.list]


def _references_of(context: Context, *templates: Template) -> Iterator[ListRef]:
    todo = [template.node for template in templates]
    seen: set[str] = set()
    while todo:
        for reference in references(todo.pop()):
            if isinstance(reference, ListRef):
                yield reference
            elif reference.rule not in seen:
                seen.add(reference.rule)
                todo.append(context.rules[reference.rule])


def _meaning(found: Match) -> str:
    slots = ", ".join(f"{name}: {value}" for name, value in sorted(found.slots.items()))
    return f"{found.intent}({slots})"


@dataclass(frozen=True, slots=True)
class _Contrast:
    """Two words that sound alike after the words of `state`, with `rest` to the ends where the meanings differ."""

    acceptor: WordAcceptor
    state: int
    left: str
    right: str
    rest: list[str]

    def sentence(self, word: str) -> str:
        words = [*self.acceptor.words_to(self.state), word, *self.rest]
        return spoken(words).replace(ANY, "something")

    def ends(self, word: str) -> frozenset[Hashable]:
        end = self.acceptor.follow(self.state, [word, *self.rest])
        return end.ends if end else frozenset()


def _beside_free_words(context: Context) -> frozenset[str]:
    """Lists of usual things whose slots take any other words too: a name of the world, not of the author's choice."""
    slots: dict[str, set[str]] = {}
    for template in context.templates:
        for reference in _references_of(context, template):
            slots.setdefault(reference.slot, set()).add(reference.list)
    wild = {name for name, values in context.lists.items() if isinstance(values, Wildcard)}
    beside = [names - wild for names in slots.values() if names & wild]
    apart = [names for names in slots.values() if not names & wild]
    return frozenset().union(*beside).difference(*apart)


def _alike_values(network: Network, name: str) -> Iterator[Finding]:
    """Values of one list that differ in words that sound alike, and the same words for two values."""
    values = network.context.lists[name]
    if name != base_name(name) and base_name(name) in network.entries:
        return  # part of a list that is looked at anyway
    acceptor = list_acceptor(network, name)
    place = values.place or Place("sentences", 1)
    for number, state in enumerate(acceptor.states):
        if len(state.ends) > 1:
            both = " and ".join(f"'{value}'" for value in sorted(map(str, state.ends)))
            words = spoken(acceptor.words_to(number))
            yield Finding(place, Severity.ERROR, f"'{words}' in list '{base_name(name)}' means both {both}")
    found: dict[tuple[str, str], str] = {}
    for contrast in _contrasts(acceptor, lambda one, other: one.ends != other.ends, network.context):
        if isinstance(values, NumberList) and "-" in contrast.left + contrast.right:
            continue
        pair = (contrast.left, contrast.right)
        found.setdefault(pair, f'"{contrast.sentence(pair[0])}" / "{contrast.sentence(pair[1])}"')
    if found:
        shown = ", ".join(list(found.values())[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "")
        message = f"values that sound alike: {shown}"
        yield Finding(place, Severity.WARNING, message, f"rename one, or {_margin(*next(iter(found)))}")


def _once_per_message(findings: list[Finding]) -> list[Finding]:
    """Lists of the same numbers have the same to say; once is enough."""
    return list({(finding.message, finding.severity): finding for finding in reversed(findings)}.values())[::-1]


def _alike_sentences(matcher: Matcher, sentences: WordAcceptor) -> Iterator[Finding]:
    """Sentences that differ in one word that sounds alike and mean different things ("turn on", "turn out")."""
    context = matcher.context
    meaning = [(t.intent, repr(sorted(t.slots.items()))) for t in context.templates]

    def meanings(labels: frozenset[Hashable]) -> set[tuple[str, str]]:
        return {meaning[label] for label in labels if isinstance(label, int)}

    def differ(one: WordState, other: WordState) -> bool:
        return not meanings(one.ends) & meanings(other.ends)

    seen: set[tuple[str, str, str, str]] = set()
    for contrast in _contrasts(sentences, differ, context):
        ends = {word: contrast.ends(word) for word in (contrast.left, contrast.right)}
        left, right = sorted(ends, key=lambda word: min(label for label in ends[word] if isinstance(label, int)))
        intents = {word: min(intent for intent, _ in meanings(labels)) for word, labels in ends.items()}
        key = (left, right, intents[left], intents[right])
        if key in seen or len(seen) >= MAX_FINDINGS_PER_KIND:
            continue
        seen.add(key)
        message = " and ".join(f'"{contrast.sentence(word)}" ({intents[word]})' for word in (left, right))
        remedy = _synonym(matcher, contrast, right) or _synonym(matcher, contrast, left) or _margin(left, right)
        place = context.templates[min(label for label in ends[right] if isinstance(label, int))].place
        yield Finding(place or Place("sentences", 1), Severity.WARNING, f"{message} sound alike", remedy)


def _synonym(matcher: Matcher, contrast: _Contrast, word: str) -> str:
    """What to do if another word in the place of `word` means exactly the same; "" if none does."""
    meant = matcher.match(contrast.sentence(word))
    for other in contrast.acceptor.states[contrast.state].arcs:
        if other in (contrast.left, contrast.right) or not contrast.ends(other):
            continue
        said = matcher.match(contrast.sentence(other))
        if said and meant and (said[0].intent, said[0].slots) == (meant[0].intent, meant[0].slots):
            return f"'{other}' says the same as '{word}': drop the rarer, or give it a small weight under rare:"
    return ""


def _margin(left: str, right: str) -> str:
    pair = f"[{left.replace(GLUE, '')}, {right.replace(GLUE, '')}]"
    return f"put {pair} under confusable: in context.yaml, so that a larger margin is asked for"


def _contrasts(
    acceptor: WordAcceptor, differs: Callable[[WordState, WordState], bool], context: Context
) -> Iterator[_Contrast]:
    """Pairs of words that sound alike and follow the same words, where some ending makes the meanings differ."""
    listed = {frozenset(pair) for phrases in context.settings.confusable for pair in _differing(*phrases)}
    tried: set[tuple[Hashable, ...]] = set()
    for number, state in enumerate(acceptor.states):
        if ANY in state.arcs:
            continue  # inside a wildcard any word may be said
        for left, right in combinations(state.arcs, 2):
            first, second = state.arcs[left], state.arcs[right]
            below = acceptor.labels_below[first], acceptor.labels_below[second]
            if first == second or (below[0] == below[1] and len(below[0]) == 1):
                continue
            key = (left, right, *below)
            if key in tried or frozenset((left, right)) in listed or _same_word(left, right):
                continue
            if not alike(left, right):
                continue
            if len(tried) >= MAX_CONTRASTS:
                return
            tried.add(key)
            rest = acceptor.words_from(first, second, differs)
            if rest is not None:
                yield _Contrast(acceptor, number, left, right, rest)


def _same_word(left: str, right: str) -> bool:
    """Singular and plural, or a hyphen more: not a contrast that a listener would make."""
    one, other = (word.replace("-", "").replace("'", "").replace(GLUE, "") for word in (left, right))
    return one in (other, other + "s") or other == one + "s"


def _differing(left: str, right: str) -> Iterator[tuple[str, str]]:
    """The words in which two phrases of the same length differ."""
    first, second = left.lower().split(), right.lower().split()
    if len(first) == len(second):
        yield from ((one, other) for one, other in zip(first, second, strict=True) if one != other)


def _unspellable(context: Context, spell: Callable[[str], bool]) -> Iterator[Finding]:
    """Words that the recognizer cannot write, each once."""
    known: dict[str, bool] = {}
    for place, words in _places_of_words(context):
        for word in words:
            if word not in known:
                known[word] = spell(word)
                if not known[word]:
                    message = f"the recognizer cannot write '{word}', so it will never be heard"
                    yield Finding(place, Severity.ERROR, message, "write it as it is spoken, in plain letters")


def _places_of_words(context: Context) -> Iterator[tuple[Place, list[str]]]:
    for template in context.templates:
        place = template.place or Place("sentences", 1)
        todo = [template.node]
        rules: set[str] = set()
        while todo:
            node = todo.pop()
            yield place, words_of(node)
            for reference in references(node):
                if isinstance(reference, RuleRef) and reference.rule not in rules:
                    rules.add(reference.rule)
                    todo.append(context.rules[reference.rule])
    for values in context.lists.values():
        if isinstance(values, TextList):
            for value in values.values:
                yield value.place or Place("sentences", 1), words_of(value.node)
