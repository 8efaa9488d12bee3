"""A record holds everything that was decided from, survives its way to the disk, and nothing foreign gets in."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given

from assistant.errors import StorageError
from assistant.grammar.tree import Context
from assistant.trace.record import FORMAT, decode, encode, levels_db, voice_probabilities
from assistant.trace.writing import record_of, transcript_of, verdict_of
from assistant.types import Decision, Transcript, Utterance
from tests.trace.decisions import EMPTY_CONTEXT, decision_about, decisions, typed, utterances

ID = "20231114-221320.000"


@given(decisions())
def test_a_record_comes_back_from_its_bytes_as_it_was(decision: Decision) -> None:
    record = record_of(decision, ID)
    assert decode(encode(record)) == record


@given(decisions())
def test_a_transcript_comes_back_from_its_record_with_every_number(decision: Decision) -> None:
    before, after = decision.transcript, transcript_of(decode(encode(record_of(decision, ID))))
    assert (after.text, after.engine, after.variant, after.truncated) == (
        before.text,
        before.engine,
        before.variant,
        before.truncated,
    )
    assert len(after.hypotheses) == len(before.hypotheses)
    for one, other in zip(before.hypotheses, after.hypotheses, strict=True):
        for name in ("tokens", "log_p", "ilm"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype == getattr(other, name).dtype
        for name in ("intent", "text", "score", "rerank", "prior", "words", "terminal", "response"):
            assert getattr(one, name) == getattr(other, name)
        assert dict(one.slots) == dict(other.slots)
        assert list(map(type, one.slots.values())) == list(map(type, other.slots.values()))


@given(decisions())
def test_what_the_dialogue_changed_is_kept_beside_what_was_decided(decision: Decision) -> None:
    record = record_of(decision, ID)
    assert record.decided == verdict_of(decision.decided)
    assert record.final == verdict_of(decision.understanding)
    assert (record.result is None) == (record.final == record.decided)


@given(utterances())
def test_voice_and_loudness_are_kept_by_frame_within_half_a_step(utterance: Utterance) -> None:
    record = record_of(typed_with(utterance), ID).utterance
    assert record is not None
    assert np.abs(voice_probabilities(record) - utterance.voice).max() <= 0.5 / 255 + 1e-6
    levels = levels_db(record)
    assert len(levels) == len(utterance.voice)
    first = utterance.pcm[:320].astype(np.float64) / 32768
    if len(first) == 320:
        assert levels[0] == pytest.approx(10 * np.log10((first**2).mean()), abs=0.26)


def test_a_token_is_placed_where_its_attention_lies(
    heard: list[tuple[Utterance, Transcript]], barista: Context
) -> None:
    utterance, transcript = heard[0]
    record = record_of(decision_about(transcript, barista, utterance=utterance), ID)
    centres = record.hypotheses[0].centres_s
    assert len(centres) == len(record.hypotheses[0].tokens)
    assert all(utterance.speech_start_s - 0.2 <= centre <= utterance.speech_end_s + 0.2 for centre in centres)
    assert centres[0] < centres[len(centres) // 2] < centres[-1]


def test_a_record_holds_no_sound(heard: list[tuple[Utterance, Transcript]], barista: Context) -> None:
    utterance, transcript = heard[0]
    assert (
        len(encode(record_of(decision_about(transcript, barista, utterance=utterance), ID))) < len(utterance.pcm) / 10
    )


def test_a_record_of_a_newer_format_is_refused_by_name(barista: Context) -> None:
    fields = msgspec.to_builtins(record_of(typed("a large latte", barista), ID), builtin_types=(bytes,))
    data = zlib.compress(msgspec.msgpack.encode(fields | {"format": FORMAT + 1, "mood": "new"}))
    with pytest.raises(StorageError, match=rf"{ID}.*newer version.*{FORMAT + 1}.*update"):
        decode(data, ID)


@pytest.mark.parametrize(
    "damage", [lambda d: d[:-7], lambda d: b"\0" + d[1:], lambda _: zlib.compress(b"\xc1"), lambda _: b""]
)
def test_a_damaged_record_is_an_error_that_names_it(damage: Callable[[bytes], bytes], barista: Context) -> None:
    data = encode(record_of(typed("a large latte", barista), ID))
    with pytest.raises(StorageError, match=f"{ID}.*damaged"):
        decode(damage(data), ID)


def test_an_unknown_field_is_refused(barista: Context) -> None:
    fields = msgspec.to_builtins(record_of(typed("a large latte", barista), ID), builtin_types=(bytes,))
    with pytest.raises(StorageError, match="unknown field `mood`"):
        decode(zlib.compress(msgspec.msgpack.encode(fields | {"mood": "new"})))


def test_numbers_of_numpy_in_slots_become_plain_ones(barista: Context) -> None:
    decision = typed("a large latte", barista)
    slots = {"level": np.float32(0.5), "count": np.int64(3), "names": ("a", "b")}
    record = record_of(replace(decision, decided=replace(decision.decided, slots=slots)), ID)
    assert decode(encode(record)).decided.slots == {"level": 0.5, "count": 3, "names": ["a", "b"]}


def typed_with(utterance: Utterance) -> Decision:
    """A decision in which nothing was understood of `utterance`."""
    return decision_about(Transcript((), "", "moonshine", "tiny"), EMPTY_CONTEXT, utterance=utterance)
