from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.listen.clip import cut_clip
from assistant.listen.endpoint import EndpointSettings
from assistant.listen.segment import Abandoned, Began, Ended, ListenEvent, Paused, Resumed, Segmenter, utterances
from assistant.listen.vad import Silero
from assistant.types import AudioFrame, EndReason
from tests.listen.streams import Pcm, Told, ended, events_of, frames_of, silence

LOUD = 0.95


def told(*stretches: tuple[int, float]) -> list[float]:
    return [probability for length, probability in stretches for _ in range(length)]


def ramp(frames: int) -> Pcm:
    """Sound in which each frame is its own number."""
    return np.repeat(np.arange(frames, dtype=np.int16), 320)


def names(events: list[ListenEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


@pytest.mark.parametrize("delay", [0, 2])
def test_an_utterance_has_its_pre_roll_its_speech_and_the_silence_after(delay: int) -> None:
    vad = Told(told((200, 0), (50, LOUD), (100, 0)), delay)
    (utterance,) = utterances(frames_of(ramp(350), at=10.0), Segmenter(vad))
    assert utterance.pcm[0] == 200 - 75
    assert utterance.pcm[-1] == 250 + 35 - 1
    assert utterance.at == pytest.approx(10.0 + 125 * 0.02)
    assert (utterance.speech_start_s, utterance.speech_end_s) == pytest.approx((1.5, 2.5))
    assert utterance.voice.tolist() == pytest.approx(told((75, 0), (50, LOUD), (35, 0)))
    assert utterance.end is EndReason.SILENCE


def test_speech_at_the_first_sample_is_kept() -> None:
    (utterance,) = utterances(frames_of(ramp(100)), Segmenter(Told(told((50, LOUD)))))
    assert utterance.pcm[0] == 0
    assert (utterance.speech_start_s, utterance.speech_end_s) == (0.0, 1.0)


def test_speech_up_to_the_last_sample_ends_with_the_stream() -> None:
    pcm = ramp(60)[:-100]
    (utterance,) = utterances(frames_of(pcm), Segmenter(Told([LOUD] * 60, delay_frames=2)))
    assert np.array_equal(utterance.pcm, pcm)
    assert utterance.speech_end_s == utterance.duration_s
    assert utterance.voice.tolist() == pytest.approx([LOUD] * 60)
    assert utterance.end is EndReason.STREAM_END


def test_the_answer_to_a_pause_shortens_the_wait() -> None:
    segmenter = Segmenter(Told([LOUD] * 50, delay_frames=2))
    for number, frame in enumerate(frames_of(ramp(200))):
        for event in segmenter.feed(frame):
            if isinstance(event, Paused):
                assert not event.utterance.final
                assert segmenter.speculation(complete=True, terminal=False, cut=event.cut) == ()
            if isinstance(event, Ended):
                assert event.cut is not None
                assert event.utterance.end is EndReason.COMPLETE
                assert (number + 1 - 50) * 0.02 == pytest.approx(0.3, abs=0.02)
                return
    pytest.fail("no end")


def test_a_late_answer_about_an_earlier_pause_changes_nothing() -> None:
    segmenter = Segmenter(Told(told((50, LOUD), (10, 0), (20, LOUD), (100, 0))))
    frames = list(frames_of(ramp(180)))
    first = [event for frame in frames[:70] for event in segmenter.feed(frame)]
    assert names(first) == ["Began", "Paused", "Resumed"]
    pause = first[1]
    assert isinstance(pause, Paused)
    rest = [event for frame in frames[70:90] for event in segmenter.feed(frame)]
    segmenter.speculation(complete=True, terminal=True, cut=pause.cut)
    rest += [event for frame in frames[90:] for event in segmenter.feed(frame)]
    assert [utterance.end for utterance in ended(rest)] == [EndReason.SILENCE]


def test_the_speculative_cut_has_the_speech_of_the_final_one() -> None:
    events = events_of(Segmenter(Told(told((50, LOUD), (10, 0), (30, LOUD), (100, 0)), 2)), frames_of(ramp(190)))
    pauses = [event for event in events if isinstance(event, Paused)]
    (end,) = [event for event in events if isinstance(event, Ended)]
    assert end.cut == pauses[-1].cut != pauses[0].cut
    assert end.utterance.speech_end_s == pauses[-1].utterance.speech_end_s
    cut = pauses[-1].utterance.pcm
    assert np.array_equal(end.utterance.pcm[: len(cut)], cut)


def test_a_blip_while_waiting_neither_prolongs_nor_cuts() -> None:
    events = events_of(Segmenter(Told(told((50, LOUD), (12, 0), (4, LOUD), (100, 0)))), frames_of(ramp(170)))
    assert names(events) == ["Began", "Paused", "Ended"]
    assert ended(events)[0].speech_end_s == 1.0


def test_the_button_takes_the_syllable_before_it() -> None:
    probabilities = told((100, 0), (40, LOUD), (100, 0))
    segmenter = Segmenter(Told(probabilities, 2), EndpointSettings(always=False))
    frames = list(frames_of(ramp(240)))
    events = [event for frame in frames[:105] for event in segmenter.feed(frame)]
    events += segmenter.press()
    events += [event for frame in frames[105:150] for event in segmenter.feed(frame)]
    events += segmenter.release()
    assert names(events) == ["Began", "Ended"]
    (utterance,) = ended(events)
    assert utterance.pcm[0] == 105 - 75
    assert (utterance.speech_start_s, utterance.speech_end_s) == pytest.approx((70 * 0.02, 110 * 0.02))
    assert utterance.end is EndReason.RELEASED
    assert [event for frame in frames[150:] for event in segmenter.feed(frame)] == []


def test_a_button_pressed_before_any_sound_gives_an_empty_utterance() -> None:
    segmenter = Segmenter(Told([]))
    events = [*segmenter.press(), *segmenter.release()]
    assert names(events) == ["Began", "Ended"]
    assert ended(events)[0].duration_s == 0.0


def test_reset_abandons_the_utterance_and_forgets_the_sound() -> None:
    segmenter = Segmenter(Told([LOUD] * 50))
    begun = [event for frame in frames_of(ramp(30)) for event in segmenter.feed(frame)]
    assert names(begun) == ["Began"]
    assert segmenter.reset() == (Abandoned(),)
    assert segmenter.reset() == ()
    (utterance,) = ended(events_of(segmenter, frames_of(ramp(50))))
    assert utterance.pcm[0] == 0


def test_endless_speech_becomes_utterances_of_at_most_the_cap_without_overlap_or_loss() -> None:
    cut = list(utterances(frames_of(ramp(2000)), Segmenter(Told([LOUD] * 2000, 2), EndpointSettings(cap_s=4.0))))
    assert max(utterance.duration_s for utterance in cut) <= 4.0 + 2 * 0.02
    assert cut[0].end is EndReason.CAP
    speech = [
        utterance.pcm[round(utterance.speech_start_s * 16000) : round(utterance.speech_end_s * 16000)]
        for utterance in cut
    ]
    assert np.array_equal(np.concatenate(speech), ramp(2000))


def test_the_pre_roll_does_not_reach_into_the_speech_before() -> None:
    vad = Told(told((50, LOUD), (40, 0), (50, LOUD), (100, 0)))
    first, second = utterances(frames_of(ramp(240)), Segmenter(vad))
    assert first.pcm[-1] == 50 + 35 - 1
    assert second.pcm[0] == 50
    assert second.speech_start_s == pytest.approx(0.8)


@pytest.mark.real
def test_an_hour_of_silence_keeps_only_the_pre_roll() -> None:
    segmenter = Segmenter(Told([], 2))
    frame = AudioFrame(pcm=silence(0.02), at=0.0)
    most = 0
    for _ in range(3600 * 50):
        assert segmenter.feed(frame) == ()
        most = max(most, len(segmenter._sound))
    assert most * 0.02 < 1.5 + 0.8
    assert len(segmenter._voice) <= most


def test_lost_samples_become_silence_of_their_length() -> None:
    vad = Told(told((50, LOUD), (100, 0)))
    frames = list(frames_of(ramp(50)))
    lost = 100
    late = [
        AudioFrame(pcm=frame.pcm, at=frame.at + lost / 16000, gap=lost if number == 0 else 0)
        for number, frame in enumerate(frames[20:])
    ]
    (utterance,) = utterances([*frames[:20], *late], Segmenter(vad))
    assert len(utterance.pcm) == 50 * 320 + lost
    assert not utterance.pcm[20 * 320 : 20 * 320 + lost].any()
    assert utterance.pcm[20 * 320 + lost] == 20


def test_a_long_gap_ends_the_utterance_and_time_goes_on_behind_it() -> None:
    vad = Told([LOUD] * 30)
    broken = [
        *frames_of(ramp(30)),
        *(AudioFrame(f.pcm, f.at + 60.6, 960_000 * (f.at == 0)) for f in frames_of(ramp(30))),
    ]
    first, second = utterances(broken, Segmenter(vad))
    assert first.end is EndReason.STREAM_END
    assert (first.at, second.at) == (0.0, 60.6)


@given(
    st.lists(st.tuples(st.integers(1, 60), st.sampled_from([0.0, 0.4, 0.6, LOUD])), max_size=12),
    st.integers(1, 1000),
    st.sampled_from([0, 2]),
)
def test_the_length_of_the_frames_makes_no_difference(
    stretches: list[tuple[int, float]], samples: int, delay: int
) -> None:
    probabilities = told(*stretches)
    pcm = ramp(len(probabilities))
    whole = events_of(Segmenter(Told(probabilities, delay)), [AudioFrame(pcm=pcm, at=5.0)])
    parts = events_of(Segmenter(Told(probabilities, delay)), frames_of(pcm, 5.0, samples))
    assert names(whole) == names(parts)
    for one, other in zip(ended(whole), ended(parts), strict=True):
        assert np.array_equal(one.pcm, other.pcm)
        assert np.array_equal(one.voice, other.voice)
        assert (one.end, one.speech_start_s, one.speech_end_s) == (other.end, other.speech_start_s, other.speech_end_s)
        assert one.at == pytest.approx(other.at)


@given(
    st.lists(st.tuples(st.integers(1, 100), st.sampled_from([0.0, 0.4, 0.6, LOUD])), max_size=20),
    st.sampled_from([0, 2]),
    st.booleans(),
)
def test_each_beginning_has_one_end_and_utterances_are_well_formed(
    stretches: list[tuple[int, float]],
    delay: int,
    complete: bool,  # noqa: FBT001
) -> None:
    probabilities = told(*stretches)
    settings = EndpointSettings(cap_s=3.0)
    segmenter = Segmenter(Told(probabilities, delay), settings)
    events: list[ListenEvent] = []
    for frame in frames_of(ramp(len(probabilities))):
        made = segmenter.feed(frame)
        events += made
        if any(isinstance(event, Paused) for event in made):
            events += segmenter.speculation(complete=complete, terminal=False)
    events += segmenter.flush()
    big = [event for event in events if isinstance(event, (Began, Ended))]
    assert [type(event) for event in big] == [Began, Ended] * (len(big) // 2)
    pauses = sum(isinstance(event, Paused) for event in events)
    kept = sum(isinstance(event, Ended) and event.cut is not None for event in events)
    assert pauses == kept + sum(isinstance(event, Resumed) for event in events)
    for utterance in ended(events):
        assert 0.0 <= utterance.speech_start_s < utterance.speech_end_s <= utterance.duration_s
        assert utterance.speech_end_s - utterance.speech_start_s <= settings.cap_s + 1e-9
        assert len(utterance.voice) * 320 == len(utterance.pcm)
        first, last = round(utterance.speech_start_s * 50), round(utterance.speech_end_s * 50) - 1
        assert min(utterance.voice[first], utterance.voice[last]) >= 0.5
        assert not utterance.pcm.flags.writeable


def test_commands_in_one_file_with_noise_between_are_as_many_utterances(
    silero: Silero, orders: list[Pcm], kitchen: Pcm
) -> None:
    between = (kitchen[: 3 * 16000] * 0.3).astype(np.int16)
    parts, true = [between], list[tuple[float, float]]()
    for pcm in orders:
        begin_s = sum(map(len, parts)) / 16000
        alone = cut_clip(pcm, silero)
        true.append((begin_s + alone.speech_start_s, begin_s + alone.speech_end_s))
        parts += [pcm, between]
    cut = list(utterances(frames_of(np.concatenate(parts)), Segmenter(silero)))
    assert len(cut) == len(orders)
    for utterance, (start_s, end_s) in zip(cut, true, strict=True):
        assert utterance.at + utterance.speech_start_s == pytest.approx(start_s, abs=0.1)
        assert utterance.at + utterance.speech_end_s == pytest.approx(end_s, abs=0.1)


def test_after_a_long_quiet_an_utterance_is_judged_like_a_recording_of_its_own(
    silero: Silero, orders: list[Pcm]
) -> None:
    quiet = np.random.default_rng(0).normal(0, 2, 30 * 16_000).astype(np.int16)
    for pcm in orders:
        (utterance, *_) = utterances(frames_of(np.concatenate([quiet, pcm])), Segmenter(silero))
        alone = cut_clip(utterance.pcm, silero)
        assert np.array_equal(utterance.voice[:-2], alone.voice[:-2])
        assert (utterance.speech_start_s, utterance.speech_end_s) == (alone.speech_start_s, alone.speech_end_s)


def test_a_kitchen_alone_makes_no_utterance(silero: Silero, kitchen: Pcm) -> None:
    assert events_of(Segmenter(silero), frames_of(kitchen)) == []


@pytest.mark.parametrize("seconds", [0, 0.01, 0.02, 3])
def test_silence_of_any_length_makes_no_utterance(silero: Silero, seconds: float) -> None:
    assert events_of(Segmenter(silero), frames_of(silence(seconds))) == []
