"""Speaks replies and rings beside the listening thread: to the loudspeaker, or as WAV files into a folder.

A reply to a sentence that may well go on waits until it is clear that it does not (`waits`); a decision that revises
it takes its place. The voice is loaded when speech begins, so that it is there when the reply is due. A ring is
repeated, with pauses in which "stop" is heard, until somebody stops it or a minute has passed.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Union

from assistant.cli.assembly import build_speech
from assistant.earcons import RATE_HZ, Earcon, sound
from assistant.errors import AssistantError

if TYPE_CHECKING:
    from assistant.audio.playback import Sink
    from assistant.config import Config
    from assistant.pipeline import Notable
    from assistant.speak.speech import Speech
    from assistant.types import Decision

log = logging.getLogger(__name__)

HOLD_S = 0.5
"""From a provisional decision until its reply: with the silence before it, as long as a sentence takes to go on."""
LOOK_EVERY_S = 0.05
LAST_WORDS_S = 2.0
LAST_FILES_S = 60.0
"""The same where replies are written to files: nobody waits for the silence after them."""
RING_S = 60.0
RING_PAUSE_S = 2.5
"""Silence between two rings, in which the microphone is open."""


@dataclass(frozen=True, slots=True, eq=False)
class Announced:
    """Something to be said that is no reply; `ring`: a sound goes before it and on after it. said: called after it."""

    text: str
    ring: bool
    said: Callable[[], None] = lambda: None


Item = Union["Decision", Announced]


def waits(decision: Decision) -> bool:
    """Whether the reply waits until it is clear that the sentence does not go on.

    Where its context says that people pause inside sentences, and for a question that the rest might answer.
    """
    return decision.provisional and (decision.context.settings.wait_for_more or decision.reply.expects_answer)


class Mouth:
    """One voice and one sink. `say`, `announce` and `notice` return at once; a thread renders and plays.

    hearing: asked while a provisional reply waits, and before each ring: is somebody speaking?
    open_sink: opens what is played on; the configured loudspeaker unless given.
    tell: is given what is announced, and what is wrong with the voice; printed unless given.
    """

    def __init__(
        self,
        config: Config,
        language: str = "en",
        hearing: Callable[[], bool] = lambda: False,
        open_sink: Callable[[], Sink] | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        from assistant.folders import folders, usable_cache

        self._config = config
        self._hearing = hearing
        self._invite: Callable[[], None] = lambda: None
        self._phrases = usable_cache(folders(config.paths).cache) / "phrases"
        self.language = language
        self._open_sink = open_sink or self._loudspeaker
        self._tell = tell or _print
        self._speech: Speech | None = None
        self._making = threading.Lock()
        self._sink: Sink | None = None
        self._written = 0
        self._latest: Decision | None = None
        self._stopped = self._warmed = False
        self._hushes = 0
        self._items: queue.SimpleQueue[tuple[int, Item | None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="mouth", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Its thread runs: False after an error that is no AssistantError, and after `close`."""
        return self._thread.is_alive()

    def begin(self) -> None:
        """Begin its thread again, if an error has ended it; what waits is said."""
        if not self.alive:
            self._thread = threading.Thread(target=self._run, name="mouth", daemon=True)
            self._thread.start()

    def status(self) -> str:
        """What it speaks with, and on."""
        if self.silent:
            return "silent, as configured"
        voice = "voice not needed yet" if self._speech is None else self._speech.voice.name
        return f"{voice}, on {self._config.speak.output or self._config.audio.output}"

    def listen_to(self, hearing: Callable[[], bool], invite: Callable[[], None] = lambda: None) -> None:
        """Ask `hearing` whether somebody speaks; call `invite` when "stop" may be said without a wake word."""
        self._hearing, self._invite = hearing, invite

    @property
    def silent(self) -> bool:
        """Replies are printed only."""
        return self._config.speak.voice == "none"

    def speaking(self) -> bool:
        """True while something is being heard."""
        return self._sink is not None and self._sink.playing

    def render_ahead(self, phrases: tuple[str, ...]) -> None:
        """Have the replies that never change ready; when all are kept already the voice is not loaded."""
        if not self.silent:
            self._voice().render_ahead(phrases)

    def notice(self, event: Notable) -> float:
        """Speech begins: have the voice ready. Somebody waits after a wake word: an earcon; its length, seconds."""
        from assistant.listen.segment import Began
        from assistant.listen.wake_segment import Hailed

        if isinstance(event, Began) and not self.silent and not self._warmed:
            self._warmed = True
            self._voice().warm_up()
        if isinstance(event, Hailed) and self._config.wake.earcons and self._plays:
            self._sounding().play(sound(Earcon.WAKE), RATE_HZ)
            return Earcon.WAKE.duration_s
        return 0.0

    def say(self, decision: Decision) -> None:
        """Speak the reply when its turn comes."""
        self._latest = decision
        if decision.reply.text and not self.silent:
            self._items.put((self._hushes, decision))

    def announce(self, text: str, *, ring: bool = True, said: Callable[[], None] = lambda: None) -> None:
        """As `assistant.act.skill.Announce`; printed, too. said: called when it was said to its end, or dropped."""
        self._tell(text)
        self._items.put((self._hushes, Announced(text, ring, said)))

    def renew(self, config: Config) -> None:
        """Speak as `config` says from the next sentence on (from any thread)."""
        self.hush()
        with self._making:
            self._config, before = config, (self._speech, self._sink)
            self._speech = self._sink = None
            self._warmed = False
        for part in before:
            if part is not None:
                part.close()

    def hush(self) -> None:
        """Somebody said stop: end speech and ringing, and drop what waits."""
        self._hushes += 1
        if self._sink is not None:
            self._sink.stop()

    def stop(self) -> None:
        """Be silent now and from now on, and drop what waits."""
        self._stopped = True
        self.hush()

    def close(self, patience_s: float = LAST_WORDS_S) -> None:
        """Speak what waits, at most `patience_s`, and end; what is written to files is written in any case."""
        if self._config.speak.output is not None:
            patience_s = LAST_FILES_S
        self._items.put((self._hushes, None))
        self._thread.join(patience_s)
        self._hushes += 1
        if self._sink is not None:
            self._sink.wait(patience_s)
            self._sink.close()
        if self._speech is not None:
            self._speech.close()

    def _run(self) -> None:
        try:
            while True:
                number, item = self._items.get()
                if item is None:
                    return
                self._handle(item, number)
        except Exception:
            log.exception("what was to be said was lost")

    def _handle(self, item: Item, number: int) -> None:
        """Say or ring `item`, which came after `number` hushes: one more, and it is dropped."""
        try:
            if isinstance(item, Announced):
                try:
                    self._announce(item, number)
                finally:
                    item.said()
            elif self._still_wanted(item, number):
                self._speak(item.reply.text, number)
        except AssistantError as error:
            self._tell(str(error))

    def _still_wanted(self, decision: Decision, number: int) -> bool:
        """Wait while a provisional sentence may go on; False if another decision took its place."""
        until = time.monotonic() + (HOLD_S if waits(decision) else 0.0)
        while decision.provisional and (self._hearing() or time.monotonic() < until):
            if self._silenced(number) or self._latest is not decision:
                break
            time.sleep(LOOK_EVERY_S)
        latest = self._latest
        return not self._silenced(number) and (latest is decision or latest is None or not latest.revises)

    def _silenced(self, number: int) -> bool:
        return self._stopped or self._hushes != number

    @property
    def _plays(self) -> bool:
        """Sound goes to a loudspeaker."""
        return not self.silent and self._config.speak.output is None

    def _announce(self, item: Announced, number: int) -> None:
        """Ring, say it, and ring on."""
        if not self._plays:
            if not self.silent:
                self._speak(item.text, number)
            return
        until = time.monotonic() + (RING_S if item.ring else 0.0)
        first = True
        while not self._silenced(number) and (first or time.monotonic() < until):
            self._wait_for_quiet(number)
            if item.ring:
                self._sounding().play(sound(Earcon.RING), RATE_HZ)
            if first:
                self._speak(item.text, number)
            first = False
            self._sounding().wait(RING_PAUSE_S)
            self._invite()
            if item.ring and not self._pause(number):
                return

    def _pause(self, number: int) -> bool:
        """The silence after a ring, in which replies are said; False if the end has come."""
        until = time.monotonic() + RING_PAUSE_S
        while (left_s := until - time.monotonic()) > 0 and not self._silenced(number):
            try:
                since, item = self._items.get(timeout=min(left_s, LOOK_EVERY_S))
            except queue.Empty:
                continue
            if item is None:
                self._items.put((since, None))
                return False
            self._handle(item, since)
        return True

    def _wait_for_quiet(self, number: int) -> None:
        """Nobody who speaks is talked over."""
        while self._hearing() and not self._silenced(number):
            time.sleep(LOOK_EVERY_S)

    def _speak(self, text: str, number: int) -> None:
        speech = self._voice()
        if self._config.speak.output is not None:
            self._write(text, speech, Path(self._config.speak.output))
            return
        for chunk in speech.stream(text):
            if self._silenced(number):
                return
            self._sounding().play(chunk, speech.sample_rate)
        if self._sink is not None:
            self._sink.wait(60.0)

    def _voice(self) -> Speech:
        with self._making:
            if self._speech is None:
                self._speech = build_speech(self._config, self._phrases, self.language)
            return self._speech

    def _write(self, text: str, speech: Speech, folder: Path) -> None:
        from assistant.audio.playback import WavSink

        folder.mkdir(parents=True, exist_ok=True)
        self._written += 1
        sink = WavSink(folder / f"reply-{self._written:02d}.wav", speech.sample_rate)
        for chunk in speech.stream(text):
            sink.play(chunk, speech.sample_rate)
        sink.close()

    def _sounding(self) -> Sink:
        with self._making:
            if self._sink is None:
                self._sink = self._open_sink()
            return self._sink

    def _loudspeaker(self) -> Sink:
        from assistant.audio.playback import Loudspeaker

        output = self._config.audio.output
        return Loudspeaker(None if output == "default" else output)


def _print(text: str) -> None:
    print(f"assistant: {text}", file=sys.stderr, flush=True)
