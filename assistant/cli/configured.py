"""What a daemon's configuration means for its parts: the engine, the integrations, and what a change concerns."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any

from assistant.cli.finding import context_folders
from assistant.daemon.service import ENTRY_POINTS

if TYPE_CHECKING:
    from assistant.config import Config

ENGINE = "assistant.cli.configured:open_engine"
LATE = ("paths.", "daemon.", "trace.", "plugins.")
"""What is taken over by the next start only."""


def open_engine(config: Config, language: str) -> object:
    """The configured engine, in the recogniser's process."""
    from assistant.cli.assembly import open_recognizer

    return open_recognizer(config, language, background=True)


def language_of(config: Config) -> str:
    """The configured context's language, of which only the first file is read. Raises ContextError."""
    from assistant.grammar.load import find_context
    from assistant.grammar.places import Faults
    from assistant.grammar.settings import read_settings

    return read_settings(find_context(config.context, context_folders(config)), Faults()).settings.language


def section(config: Config, name: str) -> Any:
    """What is configured for the integration of this name, None where there is no such section."""
    return getattr(config, name.replace("-", "_"), None)


def integration_names() -> list[str]:
    """The integrations that are registered."""
    return [entry.name for entry in importlib.metadata.entry_points(group=ENTRY_POINTS)]


def what_changed(before: Config, now: Config) -> str:
    """The keys whose values differ, and which of them need a restart."""
    from assistant.config.keys import KEYS, value_of

    changed = [name for name in KEYS if value_of(before, name) != value_of(now, name)]
    late = [name for name in changed if name.startswith(LATE)]
    text = ", ".join(changed) or "contexts and home"
    return f"{text} ({', '.join(late)}: after a restart)" if late else text
