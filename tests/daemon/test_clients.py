"""When a client is answered and when it is cut, on held time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.daemon.clients import (
    ALIVE,
    IDLE_S,
    LINE_S,
    MOST_FAULTS,
    TAKE_S,
    Answered,
    Client,
    Event,
    Left,
    Look,
    Received,
    State,
    Taken,
    step,
)
from assistant.daemon.protocol import MAX_LINE_BYTES

OPEN = Client(State.OPEN, 0.0)


def after(client: Client, *events: Event) -> Client:
    for event in events:
        client = step(client, event)
    return client


def test_a_client_that_asks_is_kept_however_long_it_stays() -> None:
    client = OPEN
    for minute in range(0, 3600, 30):
        at = float(minute)
        client = after(client, Received(at, 0, ended=True), Taken(at), Answered(at, sense=True), Look(at + 29, None))
    assert client.state is State.OPEN


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (Look(IDLE_S + 0.1, None), "nothing was asked"),
        (Received(0.0, MAX_LINE_BYTES + 1), "the line is too long"),
        (Look(1.0 + TAKE_S, 0.5), "answers are not taken"),
    ],
)
def test_a_client_that_idles_floods_or_does_not_read_is_cut(event: Event, why: str) -> None:
    client = step(OPEN, event)
    assert (client.state, client.why) == (State.CUT, why)


def test_a_line_that_drips_is_cut_and_one_after_another_is_not() -> None:
    dripping = after(OPEN, *(Received(float(second), second + 1) for second in range(int(LINE_S) + 1)))
    assert step(dripping, Look(LINE_S + 0.1, None)).why == "the line is too slow"
    busy = after(OPEN, *(Received(float(second), 5, ended=True) for second in range(20)))
    assert step(busy, Look(20.0, None)).state is State.OPEN


def test_a_subscriber_may_be_silent_for_ever() -> None:
    client = after(OPEN, Taken(0.0), Answered(0.0, sense=True, subscribed=True), Look(1e6, None))
    assert client.state is State.SUBSCRIBED


def test_nonsense_is_answered_until_there_is_too_much_of_it_in_a_row() -> None:
    client = OPEN
    for _ in range(MOST_FAULTS - 1):
        client = after(client, Taken(0.0), Answered(0.0, sense=False))
    kept = after(client, Taken(0.0), Answered(0.0, sense=True))
    assert (kept.state, kept.faults) == (State.OPEN, 0)
    assert after(client, Taken(0.0), Answered(0.0, sense=False)).why == "too many requests make no sense"


@given(
    st.lists(
        st.one_of(
            st.builds(Received, st.just(1.0), st.integers(0, 100), st.booleans()),
            st.builds(Taken, st.just(1.0)),
            st.builds(Answered, st.just(1.0), st.booleans(), st.booleans()),
            st.builds(Look, st.floats(0, 1000), st.none()),
            st.builds(Left, st.just(1.0)),
        )
    )
)
def test_who_was_cut_stays_cut(events: list[Event]) -> None:
    client = OPEN
    for event in events:
        before, client = client, step(client, event)
        assert before.state in ALIVE or client.state is State.CUT
