"""Kills a real assistant at random moments while timers and lists change, and counts what was lost.

    python -m benchmarks.crash --rounds 200

A child process runs the skills on a real folder and says "begin" before each change and "done" after it was
acknowledged. The parent kills it with SIGKILL, checks the files with SQLite's own check, and compares what is in them
with what was acknowledged: nothing may be missing, and only the one change that was under way may be there besides.
Timers of one second must ring at least once, in whichever process. kill -9 keeps what the kernel has: that each commit
also waits for the disk (a loss of power) is synchronous=FULL, which a test looks at.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assistant.act import lists, timers
from assistant.act.database import Database
from assistant.act.skill import Services
from assistant.act.skills import Skills
from assistant.clock import SystemClock
from assistant.grammar.tree import Action, Context, Settings
from assistant.types import EMPTY

ROUNDS = 200
LONGEST_LIFE_S = 0.4
"""A child is killed at a random moment up to so long after it is ready."""

KILLED_AT_START = 0.15
"""So many, of all, are killed while they start instead."""

MOST_KEPT = 40
"""Items, and timers, that a child lets pile up; the skills' own limits are higher."""

STOP_EVERY = 10
"""After so many changes somebody says stop to whatever rings."""

MOST_FAULTS_SHOWN = 20
PATIENCE_S = 30.0
RESTART_LIMIT_S = 3.0
SHORT = "short"
"""Timers whose name begins so last a second and have to ring; the others never do."""

_INTENTS = {
    "add_item": ("lists", "HassListAddItem"),
    "complete_item": ("lists", "HassListCompleteItem"),
    "remove_item": ("lists", "HassListRemoveItem"),
    "clear_list": ("lists", "ListClear"),
    "start_timer": ("timers", "HassStartTimer"),
    "cancel_timer": ("timers", "HassCancelTimer"),
    "pause_timer": ("timers", "HassPauseTimer"),
    "lengthen_timer": ("timers", "HassIncreaseTimer"),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """What the files hold: item → ticked off; timer → (its length in seconds, whether it is paused)."""

    items: dict[str, bool] = field(default_factory=dict)
    timers: dict[str, tuple[float, bool]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of it. under_way: killed changes that were kept nevertheless, which is allowed."""

    rounds: int
    acknowledged: int
    lost: int
    invented: int
    under_way: int
    unsound: int
    rung: int
    unrung: int
    restart_median_s: float
    restart_worst_s: float
    faults: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Nothing lost, nothing invented, all files sound, all timers rung, running again in time."""
        wrong = self.lost + self.invented + self.unsound + self.unrung + len(self.faults)
        return wrong == 0 and self.restart_worst_s <= RESTART_LIMIT_S


def crash(folder: Path, rounds: int, seed: int) -> Figures:
    """Kill `rounds` children that work in `folder`."""
    chance = random.Random(seed)
    kept, tally = Kept(), _Tally()
    for number in range(rounds):
        child = _Child(folder, seed * 1_000_003 + number)
        if chance.random() < KILLED_AT_START:
            child.kill_after(chance.uniform(0.0, 0.3))
        else:
            tally.restarts_s.append(child.wait_until_ready())
            child.kill_after(chance.uniform(0.0, LONGEST_LIFE_S))
        kept = tally.compare(kept, child.lines, folder, f"round {number}")
    last = _Child(folder, seed * 1_000_003 + rounds, changes=False)
    tally.restarts_s.append(last.wait_until_ready())
    last.wait_until(lambda lines: tally.missing(lines) == set())
    last.kill_after(0.0)
    tally.compare(kept, last.lines, folder, "the end")
    return tally.figures(rounds)


def apply(kept: Kept, change: dict[str, Any]) -> Kept:
    """What a change makes of what was kept."""
    items, running = dict(kept.items), dict(kept.timers)
    what, name = change["change"], change["name"]
    if what == "add_item":
        items[name] = False
    elif what == "complete_item":
        items[name] = True
    elif what == "remove_item":
        del items[name]
    elif what == "clear_list":
        items.clear()
    elif what == "start_timer":
        running[name] = (change["seconds"], False)
    elif what == "cancel_timer":
        del running[name]
    elif what == "pause_timer":
        running[name] = (running[name][0], True)
    elif what == "lengthen_timer":
        running[name] = (running[name][0] + change["seconds"], running[name][1])
    return Kept(items, {name: timer for name, timer in running.items() if not name.startswith(SHORT)})


def read(folder: Path) -> tuple[Kept, bool]:
    """What the files hold, and whether SQLite finds them sound."""
    items: dict[str, bool] = {}
    running: dict[str, tuple[float, bool]] = {}
    sound = True
    for skill, module in (("lists", lists), ("timers", timers)):
        path = folder / "skills" / skill / module.FILE
        if not path.exists():
            continue
        database = Database(path, module.MIGRATIONS)
        sound = sound and database.sound()
        if module is lists:
            items = {item.text: item.done for item in lists.ListStore(database).items("packing")}
        else:
            running = {
                timer.name: (timer.length_s, timer.left_s is not None)
                for timer in timers.TimerStore(database).all()
                if not timer.name.startswith(SHORT)
            }
        database.close()
    return Kept(items, running), sound


class _Tally:
    """Counts over all rounds."""

    def __init__(self) -> None:
        self.acknowledged = self.lost = self.invented = self.under_way = self.unsound = 0
        self.short: set[str] = set()
        self.rung: set[str] = set()
        self.restarts_s: list[float] = []
        self.faults: list[str] = []

    def compare(self, before: Kept, lines: list[dict[str, Any]], folder: Path, where: str) -> Kept:
        """Hold the files against what a child acknowledged; returns what they hold."""
        expected, under_way = before, None
        for line in lines:
            if line["say"] == "begin":
                under_way = line
            elif line["say"] == "done":
                assert under_way is not None
                expected, under_way = apply(expected, under_way), None
                self.acknowledged += 1
                if line["name"].startswith(SHORT):
                    self.short.add(line["name"])
            elif line["say"] == "failed":
                self.faults.append(f"{where}: {line}")
                under_way = None
        self.rung |= _rung(lines)
        with tempfile.TemporaryDirectory() as copy:
            # The files as the kill left them, log and all: it is the next child that has to recover the real ones.
            shutil.copytree(folder, copy, dirs_exist_ok=True)
            found, sound = read(Path(copy))
        self.unsound += not sound
        if under_way is not None and found != expected and found == apply(expected, under_way):
            self.under_way += 1
        elif found != expected:
            self._blame(expected, found, where)
        return found

    def missing(self, lines: list[dict[str, Any]]) -> set[str]:
        """Short timers that have not rung yet."""
        return self.short - self.rung - _rung(lines)

    def figures(self, rounds: int) -> Figures:
        """All counts."""
        return Figures(
            rounds,
            self.acknowledged,
            self.lost,
            self.invented,
            self.under_way,
            self.unsound,
            len(self.short & self.rung),
            len(self.short - self.rung),
            statistics.median(self.restarts_s),
            max(self.restarts_s),
            tuple(self.faults),
        )

    def _blame(self, expected: Kept, found: Kept, where: str) -> None:
        pairs: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
            (expected.items, found.items),
            (expected.timers, found.timers),
        )
        for wanted, there in pairs:
            wrong = [name for name in wanted if there.get(name) != wanted[name]]
            new = [name for name in there if name not in wanted]
            self.lost += len(wrong)
            self.invented += len(new)
            self.faults += [f"{where}: {name}: {wanted[name]} became {there.get(name)}" for name in wrong]
            self.faults += [f"{where}: {name}: nobody asked for it" for name in new]


def _rung(lines: list[dict[str, Any]]) -> set[str]:
    return {line["name"] for line in lines if line["say"] == "rang"}


class _Child:
    """A running child; `lines` is what it has said, complete once it was killed."""

    def __init__(self, folder: Path, seed: int, *, changes: bool = True) -> None:
        self._began = time.perf_counter()
        command = [sys.executable, "-m", "benchmarks.crash", "--child", str(folder), "--seed", str(seed)]
        self._process = subprocess.Popen(
            command if changes else [*command, "--only-ring"], stdout=subprocess.PIPE, text=True
        )
        self.lines: list[dict[str, Any]] = []
        self._said = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_until_ready(self) -> float:
        """Seconds from its start until it would take a request."""
        self.wait_until(lambda lines: any(line["say"] == "ready" for line in lines))
        return float(next(line["after_s"] for line in self.lines if line["say"] == "ready"))

    def wait_until(self, condition: Any) -> None:
        """Wait for what it says. Raises TimeoutError."""
        with self._said:
            if not self._said.wait_for(lambda: condition(self.lines), PATIENCE_S):
                raise TimeoutError("the child does not say what it should")

    def kill_after(self, seconds: float) -> None:
        """SIGKILL, and read what it has said to the end."""
        time.sleep(seconds)
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for text in stream:
                if not text.endswith("\n"):
                    break  # it was killed while it said this
                line = {**json.loads(text), "after_s": time.perf_counter() - self._began}
                with self._said:
                    self.lines.append(line)
                    self._said.notify_all()


# -- the child -------------------------------------------------------------------------------------------------------


def work(folder: Path, seed: int, *, changes: bool) -> None:
    """Start the skills, say so, and change timers and lists until killed."""
    context = Context(
        "crash", "", (), EMPTY, EMPTY, EMPTY, {i: Action(s) for s, i in _INTENTS.values()}, Settings(), ""
    )
    skills = Skills(Services(SystemClock(), folder, _announce), tell=lambda line: _say("failed", name="", why=line))
    skills.add(timers.create())
    skills.add(lists.create())
    _say("ready")
    if not changes:
        threading.Event().wait()
    for number, change in enumerate(_changes(folder, random.Random(seed), seed)):
        _say("begin", **change)
        slots: dict[str, Any] = {"name": change["name"]}
        if change["change"].endswith("item"):
            slots = {"item": change["name"], "name": "packing"}
        elif change["change"] == "clear_list":
            slots = {"name": "packing"}
        if "seconds" in change:
            slots["seconds"] = change["seconds"]
        result = skills.act(context, _INTENTS[change["change"]][1], slots, confirmed=True)
        if number % STOP_EVERY == 0:
            skills.quiet()
        done = result.ok and result.question is None
        _say("done" if done else "failed", name=change["name"], why=result.text)


def _changes(folder: Path, chance: random.Random, seed: int) -> Iterator[dict[str, Any]]:
    """Changes that make sense to what is kept, without end."""
    kept, _ = read(folder)
    rings = bool(seed % 2)  # not more than one such timer in every other life: each rings for a minute
    for number in range(10**9):
        items = [name for name, done in kept.items.items() if not done]
        running = [name for name, (_, paused) in kept.timers.items() if not paused]
        possible = ["clear_list"] if len(kept.items) > MOST_KEPT else ["add_item", "add_item"]
        possible += ["start_timer"] * (2 if len(kept.timers) < MOST_KEPT else 0)
        possible += ["complete_item", "remove_item"] * (len(items) > 3)
        possible += ["pause_timer", "lengthen_timer"] * (len(running) > 1)
        possible += ["cancel_timer"] * (len(kept.timers) > 3)
        what = chance.choice(possible)
        change: dict[str, Any] = {"change": what, "name": f"n{seed}x{number}"}
        if what == "start_timer":
            change["seconds"] = float(chance.randint(10_000, 90_000))
            if rings and number:
                change.update(name=f"{SHORT}{seed}x{number}", seconds=1.0)
                rings = False
        elif what == "cancel_timer":
            change["name"] = chance.choice([*kept.timers])
        elif what in ("pause_timer", "lengthen_timer"):
            change["name"] = chance.choice(running)
            if what == "lengthen_timer":
                change["seconds"] = float(chance.randint(1, 600))
        elif what in ("complete_item", "remove_item"):
            change["name"] = chance.choice(items)
        yield change
        kept = apply(kept, change)


def _announce(text: str, *, ring: bool = True) -> None:
    assert ring
    _say("rang", name=text.removeprefix("Your ").partition(" ")[0])


_saying = threading.Lock()


def _say(what: str, **more: Any) -> None:
    """One line, in one write."""
    with _saying:
        sys.stdout.write(json.dumps({"say": what, **more}) + "\n")
        sys.stdout.flush()


def main() -> int:
    """The command line; 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crash", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often it is killed (default {ROUNDS})")
    parser.add_argument("--seed", type=int, default=0, help="the same seed kills at the same moments, nearly")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument("--child", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--only-ring", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        work(args.child, args.seed, changes=not args.only_ring)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        figures = crash(Path(folder), args.rounds, args.seed)
    if args.json:
        print(json.dumps({**asdict(figures), "good": figures.good}, indent=2))
        return not figures.good
    print(f"{figures.rounds} × kill -9, {figures.acknowledged} changes acknowledged")
    print(f"  lost {figures.lost}, invented {figures.invented}, under way and kept {figures.under_way}")
    print(f"  files unsound {figures.unsound}, timers rung {figures.rung}, not rung {figures.unrung}")
    print(f"  running again after {figures.restart_median_s:.2f} s (median), {figures.restart_worst_s:.2f} s (worst)")
    for fault in figures.faults[:MOST_FAULTS_SHOWN]:
        print(f"  {fault}")
    return not figures.good


if __name__ == "__main__":
    sys.exit(main())
