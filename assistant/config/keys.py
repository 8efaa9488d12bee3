"""The configuration key by key: each one's name, type and meaning, checked values, and all that is wrong with them."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from assistant.config.tree import Config
from assistant.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its dotted name, the annotated type that msgspec checks it against, and its default."""

    name: str
    type: Any
    default: Any

    @property
    def description(self) -> str:
        """What it means."""
        metas = [meta for meta in getattr(self.type, "__metadata__", ()) if isinstance(meta, Meta) and meta.description]
        return str(metas[0].description) if metas else ""

    @property
    def allowed(self) -> str:
        """What it may hold, in words: `always | push_to_talk`, `integer 1 to 8 or null`."""
        return _in_words(self.type)


class ConfigErrors(ConfigError):
    """All that is wrong with a configuration, one line each."""

    def __init__(self, errors: list[ConfigError]) -> None:
        self.errors = tuple(errors)
        super().__init__(f"{len(errors)} things are wrong")

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


def keys(struct: type[Struct] = Config, prefix: str = "") -> Iterator[Key]:
    """All keys, in the order of the tree."""
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        name = f"{prefix}{field.encode_name}"
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            yield from keys(field.type, f"{name}.")
            continue
        yield Key(name, hints[field.name], field.default)


KEYS: Mapping[str, Key] = {key.name: key for key in keys()}
SECTIONS: Mapping[str, type[Struct]] = {
    field.encode_name: field.type
    for field in msgspec.structs.fields(Config)
    if isinstance(field.type, type) and issubclass(field.type, Struct)
}


def unknown_key(name: str, where: str) -> ConfigError:
    """The error for a key that does not exist, with the nearest one that does."""
    section = name.partition(".")[0]
    inside = [key for key in KEYS if key.startswith(f"{section}.")] if section in SECTIONS else []
    close = difflib.get_close_matches(name, inside or [*KEYS, *SECTIONS], n=1, cutoff=0.5)
    if not close:  # right key, wrong section
        last = name.rpartition(".")[2]
        close = [key for key in KEYS if key.rpartition(".")[2] == last]
    remedy = f"did you mean {close[0]!r}?" if close else "`assistant config show` lists all keys"
    return ConfigError(f"there is no key {name!r}", where=where, remedy=remedy)


def checked(key: Key, value: Any, where: str, *, strict: bool) -> Any:
    """`value` as the key's type. Raises ConfigError that says what the key may hold.

    strict: False for text from the environment and flags, where "8" may be a number.
    """
    try:
        return msgspec.convert(value, key.type, strict=strict)
    except msgspec.ValidationError:
        shown = "null" if value is None else repr(value)
        raise ConfigError(f"{key.name} is {shown}", where=where, remedy=f"it must be {key.allowed}") from None


def assemble(values: Mapping[str, Any]) -> Config:
    """The tree from checked values by dotted key; keys left out keep their defaults."""
    nested: dict[str, Any] = {}
    for name, value in values.items():
        section, _, key = name.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[key] = value
    return msgspec.convert(nested, Config)


def contradictions(config: Config, origins: Mapping[str, str]) -> list[ConfigError]:
    """What each value may be but not together. `origins` says where each was set."""
    ordered = (
        "listen.speculate_ms",
        "listen.endpoint_terminal_ms",
        "listen.endpoint_complete_ms",
        "listen.endpoint_ms",
    )
    errors = []
    if config.audio.frontend == "delay_and_sum" and config.audio.array is None:
        errors.append(
            ConfigError(
                "audio.frontend is delay_and_sum, but audio.array is null",
                where=origins.get("audio.frontend", "default"),
                remedy="set audio.array to where the microphones are, or audio.frontend to mean",
            )
        )
    if config.home_assistant.url is not None and config.home_assistant.token_file is None:
        errors.append(
            ConfigError(
                "home_assistant.url is set, but home_assistant.token_file is null",
                where=origins.get("home_assistant.url", "default"),
                remedy="make a long-lived access token in your profile there, and write it into a file of mode 600",
            )
        )
    for shorter, longer in itertools.pairwise(ordered):
        low, high = value_of(config, shorter), value_of(config, longer)
        if low > high:
            where = origins.get(longer, "default")
            where = origins.get(shorter, "default") if where == "default" else where
            errors.append(
                ConfigError(
                    f"{shorter} ({low}) is longer than {longer} ({high})",
                    where=where,
                    remedy="the surer the end of a sentence, the shorter the silence that ends it",
                )
            )
    if config.listen.endpoint_ms >= 1000 * config.listen.cap_s:
        errors.append(
            ConfigError(
                f"listen.endpoint_ms ({config.listen.endpoint_ms}) is not shorter than listen.cap_s "
                f"({config.listen.cap_s:g} s)",
                where=origins.get("listen.endpoint_ms", "default"),
                remedy="leave time to speak before the longest utterance ends",
            )
        )
    return errors


def value_of(config: Config, name: str) -> Any:
    """The value of a dotted key."""
    value: Any = config
    for part in name.split("."):
        value = getattr(value, f"{part}_" if part == "lambda" else part)
    return value


def _in_words(hint: Any) -> str:
    """A type as a user would say it."""
    if get_origin(hint) is Annotated:
        inner, *metas = get_args(hint)
        return _in_words(inner) + "".join(_bounds(meta) for meta in metas if isinstance(meta, Meta))
    if get_origin(hint) is Literal:
        return " | ".join(map(str, get_args(hint)))
    if get_origin(hint) is tuple:
        first, *rest = map(_in_words, (part for part in get_args(hint) if part is not ...))
        return f"[{', '.join([first, *rest])}]" if rest else f"a list of {first}"
    if get_origin(hint) is dict:
        return f"a mapping of text to {_in_words(get_args(hint)[1])}"
    if get_args(hint):
        return " or ".join(_in_words(part) for part in get_args(hint))
    return {int: "an integer", float: "a number", str: "text", bool: "true or false", type(None): "null"}[hint]


def _bounds(meta: Meta) -> str:
    """The limits of a number in words, "" where there are none."""
    low = f" of {meta.ge} or more" if meta.ge is not None else f" above {meta.gt}" if meta.gt is not None else ""
    high = f" up to {meta.le}" if meta.le is not None else ""
    if meta.ge is not None and meta.le is not None:
        return f" from {meta.ge} to {meta.le}"
    return low + (f" and{high}" if low and high else high)
