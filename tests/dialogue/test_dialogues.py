"""The scripts in this folder: every one typed, and some of them spoken through microphone, recogniser and all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assistant.audio.frontend import Mean
from assistant.grammar.load import load_context
from assistant.grammar.places import ContextFaults
from assistant.grammar.tree import Context
from assistant.listen.segment import Segmenter
from assistant.listen.vad import open_vad
from assistant.pipeline import Conversation, Understander
from assistant.recognize.moonshine.engine import Moonshine
from assistant.testing import HeldClock
from assistant.testing.dialogues import Script, fault_of, play, read_scripts, stage
from assistant.types import Decision
from assistant.work import InlineWorker
from tests.blocks import Blocks, Pcm, frames

FOLDER = Path(__file__).parent
SCRIPTS = {script.name: script for file in sorted(FOLDER.glob("*.yaml")) for script in read_scripts(file)}
SPOKEN = (
    "a second room is done too",
    "brighter after switching on",
    "warmer follows a temperature",
    "off again",
    "once more",
    "which lamp, by name",
    "which lamp, by number",
    "which ceiling light, by its room",
    "which lamp, and something else instead",
    "a lock is asked about first",
    "no leaves it locked",
    "another command does not open it",
    "a lamp goes back to what it was",
    "a timer is taken back",
    "another room was meant",
    "two by name",
    "which of two",
    "more time for the last one",
    "one thing after another",
    "what was said by both",
)
REACHED = 0.9
"""Share of the spoken dialogues that come out right, at least."""


@pytest.fixture(scope="module")
def home() -> Context:
    return load_context("home")


def test_there_are_scripts_enough() -> None:
    assert len(SCRIPTS) >= 40
    assert len(SPOKEN) >= 15


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_typed_dialogue_goes_as_written(name: str, home: Context, clock: HeldClock) -> None:
    faults = [played.fault for played in play(SCRIPTS[name], home, clock) if played.fault]
    assert not faults


def test_a_wrong_answer_is_a_fault_and_says_what_was_said(home: Context, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text('- name: wrong\n  turns: [{say: "stop", expect: "Never."}]\n')
    (script,) = read_scripts(file)
    (played,) = play(script, home)
    assert played.fault == "“stop” should be answered “Never.” and is answered “”"


def test_what_is_wrong_in_a_file_is_said_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("- name: wrong\n  turns:\n    - {say: stop, expected: x}\n")
    with pytest.raises(ContextFaults, match=r"wrong.yaml:3.*expected"):
        read_scripts(file)


# -- spoken --------------------------------------------------------------------------------------------------------


def said(script: Script, spoken: Callable[[str], Pcm]) -> Iterator[Pcm]:
    """The turns one after another, with the silence that `spoken` gives them."""
    for turn in script.turns:
        yield from frames(spoken(turn.say[:1].upper() + turn.say[1:] + "."))


def hear(script: Script, home: Context, moonshine: Moonshine, spoken: Callable[[str], Pcm]) -> list[Decision]:
    clock = HeldClock()
    with stage(clock) as (skills, _):
        understander = Understander(moonshine, moonshine.prepare(home), skills, clock)
        segmenter = Segmenter(open_vad("silero"))
        source = Blocks(said(script, spoken), clock)
        return [*Conversation(source, Mean(1), segmenter, understander, InlineWorker()).decisions()]


def plain(reply: str) -> str:
    """A reply as it is compared: speaking takes time, and a recogniser writes capitals of its own."""
    return re.sub(r"\d+ (minute|second)s?( and \d+ seconds)? left", "some time left", reply).casefold()


@pytest.mark.real
def test_spoken_dialogues_go_as_written(
    home: Context, moonshine: Moonshine, spoken: Callable[[str], Pcm], record_property: Callable[[str, object], None]
) -> None:
    faults = {}
    for name in SPOKEN:
        script = SCRIPTS[name]
        heard = hear(script, home, moonshine, spoken)
        wrong = [fault_of(turn, decision, plain) for turn, decision in zip(script.turns, heard, strict=False)]
        if len(heard) != len(script.turns):
            wrong.append(f"{len(script.turns)} turns, {len(heard)} decisions")
        if any(wrong):
            faults[name] = [fault for fault in wrong if fault]
    right = 1 - len(faults) / len(SPOKEN)
    record_property("right", right)
    print(f"{right:.0%} of {len(SPOKEN)} spoken dialogues", *faults.items(), sep="\n")
    assert right >= REACHED, faults
