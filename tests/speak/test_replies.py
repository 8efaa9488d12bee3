"""Replies from a context's templates."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import ContextError
from assistant.grammar.load import load_context
from assistant.grammar.tree import Context, Settings
from assistant.speak.replies import REFUSALS, Replies


def context(responses: Mapping[str, Mapping[str, str]]) -> Context:
    return Context(
        name="kitchen",
        folder="",
        templates=(),
        rules={},
        lists={},
        responses=responses,
        actions={},
        settings=Settings(),
        hash="",
    )


def test_slots_and_what_a_skill_found_out_fill_the_template() -> None:
    replies = Replies(context({"Timer": {"default": "{name} rings in {left:minute}."}}))
    assert replies.reply("Timer", {"name": "Pasta"}, values={"left": 5}) == "Pasta rings in 5 minutes."


@pytest.mark.parametrize(
    ("slots", "said"), [({"drink": "latte", "size": "large"}, "A large latte."), ({"drink": "latte"}, "A latte.")]
)
def test_a_slot_that_was_not_said_leaves_no_gap(slots: Mapping[str, Any], said: str) -> None:
    assert Replies(context({"order": {"default": "A [{size} ]{drink}."}})).reply("order", slots) == said


def test_an_unknown_key_falls_back_to_the_default_and_an_unknown_intent_to_okay() -> None:
    replies = Replies(context({"order": {"default": "Coming.", "none_left": "We are out of it."}}))
    assert replies.reply("order", {}, key="none_left") == "We are out of it."
    assert replies.reply("order", {}, key="other") == "Coming."
    assert replies.reply("dance", {}) == "Okay."
    assert replies.has("order", "none_left")
    assert not replies.has("order", "other")


def test_an_empty_template_is_silence() -> None:
    assert Replies(context({"hush": {"default": ""}})).reply("hush", {}) == ""


def test_a_template_that_cannot_be_read_names_intent_and_key() -> None:
    with pytest.raises(ContextError, match=r"context kitchen: responses of order: reply 'default' has '\{' at column"):
        Replies(context({"order": {"default": "A {size"}}))


def test_refusals_take_turns() -> None:
    replies = Replies(context({}))
    assert [replies.refusal(turn) for turn in range(len(REFUSALS) + 1)] == [*REFUSALS, REFUSALS[0]]


def test_a_context_brings_its_own_wordings() -> None:
    korean = {"assistant": {"done": "네.", "unheard": "못 들었어요.", "refused": "다시 말해 주세요."}}
    replies = Replies(context(korean))
    assert (replies.done, replies.unheard, replies.refusal(5)) == ("네.", "못 들었어요.", "다시 말해 주세요.")
    assert replies.reply("order", {}) == "네."


def test_fixed_phrases_are_those_without_slots_each_once() -> None:
    replies = Replies(context({"a": {"default": "Okay.", "x": "The {size} one."}, "b": {"default": "Lights are on."}}))
    phrases = replies.fixed_phrases()
    assert "Lights are on." in phrases
    assert len(set(phrases)) == len(phrases)
    assert not any("{" in phrase for phrase in phrases)


def test_own_wordings_are_read_from_a_contexts_folder(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "lights"
    shutil.copytree(repository / "tests" / "fixtures" / "korean_lights", folder)
    (folder / "responses" / "own.yaml").write_text("responses: {intents: {assistant: {done: 네.}}}\n", encoding="utf-8")
    replies = Replies(load_context(folder))
    assert replies.done == "네."
    assert replies.reply("ChangeColor", {"room": "거실"}) == "거실 조명 색을 바꿨습니다."
