"""Devices: what a sentence means, what becomes of it, and what is asked first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from assistant.act.devices import Found, Missing, Unclear, Unsaid, home_of, resolve
from assistant.act.home import Devices
from assistant.act.skill import Result
from assistant.grammar.household import Device, Home, Scene
from assistant.grammar.load import load_context
from tests.act.house import HOME

Run = Callable[..., Any]


def ids(resolved: object) -> list[str]:
    assert isinstance(resolved, (Found, Unclear, Unsaid))
    return [device.id for device in resolved.devices]


def state(devices: Devices, id_: str) -> dict[str, Any]:
    device = next(device for device in HOME.devices if device.id == id_)
    return dict(devices.house.states([device])[id_])


# -- which devices ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slots", "expected"),
    [
        ({"name": "sink light"}, ["light.sink"]),
        ({"name": "Basin Light"}, ["light.sink"]),
        ({"name": "kitchen lamp"}, ["light.kitchen_lamp"]),
        ({"name": "lamp", "area": "bedroom"}, ["light.bedroom_lamp"]),
        ({"name": "lamp", "floor": "upstairs"}, ["light.bedroom_lamp"]),
        ({"area": "kitchen", "domain": "light"}, ["light.sink", "light.kitchen_lamp"]),
        ({"area": "lounge", "domain": "light"}, ["light.wall"]),
        ({"floor": "upstairs", "domain": "light"}, ["light.bedroom_lamp"]),
        ({"area": "living room", "domain": "cover", "device_class": "blind"}, ["cover.blind"]),
        ({"domain": "lock"}, ["lock.front"]),
        ({"device_id": "light.bedroom_lamp", "name": "lamp"}, ["light.bedroom_lamp"]),
    ],
)
def test_what_is_said_clearly_is_found(slots: dict[str, Any], expected: list[str]) -> None:
    resolved = resolve(HOME, slots)
    assert isinstance(resolved, Found)
    assert ids(resolved) == expected


def test_all_lights_are_all_lights_only_where_that_is_said() -> None:
    assert len(ids(resolve(HOME, {"area": "all", "domain": "light"}))) == 4
    assert isinstance(resolve(HOME, {"domain": "light"}), Unsaid)


def test_a_name_that_two_devices_have_is_unclear() -> None:
    assert ids(resolve(HOME, {"name": "lamp"})) == ["light.kitchen_lamp", "light.bedroom_lamp"]


def test_a_device_that_stands_elsewhere_is_asked_about() -> None:
    resolved = resolve(HOME, {"name": "wall light", "area": "kitchen"})
    assert isinstance(resolved, Unclear)
    assert ids(resolved) == ["light.wall"]


def test_a_misheard_name_is_asked_about_and_never_widens_to_the_room() -> None:
    resolved = resolve(HOME, {"name": "sing light", "area": "kitchen"}, ("light",))
    assert isinstance(resolved, Unclear)
    assert ids(resolved)[0] == "light.sink"
    assert isinstance(resolve(HOME, {"name": "chandelier", "area": "kitchen"}, ("light",)), Missing)


def test_a_room_without_such_a_device_has_none_and_the_house_is_not_taken_instead() -> None:
    resolved = resolve(HOME, {"area": "garden", "domain": "light"})
    assert resolved == Missing("light in the garden")


def test_everything_in_a_room_is_never_meant() -> None:
    assert isinstance(resolve(HOME, {"area": "kitchen"}), Unsaid)


def test_where_the_assistant_stands_is_meant_when_no_room_is_said() -> None:
    here = replace(HOME, here="bedroom")
    assert ids(resolve(here, {"domain": "light"})) == ["light.bedroom_lamp"]


def test_a_context_without_a_home_has_the_devices_of_its_lists() -> None:
    home = home_of(replace(load_context("home"), home=None))
    assert all(device.name for device in home.devices)


# -- what becomes of them --------------------------------------------------------------------------------------------


def test_on_and_off_by_name_and_by_room(run: Run) -> None:
    devices = Devices()
    assistant = run(devices)
    assert assistant.ask("home", "HassTurnOn", name="sink light").values["name"] == "sink light"
    assert state(devices, "light.sink") == {"on": True}
    assert assistant.ask("home", "HassTurnOn", area="kitchen", domain="light").values["count"] == 2
    assert assistant.ask("home", "HassTurnOff", area="kitchen", domain="light").ok
    assert state(devices, "light.kitchen_lamp") == {"on": False}
    assert state(devices, "light.wall") == {}


@pytest.mark.parametrize(
    ("intent", "slots", "id_", "expected"),
    [
        ("HassLightSet", {"name": "sink light", "brightness": 40}, "light.sink", {"on": True, "brightness": 40}),
        ("HassLightSet", {"name": "sink light", "brightness": 0}, "light.sink", {"on": False, "brightness": 0}),
        ("HassLightSet", {"name": "sink light", "color": "red"}, "light.sink", {"on": True, "color": "red"}),
        ("HassLightSet", {"name": "sink light", "temperature": 2700}, "light.sink", {"on": True, "temperature": 2700}),
        ("HassLightSet", {"name": "sink light", "brightness_step": 20}, "light.sink", {"on": True, "brightness": 70}),
        ("HassFanSetSpeed", {"name": "fan", "percentage": 30}, "fan.bedroom", {"on": True, "percentage": 30}),
        ("HassTurnOn", {"name": "blind"}, "cover.blind", {"position": 100}),
        ("HassTurnOff", {"name": "blind"}, "cover.blind", {"position": 0}),
        ("HassSetPosition", {"name": "blind", "position": 30}, "cover.blind", {"position": 30}),
        ("HassClimateSetTemperature", {"temperature": 21.5}, "climate.living", {"temperature": 21.5}),
        ("HassClimateSetTemperature", {"temperature_step": 1}, "climate.living", {"temperature": 21.0}),
        ("HassMediaPause", {}, "media_player.tv", {"playing": False}),
        ("HassMediaPlayerMute", {"name": "TV"}, "media_player.tv", {"muted": True}),
        ("HassSetVolume", {"name": "TV", "volume_level": 30}, "media_player.tv", {"volume_level": 30}),
        ("HassSetVolumeRelative", {"name": "TV", "volume_step": "down"}, "media_player.tv", {"volume_level": 40.0}),
        ("HassSetVolumeRelative", {"name": "TV", "volume_step": 33}, "media_player.tv", {"volume_level": 83.0}),
    ],
)
def test_each_kind_of_device_takes_what_it_understands(
    run: Run, intent: str, slots: dict[str, Any], id_: str, expected: dict[str, Any]
) -> None:
    devices = Devices()
    if intent.startswith(("HassClimate", "HassMediaPause")):
        slots = {"domain": id_.partition(".")[0], **slots}
    assert run(devices).ask("home", intent, **slots).ok
    assert state(devices, id_) == expected


def test_a_white_takes_the_place_of_a_colour(run: Run) -> None:
    devices = Devices()
    assistant = run(devices)
    assistant.ask("home", "HassLightSet", name="sink light", color="red")
    assistant.ask("home", "HassLightSet", name="sink light", temperature=2700)
    assert state(devices, "light.sink") == {"on": True, "temperature": 2700}


def test_toggle_turns_to_the_other_side(run: Run) -> None:
    devices = Devices()
    assistant = run(devices)
    for expected in (True, False, True):
        assistant.ask("home", "HassToggle", name="sink light")
        assert state(devices, "light.sink") == {"on": expected}


@pytest.mark.parametrize(
    ("intent", "slots", "text"),
    [
        ("HassLightSet", {"name": "coffee machine", "brightness": 40}, "I can't change the coffee machine."),
        ("HassLightSet", {"name": "sink light", "brightness": 400}, "I can't change the sink light like that."),
        ("HassMediaPause", {"name": "sink light"}, "I can't pause the sink light."),
        ("HassTurnOn", {"name": "chandelier"}, "There is no device called chandelier."),
        ("HassTurnOn", {"area": "garden", "domain": "light"}, "There is no light in the garden."),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, intent: str, slots: dict[str, Any], text: str) -> None:
    result = run(Devices()).ask("home", intent, **slots)
    assert (result.ok, result.question, result.text) == (False, None, text)


def test_which_one_is_asked_and_the_answer_is_acted_on(run: Run) -> None:
    devices = Devices()
    assistant = run(devices)
    asked: Result = assistant.ask("home", "HassTurnOn", name="lamp")
    assert asked.text == "Which one: the kitchen lamp or the bedroom lamp?"
    assert asked.question is not None
    assert "one in the bedroom" in asked.question.options[1].also
    assert (state(devices, "light.kitchen_lamp"), state(devices, "light.bedroom_lamp")) == ({}, {})
    answered = assistant.answer("home", "HassTurnOn", asked, option=1)
    assert answered.values["name"] == "bedroom lamp"
    assert (state(devices, "light.kitchen_lamp"), state(devices, "light.bedroom_lamp")) == ({}, {"on": True})


@pytest.mark.parametrize(
    ("intent", "slots", "id_", "question", "expected"),
    [
        ("HassTurnOff", {"name": "front door"}, "lock.front", "Shall I unlock the front door?", {"locked": False}),
        ("HassTurnOn", {"name": "front door"}, "lock.front", "Shall I lock the front door?", {"locked": True}),
        ("HassTurnOn", {"name": "garage door"}, "cover.garage", "Shall I open the garage door?", {"position": 100}),
        (
            "HassSetPosition",
            {"domain": "cover", "area": "all", "position": 10},
            "cover.garage",
            "Shall I move the blind and the garage door?",
            {"position": 10},
        ),
    ],
)
def test_what_may_let_somebody_in_is_moved_only_after_a_yes(
    run: Run, intent: str, slots: dict[str, Any], id_: str, question: str, expected: dict[str, Any]
) -> None:
    devices = Devices()
    assistant = run(devices)
    asked = assistant.ask("home", intent, **slots)
    assert asked.text == question
    assert state(devices, id_) == {}
    assert assistant.answer("home", intent, asked).ok
    assert state(devices, id_) == expected


def test_the_last_change_is_taken_back(run: Run) -> None:
    devices = Devices()
    assistant = run(devices)
    assistant.ask("home", "HassLightSet", name="sink light", brightness=40)
    assistant.ask("home", "HassTurnOff", area="kitchen", domain="light")
    assert assistant.skills.undo().ok
    assert state(devices, "light.sink") == {"on": True, "brightness": 40}
    assert state(devices, "light.kitchen_lamp") == {}


def test_states_survive_a_restart(run: Run) -> None:
    first = run(Devices())
    first.ask("home", "HassTurnOn", name="sink light")
    first.skills.close()
    assert run(Devices()).ask("home", "HassGetState", name="sink light").text == "The sink light is on."


# -- what they are ---------------------------------------------------------------------------------------------------


def test_a_state_that_nobody_knows_is_not_made_up(run: Run) -> None:
    result = run(Devices()).ask("home", "HassGetState", name="sink light")
    assert result.text == "I don't know the state of the sink light."


@pytest.mark.parametrize(
    ("response", "slots", "text"),
    [
        ("one", {"name": "sink light"}, "The sink light is on at 40 percent."),
        ("one_yesno", {"name": "sink light", "state": "on"}, "Yes, the sink light is on at 40 percent."),
        ("one_yesno", {"name": "kitchen lamp", "state": "on"}, "No, the kitchen lamp is off."),
        ("any", {"area": "kitchen", "domain": "light", "state": "on"}, "Yes, the sink light is on."),
        ("all", {"area": "kitchen", "domain": "light", "state": "on"}, "No, the kitchen lamp is not on."),
        ("which", {"domain": "light", "state": "on"}, "The sink light is on."),
        ("how_many", {"area": "kitchen", "domain": "light", "state": "on"}, "1 of 2."),
        ("any", {"floor": "upstairs", "domain": "light", "state": "on"}, "No, none is on."),
        ("one", {"name": "blind"}, "The blind is open at 30 percent."),
    ],
)
def test_states_are_told_as_they_are_asked_for(run: Run, response: str, slots: dict[str, Any], text: str) -> None:
    assistant = run(Devices())
    assistant.ask("home", "HassLightSet", name="sink light", brightness=40)
    assistant.ask("home", "HassTurnOff", name="kitchen lamp")
    assistant.ask("home", "HassSetPosition", name="blind", position=30)
    result = assistant.ask("home", "HassGetState", response=response, **slots)
    assert (result.text, result.response) == (text, response)


def test_a_scene_is_learned_and_comes_back_without_what_may_let_somebody_in(run: Run) -> None:
    devices = Devices()
    assistant = run(devices)
    assert not assistant.ask("home", "HassTurnOn", name="movie night").ok
    assistant.ask("home", "HassLightSet", name="wall light", brightness=10)
    assistant.ask("home", "HassTurnOff", name="front door", confirmed=True)
    assert assistant.ask("home", "SceneSave", name="movie night").ok
    assistant.ask("home", "HassTurnOff", area="all", domain="light")
    assistant.ask("home", "HassTurnOn", name="front door", confirmed=True)
    assert assistant.ask("home", "HassTurnOn", name="movie night").ok
    assert state(devices, "light.wall") == {"on": True, "brightness": 10}
    assert state(devices, "lock.front") == {"locked": True}


def test_a_scene_that_home_yaml_writes_out_does_that_can_be_taken_back_and_is_not_learned_anew(run: Run) -> None:
    lamp = {"on": True, "brightness": 20, "color": "red"}
    states: dict[str, dict[str, object]] = {"light.wall": {**lamp}, "cover.blind": {"position": 0}}
    devices = Devices()
    assistant = run(devices, home=replace(HOME, scenes=(Scene("scene.movie", "movie night", states=states),)))
    assistant.ask("home", "HassLightSet", name="wall light", temperature=2700)
    assistant.ask("home", "HassTurnOn", name="coffee machine")
    assert assistant.ask("home", "HassTurnOn", name="movie night").ok
    assert state(devices, "light.wall") == states["light.wall"]
    assert state(devices, "cover.blind") == {"position": 0}
    assert state(devices, "switch.coffee") == {"on": True}
    saved = assistant.ask("home", "SceneSave", name="movie night")
    assert (saved.ok, saved.text) == (False, "What movie night does is written in home.yaml.")
    assistant.skills.undo()
    assert state(devices, "light.wall") == {"on": True, "temperature": 2700}


def test_a_house_of_5000_devices_is_asked_about_a_few(run: Run) -> None:
    many = Home(devices=tuple(Device(f"light.{n}", f"light {n}", "light") for n in range(5000)))
    assistant = run(Devices(), home=many)
    assert assistant.ask("home", "HassTurnOn", name="light 4321").ok
    asked = assistant.ask("home", "HassTurnOn", domain="light")
    assert (asked.text, asked.question.options) == ("Which light?", ())
