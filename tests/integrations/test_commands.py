"""What others may ask over MQTT."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.config.integrations import Mqtt
from assistant.integrations.commands import (
    BURST,
    MOST_BYTES,
    PER_S,
    Allowance,
    Command,
    Ignored,
    Listen,
    Mute,
    Query,
    Say,
    Speak,
    read,
    spend,
    topics,
)

ALL = ("speak", "listen", "mute", "query", "say")


def objects(values: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    keys = st.sampled_from(["siteId", "text", "input", "init", "id", "sessionId"]) | st.text(max_size=3)
    return st.dictionaries(keys, values, max_size=5)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | objects(inner), max_leaves=8
)
PAYLOADS = st.binary(max_size=200) | objects(JSON).map(lambda body: json.dumps(body).encode())


@pytest.mark.parametrize(
    ("topic", "payload", "command"),
    [
        ("assistant/kitchen/speak", "tea  is\nready", Speak("tea is ready")),
        ("assistant/kitchen/listen", "PRESS", Listen()),
        ("assistant/kitchen/listening/set", "on", Mute(muted=False)),
        ("assistant/kitchen/say", "turn off the lamp", Say("turn off the lamp")),
        (
            "hermes/tts/say",
            '{"text": "hello", "siteId": "kitchen", "id": "1", "sessionId": "s"}',
            Speak("hello", "1", "s", told=True),
        ),
        ("hermes/hotword/toggleOff", '{"siteId": "kitchen"}', Mute(muted=True)),
        ("hermes/asr/toggleOn", '{"siteId": "kitchen"}', Mute(muted=False)),
        ("hermes/nlu/query", '{"siteId": "kitchen", "input": "stop", "id": "1"}', Query("stop", "1")),
        (
            "hermes/dialogueManager/startSession",
            '{"siteId": "kitchen", "init": {"type": "action", "text": "Which one?"}}',
            Listen("Which one?"),
        ),
        (
            "hermes/dialogueManager/startSession",
            '{"siteId": "kitchen", "init": {"type": "notification", "text": "It rains"}}',
            Speak("It rains"),
        ),
    ],
)
def test_a_message_becomes_a_command(topic: str, payload: str, command: Command) -> None:
    assert read(topic, payload.encode(), "kitchen", ALL) == command
    assert topic in topics("kitchen", ALL)


def test_only_what_is_accepted_is_subscribed_to_and_obeyed() -> None:
    assert topics("kitchen", ()) == ()
    assert topics("kitchen", ("say",)) == ("assistant/kitchen/say",)
    assert read("assistant/kitchen/say", b"turn off the alarm", "kitchen", ("speak",)) == Ignored(
        "mqtt.accept does not allow say"
    )


def test_by_default_nobody_acts_on_the_house_over_mqtt() -> None:
    assert "say" not in Mqtt().accept


@pytest.mark.parametrize(
    ("topic", "payload", "why"),
    [
        ("assistant/kitchen/speak", b"\xc3\x28", "not UTF-8"),
        ("assistant/kitchen/speak", b" \n ", "text is empty"),
        ("assistant/kitchen/speak", b"x" * (MOST_BYTES + 1), "more than 4096 bytes"),
        ("assistant/kitchen/speak", b"x" * 1_001, "text has more than 1000 characters"),
        ("assistant/kitchen/listening/set", b"maybe", "neither ON nor OFF"),
        ("assistant/garage/speak", b"hello", "nobody subscribed to this topic"),
        ("hermes/tts/say", b"hello", "not JSON"),
        ("hermes/tts/say", b"[1]", "not a JSON object"),
        ("hermes/tts/say", b'{"siteId": "kitchen", "text": 5}', "text is no text"),
        ("hermes/tts/say", b'{"siteId": "garage", "text": "hello"}', ""),
        ("hermes/dialogueManager/startSession", b'{"siteId": "kitchen", "init": 3}', "init is no object"),
    ],
)
def test_what_is_no_command_is_ignored_with_a_reason(topic: str, payload: bytes, why: str) -> None:
    assert read(topic, payload, "kitchen", ALL) == Ignored(why)


@pytest.mark.parametrize("topic", topics("kitchen", ALL))
def test_what_the_broker_kept_is_ignored(topic: str) -> None:
    assert read(topic, b"{}", "kitchen", ALL, retained=True) == Ignored("it was kept by the broker")


@given(st.sampled_from(topics("kitchen", ALL)), PAYLOADS)
def test_no_payload_raises_and_reasons_never_quote_it(topic: str, payload: bytes) -> None:
    command = read(topic, payload, "kitchen", ALL)
    assert isinstance(command, (*get_args(Command), Ignored))
    if isinstance(command, Ignored):
        assert len(command.why) < 60
    elif isinstance(command, (Speak, Say, Query)):
        assert command.text.isprintable()


@given(st.lists(st.floats(0, 3), max_size=200))
def test_no_more_commands_pass_than_the_allowance(pauses: list[float]) -> None:
    allowance, now, passed = Allowance(at=0.0), 0.0, 0
    for pause in pauses:
        now += pause
        allowance, allowed = spend(allowance, now)
        passed += allowed
    assert passed <= BURST + PER_S * now + 1e-6


def test_a_clock_set_back_gives_no_allowance() -> None:
    assert spend(Allowance(0.0, 100.0), 50.0)[1] is False
