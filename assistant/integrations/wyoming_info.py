"""What the Wyoming server says of itself: which programs, models and wake words there are."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wyoming.event import Event
from wyoming.info import (
    AsrModel,
    AsrProgram,
    Attribution,
    Info,
    IntentModel,
    IntentProgram,
    WakeModel,
    WakeProgram,
)

from assistant.errors import AssistantError, ContextError
from assistant.folders import folders
from assistant.grammar.load import find_context
from assistant.grammar.places import Faults
from assistant.grammar.settings import read_settings
from assistant.listen.wake import installed_engines, known_words, spelled

if TYPE_CHECKING:
    from assistant.config import Config

DISTRIBUTION = "assistant-voice"
_US = Attribution("assistant-voice", "https://pypi.org/project/assistant-voice/")


def info(config: Config, language: str, words: Sequence[str]) -> Event:
    """The answer to `describe`."""
    version = importlib.metadata.version(DISTRIBUTION)
    name, engine = config.context, config.recognize.engine
    asr = AsrModel(name, _US, True, f"Commands of the context {name}", version, [language])
    intents = IntentModel(name, _US, True, f"Intents of the context {name}", version, [language])
    wake = [WakeModel(word, _US, True, None, version, [language], word.replace("_", " ")) for word in words]
    return Info(
        asr=[AsrProgram("assistant", _US, True, f"Constrained by the context, heard by {engine}", version, [asr])],
        intent=[IntentProgram("assistant", _US, True, "The context's sentences", version, [intents])],
        wake=[WakeProgram("assistant", _US, True, "Wake words", version, wake)] if wake else [],
    ).event()


def language_of(config: Config) -> str:
    """The language of the configured context, "en" where it does not say."""
    try:
        folder = find_context(config.context, (folders(config.paths).data / "contexts",))
    except ContextError:
        return "en"
    return read_settings(folder, Faults()).settings.language


def wake_words(config: Config) -> tuple[str, ...]:
    """Those of the configured wake words for which an engine is installed."""
    configured = config.wake.words
    words = (configured,) if isinstance(configured, str) else tuple(configured)
    try:
        known = {one.word for one in known_words(installed_engines())}
    except AssistantError:
        return ()
    return tuple(word for word in map(spelled, words) if word in known)
