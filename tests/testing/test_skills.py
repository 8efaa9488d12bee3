"""The conformance check of skills finds what is wrong with one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assistant.act.lists import Lists
from assistant.act.skill import Option, Question, Request, Result
from assistant.act.timers import Timers
from assistant.testing import NonConformance, check_skill, make_request


def test_ours_conform(tmp_path: Path) -> None:
    (started,) = check_skill(Timers(), make_request("HassStartTimer", {"minutes": 5}), state=tmp_path)
    assert started.values["length"] == "5 minutes"
    added, read = check_skill(
        Lists(), make_request("HassListAddItem", {"item": "milk"}), make_request("ShoppingListRead")
    )
    assert added.ok
    assert "milk" in read.text


@pytest.mark.parametrize(
    ("result", "fault"),
    [
        ("done", "`handle` returns str, not a Result"),
        (Result({"when": object()}), "the value of 'when' is a object, which no reply can say"),
        (Result(ok=False), "it failed without saying why"),
        (Result(question=Question("name")), "a question without words"),
        (
            Result(text="Which?", question=Question("name", (Option({}, "lamp"), Option({}, "lamp")))),
            "cannot be told apart",
        ),
        (Result(undo=lambda: None), "`undo` returns no Result"),  # type: ignore[arg-type, return-value]
    ],
)
def test_a_result_that_cannot_be_used_is_a_fault(result: Any, fault: str) -> None:
    class Odd:
        name = "odd"

        def handle(self, request: Request) -> Result:
            return result  # type: ignore[no-any-return]

    with pytest.raises(NonConformance) as found:
        check_skill(Odd(), make_request("Do"))
    assert fault in str(found.value)


def test_wrong_signatures_are_faults_and_nothing_is_called() -> None:
    class Wrong:
        name = ""

        def handle(self) -> Result:
            raise AssertionError("it was called")

        def start(self, services: object, more: object) -> None:
            raise AssertionError("it was called")

    with pytest.raises(NonConformance) as found:
        check_skill(Wrong(), make_request("Do"))  # type: ignore[arg-type]
    assert len(found.value.faults) == 3
