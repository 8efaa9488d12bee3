"""The keys of every file of a context and the types of their values; `read` checks a YAML mapping against one of them.

Keys are compared first, so that all that are wrong are listed with the nearest right name; msgspec then checks each
value by itself. Keys that Home Assistant writes and that mean nothing here are known and marked so.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union

import msgspec
from msgspec import Meta, Struct

from assistant.grammar.places import Faults, Located, did_you_mean
from assistant.grammar.tree import Place

_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}

Weight = Annotated[float, Meta(gt=0, le=1)]
Scalar = Union[str, int, float, bool]
S = TypeVar("S", bound=Struct)


class SentencesFile(Struct, frozen=True):
    """sentences/*.yaml."""

    language: str = ""
    intents: dict[str, Any] = {}
    lists: dict[str, Any] = {}
    expansion_rules: dict[str, str] = {}
    skip_words: list[str] = []
    settings: Any = None  # Home Assistant's, without meaning here


class IntentSpec(Struct, frozen=True):
    """intents: NAME."""

    data: list[Any]
    description: Any = None  # Home Assistant's
    domain: Any = None  # Home Assistant's


class GroupSpec(Struct, frozen=True):
    """One item of `data`: sentences that mean the same."""

    sentences: list[str]
    slots: dict[str, Any] = {}
    requires_context: dict[str, Any] = {}
    excludes_context: dict[str, Any] = {}
    lists: dict[str, Any] = {}
    expansion_rules: dict[str, str] = {}
    response: str = "default"
    weight: Weight = 1.0
    metadata: Any = None  # Home Assistant's, as are the rest
    required_keywords: Any = None
    inferred_domain: Any = None
    name_domains: Any = None
    settings: Any = None


class ListSpec(Struct, frozen=True):
    """lists: NAME; one of the three."""

    values: list[Any] = []
    range: dict[str, Any] = {}
    wildcard: bool = False


class ValueSpec(Struct, frozen=True, rename={"in_": "in"}):
    """One of a list's `values`, written as a mapping."""

    in_: str
    out: Union[Scalar, None] = None
    context: dict[str, Any] = {}
    weight: Weight = 1.0
    metadata: Any = None  # Home Assistant's


class RangeSpec(Struct, frozen=True, rename={"from_": "from"}):
    """A list's `range`. Numbers are understood as words and as digits, whatever `digits` and `words` say."""

    from_: int
    to: int
    step: Annotated[int, Meta(gt=0)] = 1
    fractions: Union[Literal["halves"], None] = None
    multiplier: float = 1
    type: Any = None  # Home Assistant's, as are the rest
    digits: Any = None
    words: Any = None
    words_language: Any = None


class ResponsesFile(Struct, frozen=True):
    """responses/*.yaml; `responses` holds `intents`: NAME: KEY: template."""

    responses: dict[str, Any]
    language: str = ""


class ResponsesSpec(Struct, frozen=True):
    """The value of `responses`."""

    intents: dict[str, dict[str, str]]
    errors: Any = None  # Home Assistant's


class ActionSpec(Struct, frozen=True):
    """actions.yaml: NAME."""

    skill: str
    parameters: dict[str, Any] = {}
    risk: Literal["none", "confirm"] = "none"


class ContextFile(Struct, frozen=True, rename={"lambda_": "lambda"}):
    """context.yaml."""

    name: str = ""
    language: str = "en"
    description: str = ""
    lambda_: Union[Annotated[float, Meta(ge=0)], None] = None
    prune: Union[Annotated[float, Meta(gt=0)], None] = None
    rerank: Union[float, None] = None
    token_penalty: Union[float, None] = None
    ask_margin: Union[Annotated[float, Meta(ge=0)], None] = None
    look_again: bool = False
    ask_below: Annotated[float, Meta(ge=0, le=1)] = 0.0
    refuse_below: Annotated[float, Meta(ge=0, le=1)] = 0.0
    harmless: list[str] = []
    wait_for_more: bool = True
    confusable: list[tuple[str, str]] = []
    spellings: dict[str, list[str]] = {}
    rare: dict[str, Weight] = {}
    home: bool = False
    together: Any = None


class TogetherSpec(Struct, frozen=True):
    """context.yaml: `together`."""

    first: list[str]
    then: list[str]
    joined_by: tuple[str, ...] = ("and",)
    weight: Weight = 1.0


class CalibrationFile(Struct, frozen=True, rename={"lambda_": "lambda"}):
    """calibration.json, written by `assistant context calibrate`; what it says wins over context.yaml."""

    lambda_: Union[Annotated[float, Meta(ge=0)], None] = None
    prune: Union[Annotated[float, Meta(gt=0)], None] = None
    rerank: Union[float, None] = None
    token_penalty: Union[float, None] = None
    ask_margin: Union[Annotated[float, Meta(ge=0)], None] = None
    ask_below: Union[Annotated[float, Meta(ge=0, le=1)], None] = None
    refuse_below: Union[Annotated[float, Meta(ge=0, le=1)], None] = None
    accept: dict[str, float] = {}
    about: Any = None  # how it was fitted, for people


def read(located: Located, schema: type[S], faults: Faults, what: str) -> S | None:
    """Check a YAML mapping against `schema` and return it with what was right; None if it is no mapping or lacks keys.

    what: how to call the mapping in messages, e.g. "intent 'HassTurnOn'".
    """
    if not isinstance(located.value, dict):
        faults.add(located.place, f"{what} must be a mapping, not {_kind(located.value)}")
        return None
    fields = _fields(schema)
    right: dict[str, Any] = {}
    for key, value in located.value.items():
        if key not in fields:
            known = ", ".join(fields)
            hint = did_you_mean(key, fields)
            faults.add(
                located.keys[key], f"unknown key '{key}' in {what}{hint}", "" if hint else f"known keys: {known}"
            )
            continue
        if value.value is None and not fields[key].required:
            continue
        try:
            right[key] = msgspec.convert(value.plain(), fields[key].type)
        except msgspec.ValidationError as error:
            faults.add(_blamed(value, str(error)), f"'{key}' in {what}: {_lower(str(error))}", _remedy(str(error)))
            if fields[key].required:
                return None
    missing = [name for name, info in fields.items() if info.required and name not in right]
    for name in missing:
        faults.add(located.place, f"{what} lacks '{name}'")
    return None if missing else msgspec.convert(right, schema)


@cache
def _fields(schema: type[Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {info.encode_name: info for info in msgspec.structs.fields(schema)}


def _blamed(value: Located, message: str) -> Place:
    """The line of the item that msgspec's "... - at `$[2]`" names."""
    for step in message.partition("at `$")[2].rstrip("`").replace("]", "").replace("[", ".").split("."):
        if isinstance(value.value, list) and step.isdigit() and int(step) < len(value.value):
            value = value.value[int(step)]
        elif isinstance(value.value, dict) and step in value.value:
            value = value.value[step]
    return value.place


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, list):
        return "a list"
    return "a mapping" if isinstance(value, dict) else f"'{value}'"


def _lower(message: str) -> str:
    """msgspec's message in an author's words: "expected text, got a list"."""
    text = message[:1].lower() + message[1:].partition(" - at ")[0]
    return re.sub(r"`(\w+)( \| null)?`", lambda match: _WORDS.get(match[1], f"'{match[1]}'"), text).replace("`", "'")


def _remedy(message: str) -> str:
    written = message.partition("got `")[2].partition("`")[0]
    return "put it in quotes" if "Expected `str`" in message and written in ("int", "float", "bool") else ""
