"""When two utterances may be one sentence, and how they become one sound again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from assistant.types import FRAME_SAMPLES, SAMPLE_RATE_HZ, Utterance, frozen_array

GOES_ON_S = 0.8
"""Speech that begins so soon after a complete sentence may be the rest of it ("… a latte — with milk"): both are heard
as one. Measured on spoken orders: the pauses inside them end within 0.75 s."""


def goes_on(before: Utterance, after: Utterance) -> bool:
    """Whether `after` follows `before` so closely that it may be the rest of the same sentence."""
    pause_s = after.at + after.speech_start_s - before.at - before.speech_end_s
    return 0 <= pause_s <= GOES_ON_S


def joined(before: Utterance, after: Utterance) -> Utterance:
    """Two utterances as one; what lies between them, and was not kept, is silence."""
    offset = round((after.at - before.at) * SAMPLE_RATE_HZ / FRAME_SAMPLES)
    samples = offset * FRAME_SAMPLES
    pcm = np.zeros(samples + len(after.pcm), np.int16)
    pcm[: min(len(before.pcm), samples)] = before.pcm[:samples]
    pcm[samples:] = after.pcm
    voice = np.zeros(offset + len(after.voice), np.float32)
    voice[: min(len(before.voice), offset)] = before.voice[:offset]
    voice[offset:] = after.voice
    return replace(
        after,
        pcm=frozen_array(pcm),
        at=before.at,
        speech_start_s=before.speech_start_s,
        speech_end_s=samples / SAMPLE_RATE_HZ + after.speech_end_s,
        voice=frozen_array(voice),
    )
