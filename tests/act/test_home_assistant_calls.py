"""Home Assistant's states as ours, and what becomes of a device as its service calls."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.act.home_assistant_calls import Call, calls_for, state_of
from assistant.act.houses import RESTORE, Move
from assistant.act.states import ABLE, State, change
from assistant.grammar.household import Device

LAMP = Device("light.lamp", "lamp", "light")
BLIND = Device("cover.blind", "blind", "cover", kind="blind")


def entity(id_: str, state: str, **attributes: Any) -> dict[str, Any]:
    return {"entity_id": id_, "state": state, "attributes": attributes}


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (entity("light.a", "off", brightness=None), {"on": False}),
        (
            entity("light.a", "on", brightness=102, color_mode="color_temp", color_temp_kelvin=2700, hs_color=[28, 68]),
            {"on": True, "brightness": 40, "temperature": 2700},
        ),
        (
            entity("light.a", "on", brightness=255, color_mode="hs", hs_color=[0, 100]),
            {"on": True, "brightness": 100, "hs_color": [0, 100]},
        ),
        (entity("switch.a", "on"), {"on": True}),
        (entity("input_boolean.a", "off"), {"on": False}),
        (entity("fan.a", "on", percentage=33), {"on": True, "percentage": 33}),
        (entity("cover.a", "open", current_position=70), {"position": 70}),
        (entity("cover.a", "closed"), {"position": 0}),
        (entity("cover.a", "opening"), {}),
        (entity("lock.a", "jammed"), {}),
        (entity("lock.a", "unlocked"), {"locked": False}),
        (
            entity("climate.a", "heat", temperature=20.5, current_temperature=19),
            {"on": True, "temperature": 20.5, "current_temperature": 19},
        ),
        (
            entity("media_player.a", "paused", volume_level=0.3, is_volume_muted=False),
            {"on": True, "playing": False, "muted": False, "volume_level": 30},
        ),
        (entity("light.a", "unavailable", brightness=3), {}),
        (entity("light.a", "unknown"), {}),
        ({}, {}),
    ],
)
def test_a_state_is_what_home_assistant_knows_and_no_more(found: dict[str, Any], state: State) -> None:
    assert state_of(found) == state


@pytest.mark.parametrize(
    ("device", "operation", "slots", "before", "calls"),
    [
        ("light.a", "on", {}, {"on": False}, [("turn_on", {})]),
        ("light.a", "on", {}, {"on": True, "brightness": 40}, [("turn_on", {})]),
        ("light.a", "off", {}, {"on": True, "brightness": 40}, [("turn_off", {})]),
        ("light.a", "toggle", {}, {"on": True}, [("turn_off", {})]),
        ("light.a", "set", {"brightness": 40}, {"on": False}, [("turn_on", {"brightness_pct": 40})]),
        ("light.a", "set", {"brightness": 40}, {"on": True, "brightness": 40}, [("turn_on", {"brightness_pct": 40})]),
        ("light.a", "set", {"brightness": 0}, {"on": True}, [("turn_off", {})]),
        ("light.a", "set", {"color": "light blue"}, {"on": True}, [("turn_on", {"color_name": "lightblue"})]),
        ("light.a", "set", {"temperature": 2700}, {"on": True}, [("turn_on", {"color_temp_kelvin": 2700})]),
        ("switch.a", "on", {}, {}, [("turn_on", {})]),
        ("fan.a", "set", {"percentage": 50}, {"on": False}, [("set_percentage", {"percentage": 50.0})]),
        ("fan.a", "set", {"percentage": 0}, {"on": True}, [("turn_off", {})]),
        ("cover.a", "on", {}, {"position": 0}, [("open_cover", {})]),
        ("cover.a", "off", {}, {}, [("close_cover", {})]),
        ("cover.a", "set", {"position": 40}, {}, [("set_cover_position", {"position": 40})]),
        ("cover.a", "stop", {}, {"position": 40}, [("stop_cover", {})]),
        ("lock.a", "on", {}, {"locked": False}, [("lock", {})]),
        ("lock.a", "off", {}, {"locked": True}, [("unlock", {})]),
        ("climate.a", "set", {"temperature": 19}, {"on": True}, [("set_temperature", {"temperature": 19.0})]),
        ("climate.a", "off", {}, {"on": True, "temperature": 19}, [("turn_off", {})]),
        ("media_player.a", "set", {"volume_level": 30}, {"on": True}, [("volume_set", {"volume_level": 0.3})]),
        ("media_player.a", "mute", {}, {"muted": False}, [("volume_mute", {"is_volume_muted": True})]),
        ("media_player.a", "pause", {}, {"playing": True}, [("media_pause", {})]),
        ("media_player.a", "next", {}, {"on": True, "playing": True}, [("media_next_track", {})]),
    ],
)
def test_an_operation_becomes_the_calls_that_it_needs(
    device: str, operation: str, slots: dict[str, Any], before: State, calls: list[tuple[str, Any]]
) -> None:
    domain = device.partition(".")[0]
    thing = Device(device, "it", domain)
    new = change(thing, operation, slots, before)
    assert new is not None
    move = Move(thing, before, {name: value for name, value in {**before, **new}.items() if value is not None})
    assert calls_for(operation, [move]) == tuple(Call(domain, service, (device,), data) for service, data in calls)


def test_devices_of_a_kind_share_a_call() -> None:
    moves = [Move(Device(f"light.{name}", name, "light"), {}, {"on": True}) for name in "abc"]
    assert calls_for("on", moves) == (Call("light", "turn_on", ("light.a", "light.b", "light.c"), {}),)


@pytest.mark.parametrize(
    ("device", "before", "after", "calls"),
    [
        (LAMP, {"on": True, "brightness": 40}, {"on": False}, [("turn_on", {"brightness_pct": 40})]),
        (LAMP, {"on": False}, {"on": True, "brightness": 40}, [("turn_off", {})]),
        (
            LAMP,
            {"on": True, "hs_color": [0, 100]},
            {"on": True, "temperature": 2700},
            [("turn_on", {"hs_color": [0, 100]})],
        ),
        (BLIND, {"position": 30}, {"position": 100}, [("set_cover_position", {"position": 30})]),
        (BLIND, {}, {"position": 100}, []),  # nobody knows how it was
        (
            Device("media_player.tv", "TV", "media_player"),
            {"on": True, "playing": True},
            {"on": True, "playing": False},
            [("media_play", {})],
        ),
    ],
)
def test_taking_back_makes_it_as_it_was(
    device: Device, before: State, after: State, calls: list[tuple[str, Any]]
) -> None:
    found = calls_for(RESTORE, [Move(device, before, after).back()])
    assert [(call.service, call.data) for call in found] == calls


DOMAINS = ("light", "switch", "fan", "cover", "climate", "media_player", "lock")
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "brightness": st.integers(0, 100),
        "percentage": st.integers(0, 100),
        "position": st.integers(0, 100),
        "volume_level": st.integers(0, 100),
        "temperature": st.integers(5, 35),
    },
)
STATES = st.fixed_dictionaries(
    {}, optional={"on": st.booleans(), "position": st.integers(0, 100), "brightness": st.integers(1, 100)}
)


@given(st.sampled_from(DOMAINS), st.sampled_from(sorted(ABLE)), VALUES, STATES)
def test_what_a_device_can_do_is_called_and_only_in_its_own_domain(
    domain: str, operation: str, slots: dict[str, Any], before: State
) -> None:
    thing = Device(f"{domain}.it", "it", domain)
    new = change(thing, operation, slots, before)
    if new is None:
        return
    after = {name: value for name, value in {**before, **new}.items() if value is not None}
    calls = calls_for(operation, [Move(thing, before, after)])
    assert calls
    assert all(call.domain == domain and call.entities == (thing.id,) for call in calls)


@given(st.dictionaries(st.text(max_size=5), st.none() | st.text() | st.integers()), st.text(max_size=8))
def test_no_entity_is_too_strange(attributes: dict[str, Any], state: str) -> None:
    for domain in (*DOMAINS, "vacuum"):
        assert None not in state_of({"entity_id": f"{domain}.a", "state": state, "attributes": attributes}).values()
