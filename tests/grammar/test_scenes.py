"""Scenes of home.yaml say what they do; what no device can be like is a fault with its line."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from assistant.grammar.home import HOME_FILE, json_schema, load_home
from assistant.grammar.household import DOMAINS
from assistant.grammar.places import ContextFaults
from assistant.grammar.scenes import STATES

DEVICES = """\
areas: [kitchen, bedroom]
devices:
  - {name: lamp, area: kitchen, domain: light}
  - {name: lamp, area: bedroom, domain: light}
  - {name: blinds, area: bedroom, domain: cover, kind: blind}
  - {name: fan, area: bedroom, domain: fan}
  - {name: TV, domain: media_player}
  - {name: front door, domain: lock}
"""


def home_with(tmp_path: Path, scenes: str) -> Path:
    path = tmp_path / HOME_FILE
    path.write_text(DEVICES + dedent(scenes), encoding="utf-8")
    return path


def test_a_scene_says_what_its_devices_are_to_be_like(tmp_path: Path) -> None:
    scenes = """\
        scenes:
          - name: movie night
            states:
              - {device: kitchen lamp, on: false}
              - {device: lamp, area: bedroom, brightness: 20, color: red}
              - {device: blinds, position: 0}
              - {device: fan, percentage: 0}
              - {device: TV, on: true, volume_level: 30}
          - good night
    """
    movie, night = load_home(home_with(tmp_path, scenes)).scenes
    assert {device: dict(state) for device, state in movie.states.items()} == {
        "light.kitchen_lamp": {"on": False},
        "light.bedroom_lamp": {"brightness": 20, "color": "red", "on": True},
        "cover.blinds": {"position": 0},
        "fan.fan": {"percentage": 0, "on": False},
        "media_player.tv": {"on": True, "volume_level": 30},
    }
    assert dict(night.states) == {}


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        ("{device: lamb, on: true}", "there is no device 'lamb' (did you mean 'lamp'?)"),
        ("{device: lamp, on: true}", "2 devices are called 'lamp'; say in which area"),
        ("{device: lamp, area: attic, on: true}", "there is no 'lamp' in area 'attic'"),
        ("{device: front door, on: true}", "'front door' is asked about before it is moved"),
        ("{device: blinds, brightness: 3}", "a cover has no brightness; a cover has: position"),
        ("{device: kitchen lamp, brightness: 130}", "'brightness' in a state of scene 'x'"),
        ("{device: kitchen lamp, temperature: 20}", "20 is no temperature of a light; use 1000 to 10000"),
        ("{device: kitchen lamp, brigthness: 30}", "unknown key 'brigthness' in a state of scene 'x' (did you mean"),
        ("{device: kitchen lamp}", "'kitchen lamp' gets no state"),
        ("{on: true}", "a state of scene 'x' lacks 'device'"),
    ],
)
def test_what_a_scene_cannot_do_is_a_fault_with_its_line(tmp_path: Path, state: str, fault: str) -> None:
    with pytest.raises(ContextFaults) as caught:
        load_home(home_with(tmp_path, f"scenes:\n  - name: x\n    states:\n      - {state}\n"))
    [line] = [line for line in str(caught.value).splitlines() if "gets no state" not in line or "gets no" in fault]
    assert f"{HOME_FILE}:12: {fault}" in line


def test_a_device_has_one_state_in_a_scene(tmp_path: Path) -> None:
    twice = "states: [{device: TV, on: true}, {device: tv, on: false}]"
    with pytest.raises(ContextFaults, match="'tv' is there twice in scene 'x'"):
        load_home(home_with(tmp_path, f"scenes:\n  - {{name: x, {twice}}}\n"))


def test_every_domain_is_known_and_the_schema_tells_of_states() -> None:
    assert set(STATES) == set(DOMAINS)
    definitions = json_schema()["$defs"]
    assert "states" in definitions["SceneSpec"]["properties"]
    assert set(definitions["StateSpec"]["required"]) == {"device"}
    assert definitions["StateSpec"]["additionalProperties"] is False
