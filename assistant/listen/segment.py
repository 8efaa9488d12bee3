"""Frames in, utterances out: voice activity, hysteresis and endpointing joined over one bounded ring of sound.

Nothing in it waits or looks at a clock: a file runs through it as fast as the machine can, a microphone at its own
pace, and both give the same utterances.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from assistant.listen import endpoint as table
from assistant.listen.activity import FRAME_S, ActivitySettings, Run, Voicing, frames, islands, judge
from assistant.listen.endpoint import Endpoint, EndpointSettings, State
from assistant.listen.vad import VoiceActivity
from assistant.types import FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioFrame, EndReason, Utterance, frozen_array

LONGEST_GAP_S = 1.0
"""Lost sound up to this long becomes silence of the same length; after more, the stream counts as broken."""

PRESS_REACH_S = 0.3
"""Speech that ended so shortly before the button went down belongs to what follows."""


@dataclass(frozen=True, slots=True)
class Began:
    """An utterance begins. at: monotonic time of its first voiced sample (or of the press), seconds."""

    at: float


@dataclass(frozen=True, slots=True)
class Paused:
    """Speech pauses: recognise `utterance` (final=False), answer with `Segmenter.speculation`. cut: names the pause."""

    utterance: Utterance
    cut: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """Speech goes on: what was recognised since `Paused` is worthless."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The utterance is complete. cut: the pause whose recognition holds for it too; None: recognise it now."""

    utterance: Utterance
    cut: int | None


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The utterance under way was given up (`Segmenter.reset`)."""


ListenEvent = Began | Paused | Resumed | Ended | Abandoned


class Segmenter:
    """Cuts one stream of frames into utterances.

    vad: this stream's own detector; is reset.
    endpoint, activity: when utterances begin and end, and what speech is.

    Frames may have any length; what is left over waits for the next. Memory is bounded by pre-roll and cap.
    """

    def __init__(
        self,
        vad: VoiceActivity,
        endpoint: EndpointSettings | None = None,
        activity: ActivitySettings | None = None,
    ) -> None:
        self._vad = vad
        self._settings = _less_delay(endpoint or EndpointSettings(), vad.delay_frames)
        self._activity = activity or ActivitySettings()
        # An unconfirmed run is found out at the latest when every other frame in it was a dip of full length.
        longest_run = frames(self._activity.min_speech_s) * (1 + frames(self._activity.bridge_s))
        self._idle_frames = frames(self._settings.pre_roll_s) + longest_run + vad.delay_frames + 1
        self._restart()

    def feed(self, frame: AudioFrame) -> tuple[ListenEvent, ...]:
        """Take the next sound; return what came of it, in order."""
        events: list[ListenEvent] = []
        if frame.gap > LONGEST_GAP_S * SAMPLE_RATE_HZ:
            events += self.flush()
        elif frame.gap:
            lost = np.zeros(frame.gap, dtype=np.int16)
            events += self._append(lost, frame.at - frame.gap / SAMPLE_RATE_HZ)
        events += self._append(frame.pcm, frame.at)
        return tuple(events)

    @property
    def undecided(self) -> bool:
        """Somebody may have begun to speak: it is known within a moment."""
        return self._run.voicing is Voicing.UNDECIDED

    def speculation(self, *, complete: bool, terminal: bool, cut: int | None = None) -> tuple[ListenEvent, ...]:
        """Say what recognition made of a pause; shortens the silence that ends the utterance.

        complete: its best hypothesis is a complete sentence.
        terminal: and nothing longer begins with it.
        cut: `Paused.cut` of the pause meant, so that a late answer is not taken for another pause's; None: the last.
        """
        if cut is not None and cut != self._cut:
            return ()
        return self._step(table.SpeculationReady(complete, terminal))

    def press(self) -> tuple[ListenEvent, ...]:
        """The button goes down: an utterance begins, with the pre-roll from before."""
        return self._step(table.Press(self._heard))

    def release(self) -> tuple[ListenEvent, ...]:
        """The button goes up: the utterance ends."""
        return self._step(table.Release())

    def reset(self) -> tuple[ListenEvent, ...]:
        """Give up the utterance under way and forget all sound (a reply is about to be played, the context changed)."""
        events = self._step(table.Reset())
        self._restart()
        return events

    def flush(self) -> tuple[ListenEvent, ...]:
        """The stream ends: hear out what is left over and the detector's delay. The next frame begins a new stream."""
        events: list[ListenEvent] = []
        if len(self._rest):
            events += self._hear(self._rest, self._rest_at)
        silence = np.zeros(FRAME_SAMPLES, dtype=np.int16)
        for _ in range(min(self._vad.delay_frames, self._heard)):
            events += self._judge(self._vad.probability(AudioFrame(pcm=silence, at=0.0)))
        events += self._step(table.StreamEnd())
        self._restart()
        return tuple(events)

    def _restart(self) -> None:
        self._vad.reset()
        self._rest: NDArray[np.int16] = np.zeros(0, dtype=np.int16)
        self._rest_at = 0.0
        self._sound: deque[tuple[NDArray[np.int16], float]] = deque()
        self._voice: deque[float] = deque()
        self._first = 0  # number of the frame in _sound[0] and _voice[0]
        self._heard = 0  # frames heard
        self._unanswered = self._vad.delay_frames  # answers to come that are about no frame
        self._run = Run()
        self._endpoint = Endpoint()
        self._begin = 0  # first frame of the utterance, pre-roll included
        self._bound = 0  # no utterance reaches back before this frame: sound before it is the previous one's speech
        self._extent: tuple[int, int] | None = None  # first and last voiced frame of the utterance under way
        self._cut: int | None = None

    def _append(self, pcm: NDArray[np.int16], at: float) -> list[ListenEvent]:
        """Cut sound into whole frames and hear them."""
        if len(self._rest):
            at = self._rest_at
            pcm = np.concatenate([self._rest, pcm])
        events: list[ListenEvent] = []
        whole = len(pcm) - len(pcm) % FRAME_SAMPLES
        for begin in range(0, whole, FRAME_SAMPLES):
            events += self._hear(pcm[begin : begin + FRAME_SAMPLES], at + begin / SAMPLE_RATE_HZ)
        self._rest, self._rest_at = pcm[whole:], at + whole / SAMPLE_RATE_HZ
        return events

    def _hear(self, pcm: NDArray[np.int16], at: float) -> tuple[ListenEvent, ...]:
        """Keep one frame and judge the one that the detector has now come to."""
        self._sound.append((pcm, at))
        self._heard += 1
        return self._judge(self._vad.probability(AudioFrame(pcm=pcm, at=at)))

    def _judge(self, probability: float) -> tuple[ListenEvent, ...]:
        """Take the detector's answer about the next frame that has none."""
        if self._unanswered:
            self._unanswered -= 1
            return ()
        self._voice.append(probability)
        self._run = judge(self._run, probability, self._activity)
        if self._run.voicing is Voicing.VOICED and self._endpoint.state is not State.IDLE:
            self._extent = (self._extent[0] if self._extent else self._run.first, self._run.last)
        events = self._step(self._event())
        self._forget()
        return events

    def _event(self) -> table.Event:
        run = self._run
        if run.voicing is Voicing.VOICED:
            return table.Voiced(run.frame, max(run.first, self._bound))
        return table.Undecided(run.frame) if run.voicing is Voicing.UNDECIDED else table.Unvoiced(run.frame)

    def _forget(self) -> None:
        """Drop sound that no utterance will reach back to."""
        idle = self._endpoint.state is State.IDLE
        keep_from = self._heard - self._idle_frames if idle else self._begin
        while self._first < keep_from:
            self._sound.popleft()
            self._voice.popleft()
            self._first += 1

    def _step(self, event: table.Event) -> tuple[ListenEvent, ...]:
        self._endpoint, outputs = table.step(self._endpoint, event, self._settings)
        return tuple(self._emit(output) for output in outputs)

    def _emit(self, output: table.Output) -> ListenEvent:
        if isinstance(output, table.Begin):
            return self._began(self._endpoint.begin)
        if isinstance(output, table.Speculate):
            self._cut = self._heard
            return Paused(self._utterance(EndReason.SILENCE, final=False), self._cut)
        if isinstance(output, table.DiscardSpeculation):
            self._cut = None
            return Resumed()
        cut, self._cut = self._cut, None
        self._bound = max(self._run.last + 1, self._begin)
        return (
            Abandoned() if isinstance(output, table.Abandon) else Ended(self._utterance(output.reason, final=True), cut)
        )

    def _began(self, frame: int) -> Began:
        self._begin = max(frame - frames(self._settings.pre_roll_s), self._bound, self._first)
        recent = frame - self._run.last <= frames(PRESS_REACH_S)
        self._extent = (max(self._run.first, self._begin), self._run.last) if recent else None
        if self._vad.hears_better_afresh:
            self._hear_afresh()
        return Began(self._time_of(self._extent[0] if self._extent else frame))

    def _hear_afresh(self) -> None:
        """Let the detector hear the utterance so far again, as a recording of its own: trim points get exact."""
        skip, delay = self._begin - self._first, self._vad.delay_frames
        self._vad.reset()
        answers = [self._vad.probability(AudioFrame(pcm, at)) for pcm, at in islice(self._sound, skip, None)]
        self._unanswered = max(delay - len(answers), 0)
        self._voice = deque([*islice(self._voice, skip), *answers[delay:]])
        self._run = Run(self._begin - 1)
        for probability in answers[delay:]:
            self._run = judge(self._run, probability, self._activity)
        found = islands(np.array(answers[delay:]), self._activity)
        if found and self._extent:
            self._extent = (self._begin + int(found[-1][0]), self._begin + int(found[-1][-1]))

    def _utterance(self, reason: EndReason, *, final: bool) -> Utterance:
        """The sound from `_begin` up to now."""
        skip = self._begin - self._first
        pcm = [sound for sound, _ in islice(self._sound, skip, None)]
        voice = np.zeros(len(pcm), dtype=np.float32)
        known = list(islice(self._voice, skip, None))
        voice[: len(known)] = known
        voice[len(known) :] = known[-1] if known else 0.0  # not judged yet: the detector's delay
        duration_s = sum(map(len, pcm)) / SAMPLE_RATE_HZ
        first, last = self._extent or (self._begin, self._begin - 1)
        return Utterance(
            pcm=frozen_array(np.concatenate(pcm) if pcm else np.zeros(0, dtype=np.int16)),
            at=self._time_of(self._begin),
            speech_start_s=(first - self._begin) * FRAME_S,
            speech_end_s=min((last + 1 - self._begin) * FRAME_S, duration_s),
            voice=frozen_array(voice),
            end=reason,
            final=final,
        )

    def _time_of(self, frame: int) -> float:
        """Monotonic time of a frame that is kept, or of the next one."""
        if frame < self._heard:
            return self._sound[frame - self._first][1]
        return self._sound[-1][1] + FRAME_S if self._sound else self._rest_at


def utterances(sound: Iterable[AudioFrame], segmenter: Segmenter) -> Iterator[Utterance]:
    """The utterances of a whole stream, without speculation, its end included."""
    for frame in sound:
        yield from (event.utterance for event in segmenter.feed(frame) if isinstance(event, Ended))
    yield from (event.utterance for event in segmenter.flush() if isinstance(event, Ended))


def _less_delay(settings: EndpointSettings, delay_frames: int) -> EndpointSettings:
    """Silence is known `delay_frames` late: count so much less, so that it is right as it is felt."""

    def shorter(silence_s: float) -> float:
        return max(silence_s - delay_frames * FRAME_S, FRAME_S)

    return replace(
        settings,
        speculate_s=shorter(settings.speculate_s),
        terminal_s=shorter(settings.terminal_s),
        complete_s=shorter(settings.complete_s),
        incomplete_s=shorter(settings.incomplete_s),
    )
