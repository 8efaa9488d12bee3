"""What a wake word detector is to the rest, which words there are, and how detectors are opened by word.

Engines are entry points of the group `assistant.wakewords`: a callable without arguments that returns a `WakeEngine`
cheaply. Several words of one engine share one detector, and with it the features it computes.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, runtime_checkable

from assistant.errors import ConfigError, PluginError
from assistant.types import AudioFrame

WAKEWORD_GROUP = "assistant.wakewords"

ENGINE_ORDER = ("microwakeword", "openwakeword")
"""Which engine hears a word that several know, best first: the cheaper one (measured: 0.4 % of a core against 7 %)."""

SETTLE_S = 1.0
"""Silence to feed before a recording that begins with the word: a detector's front end needs it to settle."""
TAIL_S = 0.8
"""Silence to feed after a recording that ends with the word: a detector answers that much later at the latest."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A wake word was said. word: its name. score: 0..1. at_s: where it ended, in the frames' time, seconds."""

    word: str
    score: float
    at_s: float


@runtime_checkable
class WakeWord(Protocol):
    """A detector of one or several words in one stream; it keeps state between frames, `reset` forgets it."""

    @property
    def words(self) -> tuple[str, ...]:
        """The names of the words it listens for."""
        ...

    @property
    def thresholds(self) -> Mapping[str, float]:
        """By word: the score that wakes, 0..1."""
        ...

    @property
    def scores(self) -> Mapping[str, float]:
        """By word: the highest score since `reset`, 0..1, detected or not."""
        ...

    def feed(self, frame: AudioFrame) -> Detection | None:
        """Take the next sound, of any length; say if a word was said. A word is reported once."""
        ...

    def reset(self) -> None:
        """Forget everything: the next frame is the first of a stream."""
        ...


@runtime_checkable
class WakeEngine(Protocol):
    """What an entry point's callable returns: it knows its words and opens detectors for some of them."""

    @property
    def name(self) -> str:
        """The engine's name, e.g. "microwakeword"."""
        ...

    def known(self) -> tuple[str, ...]:
        """The words that it can listen for, without loading a model. Raises ModelError when it is not installed."""
        ...

    def open(self, words: Sequence[str], thresholds: Mapping[str, float]) -> WakeWord:
        """Load a detector for `words`; a word without a threshold gets the shipped one. Raises ModelError."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """A word that can be listened for. engine: who hears it."""

    word: str
    engine: str


def spelled(word: str) -> str:
    """The name of a word however it was written: "Hey Jarvis" is hey_jarvis; the path of a model stays as it is."""
    return word if "/" in word or word.endswith(".json") else "_".join(word.lower().replace("-", " ").split())


def installed_engines(off: Container[str] = ()) -> tuple[WakeEngine, ...]:
    """All registered engines but those `off`, in the order in which they are asked for a word. Raises PluginError."""
    found = {entry.name: entry for entry in entry_points(group=WAKEWORD_GROUP) if entry.name not in off}
    names = [*(name for name in ENGINE_ORDER if name in found), *sorted(set(found) - set(ENGINE_ORDER))]
    return tuple(_created(found[name]) for name in names)


def known_words(engines: Iterable[WakeEngine]) -> tuple[Known, ...]:
    """All words of the engines that are installed. Raises PluginError when none is."""
    words: list[Known] = []
    missing: list[PluginError] = []
    for engine in engines:
        try:
            words += [Known(word, engine.name) for word in engine.known()]
        except PluginError as error:
            missing.append(error)
    if not words:
        raise missing[0] if missing else PluginError("no wake word engine is installed", where="wake")
    return tuple(words)


def open_wake_words(
    words: Sequence[str], thresholds: Mapping[str, float] | None = None, engines: Sequence[WakeEngine] | None = None
) -> tuple[WakeWord, ...]:
    """Detectors for `words`, one for each engine that is needed.

    words: names ("hey_jarvis", "Hey Jarvis"), ENGINE:NAME where a particular engine is meant, or the path of a model
        that an engine reads.
    thresholds: by word, instead of the shipped ones.
    Raises ConfigError for a word that nobody knows, PluginError when its engine is not installed.
    """
    engines = installed_engines() if engines is None else engines
    thresholds = {spelled(word): value for word, value in (thresholds or {}).items()}
    chosen: dict[str, list[str]] = {}
    for word in dict.fromkeys(map(spelled, words)):
        chosen.setdefault(_engine_for(word, engines).name, []).append(word.partition(":")[2] or word)
    return tuple(
        engine.open(chosen[engine.name], {word: thresholds[word] for word in chosen[engine.name] if word in thresholds})
        for engine in engines
        if engine.name in chosen
    )


def _engine_for(word: str, engines: Sequence[WakeEngine]) -> WakeEngine:
    named, colon, name = word.partition(":")
    if word.endswith(".json"):
        named, colon, name = ENGINE_ORDER[0], ":", word
    known = known_words([engine for engine in engines if not colon or engine.name == named])
    for engine in engines:
        if name.endswith(".json") and engine.name == named:
            return engine
        if Known(name or word, engine.name) in known:
            return engine
    close = difflib.get_close_matches(name or word, [one.word for one in known], n=1)
    remedy = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted({one.word for one in known}))}"
    raise ConfigError(f"no wake word {word!r}", where="wake.words", remedy=remedy)


def _created(entry: EntryPoint) -> WakeEngine:
    where = f"wake word engine '{entry.name}'"
    try:
        create: Callable[[], object] = entry.load()
    except (ImportError, AttributeError) as error:
        raise PluginError(f"does not load ({error})", where=where, remedy="reinstall it") from error
    engine = create()
    if not isinstance(engine, WakeEngine):
        raise PluginError("is no assistant.listen.wake.WakeEngine", where=where, remedy="report it to its author")
    return engine
