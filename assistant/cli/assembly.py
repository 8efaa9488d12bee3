"""Builds the assistant's parts from the configuration: engine, context, voice, source, conversation."""

from __future__ import annotations

import argparse
import importlib.metadata
import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli.finding import bundle_finder, heads_finder, open_context
from assistant.cli.output import progress
from assistant.clock import Clock, SystemClock
from assistant.errors import AssistantError, PluginError

if TYPE_CHECKING:
    from assistant.act.home_assistant import HomeAssistant
    from assistant.act.skill import Announce
    from assistant.act.skills import Skills
    from assistant.audio.frontend import FrontEnd
    from assistant.config import Config
    from assistant.grammar.tree import Context
    from assistant.listen.segment import Segmenter
    from assistant.listen.wake_segment import WakeSegmenter
    from assistant.pipeline import Understander
    from assistant.recognize.engine import Prepared, Recognizer
    from assistant.speak.speech import Speech
    from assistant.speak.voice import VoiceFactory

WATCH_EVERY_S = 1.0

log = logging.getLogger(__name__)


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Flags of every verb that understands something."""
    parser.add_argument("--context", metavar="NAME|FOLDER", help="what can be said (default: the configured context)")
    parser.add_argument("--engine", metavar="NAME", help="recogniser: moonshine, vosk, or a plug-in's name")
    parser.add_argument("--beam", type=int, metavar="N", help="hypotheses kept while decoding (default 16)")
    parser.add_argument(
        "--fused",
        metavar="on|off|VARIANT",
        help="the net that compares meanings with the sound: its variant or bundle (default on, where one fits)",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="threads that recognition may use (default 1)")


def engine_flags(args: argparse.Namespace) -> dict[str, Any]:
    """The configuration keys that `add_engine_options` sets."""
    return {
        "context": getattr(args, "context", None),
        "recognize.engine": getattr(args, "engine", None),
        "recognize.beam": getattr(args, "beam", None),
        "recognize.threads": getattr(args, "threads", None),
        "understand.fused": getattr(args, "fused", None),
    }


def switched_off(config: Config, group: str) -> frozenset[str]:
    """The plug-ins of `group` ("skills") that the configuration does not want. Raises ConfigError for no plug-in."""
    if not config.plugins.disabled:
        return frozenset()
    from assistant.act import plugins

    return plugins.switched_off(config.plugins.disabled)[f"assistant.{group}"]


def installed_voices(config: Config) -> dict[str, VoiceFactory]:
    """Every registered voice by name, but those that the configuration does not want."""
    from assistant.speak import voice

    off = switched_off(config, "voices")
    return {name: factory for name, factory in voice.installed_voices().items() if name not in off}


def open_recognizer(config: Config, language: str = "en", *, background: bool = False) -> Recognizer:
    """The configured engine for `language`, found by its entry point. Raises PluginError, ModelError.

    background: compile new contexts in a thread and be usable meanwhile.
    """
    from assistant.folders import folders, usable_cache
    from assistant.models.catalogue import model_for
    from assistant.models.store import Store

    name = config.recognize.engine
    found = importlib.metadata.entry_points(group="assistant.recognizers")
    if name in found.names and name in switched_off(config, "recognizers"):
        raise PluginError(
            f"the recogniser '{name}' is switched off",
            where="plugins.disabled",
            remedy="choose another, or take it out",
        )
    if name not in found.names:
        names = ", ".join(sorted(found.names))
        raise PluginError(
            f"there is no recogniser '{name}'", where="recognize.engine", remedy=f"choose one of: {names}"
        )
    try:
        create: Callable[..., Any] = found[name].load()
    except ImportError as error:
        raise PluginError(str(error), where=f"recogniser {name}", remedy="install the extra that brings it") from error
    r = config.recognize
    if name == "moonshine":
        return create(  # type: ignore[no-any-return]
            cache=usable_cache(folders(config.paths).cache),
            threads=r.threads,
            beam=r.beam,
            prune=r.prune,
            lambda_=r.lambda_,
            again=r.again,
            background=background,
        )
    if name == "vosk":
        model = model_for(name, language)
        return create(  # type: ignore[no-any-return]
            model=Store(folders(config.paths).data / "models").require(model), name=model.name
        )
    return create()  # type: ignore[no-any-return]


def prepare_context(recognizer: Recognizer, context: Context) -> Prepared:
    """Compile `context` for `recognizer`, with a progress bar when that takes long."""
    with progress(f"compiling {context.name}", None) as advance:
        advance(0)
        return recognizer.prepare(context)


def build_understander(
    config: Config,
    clock: Clock | None = None,
    *,
    background: bool = False,
    acts: bool = False,
    announce: Announce | None = None,
    in_time: bool = False,
) -> Understander:
    """Engine, contexts, skills and replies as configured.

    acts: with the skills of the contexts, and what they keep; without, nothing is done in the world.
    announce: where skills may speak up. in_time: somebody waits for the answers, so how hard it tries is scheduled.
    """
    from assistant.act.skills import built_in
    from assistant.cli.scheduling import build_scheduler
    from assistant.pipeline import Understander

    clock = clock or SystemClock()
    context = open_context(config)
    recognizer = open_recognizer(config, context.settings.language, background=background)
    prepared = prepare_context(recognizer, context)
    bound = {"": prepared}
    if acts and config.listen.mode == "wake":
        names = [name for name in dict.fromkeys(bound_contexts(config).values()) if name]
        bound |= {name: prepare_context(recognizer, open_context(config, name)) for name in names}
    contexts = [one.context for one in bound.values()]
    skills = build_skills(config, clock, contexts, announce) if acts else built_in(clock)
    scheduler = build_scheduler(config, recognizer, clock) if in_time else None
    understander = Understander(
        recognizer,
        prepared,
        skills,
        clock,
        bundle_finder(config, recognizer),
        scheduler,
        most_mb=config.schedule.max_resident_mb,
        find_heads=heads_finder(config, recognizer),
    )
    for name, one in bound.items():
        understander.bind(name, one)
    return understander


def build_skills(config: Config, clock: Clock, contexts: Iterable[Context], announce: Announce | None) -> Skills:
    """The registered skills that `contexts` name, started, with what they keep."""
    from assistant.act.plugins import SKILLS, find
    from assistant.act.skill import Services
    from assistant.act.skills import open_skills
    from assistant.folders import folders

    wanted = {"say", *(action.skill for context in contexts for action in context.actions.values())}
    unused = {found.name for found in find(SKILLS)} - wanted
    off = unused | switched_off(config, "skills")
    services = Services(clock, folders(config.paths).state, announce)
    if config.home_assistant.url is None:
        return open_skills(services, disabled=off)
    from assistant.act.home import Devices
    from assistant.act.home_assistant import HANDLED_WITHIN_S, Intents, RemoteHouse

    hub = open_hub(config)
    skills = open_skills(services, disabled=off | {Devices.name})
    for skill in (Devices(RemoteHouse(hub), HANDLED_WITHIN_S), Intents(hub)):
        if skill.name in wanted - off:
            skills.add(skill)
    return skills


def open_hub(config: Config) -> HomeAssistant:
    """The configured Home Assistant, not yet asked anything. Raises ConfigError for its address, token or authority."""
    from assistant.act.home_assistant import HomeAssistant
    from assistant.secret import read_secret
    from assistant.trust import trusting

    settings = config.home_assistant
    token = read_secret(settings.token_file or "", "home_assistant.token_file")
    trust = trusting("home_assistant.ca_file", settings.ca_file) if settings.ca_file else None
    return HomeAssistant(settings.url or "", token, trust)


def bound_contexts(config: Config) -> dict[str, str]:
    """By wake word, the context that it is for; "" is the configured one."""
    words = config.wake.words
    if isinstance(words, dict):
        return words
    return dict.fromkeys((words,) if isinstance(words, str) else words, "")


def build_front_end(config: Config, channels: int) -> FrontEnd:
    """What makes one channel of a source's `channels`, as configured. Raises ConfigError."""
    from assistant.audio.array import KNOWN_ARRAYS, Array
    from assistant.audio.frontend import front_end

    audio = config.audio
    array = KNOWN_ARRAYS[audio.array] if isinstance(audio.array, str) else None
    if isinstance(audio.array, tuple):
        array = Array.of(audio.array)
    return front_end(audio.frontend, channels, array=array, azimuth_deg=audio.azimuth_deg)


def build_segmenter(config: Config) -> Segmenter:
    """Voice activity and endpointing as configured."""
    from assistant.listen.endpoint import EndpointSettings
    from assistant.listen.segment import Segmenter
    from assistant.listen.vad import open_vad

    settings = config.listen
    return Segmenter(
        open_vad(settings.vad),
        EndpointSettings(
            pre_roll_s=settings.pre_roll_s,
            speculate_s=settings.speculate_ms / 1000,
            terminal_s=settings.endpoint_terminal_ms / 1000,
            complete_s=settings.endpoint_complete_ms / 1000,
            incomplete_s=settings.endpoint_ms / 1000,
            cap_s=settings.cap_s,
            always=settings.mode != "push_to_talk",
        ),
    )


def build_listener(config: Config) -> Segmenter | WakeSegmenter:
    """The segmenter as configured, behind wake words where `listen.mode` is wake. Raises ConfigError, PluginError."""
    from assistant.listen.wake import installed_engines, open_wake_words
    from assistant.listen.wake_segment import WakeSegmenter
    from assistant.listen.waking import WakingSettings

    segmenter = build_segmenter(config)
    if config.listen.mode != "wake":
        return segmenter
    wake = config.wake
    contexts = bound_contexts(config)
    engines = installed_engines(switched_off(config, "wakewords"))
    detectors = open_wake_words(list(contexts), wake.thresholds, engines)
    settings = WakingSettings(awake_s=wake.awake_s, follow_up_s=wake.follow_up_s)
    return WakeSegmenter(segmenter, detectors, settings, contexts)


def build_speech(config: Config, folder: Path, language: str = "en") -> Speech:
    """The configured voice for `language`, with its cache of phrases in `folder`."""
    from assistant.speak.speech import Speech
    from assistant.speak.voice import choose_voice

    voice = choose_voice(config.speak.voice, language=language, voices=installed_voices(config))
    return Speech(voice, folder=folder)


class ContextWatch(threading.Thread):
    """Looks at the active context's files every second; an edit is compiled and swapped in, a broken one is refused.

    tell: is given one line about what happened.
    """

    def __init__(self, understander: Understander, tell: Callable[[str], None]) -> None:
        super().__init__(name="context-watch", daemon=True)
        self._understander, self._tell = understander, tell
        self._stop_event = threading.Event()
        self._seen = self._stamps()

    def stop(self) -> None:
        """End within a moment."""
        self._stop_event.set()

    def run(self) -> None:
        """Look, until stopped."""
        while not self._stop_event.wait(WATCH_EVERY_S):
            self.look()

    def look(self) -> bool:
        """Reload if something changed; True if the context was swapped."""
        from assistant.grammar.load import load_context

        stamps = self._stamps()
        if stamps == self._seen:
            return False
        self._seen = stamps
        u = self._understander
        try:
            home = Path(u.context.home.file) if u.context.home and u.context.home.file else None
            u.renew(u.recognizer.prepare(load_context(u.context.folder, home=home)))
        except AssistantError as error:
            self._tell(f"the edited context is not used: {error}")
            return False
        self._tell(f"context {u.context.name} was reloaded")
        return True

    def _stamps(self) -> dict[str, tuple[int, int]]:
        folder, home = Path(self._understander.context.folder), self._understander.context.home
        found: dict[str, tuple[int, int]] = {}
        homes = [Path(home.file)] if home and home.file else []
        for path in sorted({*folder.rglob("*.yaml"), *folder.glob("calibration.json"), *homes}):
            try:
                stat = path.stat()
            except OSError:  # removed between the listing and here: the next look sees it gone
                continue
            found[str(path)] = (stat.st_mtime_ns, stat.st_size)
        return found
