"""Lengths and moments in words and out of words, on the days when the clocks change too."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.act.when import ago_in_words, as_adjective, in_words, next_moment, seconds_in

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kolkata")]


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def shown(moment: float, zone: ZoneInfo = BERLIN) -> str:
    return f"{dt.datetime.fromtimestamp(moment, zone):%Y-%m-%d %H:%M %z}"


@pytest.mark.parametrize(
    ("seconds", "words", "adjective"),
    [
        (1, "1 second", "1 second"),
        (300, "5 minutes", "5 minute"),
        (299.2, "5 minutes", "5 minute"),
        (65, "1 minute and 5 seconds", "1 minute 5 second"),
        (3661, "1 hour and 2 minutes", "1 hour 2 minute"),
        (90_000, "1 day and 1 hour", "1 day 1 hour"),
        (300 * 86_400, "300 days", "300 day"),
        (0, "0 seconds", "0 second"),
    ],
)
def test_a_length_is_said_by_its_two_largest_units(seconds: float, words: str, adjective: str) -> None:
    assert (in_words(seconds), as_adjective(seconds)) == (words, adjective)


@pytest.mark.parametrize(
    ("seconds", "words"), [(12, "12 seconds ago"), (58, "1 minute ago"), (180, "3 minutes ago"), (7300, "2 hours ago")]
)
def test_how_long_ago_is_said_by_the_largest_unit(seconds: float, words: str) -> None:
    assert ago_in_words(seconds) == words


def test_slots_make_a_length() -> None:
    assert seconds_in({"hours": 1, "minutes": 1.5, "seconds": 2}) == 3692
    assert seconds_in({"start_minutes": 5, "hours": 1}, "start_") == 300
    assert seconds_in({"name": "pasta"}) is None


@pytest.mark.parametrize(
    ("now", "hour", "minute", "period", "day", "expected"),
    [
        ("2026-06-01 06:00", 7, 30, "", "", "2026-06-01 07:30 +0200"),
        ("2026-06-01 08:00", 7, 30, "", "", "2026-06-01 19:30 +0200"),
        ("2026-06-01 20:00", 7, 30, "", "", "2026-06-02 07:30 +0200"),
        ("2026-06-01 20:00", 7, 30, "am", "", "2026-06-02 07:30 +0200"),
        ("2026-06-01 20:00", 12, 0, "am", "", "2026-06-02 00:00 +0200"),
        ("2026-06-01 20:00", 15, 0, "", "tomorrow", "2026-06-02 15:00 +0200"),
        ("2026-06-01 08:00", 7, 0, "am", "monday", "2026-06-08 07:00 +0200"),
        ("2026-06-01 06:00", 7, 0, "am", "Monday", "2026-06-01 07:00 +0200"),
    ],
)
def test_the_next_such_time_is_meant(now: str, hour: int, minute: int, period: str, day: str, expected: str) -> None:
    moment = next_moment(at(now), hour, minute, period=period, day=day, zone=BERLIN)
    assert (shown(moment.at), moment.moved) == (expected, False)


def test_a_time_that_daylight_saving_leaves_out_becomes_the_first_moment_after_it() -> None:
    moment = next_moment(at("2027-03-28 00:00"), 2, 30, period="am", zone=BERLIN)
    assert (shown(moment.at), moment.moved) == ("2027-03-28 03:00 +0200", True)


def test_a_time_that_comes_twice_is_the_first_of_the_two() -> None:
    moment = next_moment(at("2026-10-25 00:00"), 2, 30, period="am", zone=BERLIN)
    assert (shown(moment.at), moment.moved) == ("2026-10-25 02:30 +0200", False)


@pytest.mark.parametrize(("hour", "period", "day"), [(13, "pm", ""), (0, "am", ""), (25, "", ""), (7, "", "someday")])
def test_a_time_that_there_is_none_of_is_refused(hour: int, period: str, day: str) -> None:
    with pytest.raises(ValueError, match=r"there is no|hour must be"):
        next_moment(at("2026-06-01 06:00"), hour, 0, period=period, day=day, zone=BERLIN)


@given(st.integers(1_500_000_000, 2_000_000_000), st.integers(0, 23), st.integers(0, 59), st.sampled_from(ZONES))
def test_the_clock_shows_what_was_asked_for_unless_it_never_does(
    now: int, hour: int, minute: int, zone: ZoneInfo
) -> None:
    moment = next_moment(now, hour, minute, zone=zone)
    assert now < moment.at <= now + 2 * 86_400
    local = dt.datetime.fromtimestamp(moment.at, zone)
    if moment.moved:
        before = dt.datetime.fromtimestamp(moment.at - 60, zone)
        assert (before.hour, before.minute) < (local.hour, local.minute) or before.date() != local.date()
        assert before.utcoffset() != local.utcoffset()
    else:
        assert (local.hour % 12, local.minute) == (hour % 12, minute)
