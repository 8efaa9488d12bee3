from __future__ import annotations

import numpy as np
import pytest

from assistant.listen.clip import cut_clip
from assistant.listen.vad import Silero
from assistant.types import EndReason
from tests.listen.streams import Pcm, silence


def test_a_recording_is_one_utterance_trimmed_to_its_voice(silero: Silero, orders: list[Pcm]) -> None:
    for pcm in orders:
        utterance = cut_clip(pcm, silero)
        assert np.array_equal(utterance.pcm, pcm)
        assert 1.0 < utterance.speech_end_s - utterance.speech_start_s < utterance.duration_s
        first, last = round(utterance.speech_start_s * 50), round(utterance.speech_end_s * 50) - 1
        assert min(utterance.voice[first], utterance.voice[last]) >= 0.5
        assert (utterance.final, utterance.end) == (True, EndReason.STREAM_END)


def test_quiet_around_a_recording_moves_the_trim_with_it(silero: Silero, orders: list[Pcm]) -> None:
    plain = cut_clip(orders[0], silero)
    # A multiple of frame and window, so that the net sees the same windows.
    padded = cut_clip(np.concatenate([orders[0], silence(1)]), silero)
    assert padded.speech_start_s == plain.speech_start_s
    assert padded.speech_end_s == pytest.approx(plain.speech_end_s, abs=0.02)


@pytest.mark.parametrize("samples", [0, 1, 160, 320, 16_000])
def test_a_recording_without_voice_has_an_empty_extent(silero: Silero, samples: int) -> None:
    utterance = cut_clip(np.zeros(samples, dtype=np.int16), silero)
    assert utterance.speech_start_s == utterance.speech_end_s
    assert len(utterance.pcm) == samples


def test_dc_offset_and_clipping_move_the_trim_little(silero: Silero, orders: list[Pcm]) -> None:
    plain = cut_clip(orders[0], silero)
    offset = cut_clip(np.clip(orders[0].astype(np.int32) + 1500, -32768, 32767).astype(np.int16), silero)
    clipped = cut_clip(np.clip(orders[0].astype(np.int32) * 30, -32768, 32767).astype(np.int16), silero)
    for changed in (offset, clipped):
        assert changed.speech_start_s == pytest.approx(plain.speech_start_s, abs=0.15)
        assert changed.speech_end_s == pytest.approx(plain.speech_end_s, abs=0.15)


def test_the_utterance_does_not_change_with_the_callers_array(silero: Silero) -> None:
    pcm = np.zeros(640, dtype=np.int16)
    utterance = cut_clip(pcm, silero)
    pcm[:] = 1
    assert not utterance.pcm.any()
    assert not utterance.pcm.flags.writeable
