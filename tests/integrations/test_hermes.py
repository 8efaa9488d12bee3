"""What happens in the assistant as Hermes messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.daemon.events import Announced, Decided, Event, Muted, Reloaded, SpeechBegan, Woke
from assistant.integrations.commands import Query
from assistant.integrations.hermes import HOLD_S, SESSION_S, Session, answer, happened, looked, topic_level
from assistant.integrations.outbox import Message

SESSION = Session("kitchen", "abc", words=True)
STARTED, ENDED = "hermes/dialogueManager/sessionStarted", "hermes/dialogueManager/sessionEnded"


def decided(outcome: str = "accept", **changed: Any) -> Decided:
    given: dict[str, Any] = {
        "at": 100.0,
        "context": "home",
        "outcome": outcome,
        "intent": "HassTurnOn" if outcome != "refuse" else "",
        "slots": {"name": "desk lamp"},
        "text": "turn on the desk lamp",
        "confidence": 0.97,
        "reason": "",
        "reply": "Turned on the desk lamp",
        "heard": "turn on the desk lamp",
    }
    return Decided(**{**given, **changed})


def told(*events: Event, session: Session = SESSION) -> tuple[Session, list[str], list[Message]]:
    messages: list[Message] = []
    for event in events:
        session, new = happened(session, event)
        messages += new
    return session, [message.topic for message in messages], messages


def body(messages: list[Message], topic: str) -> Any:
    (payload,) = [message.payload for message in messages if message.topic == topic]
    return json.loads(payload)


def test_from_the_wake_word_to_the_end_it_is_one_session() -> None:
    session, topics, messages = told(Woke(at=99.0, word="hey_jarvis"), decided())
    assert topics == [
        "hermes/hotword/hey_jarvis/detected",
        STARTED,
        "hermes/asr/textCaptured",
        "hermes/intent/HassTurnOn",
        "assistant/kitchen/intent",
        ENDED,
    ]
    ids = {json.loads(message.payload)["sessionId"] for message in messages if message.topic.startswith("hermes")}
    assert ids == {"abc-1"}
    assert not session.open
    assert body(messages, ENDED)["termination"] == {"reason": "nominal"}


def test_numbers_and_words_are_told_apart_in_slots() -> None:
    _, _, messages = told(decided(slots={"brightness": 40, "name": "lamp", "area": None, "all": True}))
    slots = body(messages, "hermes/intent/HassTurnOn")["slots"]
    assert [(slot["slotName"], slot["value"]["kind"], slot["value"]["value"]) for slot in slots] == [
        ("brightness", "Number", 40),
        ("name", "Custom", "lamp"),
        ("all", "Custom", True),
    ]


def test_a_question_keeps_the_session_open_until_it_is_answered() -> None:
    session, topics, _ = told(decided("ask", expects_answer=True))
    assert (session.open, topics) == (True, [STARTED, "hermes/asr/textCaptured"])
    session, topics, messages = told(decided(), session=session)
    assert STARTED not in topics
    assert body(messages, ENDED)["sessionId"] == "abc-1"


def test_noise_is_nobodys_business() -> None:
    assert told(decided("refuse", reply="", text=""))[1] == []


def test_what_was_not_understood_after_the_wake_word_is_told() -> None:
    _, topics, messages = told(Woke(at=99.0, word="hey_jarvis"), decided("refuse", reply=""))
    assert topics[-2:] == ["hermes/dialogueManager/intentNotRecognized", ENDED]
    assert body(messages, ENDED)["termination"] == {"reason": "intentNotRecognized"}


def test_a_sentence_that_goes_on_is_told_once_and_whole() -> None:
    session, topics, _ = told(decided(provisional=True, at=100.0))
    assert topics == [STARTED]
    session, topics, messages = told(decided(revises=True, intent="HassLightSet", at=100.9), session=session)
    assert "hermes/intent/HassTurnOn" not in topics
    assert body(messages, "hermes/intent/HassLightSet")["sessionId"] == "abc-1"


@pytest.mark.parametrize("jump_s", [HOLD_S, -1.0, 86_400.0, -86_400.0])
def test_a_sentence_that_does_not_go_on_is_told_even_if_the_clock_jumps(jump_s: float) -> None:
    session, _, _ = told(decided(provisional=True))
    assert looked(session, 100.0 + HOLD_S / 2) == (session, ())
    session, messages = looked(session, 100.0 + jump_s)
    assert "hermes/intent/HassTurnOn" in [message.topic for message in messages]
    assert not session.open


def test_a_session_that_nobody_goes_on_with_ends() -> None:
    session, _, _ = told(Woke(at=100.0, word="hey_jarvis"))
    assert looked(session, 100.0 + SESSION_S - 1)[1] == ()
    session, messages = looked(session, 100.0 + SESSION_S)
    assert json.loads(messages[0].payload)["termination"] == {"reason": "timeout"}
    assert looked(session, 1e6)[1] == ()


def test_a_wake_word_in_the_middle_ends_what_was_before() -> None:
    session, topics, _ = told(decided(provisional=True), Woke(at=100.5, word="alexa"))
    assert topics.index("hermes/intent/HassTurnOn") < topics.index(ENDED)
    assert topics.index(ENDED) < topics.index("hermes/hotword/alexa/detected")
    assert session.id == "abc-2"


def test_mute_is_a_state_that_the_broker_keeps() -> None:
    assert told(Muted(at=1.0, muted=True))[2] == [Message("assistant/kitchen/listening", b"OFF", retain=True)]


def test_a_query_is_answered_with_its_own_words_and_id() -> None:
    query = Query("turn on the desk lamp", "7", "s")
    parsed = answer(query, decided(acted=False), "kitchen")
    assert parsed.topic == "hermes/nlu/intentParsed"
    assert json.loads(parsed.payload)["id"] == "7"
    lost = answer(query, decided("refuse", acted=False), "kitchen")
    assert lost.topic == "hermes/nlu/intentNotRecognized"
    assert json.loads(lost.payload)["input"] == query.text


EVENTS = st.one_of(
    st.builds(
        decided,
        st.sampled_from(["accept", "ask", "refuse"]),
        at=st.floats(0, 1_000),
        provisional=st.booleans(),
        revises=st.booleans(),
        expects_answer=st.booleans(),
        acted=st.booleans(),
        reply=st.sampled_from(["", "yes"]),
        text=st.just("SAID IT"),
        heard=st.just("SAID IT"),
        intent=st.text(max_size=5),
    ),
    st.builds(Woke, at=st.floats(0, 1_000), word=st.text(min_size=1, max_size=5)),
    st.builds(Announced, at=st.floats(0, 1_000), text=st.just("SAID IT"), ring=st.booleans()),
    st.builds(SpeechBegan, at=st.floats(0, 1_000)),
    st.builds(Reloaded, at=st.floats(0, 1_000), ok=st.booleans()),
)


@pytest.mark.parametrize("words", [True, False])
@given(events=st.lists(EVENTS, max_size=20))
def test_sessions_begin_and_end_in_turn_and_words_leave_only_if_allowed(*, events: list[Event], words: bool) -> None:
    session, _, messages = told(*events, session=Session("kitchen", "abc", words=words))
    session, last = looked(session, 1e9)
    session, more = looked(session, 1e9)
    turns = [message.topic for message in (*messages, *last, *more) if message.topic in (STARTED, ENDED)]
    assert turns == [STARTED, ENDED] * (len(turns) // 2)
    assert not session.open
    assert words or not any(b"SAID IT" in message.payload for message in (*messages, *last))
    for message in messages:
        assert not set(message.topic) & set("+#\0"), message.topic
        assert len(message.topic.split("/")) <= 4


@given(st.text())
def test_any_name_is_one_level_of_a_topic(name: str) -> None:
    level = topic_level(name)
    assert level
    assert not set(level) & set("/+#\0")
