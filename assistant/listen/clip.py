"""A whole recording as one utterance: for files that hold one command each, where no endpoint has to be found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assistant.listen.activity import ActivitySettings, speech_extent
from assistant.listen.vad import VoiceActivity
from assistant.types import FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioFrame, EndReason, Utterance, frozen_array

DEFAULT_ACTIVITY = ActivitySettings()


def cut_clip(pcm: NDArray[np.int16], vad: VoiceActivity, settings: ActivitySettings = DEFAULT_ACTIVITY) -> Utterance:
    """Make one utterance of a recording, its speech reaching from the first voiced frame to the last.

    pcm: int16, shape [samples] at 16 kHz; copied.
    vad: is reset first.
    """
    pcm = np.array(pcm, dtype=np.int16)
    voice = voice_probabilities(pcm, vad)
    start_s, end_s = speech_extent(voice, settings)
    return Utterance(
        pcm=frozen_array(pcm),
        at=0.0,
        speech_start_s=start_s,
        speech_end_s=min(end_s, len(pcm) / SAMPLE_RATE_HZ),
        voice=frozen_array(voice),
        end=EndReason.STREAM_END,
    )


def voice_probabilities(pcm: NDArray[np.int16], vad: VoiceActivity) -> NDArray[np.float32]:
    """Probability of speech for each 20 ms frame of a recording (the last may be shorter), float32, shape [frames].

    The detector's delay is taken out: element n is about samples [320 n, 320 n + 320).
    """
    vad.reset()
    frames = [pcm[begin : begin + FRAME_SAMPLES] for begin in range(0, len(pcm), FRAME_SAMPLES)]
    frames += [np.zeros(FRAME_SAMPLES, dtype=np.int16)] * vad.delay_frames
    heard = [
        vad.probability(AudioFrame(pcm=frame, at=n * FRAME_SAMPLES / SAMPLE_RATE_HZ)) for n, frame in enumerate(frames)
    ]
    return np.array(heard[vad.delay_frames :], dtype=np.float32)
