"""Skills that keep the protocol act; one that does not takes nothing else with it."""

from __future__ import annotations

import configparser
import importlib.metadata
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.act.everyday import Say, WallClock
from assistant.act.plugins import OURS, SKILLS, Found, State, find
from assistant.act.skill import Request, Result, Services
from assistant.act.skills import MAX_FAILURES, UNDO_WITHIN_S, Skills, built_in, open_skills
from assistant.errors import ConfigError
from assistant.grammar.tree import Action
from assistant.testing import HeldClock
from tests.act.house import context

Run = Callable[..., Any]


class Adder:
    """A skill of somebody else's."""

    name = "adder"

    def __init__(self) -> None:
        self.total = 0

    def handle(self, request: Request) -> Result:
        before, self.total = self.total, self.total + request.slots["number"]
        return Result({"total": self.total}, undo=lambda: self.back(before))

    def back(self, total: int) -> Result:
        self.total = total
        return Result()


class Raising:
    name = "raising"

    def handle(self, request: Request) -> Result:
        raise ZeroDivisionError("one by nothing")


class Exiting:
    name = "exiting"

    def handle(self, request: Request) -> Result:
        sys.exit("enough")


class Wordless:
    name = "wordless"

    def handle(self, request: Request) -> Result:
        return "done"  # type: ignore[return-value]


class Blocking:
    """Blocks until it is let go; `inside` tells that it has begun."""

    name = "blocking"
    timeout_s = 3.0

    def __init__(self) -> None:
        self.inside, self.go = threading.Event(), threading.Event()

    def handle(self, request: Request) -> Result:
        self.inside.set()
        self.go.wait()
        return Result({"late": True})


class Particular:
    name = "particular"

    def start(self, services: Services) -> None:
        raise ConfigError("it wants a token", where="particular", remedy="set PARTICULAR_TOKEN")

    def handle(self, request: Request) -> Result:
        return Result()


def test_a_skill_acts_and_takes_back_what_it_did(run: Run) -> None:
    adder = Adder()
    assistant = run(adder)
    assistant.ask("adder", "Add", number=2)
    assert assistant.ask("adder", "Add", number=3).values == {"total": 5}
    assert assistant.skills.undo().ok
    assert adder.total == 2
    assert assistant.skills.undo().ok
    assert adder.total == 0
    assert not assistant.skills.undo().ok


def test_only_what_was_done_a_moment_ago_is_taken_back(run: Run, clock: HeldClock) -> None:
    adder = Adder()
    assistant = run(adder)
    assistant.ask("adder", "Add", number=2)
    clock.advance(UNDO_WITHIN_S + 1)
    assert not assistant.skills.undo().ok
    assert adder.total == 2


def test_what_is_risky_is_asked_first_and_done_after_a_yes(clock: HeldClock) -> None:
    adder = Adder()
    skills = Skills(Services(clock))
    skills.add(adder)
    risky = context({"Add": Action("adder", risk="confirm")})
    asked = skills.act(risky, "Add", {"number": 2}, text="add two")
    assert (asked.text, adder.total) == ("Shall I really do that: add two?", 0)
    assert asked.question is not None
    assert asked.question.confirms
    assert skills.act(risky, "Add", asked.question.options[0].slots, confirmed=True).values == {"total": 2}
    skills.close()


@pytest.mark.parametrize("skill", [Raising(), Exiting(), Wordless()])
def test_a_skill_that_fails_is_given_up_after_some_times_and_the_others_go_on(run: Run, skill: Any) -> None:
    assistant = run(skill, Adder())
    for _ in range(MAX_FAILURES - 1):
        result = assistant.ask(skill.name, "Do")
        assert (result.ok, result.text) == (False, f"Sorry, {skill.name} has failed.")
    assert "I will not use it any more" in assistant.ask(skill.name, "Do").text
    assert "is not working" in assistant.ask(skill.name, "Do").text
    assert [(status.name, status.state) for status in assistant.skills.statuses if status.name == skill.name] == [
        (skill.name, State.FAILING)
    ]
    assert assistant.told[0].startswith(f"skill {skill.name}: failing: ")
    assert assistant.ask("adder", "Add", number=1).ok


def test_a_success_in_between_forgives_earlier_failures(run: Run) -> None:
    class Moody:
        name = "moody"

        def handle(self, request: Request) -> Result:
            if request.slots["fail"]:
                raise ValueError
            return Result()

    assistant = run(Moody())
    for fail in [True] * (MAX_FAILURES - 1) + [False] + [True] * (MAX_FAILURES - 1):
        assistant.ask("moody", "Do", fail=fail)
    assert assistant.skills.statuses[0].state is State.ENABLED


def test_a_skill_that_blocks_is_left_behind_and_the_next_request_gets_an_answer(run: Run, clock: HeldClock) -> None:
    blocking = Blocking()
    assistant = run(blocking, Adder())
    answers: list[Result] = []
    asking = threading.Thread(target=lambda: answers.append(assistant.ask("blocking", "Do")), daemon=True)
    asking.start()
    blocking.inside.wait(30)
    clock.wait_for_waiters()
    assert assistant.ask("adder", "Add", number=1).ok
    clock.advance(3.0)
    asking.join(30)
    assert answers[0].text == "Sorry, blocking did not answer in time."
    blocking.go.set()
    assert assistant.ask("blocking", "Do").values == {"late": True}


def test_a_skill_that_is_not_content_with_its_configuration_says_what_it_wants(run: Run) -> None:
    assistant = run(Particular())
    (status,) = assistant.skills.statuses
    assert (status.state, status.reason) == (
        State.CONFIG_ERROR,
        "particular: it wants a token; set PARTICULAR_TOKEN",
    )
    assert "it wants a token" in assistant.ask("particular", "Do").text


def test_a_skill_gets_a_folder_of_its_own(clock: HeldClock, tmp_path: Path) -> None:
    seen: list[Path | None] = []

    class Nosy:
        name = "no/sy"

        def start(self, services: Services) -> None:
            seen.append(services.state)

        def handle(self, request: Request) -> Result:
            return Result()

    Skills(Services(clock, tmp_path)).add(Nosy())
    assert seen == [tmp_path / "skills/no_sy"]


def test_an_intent_without_an_action_is_only_answered_and_an_unknown_skill_is_said(clock: HeldClock) -> None:
    skills = built_in(clock)
    assert skills.act(context(), "Hello", {}) == Result()
    missing = skills.act(context({"Do": Action("nothing")}), "Do", {})
    assert (missing.ok, missing.text) == (False, "Sorry, there is no skill called nothing.")
    skills.close()


def test_time_and_date_are_told(clock: HeldClock) -> None:
    skills = built_in(clock)
    values = skills.act(context({"Time": Action("clock")}), "Time", {}).values
    assert set(values) == {"time", "date", "day"}
    assert values["date"].startswith(values["day"])
    skills.close()


# -- registered plug-ins ---------------------------------------------------------------------------------------------


@pytest.fixture
def plug_in() -> Iterator[Callable[[str, str], Found]]:
    """`plug_in(name, source)` is a plug-in whose module has this source."""
    made: list[str] = []

    def make(name: str, source: str) -> Found:
        module = types.ModuleType(f"stranger_{name}")
        exec(compile(source, module.__name__, "exec"), module.__dict__)  # noqa: S102
        sys.modules[module.__name__] = module
        made.append(module.__name__)
        return Found(name, importlib.metadata.EntryPoint(name, f"{module.__name__}:create", SKILLS), SKILLS)

    yield make
    for name in made:
        del sys.modules[name]


GOOD = """
from assistant.act.skill import Result
class Good:
    name = "good"
    def handle(self, request):
        return Result()
create = Good
"""


@pytest.mark.parametrize(
    ("name", "source", "state", "reason"),
    [
        ("good", GOOD, State.ENABLED, ""),
        ("empty", "", State.LOAD_ERROR, "has no attribute 'create'"),
        ("number", "create = 3", State.LOAD_ERROR, "is no function that makes one"),
        ("raising", "def create(): raise RuntimeError('no luck')", State.LOAD_ERROR, "RuntimeError: no luck"),
        ("leaving", "def create(): raise SystemExit(3)", State.LOAD_ERROR, "SystemExit: 3"),
        ("named", GOOD, State.FAILED_CHECK, "its name is 'good', but it is registered as 'named'"),
        ("nothing", "create = object", State.FAILED_CHECK, "it has no method handle"),
    ],
)
def test_each_plug_in_ends_in_a_named_state(
    clock: HeldClock, plug_in: Callable[[str, str], Found], name: str, source: str, state: State, reason: str
) -> None:
    told: list[str] = []
    skills = Skills(Services(clock), told.append)
    skills.add(Say())
    skills.add_found(plug_in(name, source))
    status = next(status for status in skills.statuses if status.name == name)
    assert status.state is state
    assert reason in status.reason
    assert len(told) == (state is not State.ENABLED)
    assert skills.act(context(), "Hello", {}).ok
    skills.close()


STUCK = """
import threading
inside, let_go = threading.Event(), threading.Event()
def create():
    inside.set()
    let_go.wait()
"""


def test_a_module_that_is_not_there_is_a_load_error(clock: HeldClock) -> None:
    told: list[str] = []
    skills = Skills(Services(clock), told.append)
    gone = importlib.metadata.EntryPoint("gone", "there.is.no.such.module:create", SKILLS)
    skills.add_found(Found("gone", gone, SKILLS))
    assert skills.statuses[0].reason == "ModuleNotFoundError: No module named 'there'"


def test_a_plug_in_that_blocks_when_it_is_made_is_left_behind(
    clock: HeldClock, plug_in: Callable[[str, str], Found]
) -> None:
    found = plug_in("stuck", STUCK)
    stuck = sys.modules["stranger_stuck"]
    told: list[str] = []
    skills = Skills(Services(clock), told.append)
    adding = threading.Thread(target=lambda: skills.add_found(found), daemon=True)
    adding.start()
    assert stuck.inside.wait(30)
    clock.wait_for_waiters()
    clock.advance_to_next()
    adding.join(30)
    assert skills.statuses[0].state is State.LOAD_ERROR
    assert "did not answer within" in skills.statuses[0].reason
    stuck.let_go.set()


def test_all_our_skills_start_and_one_can_be_switched_off(clock: HeldClock, tmp_path: Path) -> None:
    skills = open_skills(Services(clock, tmp_path), disabled=["volume"], tell=pytest.fail)
    states = {status.name: status.state for status in skills.statuses}
    assert set(dict(OURS)) <= set(states)
    assert states.pop("volume") is State.DISABLED
    assert set(states.values()) == {State.ENABLED}
    skills.close()


def test_a_strangers_skill_does_not_take_the_name_of_ours() -> None:
    assert {found.name: found.entry.value for found in find(SKILLS)} | dict(OURS) == {
        found.name: found.entry.value for found in find(SKILLS)
    }


def test_ours_are_registered_as_anyones_are(repository: Path) -> None:
    setup = configparser.ConfigParser(delimiters=("=",))
    setup.read(repository / "setup.cfg", encoding="utf-8")
    lines = setup["options.entry_points"][SKILLS].split("\n")
    registered = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines if line)}
    assert registered == dict(OURS)


def test_the_clock_of_the_protocol_is_the_services_clock(clock: HeldClock) -> None:
    skills = Skills(Services(clock))
    skills.add(WallClock())
    first = skills.act(context({"Time": Action("clock")}), "Time", {}).values["time"]
    clock.advance(3600)
    assert skills.act(context({"Time": Action("clock")}), "Time", {}).values["time"] != first
    skills.close()
