"""Frames in, utterances out, but only after a wake word: joins detectors, the table of waking and a `Segmenter`.

While asleep only the detectors hear; the last two seconds are kept. When a word is detected, the segmenter hears what
followed its end, as if the stream had begun there: a command in the same breath loses nothing, and the word is in no
utterance.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assistant.listen import waking as table
from assistant.listen.segment import LONGEST_GAP_S, Abandoned, Began, Ended, ListenEvent, Segmenter
from assistant.listen.wake import Detection, WakeWord, spelled
from assistant.listen.waking import State, Waking, WakingSettings
from assistant.types import SAMPLE_RATE_HZ, AudioFrame

KEEP_S = 2.0
"""Sound kept while asleep: a doubtful word is decided at most 0.7 s after its end."""
PRESS_REACH_S = 0.5
"""Sound from before the button that the segmenter hears; in less than its longest silence no utterance can end."""
CUT_BEFORE_S, CUT_AFTER_S = 0.04, 0.12
"""The cut falls into the quietest place so near the end of the word: detectors know it no better."""
CUT_WINDOW_SAMPLES, CUT_HOP_SAMPLES = 320, 80


@dataclass(frozen=True, slots=True)
class Woke:
    """A wake word was said: what follows is a command.

    word: its name. context: what the word is bound to, "" for the default. at: its end, monotonic time, seconds.
    score: 0..1.
    """

    word: str
    context: str
    at: float
    score: float


@dataclass(frozen=True, slots=True)
class Hailed:
    """The person waits after the wake word: play the earcon, and tell `WakeSegmenter.ignore` how long it is."""


@dataclass(frozen=True, slots=True)
class Slept:
    """Nothing is listened to any more but wake words."""


WakeEvent = ListenEvent | Woke | Hailed | Slept


class WakeSegmenter:
    """A `Segmenter` behind wake words: the same methods, and `asked` and `ignore`.

    segmenter: always listening (`EndpointSettings.always`); cuts what is said while awake.
    detectors: this stream's own.
    contexts: by word, what it is bound to; words that are not in it go to the default context, "".
    """

    def __init__(
        self,
        segmenter: Segmenter,
        detectors: Sequence[WakeWord],
        settings: WakingSettings | None = None,
        contexts: Mapping[str, str] | None = None,
    ) -> None:
        self._segmenter, self._detectors = segmenter, tuple(detectors)
        self._settings = settings or WakingSettings()
        self._contexts = {spelled(word): context for word, context in (contexts or {}).items()}
        self._waking = Waking()
        self._recent: deque[AudioFrame] = deque()
        self._from = float("-inf")  # the segmenter hears nothing from before
        self._ignored_until = float("-inf")
        self._now = 0.0

    @property
    def state(self) -> State:
        """What is listened to."""
        return self._waking.state

    def feed(self, frame: AudioFrame) -> tuple[WakeEvent, ...]:
        """Take the next sound; return what came of it, in order."""
        if frame.gap > LONGEST_GAP_S * SAMPLE_RATE_HZ:
            self._recent.clear()
        self._now = frame.at + len(frame.pcm) / SAMPLE_RATE_HZ
        detections = [found for detector in self._detectors if (found := detector.feed(frame)) is not None]
        self._remember(frame)
        events = self._hear([frame]) if self._waking.state is not State.ASLEEP else []
        for detection in detections:
            events += self._detected(detection)
        if not self._segmenter.undecided:  # the earcon must not fall on the first word of a command
            events += self._step(table.Heard(self._now))
        return tuple(events)

    def speculation(self, *, complete: bool, terminal: bool, cut: int | None = None) -> tuple[WakeEvent, ...]:
        """As `Segmenter.speculation`."""
        return tuple(self._passed(self._segmenter.speculation(complete=complete, terminal=terminal, cut=cut)))

    def press(self) -> tuple[WakeEvent, ...]:
        """The button goes down: an utterance begins, awake or not."""
        events: list[WakeEvent] = []
        if self._waking.state is State.ASLEEP:
            self._segmenter.reset()
            self._from = self._now - PRESS_REACH_S
            events += self._hear(self._recent)
        return (*events, *self._passed(self._segmenter.press()))

    def release(self) -> tuple[WakeEvent, ...]:
        """The button goes up: the utterance ends."""
        return tuple(self._passed(self._segmenter.release()))

    def asked(self) -> tuple[WakeEvent, ...]:
        """The reply is a question: its answer may come without the wake word.

        The window opens with the first frame after this and, if `reset` is called when the reply has been played,
        again with the first one after that.
        """
        if self._waking.state is State.ASLEEP:
            self._segmenter.reset()
            self._from = self._now
        return tuple(self._step(table.Asked()))

    def ignore(self, duration_s: float) -> None:
        """From now on hear silence for so long: the assistant's own earcon sounds."""
        self._ignored_until = self._now + duration_s

    def reset(self) -> tuple[WakeEvent, ...]:
        """Give up the utterance under way and forget all sound; an open question's window stays open."""
        events: list[WakeEvent] = list(self._segmenter.reset())
        for detector in self._detectors:
            detector.reset()
        self._recent.clear()
        return (*events, *self._step(table.Reset()))

    def flush(self) -> tuple[WakeEvent, ...]:
        """The stream ends: hear out what is left over. The next frame begins a new stream."""
        events = self._passed(self._segmenter.flush()) if self._waking.state is not State.ASLEEP else []
        events += self._step(table.StreamEnd())
        for detector in self._detectors:
            detector.reset()
        self._recent.clear()
        self._waking = Waking()
        self._from = self._ignored_until = float("-inf")
        return tuple(events)

    def _remember(self, frame: AudioFrame) -> None:
        self._recent.append(frame)
        while self._now - self._recent[0].at > KEEP_S and len(self._recent) > 1:
            self._recent.popleft()

    def _hear(self, frames: Iterable[AudioFrame]) -> list[WakeEvent]:
        """Let the segmenter hear `frames`, as far as they are meant for it."""
        return [event for frame in self._admitted(frames) for event in self._passed(self._segmenter.feed(frame))]

    def _admitted(self, frames: Iterable[AudioFrame]) -> list[AudioFrame]:
        """Without what lies before the cut; silence where the assistant's own sound is."""
        admitted = []
        for frame in frames:
            skip = max(round((self._from - frame.at) * SAMPLE_RATE_HZ), 0) if np.isfinite(self._from) else 0
            if skip >= len(frame.pcm):
                continue
            if skip:
                frame = AudioFrame(frame.pcm[skip:], frame.at + skip / SAMPLE_RATE_HZ)  # noqa: PLW2901
            ignored = frame.at < self._ignored_until
            admitted.append(replace(frame, pcm=np.zeros_like(frame.pcm)) if ignored else frame)
        return admitted

    def _detected(self, detection: Detection) -> list[WakeEvent]:
        self._waking, outputs = table.step(self._waking, table.Detected(detection.at_s), self._settings)
        if not outputs:
            return []
        events: list[WakeEvent] = list(self._segmenter.reset())
        events.append(
            Woke(detection.word, self._contexts.get(detection.word, ""), detection.at_s, round(detection.score, 4))
        )
        self._from = quietest(self._recent, detection.at_s - CUT_BEFORE_S, detection.at_s + CUT_AFTER_S)
        return events + self._hear(list(self._recent))

    def _passed(self, events: Iterable[ListenEvent]) -> list[WakeEvent]:
        """Take the segmenter's events through the table."""
        passed: list[WakeEvent] = []
        for event in events:
            if isinstance(event, Began):
                passed += [event, *self._step(table.SpeechBegan(event.at))]
            elif isinstance(event, Ended):
                passed += self._ended(event)
            elif isinstance(event, Abandoned):
                passed += [event, *self._step(table.SpeechAbandoned())]
            else:
                passed.append(event)
        return passed

    def _ended(self, event: Ended) -> list[WakeEvent]:
        said = event.utterance
        self._waking, outputs = table.step(self._waking, table.SpeechEnded(said.at + said.speech_end_s), self._settings)
        return [Abandoned() if outputs else event]

    def _step(self, event: table.Event) -> list[WakeEvent]:
        self._waking, outputs = table.step(self._waking, event, self._settings)
        events: list[WakeEvent] = []
        for output in outputs:
            if isinstance(output, table.Hail):
                events.append(Hailed())
            elif isinstance(output, table.Sleep):
                events += [*self._segmenter.reset(), Slept()]
        return events


def quietest(frames: Iterable[AudioFrame], begin: float, end: float) -> float:
    """Time of the middle of the quietest 20 ms between two times; the middle of both where there is no sound."""
    held = [frame for frame in frames if frame.at < end and frame.at + len(frame.pcm) / SAMPLE_RATE_HZ > begin]
    place, energy = (begin + end) / 2, float("inf")
    if not held:
        return place
    pcm: NDArray[np.float64] = np.concatenate([frame.pcm for frame in held]).astype(np.float64)
    first = held[0].at
    low = max(round((begin - first) * SAMPLE_RATE_HZ), 0)
    high = min(round((end - first) * SAMPLE_RATE_HZ), len(pcm))
    for at in range(low, high - CUT_WINDOW_SAMPLES + 1, CUT_HOP_SAMPLES):
        found = float(np.square(pcm[at : at + CUT_WINDOW_SAMPLES]).sum())
        if found < energy:
            place, energy = first + (at + CUT_WINDOW_SAMPLES / 2) / SAMPLE_RATE_HZ, found
    return place
