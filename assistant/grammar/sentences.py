"""sentences/*.yaml as written: intents with groups of templates, lists, rules, words to skip; references unresolved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.grammar.places import Faults, Located, read_yaml
from assistant.grammar.schema import GroupSpec, IntentSpec, ListSpec, RangeSpec, SentencesFile, ValueSpec, read
from assistant.grammar.settings import Header
from assistant.grammar.template import TemplateError, literal, parse_template
from assistant.grammar.tree import ListValue, Node, NumberList, Place, SlotList, Text, TextList, Wildcard

SENTENCES_FOLDER = "sentences"


@dataclass(frozen=True, slots=True)
class Rule:
    """An expansion rule and where it stands."""

    node: Node
    place: Place
    source: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """One template and where it stands."""

    source: str
    node: Node
    place: Place


@dataclass(frozen=True, slots=True)
class Group:
    """One item of an intent's `data`. lists, rules: visible only here. weight: natural log."""

    intent: str
    sentences: tuple[Sentence, ...]
    slots: Mapping[str, Any]
    requires: Mapping[str, Any]
    excludes: Mapping[str, Any]
    lists: Mapping[str, SlotList]
    rules: Mapping[str, Rule]
    response: str
    weight: float
    place: Place


@dataclass(slots=True)
class Source:
    """All sentence files of a context together.

    used_rare: the keys of context.yaml's `rare` that were met. lent: the lists that are not the context's own but the
    home's; they may have no values.
    """

    groups: list[Group] = field(default_factory=list)
    lists: dict[str, SlotList] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    skip_words: dict[str, Node] = field(default_factory=dict)
    used_rare: set[str] = field(default_factory=set)
    lent: frozenset[str] = frozenset()


def read_sentences(folder: Path, header: Header, faults: Faults) -> Source:
    """Read every sentences/*.yaml (and .yml) of a context, in the order of their names."""
    reader = _Reader(Source(), header, faults)
    paths = sentence_files(folder)
    if not paths:
        faults.add(Place(SENTENCES_FOLDER, 1), "has no .yaml file", "write one, or see `assistant context new`")
    for path in paths:
        located = read_yaml(path, path.relative_to(folder).as_posix(), faults)
        if located is not None:
            reader.file(located)
    for phrase in header.rare.keys() - reader.source.used_rare:
        what = f"rare: no alternative in (…|…) or […] reads '{phrase}'"
        faults.add(header.rare_places[phrase], what, "write the alternative as it stands in the sentences")
    return reader.source


def sentence_files(folder: Path) -> list[Path]:
    """The files of sentences of the context in `folder`, by name."""
    return sorted(path for path in (folder / SENTENCES_FOLDER).rglob("*") if path.suffix in (".yaml", ".yml"))


class _Reader:
    def __init__(self, source: Source, header: Header, faults: Faults) -> None:
        self.source = source
        self._header = header
        self._faults = faults

    def file(self, located: Located) -> None:
        spec = read(located, SentencesFile, self._faults, "a sentences file")
        if spec is None:
            return
        language = self._header.settings.language
        if spec.language and spec.language.partition("-")[0] != language.partition("-")[0]:
            what = f"language '{spec.language}' differs from the context's '{language}'"
            self._faults.add(located.keys["language"], what, "make them the same")
        parts = located.value
        if spec.lists:
            for name, definition in self._lists(parts["lists"]).items():
                self._define(self.source.lists, name, definition, parts["lists"].keys[name], "list")
        if spec.expansion_rules:
            for name, rule in self._rules(parts["expansion_rules"]).items():
                self._define(self.source.rules, name, rule, rule.place, "rule")
        if spec.skip_words:
            self._skip_words(parts["skip_words"])
        if spec.intents:
            for name, intent in parts["intents"].value.items():
                self._intent(name, intent)

    def _skip_words(self, located: Located) -> None:
        for item in located.value:
            node = self._template(item)
            if node is not None:
                self.source.skip_words[item.value] = node

    def _define(self, names: dict[str, Any], name: str, definition: Any, place: Place, kind: str) -> None:
        if name in names:
            self._faults.add(place, f"{kind} '{name}' is defined twice (first in {names[name].place})")
        names.setdefault(name, definition)

    def _intent(self, name: str, located: Located) -> None:
        spec = read(located, IntentSpec, self._faults, f"intent '{name}'")
        if spec is None:
            return
        if not spec.data:
            self._faults.add(located.place, f"intent '{name}' has no sentences")
        for item in located.value["data"].value:
            self._group(name, item)

    def _group(self, intent: str, located: Located) -> None:
        spec = read(located, GroupSpec, self._faults, f"a group of intent '{intent}'")
        if spec is None:
            return
        if not spec.sentences:
            self._faults.add(located.place, f"a group of intent '{intent}' has no sentences")
        parts = located.value
        sentences = []
        for item in parts["sentences"].value:
            node = self._template(item)
            if node is not None:
                sentences.append(Sentence(item.value, node, item.place))
        self.source.groups.append(
            Group(
                intent,
                tuple(sentences),
                spec.slots,
                spec.requires_context,
                spec.excludes_context,
                self._lists(parts["lists"]) if spec.lists else {},
                self._rules(parts["expansion_rules"]) if spec.expansion_rules else {},
                spec.response,
                math.log(spec.weight),
                located.place,
            )
        )

    def _template(self, item: Located) -> Node | None:
        try:
            return parse_template(item.value, self._header.rare, self.source.used_rare)
        except TemplateError as error:
            self._faults.add(item.place, f'the template "{item.value}" {error}')
            return None

    def _rules(self, located: Located) -> dict[str, Rule]:
        rules = {}
        for name, item in located.value.items():
            node = self._template(item)
            # A rule that cannot be read still exists: its uses are not faults of their own.
            rules[name] = Rule(Text("…") if node is None else node, located.keys[name], item.value)
        return rules

    def _lists(self, located: Located) -> dict[str, SlotList]:
        lists: dict[str, SlotList] = {}
        for name, item in located.value.items():
            place = located.keys[name]
            lists[name] = self._list(name, item, place) or Wildcard(name, place)
        return lists

    def _list(self, name: str, located: Located, place: Place) -> SlotList | None:
        spec = read(located, ListSpec, self._faults, f"list '{name}'")
        if spec is None:
            return None
        given = [key for key in ("values", "range", "wildcard") if key in located.value]
        if len(given) != 1:
            what = f"list '{name}' has {' and '.join(given)}" if given else f"list '{name}' is empty"
            self._faults.add(located.place, what, "give it one of values, range or wildcard: true")
            return None
        if given == ["wildcard"]:
            return Wildcard(name, place)
        if given == ["range"]:
            return self._range(name, located.value["range"], place)
        if not spec.values:
            self._faults.add(located.place, f"list '{name}' has no values", "add one, or delete the list")
            return None
        values = [self._value(name, item) for item in located.value["values"].value]
        found = tuple(value for value in values if value is not None)
        self._compare_values(name, found)
        return TextList(name, found, place)

    def _range(self, name: str, located: Located, place: Place) -> SlotList | None:
        spec = read(located, RangeSpec, self._faults, f"the range of list '{name}'")
        if spec is None:
            return None
        if spec.from_ > spec.to:
            self._faults.add(located.place, f"the range of list '{name}' is empty: from {spec.from_} to {spec.to}")
            return None
        halves = spec.fractions == "halves"
        return NumberList(name, spec.from_, spec.to, spec.step, halves, spec.multiplier, place)

    def _value(self, name: str, located: Located) -> ListValue | None:
        if not isinstance(located.value, dict):
            located = Located({"in": located}, located.place, {"in": located.place})
        spec = read(located, ValueSpec, self._faults, f"a value of list '{name}'")
        if spec is None:
            return None
        item = located.value["in"]
        node = self._template(item)
        if node is None:
            return None
        out = spec.out
        if out is None:
            if not isinstance(node, Text):
                what = f"the value \"{spec.in_}\" of list '{name}' has several wordings and no meaning"
                self._faults.add(item.place, what, 'write {in: "…", out: "…"}')
                return None
            out = " ".join(node.text.split())
        return ListValue(node, out, math.log(spec.weight), spec.context, item.place)

    def _compare_values(self, name: str, values: tuple[ListValue, ...]) -> None:
        meanings: dict[str, list[ListValue]] = {}
        for value in values:
            words = literal(value.node)
            if words is None:
                continue
            for other in meanings.setdefault(words, []):
                # The same words may mean two things in two contexts: a lamp and a switch, both "the corner".
                if other.value != value.value and other.context == value.context:
                    what = f"'{words}' in list '{name}' means both '{other.value}' and '{value.value}'"
                    self._faults.add(value.place or Place("", 1), f"{what} (first in line {_line(other)})")
            meanings[words].append(value)


def _line(value: ListValue) -> int:
    return value.place.line if value.place else 0
