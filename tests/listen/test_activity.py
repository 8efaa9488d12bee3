from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import ConfigError
from assistant.listen.activity import ActivitySettings, Run, Voicing, judge, speech_extent

SETTINGS = ActivitySettings()


def voicings(probabilities: list[float]) -> list[Voicing]:
    run, found = Run(), list[Voicing]()
    for probability in probabilities:
        run = judge(run, probability, SETTINGS)
        found.append(run.voicing)
    return found


def test_a_run_is_undecided_until_it_is_long_enough() -> None:
    assert voicings([0.95] * 9) == [Voicing.UNDECIDED] * 7 + [Voicing.VOICED] * 2


def test_a_run_that_is_never_sure_is_no_speech() -> None:
    assert Voicing.VOICED not in voicings([0.8] * 100)


def test_a_short_dip_does_not_start_the_count_anew() -> None:
    assert voicings([0.95] * 5 + [0.1] * 3 + [0.95] * 3)[-1] is Voicing.VOICED
    assert voicings([0.95] * 5 + [0.1] * 4 + [0.95] * 3)[-1] is Voicing.UNDECIDED


def test_a_dip_inside_speech_is_unvoiced_so_that_silence_counts_from_its_first_frame() -> None:
    assert voicings([0.95] * 10 + [0.1] * 2 + [0.95])[-3:] == [Voicing.UNVOICED, Voicing.UNVOICED, Voicing.VOICED]


@given(st.lists(st.floats(0, 1), max_size=200))
def test_the_limits_of_a_run_are_voiced_frames_and_speech_is_inside_them(probabilities: list[float]) -> None:
    run = Run()
    for frame, probability in enumerate(probabilities):
        run = judge(run, probability, SETTINGS)
        assert run.frame == frame
        if run.voicing is Voicing.VOICED:
            assert run.first <= frame == run.last
            assert probabilities[run.first] >= SETTINGS.voiced
            assert max(probabilities[run.first : frame + 1]) >= SETTINGS.sure


def extent(*stretches: tuple[int, float]) -> tuple[float, float]:
    voice = np.concatenate([np.full(length, probability, dtype=np.float32) for length, probability in stretches])
    return speech_extent(voice, SETTINGS)


def test_the_extent_reaches_from_the_first_to_the_last_voiced_frame() -> None:
    assert extent((10, 0.1), (20, 0.9), (20, 0.1), (20, 0.6), (10, 0.4)) == pytest.approx((0.2, 1.4))


def test_a_blip_far_from_speech_is_left_out_and_one_close_by_is_kept() -> None:
    assert extent((3, 0.9), (50, 0.1), (30, 0.9)) == pytest.approx((1.06, 1.66))
    assert extent((3, 0.9), (10, 0.1), (30, 0.9)) == pytest.approx((0.0, 0.86))


def test_a_lone_blip_is_better_than_nothing() -> None:
    assert extent((10, 0.1), (3, 0.9), (10, 0.1)) == pytest.approx((0.2, 0.26))


def test_without_a_voiced_frame_the_extent_is_empty() -> None:
    assert extent((10, 0.4)) == (0.0, 0.0)
    assert speech_extent(np.zeros(0, dtype=np.float32), SETTINGS) == (0.0, 0.0)


@pytest.mark.parametrize("values", [{"voiced": 0.95}, {"voiced": 0.0}, {"sure": 1.1}, {"bridge_s": -0.1}])
def test_contradicting_values_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        ActivitySettings(**values)
