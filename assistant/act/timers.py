"""Timers and alarms: named, several at once, kept in a file that outlives the process and the power.

What was answered "set" is on the disk before it is said. Whatever ended while nobody was there is said late, not lost.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, replace
from types import MappingProxyType
from typing import Any

from assistant.act.database import Database
from assistant.act.keep import open_kept
from assistant.act.skill import Option, Question, Request, Result, Services, asked, boot_id, failed, operation
from assistant.act.timing import (
    Kind,
    Now,
    Timer,
    alarm,
    announcement,
    chosen,
    lengthened,
    paused,
    plain_name,
    remaining_s,
    resumed,
    schedule,
    started,
)
from assistant.act.when import DAY_S, in_words, next_moment, seconds_in, spoken_list, time_in_words
from assistant.errors import StorageError

FILE = "timers.db"
LOOK_EVERY_S = 2.0
"""So often is the file looked at: another process may have set a timer, and the wall clock may have been."""

LONGEST_S = 366 * DAY_S
MOST_TIMERS = 100
LONGEST_NAME = 60
"""Characters."""

MIGRATIONS = (
    """
    CREATE TABLE timers (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        length_s REAL NOT NULL,
        ends_wall REAL NOT NULL,
        ends_monotonic REAL NOT NULL,
        boot TEXT NOT NULL,
        left_s REAL,
        rang_wall REAL,
        label TEXT NOT NULL
    ) STRICT
    """,
)

OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        "HassStartTimer": "start",
        "HassCancelTimer": "cancel",
        "HassCancelAllTimers": "cancel_all",
        "HassPauseTimer": "pause",
        "HassUnpauseTimer": "resume",
        "HassIncreaseTimer": "add",
        "HassDecreaseTimer": "subtract",
        "HassTimerStatus": "status",
        "SetAlarm": "alarm",
        "CancelAlarm": "cancel_alarm",
        "AlarmStatus": "alarm_status",
    }
)

NO_TIMER = "There is no timer running."

log = logging.getLogger(__name__)


class TimerStore:
    """The timers in a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def all(self) -> tuple[Timer, ...]:
        """Every timer, the one that ends first in front. Raises StorageError."""
        rows = self.database.rows("SELECT * FROM timers ORDER BY ends_wall, id")
        return tuple(Timer(**{**dict(row), "kind": Kind(row["kind"])}) for row in rows)

    def put(self, timers: Iterable[Timer]) -> tuple[Timer, ...]:
        """Store all or none; a timer without an id is new and gets one, another takes its old row's place."""
        kept = []
        with self.database.transaction() as connection:
            for timer in timers:
                row = connection.execute(
                    "INSERT OR REPLACE INTO timers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (timer.id or None, timer.name, timer.kind.value, *astuple(timer)[3:]),
                )
                kept.append(replace(timer, id=timer.id or row.lastrowid or 0))
        return tuple(kept)

    def remove(self, timers: Iterable[Timer]) -> None:
        """Forget these."""
        with self.database.transaction() as connection:
            connection.executemany("DELETE FROM timers WHERE id = ?", [(timer.id,) for timer in timers])

    def claim(self, timer: Timer, wall: float) -> bool:
        """Mark `timer` as ringing; False if another process has, or it was cancelled or changed meanwhile."""
        with self.database.transaction() as connection:
            done = connection.execute(
                "UPDATE timers SET rang_wall = ? WHERE id = ? AND rang_wall IS NULL AND ends_wall = ?",
                (wall, timer.id, timer.ends_wall),
            )
            return done.rowcount == 1

    def unring(self) -> None:
        """What rang when the process ended is due again."""
        if any(timer.ringing for timer in self.all()):
            with self.database.transaction() as connection:
                connection.execute("UPDATE timers SET rang_wall = NULL")


class Timers:
    """The skill; it rings only where `Services.announce` is given."""

    name = "timers"
    reversible = True

    def __init__(self) -> None:
        self._changed = threading.Event()
        self._ending = threading.Event()
        self._ringer: threading.Thread | None = None
        self._said: set[tuple[int, float]] = set()
        self._rung: set[int] = set()
        self._announcing = threading.Lock()
        self._notice = ""

    def start(self, services: Services) -> None:
        """Open the file; from now on whatever ends is announced."""
        self._services = services
        self._boot = services.boot or boot_id()
        self._since = services.clock.monotonic()
        kept = open_kept(services.state, FILE, MIGRATIONS)
        self._store, self._notice = TimerStore(kept.database), kept.notice
        if services.announce is not None:
            self._store.unring()
            self._ringer = threading.Thread(target=self._ring, name="timers", daemon=True)
            self._ringer.start()

    def stop(self) -> None:
        """End the ringer; timers stay in the file."""
        self._ending.set()
        self._changed.set()
        if self._ringer is not None:
            self._ringer.join()
        self._store.database.close()

    def quiet(self) -> bool:
        """Whatever rings has been heard; not what is only about to."""
        with self._announcing:
            ringing = [timer for timer in self._store.all() if timer.ringing and timer.id in self._rung]
            if ringing:
                self._store.remove(ringing)
        return bool(ringing)

    def all(self) -> tuple[Timer, ...]:
        """Every timer that runs, is paused or rings, the one that ends first in front."""
        return self._store.all()

    def now(self) -> Now:
        """What the clocks show."""
        clock = self._services.clock
        return Now(clock.wall(), clock.monotonic(), self._boot, self._since)

    def handle(self, request: Request) -> Result:
        handlers: dict[str, Callable[[Request], Result]] = {
            "start": self._start,
            "alarm": self._alarm,
            "cancel_all": self._cancel_all,
            "status": lambda request: self._status(request, Kind.TIMER),
            "alarm_status": lambda request: self._status(request, Kind.ALARM),
            "cancel": lambda request: self._change(request, Kind.TIMER, self._cancel),
            "cancel_alarm": lambda request: self._change(request, Kind.ALARM, self._cancel),
            "pause": lambda request: self._change(request, Kind.TIMER, self._pause),
            "resume": lambda request: self._change(request, Kind.TIMER, self._resume),
            "add": lambda request: self._change(request, Kind.TIMER, lambda t: self._lengthen(t, request, 1)),
            "subtract": lambda request: self._change(request, Kind.TIMER, lambda t: self._lengthen(t, request, -1)),
        }
        handler = handlers.get(operation(request, OPERATIONS))
        if handler is None:
            return failed("I don't know what to do with timers then.", "unknown")
        result = handler(request)
        self._changed.set()
        return result

    # -- what can be asked -----------------------------------------------------------------------------------------

    def _start(self, request: Request) -> Result:
        length_s = seconds_in(request.slots)
        if length_s is None:
            return asked("For how long?", Question("minutes"), "how_long")
        if length_s < 1:
            return failed("A timer has to run for a second at least.", "too_short")
        if length_s > LONGEST_S:
            return failed("A timer can run for a year at most.", "too_long")
        return self._add(started(self.now(), length_s, plain_name(request.slots.get("name") or "")))

    def _alarm(self, request: Request) -> Result:
        slots, now = request.slots, self.now()
        if slots.get("hour") is None:
            return asked("For what time?", Question("hour"), "what_time")
        try:
            moment = next_moment(
                now.wall,
                int(slots["hour"]),
                int(slots.get("minute") or 0),
                period=str(slots.get("period") or ""),
                day=str(slots.get("day") or ""),
                zone=self._services.zone,
            )
        except ValueError:
            return failed("There is no such time.", "no_such_time")
        label = time_in_words(self._services.local(moment.at))
        result = self._add(alarm(now, moment.at, label, plain_name(slots.get("name") or "")))
        if moment.moved and result.ok:
            text = f"That time is left out when the clocks change. Your alarm is set for {label}."
            return replace(result, response="moved", text=text)
        return result

    def _add(self, timer: Timer) -> Result:
        if len(timer.name) > LONGEST_NAME:
            return failed("That name is too long for a timer.", "name_too_long")
        if len(self._store.all()) >= MOST_TIMERS:
            return failed(f"There are {MOST_TIMERS} timers already.", "too_many")
        (kept,) = self._store.put((timer,))
        left = in_words(timer.length_s)
        values = {**_about(kept, self.now()), "length": left, "time": timer.label or None}
        text = f"Alarm set for {timer.label}." if timer.kind is Kind.ALARM else ""
        if self._notice:
            text = f"{text or f'Timer set for {left}.'} {self._notice}"
        return Result(values, "" if not text else "alarm", text, undo=lambda: self._undo((kept,), ()))

    def _cancel_all(self, _request: Request) -> Result:
        timers = [timer for timer in self._store.all() if timer.kind is Kind.TIMER]
        if not timers:
            return failed(NO_TIMER, "none")
        self._store.remove(timers)
        return Result({"count": len(timers)}, undo=lambda: self._undo((), timers))

    def _status(self, request: Request, kind: Kind) -> Result:
        mine = [timer for timer in self._store.all() if timer.kind is kind]
        timers = chosen(mine, request.slots)
        if not timers:
            return _none(kind, mine, request)
        now = self.now()
        values = {"count": len(timers), "title": timers[0].title, "remaining": in_words(remaining_s(timers[0], now))}
        if len(timers) == 1 and timers[0].left_s is None and not timers[0].ringing and kind is Kind.TIMER:
            return Result(values)
        return Result(values, "several", " ".join(_state_in_words(timer, now) for timer in timers))

    def _change(self, request: Request, kind: Kind, change: Callable[[Timer], Result]) -> Result:
        mine = [timer for timer in self._store.all() if timer.kind is kind]
        timers = chosen(mine, request.slots)
        if not timers:
            return _none(kind, mine, request)
        if len(timers) > 1:
            return self._which(timers, request)
        return change(timers[0])

    def _cancel(self, timer: Timer) -> Result:
        self._store.remove((timer,))
        return Result(_about(timer, self.now()), undo=lambda: self._undo((), (timer,)))

    def _pause(self, timer: Timer) -> Result:
        if timer.left_s is not None:
            return failed(f"The {timer.title} is paused already.", "paused_already", title=timer.title)
        if timer.ringing:
            return failed(f"The {timer.title} is over.", "over", title=timer.title)
        return self._replaced(timer, paused(timer, self.now()), "paused")

    def _resume(self, timer: Timer) -> Result:
        if timer.left_s is None:
            return failed(f"The {timer.title} is running.", "running_already", title=timer.title)
        return self._replaced(timer, resumed(timer, self.now()), "running again")

    def _lengthen(self, timer: Timer, request: Request, sign: int) -> Result:
        seconds = seconds_in(request.slots)
        if seconds is None:
            return asked("How much?", Question("minutes"), "how_much")
        now = self.now()
        if sign < 0 and seconds >= remaining_s(timer, now):
            left = in_words(remaining_s(timer, now))
            return failed(f"The {timer.title} has only {left} left.", "too_little", title=timer.title, remaining=left)
        if remaining_s(timer, now) + sign * seconds > LONGEST_S:
            return failed("A timer can run for a year at most.", "too_long")
        longer = replace(lengthened(timer, now, sign * seconds), rang_wall=None)
        return self._replaced(timer, longer, f"at {in_words(remaining_s(longer, now))}")

    def _replaced(self, old: Timer, new: Timer, state: str) -> Result:
        self._store.put((new,))
        values = {**_about(new, self.now()), "state": state}
        return Result(values, undo=lambda: self._undo((), (old,)))

    def _undo(self, added: Iterable[Timer], before: Iterable[Timer]) -> Result:
        """Put the rows back as they were."""
        self._store.remove(added)
        self._store.put(before)
        self._changed.set()
        return Result(text="All right, I took that back.", response="undone")

    def _which(self, timers: tuple[Timer, ...], request: Request) -> Result:
        now = self.now()
        titles = [timer.title for timer in timers]
        options = []
        for timer in timers:
            clear = titles.count(timer.title) == 1
            title = timer.title if clear else f"{timer.title} with {in_words(remaining_s(timer, now))} left"
            options.append(Option({**request.slots, "timer_id": timer.id}, title, (title.removesuffix(" timer"),)))
        names = spoken_list([f"the {option.text}" for option in options], "or")
        return asked(f"Which one: {names}?", Question("timer_id", tuple(options)), "which", choices=names)

    # -- what happens by itself ------------------------------------------------------------------------------------

    def _ring(self) -> None:
        while not self._ending.is_set():
            self._changed.clear()
            try:
                wait_s = self._look()
            except StorageError as error:
                log.warning("timers: %s", error)
                wait_s = LOOK_EVERY_S
            self._services.clock.wait(self._changed, wait_s)

    def _look(self) -> float:
        """Announce what is due; seconds until the next look."""
        plan = schedule(self._store.all(), self.now(), LOOK_EVERY_S)
        for timer in plan.due:
            self._announce(timer)
        if plan.over:
            self._store.remove(plan.over)
        return plan.wait_s

    def _announce(self, timer: Timer) -> None:
        """Ring once, even where the disk no longer takes a note of it."""
        key = (timer.id, timer.ends_wall)
        if key in self._said:
            return
        now = self.now()
        try:
            ours = self._store.claim(timer, now.wall)
        except StorageError as error:
            log.warning("timers: %s", error)
            ours = True
            self._said.add(key)
        if ours and self._services.announce is not None:
            with self._announcing:
                self._services.announce(announcement(timer, now), ring=True)
                self._rung.add(timer.id)


def create() -> Timers:
    """The skill as its entry point makes it."""
    return Timers()


def _none(kind: Kind, mine: list[Timer], request: Request) -> Result:
    """No timer fits; another one is never taken instead, but asked about if it is the only one."""
    if not mine:
        return Result({}, "none", NO_TIMER if kind is Kind.TIMER else "There is no alarm set.", ok=False)
    called = request.slots.get("name")
    missing = f"There is no {kind.value}{f' called {called}' if called else ' of that length'}."
    if len(mine) > 1:
        return failed(missing, "no_such")
    option = Option({**request.slots, "timer_id": mine[0].id}, mine[0].title)
    return asked(f"{missing} Do you mean the {mine[0].title}?", Question("timer_id", (option,)), "no_such_but")


def _about(timer: Timer, now: Now) -> dict[str, Any]:
    return {
        "title": timer.title,
        "remaining": in_words(remaining_s(timer, now)),
        "timer_name": timer.name or None,
        "timer_id": timer.id,
    }


def _state_in_words(timer: Timer, now: Now) -> str:
    if timer.ringing:
        return f"The {timer.title} is over."
    if timer.kind is Kind.ALARM:
        return f"There is an alarm for {timer.label}."
    left = in_words(remaining_s(timer, now))
    if timer.left_s is not None:
        return f"The {timer.title} is paused with {left} left."
    return f"The {timer.title} has {left} left."
