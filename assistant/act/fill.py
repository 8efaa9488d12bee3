"""Parameters of actions.yaml with {slot} in them, filled in for one request.

{slot}       the slot's value, or what `defaults` has for it
{env:NAME}   a variable of the environment: tokens and passwords stand there, not in the file
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from assistant.errors import ConfigError

_FIELD = re.compile(r"\{(env:)?([A-Za-z_]\w*)\}")


def fill_text(template: str, slots: Mapping[str, Any], quote: Callable[[str], str] = str) -> str:
    """`template` with its fields filled; quote: what is done to each value. Raises ConfigError for an unknown field."""
    return _FIELD.sub(lambda match: quote(plain(_value(match, slots))), template)


def fill_value(template: Any, slots: Mapping[str, Any]) -> Any:
    """A JSON value with its texts filled; a text that is one field and nothing else becomes the value itself."""
    if isinstance(template, str):
        alone = _FIELD.fullmatch(template)
        return _value(alone, slots) if alone else fill_text(template, slots)
    if isinstance(template, Mapping):
        return {key: fill_value(value, slots) for key, value in template.items()}
    if isinstance(template, (list, tuple)):
        return [fill_value(value, slots) for value in template]
    return template


def plain(value: Any) -> str:
    """A value as it is written: 20, not 20.0."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _value(match: re.Match[str], slots: Mapping[str, Any]) -> Any:
    name = match[2]
    if match[1]:
        if name not in os.environ:
            raise ConfigError(f"the environment has no {name}", where="actions.yaml", remedy="set it for the assistant")
        return os.environ[name]
    if slots.get(name) is None:
        raise ConfigError(
            f"the sentence has no slot {name}", where="actions.yaml", remedy=f"add it, or defaults: {{{name}: …}}"
        )
    return slots[name]
