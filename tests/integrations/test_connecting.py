"""When a connection is tried again."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from assistant.integrations.connecting import (
    FIRST_BACK_OFF_S,
    LONGEST_BACK_OFF_S,
    REFUSED_BACK_OFF_S,
    STABLE_AFTER_S,
    Connected,
    Event,
    Failed,
    Link,
    Look,
    Refused,
    Start,
    State,
    Stop,
    back_off_s,
    step,
)

SPREAD = st.floats(0, 1)
KINDS = st.sampled_from([Start, Connected, Failed, Refused, Look, Stop])


def after(*events: Event, link: Link | None = None) -> Link:
    link = link or Link()
    for event in events:
        link = step(link, event)
    return link


def test_a_peer_that_is_away_is_asked_ever_more_rarely_up_to_four_seconds() -> None:
    link, now, waits = after(Start(0)), 0.0, []
    for _ in range(12):
        link = step(link, Failed(now, spread=1.0))
        waits.append(link.retry_at - now)
        now = link.retry_at
        assert step(link, Look(now - 0.01)).state is State.WAITING
        link = step(link, Look(now))
        assert link.state is State.CONNECTING
    assert waits[:4] == [0.5, 1.0, 2.0, 4.0]
    assert waits[-1] == LONGEST_BACK_OFF_S


def test_a_connection_that_lasted_begins_anew() -> None:
    failing = after(Start(0), Failed(1), link=Link())
    connected = after(Connected(5), link=replace(failing, state=State.CONNECTING, failures=9))
    assert after(Failed(5 + STABLE_AFTER_S), link=connected).failures == 1
    assert after(Failed(5 + STABLE_AFTER_S - 1), link=connected).failures == 10


def test_who_refuses_is_left_alone_for_minutes_from_the_first_time() -> None:
    link = after(Start(0), Refused(0, "wrong password", spread=0.0))
    assert (link.retry_at, link.why) == (REFUSED_BACK_OFF_S / 2, "wrong password")


@given(failures=st.integers(0, 1_000_000), spread=SPREAD)
def test_a_wait_is_never_short_and_never_longer_than_four_seconds(failures: int, spread: float) -> None:
    assert FIRST_BACK_OFF_S / 2 <= back_off_s(failures, spread) <= LONGEST_BACK_OFF_S


@given(steps=st.lists(st.tuples(KINDS, st.floats(0, 100), SPREAD), max_size=40))
def test_whatever_happens_a_wanted_connection_comes_to_an_attempt(
    steps: list[tuple[type[Event], float, float]],
) -> None:
    now, link = 0.0, after(Start(0))
    for kind, passed, spread in steps:
        now += passed
        link = step(link, kind(now, "", spread) if kind in (Failed, Refused) else kind(now))
        if kind is Stop:
            assert link.state is State.STOPPED
    if link.state is State.WAITING:
        assert step(link, Look(max(now, link.retry_at))).state is State.CONNECTING
        assert link.retry_at - link.since <= REFUSED_BACK_OFF_S
    assert link.state is not State.OFF
