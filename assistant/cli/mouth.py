"""Speaks replies beside the listening thread: to the loudspeaker, or as WAV files into a folder.

A reply to a sentence that may go on waits until it is clear that it does not; a decision that revises it takes its
place. The voice is loaded with the first reply that is not kept already.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli.assembly import build_speech
from assistant.errors import AssistantError

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.speak.speech import Speech
    from assistant.types import Decision

HOLD_S = 0.5
"""From a provisional decision until its reply: with the silence before it, as long as a sentence takes to go on."""
LOOK_EVERY_S = 0.05
LAST_WORDS_S = 2.0


class Mouth:
    """One voice and one sink. `say` returns at once; a thread renders and plays.

    hearing: asked while a provisional reply waits: is somebody speaking?
    """

    def __init__(self, config: Config, language: str, hearing: Callable[[], bool] = lambda: False) -> None:
        from assistant.folders import folders, usable_cache

        self._config = config
        self._hearing = hearing
        self._phrases = usable_cache(folders(config.paths).cache) / "phrases"
        self._language = language
        self._speech: Speech | None = None
        self._sink: Any = None
        self._written = 0
        self._latest: Decision | None = None
        self._stopped = False
        self._replies: queue.SimpleQueue[Decision | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="mouth", daemon=True)
        self._thread.start()

    def listen_to(self, hearing: Callable[[], bool]) -> None:
        """Ask `hearing` whether somebody speaks."""
        self._hearing = hearing

    @property
    def silent(self) -> bool:
        """Replies are printed only."""
        return self._config.speak.voice == "none"

    def speaking(self) -> bool:
        """True while a reply is being heard."""
        return self._sink is not None and bool(self._sink.playing)

    def render_ahead(self, phrases: tuple[str, ...]) -> None:
        """Have the replies that never change ready; when all are kept already the voice is not loaded."""
        if not self.silent:
            self._voice().render_ahead(phrases)

    def say(self, decision: Decision) -> None:
        """Speak the reply when its turn comes."""
        self._latest = decision
        if decision.reply.text and not self.silent:
            self._replies.put(decision)

    def stop(self) -> None:
        """Be silent now and from now on, and drop what waits."""
        self._stopped = True
        while not self._replies.empty():
            self._replies.get()
        if self._sink is not None:
            self._sink.stop()

    def close(self, patience_s: float = LAST_WORDS_S) -> None:
        """Speak what waits, at most `patience_s`, and end."""
        self._replies.put(None)
        self._thread.join(patience_s)
        if self._sink is not None:
            self._sink.wait(patience_s)
            self._sink.close()
        if self._speech is not None:
            self._speech.close()

    def _run(self) -> None:
        while (decision := self._replies.get()) is not None:
            try:
                if self._still_wanted(decision):
                    self._speak(decision.reply.text)
            except AssistantError as error:
                print(f"assistant: {error}", file=sys.stderr)

    def _still_wanted(self, decision: Decision) -> bool:
        """Wait while a provisional sentence may go on; False if another decision took its place."""
        until = time.monotonic() + HOLD_S
        while decision.provisional and (self._hearing() or time.monotonic() < until):
            if self._stopped or self._latest is not decision:
                break
            time.sleep(LOOK_EVERY_S)
        latest = self._latest
        return not self._stopped and (latest is decision or latest is None or not latest.revises)

    def _speak(self, text: str) -> None:
        speech = self._voice()
        if self._config.speak.output is not None:
            self._write(text, speech, Path(self._config.speak.output))
            return
        for chunk in speech.stream(text):
            if self._stopped:
                return
            self._loudspeaker().play(chunk, speech.sample_rate)
        self._sink.wait(60.0)

    def _voice(self) -> Speech:
        if self._speech is None:
            self._speech = build_speech(self._config, self._phrases, self._language)
        return self._speech

    def _write(self, text: str, speech: Speech, folder: Path) -> None:
        from assistant.audio.playback import WavSink

        folder.mkdir(parents=True, exist_ok=True)
        self._written += 1
        sink = WavSink(folder / f"reply-{self._written:02d}.wav", speech.sample_rate)
        for chunk in speech.stream(text):
            sink.play(chunk, speech.sample_rate)
        sink.close()

    def _loudspeaker(self) -> Any:
        from assistant.audio.playback import Loudspeaker

        if self._sink is None:
            output = self._config.audio.output
            self._sink = Loudspeaker(None if output == "default" else output)
        return self._sink
