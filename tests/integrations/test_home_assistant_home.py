"""Home Assistant's registries as a home, whatever they hold."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.grammar.home import load_home
from assistant.grammar.household import Home, NamedList
from assistant.grammar.load import load_context
from assistant.integrations.home_assistant_home import MOST_DEVICES, Registry, as_yaml, imported, spoken


def light(id_: str, friendly: str, **entry: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A state and an entry."""
    state = {"entity_id": id_, "state": "on", "attributes": {"friendly_name": friendly}}
    return state, {"entity_id": id_, "aliases": [], **entry}


def registry(*things: tuple[dict[str, Any], dict[str, Any]], **parts: Any) -> Registry:
    areas = parts.pop("areas", [{"area_id": "kitchen", "name": "Kitchen", "aliases": [], "floor_id": None}])
    return Registry(areas, states=[s for s, _ in things], entities=[e for _, e in things], **parts)


def names(home: Home) -> list[tuple[str, str]]:
    return [(device.area, device.name) for device in home.devices]


def read_back(home: Home) -> Home:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "home.yaml"
        file.write_text(as_yaml(home), encoding="utf-8")
        return load_home(file)


def test_a_name_loses_its_area_and_its_case_but_not_its_letters() -> None:
    found = imported(
        registry(light("light.a", "Kitchen Ceiling Light", area_id="kitchen"), light("switch.tv", "TV", area_id=None))
    ).home
    assert names(found) == [("kitchen", "ceiling light"), ("", "TV")]
    assert [device.id for device in found.devices] == ["light.a", "switch.tv"]


def test_the_users_own_name_wins_and_aliases_come_along() -> None:
    thing = light("light.a", "Shelly 1PM", name="Sink Lamp", area_id="kitchen", aliases=["Basin Light", "sink lamp"])
    (device,) = imported(registry(thing)).home.devices
    assert (device.name, device.aliases) == ("sink lamp", ("basin light",))


def test_an_area_is_that_of_the_entity_else_that_of_its_device() -> None:
    hardware = [{"id": "hw", "area_id": "kitchen"}]
    areas = [{"area_id": "kitchen", "name": "Kitchen"}, {"area_id": "hall", "name": "Hall", "floor_id": "up"}]
    found = imported(
        registry(
            light("light.a", "A", device_id="hw"),
            light("light.b", "B", device_id="hw", area_id="hall"),
            areas=areas,
            devices=hardware,
            floors=[{"floor_id": "up", "name": "Upstairs"}],
        )
    ).home
    assert names(found) == [("kitchen", "a"), ("hall", "b")]
    assert [area.floor for area in found.areas] == ["", "upstairs"]


def test_what_is_hidden_or_not_exposed_stays_there() -> None:
    things = [
        light("light.a", "A"),
        light("light.b", "B", hidden_by="user"),
        light("switch.c", "C", entity_category="config"),
        light("sensor.d", "D"),
        light("light.e", "E"),
    ]
    exposed = frozenset({"light.a", "light.b", "switch.c", "sensor.d"})
    assert names(imported(registry(*things, exposed=exposed)).home) == [("", "a")]


def test_of_two_that_sound_alike_the_second_is_told_apart_and_said() -> None:
    found = imported(registry(light("light.a", "Lamp"), light("light.lamp_left", "Lamp"), light("light.lamp", "lamp")))
    assert names(found.home) == [("", "lamp"), ("", "lamp left"), ("", "lamp 2")]
    assert any("light.lamp_left" in note for note in found.notes)


def test_what_cannot_be_said_is_left_out_and_said() -> None:
    found = imported(registry(light("light.1", "💡"), light("light.2", "Lamp")))
    assert "lamp" in [device.name for device in found.home.devices]
    found = imported(registry(light("light._", "💡")))
    assert found.home.devices == ()
    assert "cannot be said" in found.notes[0]


def test_covers_say_what_they_are_so_that_doors_are_asked_about() -> None:
    state = {
        "entity_id": "cover.g",
        "state": "closed",
        "attributes": {"friendly_name": "Gate", "device_class": "garage"},
    }
    (device,) = read_back(imported(registry((state, {}))).home).devices
    assert (device.kind, device.confirm) == ("garage", True)


def test_lists_and_place_of_the_user_are_kept() -> None:
    own = Home(lists=(NamedList("packing"),), here="Kitchen")
    found = imported(registry(), own)
    assert (found.home.here, [named.name for named in found.home.lists]) == ("kitchen", ["packing"])
    assert "no area 'attic'" in imported(registry(), own, "attic").notes[0]


def test_fahrenheit_is_taken_over() -> None:
    assert imported(Registry(fahrenheit=True)).home.fahrenheit


WORDS = st.sampled_from(
    [
        "Kitchen",
        "kitchen",
        "Lamp",
        "lamp",
        "light",
        "Lights",
        "All",
        "all",
        "2",
        "off",
        "null",
        "Küche",
        "💡",
        "_",
        "a b",
    ]
)
NAMES = st.lists(WORDS, max_size=4).map(" ".join) | st.text(max_size=12) | st.none()
ALIASES = st.lists(NAMES, max_size=3) | st.none()
AREA_IDS = st.sampled_from(["a", "b", "c", None])
AREAS = st.fixed_dictionaries(
    {"area_id": AREA_IDS, "name": NAMES, "aliases": ALIASES, "floor_id": st.sampled_from(["x", None])}
)
ENTITY_IDS = st.builds(
    "{}.{}".format,
    st.sampled_from(["light", "switch", "cover", "lock", "scene", "sensor", "climate"]),
    st.sampled_from(["kitchen_lamp", "lamp", "lamp_2", "_", "1"]),
)
ENTITIES = st.fixed_dictionaries(
    {
        "entity_id": ENTITY_IDS,
        "name": NAMES,
        "aliases": ALIASES,
        "area_id": AREA_IDS,
        "hidden_by": st.sampled_from([None, None, None, "user"]),
    }
)
STATES = st.fixed_dictionaries(
    {
        "entity_id": ENTITY_IDS,
        "attributes": st.fixed_dictionaries(
            {"friendly_name": NAMES, "device_class": st.sampled_from(["garage", "x", None])}
        ),
    }
)
REGISTRIES = st.builds(
    Registry,
    areas=st.lists(AREAS, max_size=4),
    floors=st.lists(st.fixed_dictionaries({"floor_id": st.just("x"), "name": NAMES}), max_size=1),
    entities=st.lists(ENTITIES, max_size=8),
    states=st.lists(STATES, max_size=10, unique_by=lambda state: state["entity_id"]),
)


@given(REGISTRIES)
def test_whatever_comes_the_home_can_be_read_back_and_is_the_same(found: Registry) -> None:
    home = imported(found).home
    again = read_back(home)
    assert [(d.id, d.name, d.area, d.aliases) for d in again.devices] == [
        (d.id, d.name, d.area, d.aliases) for d in home.devices
    ]
    assert [(area.name, area.aliases, area.floor) for area in again.areas] == [
        (area.name, area.aliases, area.floor) for area in home.areas
    ]
    assert [scene.id for scene in again.scenes] == [scene.id for scene in home.scenes]


@given(st.text(max_size=60))
def test_a_spoken_name_is_words_or_nothing_and_stays_so(name: str) -> None:
    said = spoken(name)
    assert spoken(said) == said
    assert "_" not in said


@pytest.mark.parametrize("broken", [{"name": 3, "aliases": "x"}, {"attributes": []}, {}])
def test_rows_of_another_form_do_no_harm(broken: dict[str, Any]) -> None:
    state = {"entity_id": "light.a", "attributes": {"friendly_name": "Lamp"}, **broken}
    assert read_back(imported(Registry([broken], [broken], [broken], [broken], [state, broken])).home)


def test_the_context_of_an_imported_home_understands_its_names(tmp_path: Path) -> None:
    things = [light("light.a", "Kitchen Ceiling Light", area_id="kitchen"), light("lock.d", "Front Door")]
    file = tmp_path / "home.yaml"
    file.write_text(as_yaml(imported(registry(*things)).home))
    context = load_context("home", home=file)
    assert context.home is not None
    assert [device.id for device in context.home.devices] == ["light.a", "lock.d"]


def test_of_thousands_as_many_are_taken_as_can_be_told_apart_by_ear_and_it_is_said() -> None:
    things = [light(f"light.l{number}", f"Lamp {number % 700}") for number in range(3000)]
    found = imported(registry(*things))
    assert len(found.home.devices) == MOST_DEVICES
    assert f"more than {MOST_DEVICES} devices: expose fewer to Assist" in found.notes
    said = names(found.home)
    assert len(set(said)) == len(said)
    assert names(read_back(found.home)) == said


def test_a_home_without_anything_is_a_context_too(tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    file.write_text(as_yaml(imported(Registry()).home))
    home = load_context("home", home=file).home
    assert home is not None
    assert home.devices == ()
