from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from assistant.errors import ContextError
from assistant.grammar.load import load_context
from assistant.grammar.match import match
from assistant.grammar.tree import Context, ListRef, ListValue, Template, Text, TextList
from convert.synthesize import (
    ALIEN,
    CUT,
    FOREIGN,
    FULL,
    LEAD,
    SHARES,
    TAIL,
    Company,
    Line,
    balanced,
    context_takes,
    extent,
)
from convert.voices import FORMANT, HELD_OUT, RECORDED, Speaker, levelled, stretched

SENTENCES = ("play some quiet music in the garden", "what will the weather be like tomorrow morning")


@pytest.fixture(scope="module")
def barista() -> Context:
    return load_context("barista")


@pytest.fixture(scope="module")
def company() -> Company:
    return Company({"train": (), "valid": ()}, SENTENCES, (*RECORDED, *FORMANT))


def small(templates: tuple[Template, ...], lists: dict[str, TextList] | None = None) -> Context:
    barista = load_context("barista")
    return replace(barista, name="small", templates=templates, lists=MappingProxyType(lists or {}), hash="0" * 64)


def test_the_same_seed_draws_the_same_takes(barista: Context, company: Company) -> None:
    assert list(context_takes(barista, company, 60, 4)) == list(context_takes(barista, company, 60, 4))
    assert list(context_takes(barista, company, 60, 4)) != list(context_takes(barista, company, 60, 5))


def test_sentences_have_every_number_of_slots_equally_often(barista: Context) -> None:
    found = Counter(len(s.slots) for s in balanced(barista, 300, 0))
    enough = [count for slots, count in found.items() if 2 <= slots <= 5]
    assert max(enough) - min(enough) <= 2


def test_every_value_of_every_list_is_said(barista: Context) -> None:
    said = {(slot, value) for s in balanced(barista, 600, 0) for slot, value in s.slots.items()}
    for name, values in barista.lists.items():
        assert isinstance(values, TextList)
        assert {(name, value.value) for value in values.values} <= said


def test_kinds_come_in_their_shares(barista: Context, company: Company) -> None:
    takes = list(context_takes(barista, company, 800, 1))
    found = Counter(take.kind for take in takes)
    for kind, share in SHARES.items():
        assert abs(found[kind] / len(takes) - share) < 0.06


def test_what_was_not_meant_has_no_meaning(barista: Context, company: Company) -> None:
    for take in context_takes(barista, company, 300, 2):
        if take.kind in (ALIEN, FOREIGN):
            assert not take.said
            assert not take.slots
            assert not match(barista, take.line.text)
        else:
            assert take.said
            assert dict(match(barista, take.said)[0].slots) == dict(take.slots)


def test_only_cut_sentences_are_cut_and_only_company_speaks_besides(barista: Context, company: Company) -> None:
    for take in context_takes(barista, company, 300, 3):
        assert (take.cut_at < 1) == (take.kind == CUT)
        assert (take.other is not None) == (take.kind in (TAIL, LEAD))


def test_a_context_without_sentences_is_refused() -> None:
    with pytest.raises(ContextError, match="nothing can be said"):
        balanced(small(()), 10, 0)


def test_one_sentence_alone_still_makes_takes(company: Company) -> None:
    lonely = small((Template("stop", Text("stop it now"), "stop it now"),))
    takes = list(context_takes(lonely, company, 40, 0))
    assert {take.said for take in takes if take.kind == FULL} == {"stop it now"}


def test_a_slot_with_one_value_is_said(company: Company) -> None:
    lists = {"room": TextList("room", (ListValue(Text("kitchen"), "kitchen"),))}
    context = small((Template("light", ListRef("room", "room"), "{room}"),), lists)
    assert {dict(s.slots)["room"] for s in balanced(context, 5, 0)} == {"kitchen"}


def test_voices_that_judge_never_train() -> None:
    judging = {speaker.person for speaker in HELD_OUT}
    assert judging
    assert not judging & {speaker.person for speaker in (*RECORDED, *FORMANT)}


def test_all_voices_are_equally_loud() -> None:
    rng = np.random.default_rng(0)
    quiet, loud = (levelled(gain * rng.standard_normal(16_000), 16_000) for gain in (0.01, 0.3))
    assert np.abs(quiet).std() == pytest.approx(np.abs(loud).std(), rel=0.05)


def test_a_faster_voice_is_shorter() -> None:
    pcm = np.sin(np.arange(16_000) / 10)
    assert len(stretched(pcm, 1.1)) == pytest.approx(16_000 / 1.1, abs=2)
    assert stretched(pcm, 1.0) is pcm


def test_the_extent_of_speech_leaves_silence_out() -> None:
    pcm = np.concatenate([np.zeros(8_000), np.sin(np.arange(16_000)), np.zeros(4_000)])
    begin, end = extent(pcm)
    assert abs(begin - 8_000) <= 320
    assert abs(end - 24_000) <= 320


def test_a_line_is_spoken_by_a_voice_that_is_there(company: Company) -> None:
    import random

    line = company.line(random.Random(0), "hello there")
    assert isinstance(line, Line)
    assert line.speaker in {voice.key for voice in company.voices}
    assert Speaker("flite", "awb", "awb").key == "flite-awb"


def test_no_recording_that_judges_is_named_anywhere_in_the_converter(repository: Path) -> None:
    for file in ("sources.py", "synthesize.py", "rooms.py", "recognise.py", "dataset.py", "stages.py"):
        source = (repository / "convert" / file).read_text(encoding="utf-8")
        code = source.split('"""', 2)[2]
        assert "wakeword" not in code
        assert "kitchen" not in code.lower()
