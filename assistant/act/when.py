"""Time as it is said: lengths from slots and in words, moments from an hour and a day, daylight saving included.

Nothing here asks a clock. A moment is seconds since the epoch; a zone of None is the system's own.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400
UNITS = (("day", DAY_S), ("hour", HOUR_S), ("minute", MINUTE_S), ("second", 1))
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time; `moved` if the time that was said does not exist that day, and this is the first that does."""

    at: float
    moved: bool = False


def seconds_in(slots: Mapping[str, Any], prefix: str = "") -> float | None:
    """The length that the slots `days`, `hours`, `minutes` and `seconds` (behind `prefix`) make; None without any."""
    said = [(slots.get(f"{prefix}{unit}s"), size) for unit, size in UNITS]
    if all(value is None for value, _ in said):
        return None
    return float(sum(float(value) * size for value, size in said if value is not None))


def in_words(seconds: float) -> str:
    """A length by its two largest units, rounded up: "1 hour and 5 minutes", "3 seconds"."""
    left = max(math.ceil(seconds - 1e-6), 0)
    if left >= DAY_S:
        left = math.ceil(left / HOUR_S) * HOUR_S
    elif left >= HOUR_S:
        left = math.ceil(left / MINUTE_S) * MINUTE_S
    parts = []
    for unit, size in UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " and ".join(parts[:2]) or "0 seconds"


def ago_in_words(seconds: float) -> str:
    """How long ago something was, by its largest unit, rounded: "3 minutes ago"."""
    for unit, size in UNITS:
        count = round(seconds / size)
        if count and seconds >= size * 0.95:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


def as_adjective(seconds: float) -> str:
    """A length before a noun: "5 minute", "1 hour 30 minute"."""
    return " ".join(part.removesuffix("s") for part in in_words(seconds).split(" and "))


def time_in_words(moment: dt.datetime) -> str:
    """A time of day as voices read it: "9:05 PM"."""
    return f"{moment.hour % 12 or 12}:{moment:%M %p}"


def spoken_list(names: Iterable[str], last: str = "and") -> str:
    """Names in a row: "a", "a and b", "a, b and c"."""
    *others, end = [*names] or [""]
    return f"{', '.join(others)} {last} {end}" if others else end


def next_moment(
    now: float, hour: int, minute: int, *, period: str = "", day: str = "", zone: dt.tzinfo | None = None
) -> Moment:
    """The next time that a clock shows hour:minute.

    period: "am" or "pm"; without it, an hour up to 12 is the next of the two. day: "today", "tomorrow" or a weekday.
    A time that daylight saving leaves out becomes the first moment after the gap, one that comes twice the first.
    Raises ValueError for a time or a day that there is none of.
    """
    hours = _hours(hour, period)
    today = dt.datetime.fromtimestamp(now, zone).date()
    for offset in _days(today, day):
        date = today + dt.timedelta(days=offset)
        moments = [_moment(dt.datetime.combine(date, dt.time(h, minute)), zone) for h in hours]
        later = [moment for moment in moments if moment.at > now]
        if later:
            return min(later, key=lambda moment: moment.at)
    raise ValueError(f"{hour}:{minute:02} {day} is over")


def _hours(hour: int, period: str) -> tuple[int, ...]:
    """The hours of the day that `hour` may be; ValueError for 13 PM."""
    if not period:
        dt.time(hour)
        return (hour,) if hour > 12 or hour == 0 else (hour % 12, hour % 12 + 12)
    if not 1 <= hour <= 12:
        raise ValueError(f"there is no {hour} {period}")
    return (hour % 12 + (12 if period.lower().startswith("p") else 0),)


def _days(today: dt.date, day: str) -> tuple[int, ...]:
    """Days from today that may be meant, in order."""
    day = day.lower()
    if day in WEEKDAYS:
        ahead = (WEEKDAYS.index(day) - today.weekday()) % 7
        return (ahead, ahead + 7)
    known = {"": (0, 1), "today": (0,), "tomorrow": (1,)}
    if day not in known:
        raise ValueError(f"there is no day {day!r}")
    return known[day]


def _moment(said: dt.datetime, zone: dt.tzinfo | None) -> Moment:
    """What a clock shows as a moment (PEP 495: fold 0 is the first of two, and reaches beyond a gap)."""
    at = said.replace(tzinfo=zone).timestamp()
    if dt.datetime.fromtimestamp(at, zone).replace(tzinfo=None, fold=0) == said:
        return Moment(at)
    low, high = said.replace(tzinfo=zone, fold=1).timestamp(), at
    offset = _offset_s(high, zone)
    while high - low > 1:  # the change lies between the two readings: find its second
        middle = (low + high) // 2
        low, high = (low, middle) if _offset_s(middle, zone) == offset else (middle, high)
    return Moment(high, moved=True)


def _offset_s(at: float, zone: dt.tzinfo | None) -> float:
    """What local time is ahead of UTC."""
    local = dt.datetime.fromtimestamp(at, zone).replace(tzinfo=dt.timezone.utc)
    return local.timestamp() - at
