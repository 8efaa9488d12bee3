"""What every transition table has in common: the first row that fits, what is refused, and how it is drawn."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Union, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.transitions import Row, Table, always, row, values


class Door(enum.Enum):
    SHUT = "shut"
    OPEN = "open"
    GONE = "gone"


class Sign(enum.Enum):
    RING = "ring"
    LIGHT = "light"


@dataclass(frozen=True)
class Push:
    force: int


@dataclass(frozen=True)
class Pull:
    force: int


@dataclass(frozen=True)
class Fire:
    pass


Event = Union[Push, Pull, Fire]
Rows = tuple[Row[Door, int, Sign], ...]


def strong_enough(stiffness: int, event: Push) -> bool:
    return event.force > stiffness


ROWS: Rows = (
    row((Door.SHUT,), Push, strong_enough, Door.OPEN, (Sign.RING, Sign.LIGHT)),
    row((Door.SHUT,), Push, always, Door.SHUT, (Sign.RING,)),
    row((Door.OPEN,), (Push, Pull), lambda stiffness, _: stiffness < 9, Door.SHUT, condition="stiffness < 9"),
    row((Door.SHUT, Door.OPEN), Fire, always, Door.GONE),
)


def table(rows: Rows, final: tuple[Door, ...] = (Door.GONE,)) -> Table[Door, int, Event, Sign]:
    return Table(Door.SHUT, get_args(Event), rows, final)


DOOR = table(ROWS)
EVENTS = st.one_of(st.builds(Push, st.integers(0, 9)), st.builds(Pull, st.integers(0, 9)), st.builds(Fire))


def test_the_first_row_that_fits_is_taken() -> None:
    assert DOOR.fitting(Door.SHUT, 3, Push(4)) is ROWS[0]
    assert DOOR.fitting(Door.SHUT, 3, Push(3)) is ROWS[1]


def test_where_no_row_fits_none_is_taken() -> None:
    assert DOOR.fitting(Door.SHUT, 3, Pull(9)) is None
    assert DOOR.fitting(Door.OPEN, 9, Push(9)) is None
    assert DOOR.fitting(Door.GONE, 0, Fire()) is None


@given(st.sampled_from(Door), st.integers(0, 9), EVENTS)
def test_a_row_is_taken_only_in_its_states_on_its_events_and_if_its_guard_holds(
    state: Door, stiffness: int, event: Event
) -> None:
    fits = [r for r in ROWS if state in r.states and type(event) in r.events and r.guard(stiffness, event)]
    assert DOOR.fitting(state, stiffness, event) is (fits[0] if fits else None)


def test_the_diagram_has_an_arrow_for_each_state_of_each_row_and_for_both_ends() -> None:
    assert DOOR.diagram(values).splitlines() == [
        "stateDiagram-v2",
        "    [*] --> shut",
        "    shut --> open: Push [strong enough] / ring, light",
        "    shut --> shut: Push / ring",
        "    open --> shut: Push or Pull [stiffness < 9]",
        "    shut --> gone: Fire",
        "    open --> gone: Fire",
        "    gone --> [*]",
    ]


def test_a_diagram_without_words_for_actions_leaves_them_out() -> None:
    assert "ring" not in DOOR.diagram()


@pytest.mark.parametrize(
    ("rows", "final", "flaws"),
    [
        (ROWS[1:], (Door.GONE,), ["Door.OPEN is never reached"]),
        (ROWS, (), ["Door.GONE is never left"]),
        (ROWS, (Door.GONE, Door.OPEN), ["Door.OPEN is final and is left"]),
        (
            (ROWS[0], ROWS[3], row((Door.OPEN,), Pull, always, Door.OPEN), row((Door.OPEN,), Pull, always, Door.SHUT)),
            (Door.GONE,),
            ["Door.OPEN answers Pull before"],
        ),
        ((ROWS[0], ROWS[3]), (Door.GONE,), ["Pull is never answered"]),
        ((*ROWS, row((Door.OPEN,), int, always, Door.SHUT)), (Door.GONE,), ["int is no event of this table"]),
        (
            (row((Door.SHUT,), Push, always, Door.SHUT),),
            (),
            [
                "Door.SHUT is never left",
                "Door.OPEN is never reached",
                "Door.OPEN is never left",
                "Door.GONE is never reached",
                "Door.GONE is never left",
                "Pull is never answered",
                "Fire is never answered",
            ],
        ),
    ],
)
def test_a_table_with_flaws_is_refused_and_all_of_them_are_named(
    rows: Rows, final: tuple[Door, ...], flaws: list[str]
) -> None:
    with pytest.raises(ValueError, match="Door|Pull|int") as refused:
        table(rows, final)
    assert str(refused.value).split("; ") == flaws


ROOT = Path(__file__).resolve().parents[1]
MODULES = [
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for file in sorted((ROOT / "assistant").rglob("*.py"))
    if "\nfrom assistant.transitions import" in file.read_text(encoding="utf-8")
]


def test_tables_are_found() -> None:
    assert len(MODULES) >= 7


@pytest.mark.parametrize("module", MODULES)
def test_every_diagram_shows_every_state_of_its_table_and_is_in_the_documents(module: str) -> None:
    home = import_module(module)
    arrows = [line.replace(":", "").split() for line in home.diagram().splitlines()[1:]]
    assert {arrow[end] for arrow in arrows for end in (0, 2)} - {"[*]"} == {state.value for state in home.State}
    assert any(home.diagram() in page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
