"""The assistant as `assistant daemon` runs it: the same parts as `assistant run`, the recogniser in its own process."""

from __future__ import annotations

import importlib.metadata
import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from assistant.cli.ambience import Ambience
from assistant.cli.assembly import ContextWatch, bound_contexts, build_front_end, build_listener, build_skills
from assistant.cli.configured import ENGINE, integration_names, language_of, section, what_changed
from assistant.cli.finding import bundle_finder, heads_finder, open_context
from assistant.cli.measuring import idle_calibration
from assistant.cli.mouth import Mouth
from assistant.cli.scheduling import build_scheduler
from assistant.cli.tracing import open_trace
from assistant.daemon.bus import Conversations, DaemonBus
from assistant.daemon.ear import Ear
from assistant.daemon.playback import Playback
from assistant.daemon.process import RecognizerLost
from assistant.daemon.remote import BACK_WITHIN_S, RecognizerPart, RemoteRecognizer
from assistant.daemon.service import ENTRY_POINTS, Integration
from assistant.errors import AssistantError, DeviceError, UsageError
from assistant.folders import folders

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.audio.source import Source
    from assistant.clock import Clock
    from assistant.config import Config
    from assistant.grammar.tree import Context
    from assistant.pipeline import Conversation, Notable, Understander
    from assistant.types import Decision
    from assistant.work import ThreadWorker

NO_MICROPHONE = "none"
LOST = "Sorry, I lost that. Please say it again."
FAILED = "Sorry, something went wrong with that. Please say it again."
LAST_WORDS_AT_THE_END_S = 0.3
WORKER_S = 5.0

log = logging.getLogger(__name__)


class Crew:
    """See `assistant.daemon.main.Crew`, and `assistant.daemon.bus.Assistant`, which this is, too.

    load: reads the configuration again; raises ConfigErrors. open_source: opens the microphone of a configuration.
    """

    def __init__(
        self,
        config: Config,
        load: Callable[[], Config],
        open_source: Callable[[Config], Source],
        clock: Clock,
        *,
        ends_quietly: bool = False,
    ) -> None:
        self.config, self._load, self._open_source, self._clock = config, load, open_source, clock
        self._engine = RemoteRecognizer(ENGINE, (config, language_of(config)), config.daemon.deadline_s)
        self.recognizer = RecognizerPart(self._engine)
        self.ear: Ear | None = None
        if config.audio.device != NO_MICROPHONE:
            self.ear = Ear(
                lambda: self._open_source(self.config),
                self._converse,
                self._decided,
                clock,
                hangs=self._worker_hangs,
                ends_quietly=ends_quietly,
            )
        self._mouth = Mouth(config, tell=self._told)
        self.mouth = Playback(self._mouth)
        self._trace = open_trace(config, clock)
        self._understander: Understander | None = None
        self._conversation: Conversation | None = None
        self._worker: ThreadWorker | None = None
        self._bus: DaemonBus | None = None
        self._muted = False
        self._rejoin = False
        self._watch: ContextWatch | None = None
        self._stopping = threading.Event()

    @property
    def assistant(self) -> Crew:
        """What requests are put to."""
        return self

    @property
    def understander(self) -> Understander:
        """Engine, contexts and skills. Raises AssistantError while the daemon starts."""
        if self._understander is None:
            raise AssistantError(
                "the assistant is still starting", where="daemon", remedy="`assistant status` says why"
            )
        return self._understander

    # -- for the daemon ------------------------------------------------------------------------------------------------

    def prepare(self, bus: DaemonBus) -> None:
        """Contexts, skills and phrases, beside the recogniser's start; then it is waited for. Raises AssistantError."""
        from assistant.pipeline import Understander
        from assistant.typed import TypedConversation

        self._bus = bus
        bound = self._contexts(self.config)
        prepared = {name: self._engine.prepare(context) for name, context in bound.items()}
        skills = build_skills(self.config, self._clock, bound.values(), self._announce)
        for one in prepared.values():
            self._engine.check(one)
        finder = bundle_finder(self.config, self._engine)
        scheduler = build_scheduler(self.config, self._engine, self._clock)
        understander = Understander(
            self._engine,
            prepared[""],
            skills,
            self._clock,
            finder,
            scheduler,
            most_mb=self.config.schedule.max_resident_mb,
            find_heads=heads_finder(self.config, self._engine),
        )
        for name, one in prepared.items():
            understander.bind(name, one)
        if scheduler is not None:
            scheduler.calibrate_when_idle(idle_calibration(self.config, understander))
        self._mouth.language = understander.context.settings.language
        self._mouth.render_ahead((*understander.replies.fixed_phrases(), LOST, FAILED))
        self._talks = Conversations(lambda: TypedConversation(understander, self._mouth.hush))
        self._understander = understander
        self._watch = ContextWatch(understander, lambda line: log.info("%s", line))
        self._watch.start()

    def integrations(self) -> Sequence[Integration]:
        """Those that are configured and installed; one that does not load is said, and left out."""
        found: list[Integration] = []
        for entry in sorted(importlib.metadata.entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
            if not self._wants(entry.name):
                continue
            try:
                integration = entry.load()(self.config, folders(self.config.paths).state)
            except ImportError as error:
                extra = f"pip install 'assistant-voice[{entry.name}]'"
                log.warning("%s: not installed (%s); %s", entry.name, error, extra)
                continue
            except AssistantError as error:
                log.warning("%s: %s", entry.name, error)
                continue
            except Exception:  # an integration's fault disables only it
                log.exception("%s: it does not load", entry.name)
                continue
            if integration is not None:
                found.append(integration)
        return found

    def rejoin(self) -> bool:
        """Whether the last reload changed what integrations were configured with; asked once."""
        changed, self._rejoin = self._rejoin, False
        return changed

    def totals(self) -> dict[str, float]:
        """The present values of the counters that lie here."""
        ear = self.ear
        source = ear.source if ear else None
        frames = (ear.frames if ear else 0) + (source.frames if source else 0)
        lost_s = (ear.lost_s if ear else 0.0) + (source.lost_s if source else 0.0)
        reopened = (ear.reopened if ear else 0) + (source.reopened if source else 0)
        scheduler = self._understander.scheduler if self._understander else None
        return {
            "assistant_audio_frames": frames,
            "assistant_audio_overruns": round(lost_s / 0.02),
            "assistant_audio_reopens": reopened,
            "assistant_trace_lost": self._trace.lost,
            **(scheduler.totals() if scheduler else {}),
        }

    def timers(self) -> list[dict[str, object]]:
        """What is set."""
        from assistant.act.timers import Timers
        from assistant.act.timing import as_row

        skills = self.understander.skills
        if "timers" not in skills:
            return []
        skill = skills["timers"]
        return [as_row(timer, skill.now()) for timer in skill.all()] if isinstance(skill, Timers) else []

    def model(self) -> tuple[str, str]:
        """Engine and variant."""
        return self._engine.name, self._engine.variant

    def close(self) -> None:
        """End what speaks and keeps."""
        self._stopping.set()
        if self._watch is not None:
            self._watch.stop()
        self._mouth.stop()
        self._mouth.close(LAST_WORDS_AT_THE_END_S)
        if self._understander is not None:
            self._understander.skills.close()
        self._trace.close()

    # -- for requests --------------------------------------------------------------------------------------------------

    def say(self, text: str, source: str) -> Decision:
        """As `bus.Assistant.say`."""
        _ = self.understander
        decision = self._talks.line(text, source)
        self._trace.note(decision)
        return decision

    def understand(self, text: str) -> Decision:
        """As `bus.Assistant.understand`."""
        from assistant.recognize.text import recognize_text
        from assistant.types import Reply

        u = self.understander
        transcript = recognize_text(u.prepared, text)
        understanding = u.understand(transcript, u.context, 0.0)
        return u.decision(None, transcript, u.context, understanding, understanding, Reply(""))

    def hear(self, pcm: NDArray[np.int16]) -> Decision:
        """As `bus.Assistant.hear`."""
        import time

        from assistant.listen.clip import cut_clip
        from assistant.listen.vad import open_vad
        from assistant.types import Reply

        u = self.understander
        utterance = cut_clip(pcm, open_vad(self.config.listen.vad))
        began = time.perf_counter()
        transcript = u.recognize(utterance)
        understanding = u.understand(transcript, u.context, 1000 * (time.perf_counter() - began))
        return u.decision(utterance, transcript, u.context, understanding, understanding, Reply(""))

    def speak(self, text: str, said: Callable[[], None]) -> None:
        """As `bus.Assistant.speak`."""
        self._mouth.announce(text, ring=False, said=said)

    def listen(self, action: str) -> None:
        """As `bus.Assistant.listen`."""
        if self.ear is None or self._conversation is None:
            raise DeviceError(
                "there is no microphone", where="listen", remedy="set audio.device, or wait until it is back"
            )
        if action == "once" and self.config.listen.mode == "push_to_talk":
            remedy = 'send "press", and "release" when it has been said'
            raise UsageError("it listens while a button is held", where="listen", remedy=remedy)
        {"once": self._conversation.invite, "press": self._conversation.press, "release": self._conversation.release}[
            action
        ]()

    def mute(self, *, muted: bool) -> None:
        """As `bus.Assistant.mute`."""
        self._muted = muted

    def reload(self) -> str:
        """As `bus.Assistant.reload`."""
        u, before, config = self.understander, self.config, self._load()
        contexts = self._contexts(config)
        if (config.recognize, language_of(config)) != (before.recognize, language_of(before)):
            self._engine.exchange(ENGINE, (config, language_of(config)))
        prepared = {name: self._engine.prepare(context) for name, context in contexts.items()}
        for one in prepared.values():
            self._engine.check(one)
        heard = None
        if self._conversation is not None and self.ear is not None and self.ear.source is not None:
            heard = build_front_end(config, self.ear.source.channels), build_listener(config)
        # From here on nothing can fail: everything is there, and takes its place.
        self.config = config
        self._rejoin = any(section(before, name) != section(config, name) for name in integration_names())
        for name, one in prepared.items():
            u.bind(name, one)
        u.use(prepared[""])
        if heard is not None and self._conversation is not None:
            self._conversation.exchange(*heard)
        if (config.speak, config.audio.output) != (before.speak, before.audio.output):
            self._mouth.renew(config)
        if (config.audio.device, config.audio.channels) != (before.audio.device, before.audio.channels):
            self._open_again()
        return what_changed(before, config)

    # -- the threads' side ---------------------------------------------------------------------------------------------

    def _wants(self, name: str) -> bool:
        """Whether something is configured for an integration, or it is a stranger's that we know nothing about."""
        configured = section(self.config, name)
        return configured is None or configured != type(configured)()

    def _contexts(self, config: Config) -> dict[str, Context]:
        """By what a wake word may be bound to, "" being the configured one. Raises ContextError."""
        names = (
            ["", *(name for name in bound_contexts(config).values() if name)] if config.listen.mode == "wake" else [""]
        )
        return {name: open_context(config, name) for name in dict.fromkeys(names)}

    def _worker_hangs(self) -> bool:
        """Recognition has a deadline of its own; what comes after it in the worker takes milliseconds."""
        worker = self._worker
        return worker is not None and worker.working_s() > self.config.daemon.deadline_s + BACK_WITHIN_S + WORKER_S

    def _open_again(self) -> None:
        """Supervision opens the microphone that is configured now."""
        source = self.ear.source if self.ear else None
        if source is not None:
            source.close()

    def _converse(self, source: Source) -> Conversation:
        from assistant.pipeline import Conversation
        from assistant.work import ThreadWorker

        if self._worker is not None:
            self._worker.close(0.0)
        self._worker = ThreadWorker()
        self._conversation = Conversation(
            source,
            build_front_end(self.config, source.channels),
            build_listener(self.config),
            self.understander,
            self._worker,
            lambda: self._muted or self._mouth.speaking(),
            self._noticed,
            self._mouth.hush,
            lost=_apology,
        )
        self._mouth.listen_to(self._conversation.hearing, self._conversation.invite)
        if self.understander.scheduler is not None:
            ambience = Ambience(lambda: self.config, self._conversation, source.channels, self._mouth)
            self.understander.scheduler.watch_ambient(ambience)
        return self._conversation

    def _noticed(self, event: Notable) -> float:
        from assistant.listen.segment import Began
        from assistant.listen.wake_segment import Woke

        assert self._bus is not None
        if isinstance(event, Woke):
            self._bus.woke(event.word, event.context)
        elif isinstance(event, Began):
            self._bus.speech_began()
        try:
            return self._mouth.notice(event)
        except AssistantError as error:  # a loudspeaker that is gone must not end the hearing
            log.warning("%s", error)
            return 0.0

    def _decided(self, decision: Decision) -> None:
        assert self._bus is not None
        self._trace.note(decision)
        self._bus.decided(decision)
        if self.config.daemon.log_words:
            log.info("heard “%s”: %s", decision.understanding.text, decision.reply.text)
        if not self._stopping.is_set():
            self._mouth.say(decision)

    def _announce(self, text: str, *, ring: bool = True) -> None:
        if self._bus is not None:
            self._bus.announced(text, ring=ring)
        self._mouth.announce(text, ring=ring)

    def _told(self, text: str) -> None:
        """What is said unasked, or is wrong with the voice: only with `log_words`, for it may hold the user's words."""
        if self.config.daemon.log_words:
            log.info("%s", text)


def _apology(error: BaseException) -> str:
    """What is said when recognition failed."""
    log.warning("an utterance was lost: %s", error if isinstance(error, AssistantError) else type(error).__name__)
    return LOST if isinstance(error, RecognizerLost) else FAILED
