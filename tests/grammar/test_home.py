"""home.yaml: everything that is wrong with it is said with its line, and what is right becomes lists of sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import InputError
from assistant.grammar.home import json_schema, load_home
from assistant.grammar.household import Home
from assistant.grammar.lint import Severity, lint
from assistant.grammar.load import load_context
from assistant.grammar.match import match
from assistant.grammar.places import ContextFaults
from assistant.grammar.tree import Context

WriteContext = Callable[..., Path]

SENTENCES = """
    language: en
    intents:
      On:
        data:
          - sentences: ["turn on [the] {name}"]
            requires_context: {domain: [light, switch]}
          - sentences: ["turn on [the] {area} light"]
            slots: {domain: light}
            excludes_context: {own_light: true}
      Open:
        data:
          - sentences: ["open [the] {name}"]
            requires_context: {domain: cover}
      Scene:
        data:
          - sentences: ["activate {scene:name}"]
      Heat:
        data:
          - sentences: ["heat the {area} to {temperature}"]
      Here:
        data:
          - sentences: ["lights {here:area}"]
      Put:
        data:
          - sentences: ["put soap on the {list:name} list"]
      Up:
        data:
          - sentences: ["lights {floor}"]
    expansion_rules:
      in_area: "in [the]"
    """

HOME = """
    areas:
      - {name: kitchen, aliases: [galley], floor: downstairs}
      - bedroom
    devices:
      - {name: ceiling light, area: kitchen, domain: light}
      - {name: ceiling light, area: bedroom, domain: light}
      - {name: desk lamp, aliases: [lamp], area: bedroom, domain: light}
      - {name: bedside lamp, aliases: [lamp], area: bedroom, domain: light}
      - {name: light, area: bedroom, domain: switch}
      - {name: kettle, domain: switch}
    """


@pytest.fixture
def home_of(tmp_path: Path) -> Callable[[str], Home]:
    """`home_of(text)` reads a home.yaml."""

    def read(text: str) -> Home:
        path = tmp_path / "home.yaml"
        path.write_text(dedent(text), encoding="utf-8")
        return load_home(path)

    return read


@pytest.fixture
def context_in(tmp_path: Path, write_context: WriteContext) -> Callable[..., Context]:
    """`context_in(home)` is a small context that asks for the home, with this home.yaml beside it."""

    def load(home: str, sentences: str = SENTENCES) -> Context:
        folder = write_context(tmp_path / "context", sentences, context="home: true", **{"home.yaml": home})
        return load_context(folder)

    return load


def meanings(context: Context, text: str) -> list[tuple[str, dict[str, object]]]:
    return [(found.intent, dict(found.slots)) for found in match(context, text)]


def faults(home_of: Callable[[str], Home], text: str) -> list[str]:
    with pytest.raises(ContextFaults) as caught:
        home_of(text)
    return [line.partition("home.yaml:")[2] for line in str(caught.value).splitlines()]


def test_a_name_that_two_areas_have_is_understood_alone_and_with_its_area(context_in: Callable[..., Context]) -> None:
    context = context_in(HOME)
    assert meanings(context, "turn on the ceiling light") == [("On", {"name": "ceiling light"})]
    assert meanings(context, "turn on the kitchen ceiling light") == [("On", {"name": "kitchen ceiling light"})]
    assert meanings(context, "turn on the ceiling light in the galley") == [("On", {"name": "kitchen ceiling light"})]
    assert meanings(context, "turn on the desk lamp in the kitchen") == []


def test_a_wording_that_several_devices_share_stays_that_wording_and_means_each_of_them(
    context_in: Callable[..., Context],
) -> None:
    context = context_in(HOME)
    assert context.home is not None
    for text, value in (("lamp", "lamp"), ("bedroom lamp", "bedroom lamp"), ("lamp in the bedroom", "bedroom lamp")):
        assert meanings(context, f"turn on the {text}") == [("On", {"name": value})]
        called = [device.name for device in context.home.devices if device.is_called(value)]
        assert called == ["desk lamp", "bedside lamp"]


def test_a_device_called_light_is_meant_before_the_lights_of_its_room(context_in: Callable[..., Context]) -> None:
    context = context_in(HOME)
    assert meanings(context, "turn on the bedroom light") == [("On", {"name": "light"})]
    assert meanings(context, "turn on the kitchen light") == [("On", {"area": "kitchen", "domain": "light"})]
    assert meanings(context, "turn on the light") == []
    assert [finding for finding in lint(context) if finding.severity is Severity.ERROR] == []


def test_what_a_home_does_not_have_cannot_be_said_and_is_no_fault(context_in: Callable[..., Context]) -> None:
    context = context_in(HOME)
    assert context.intents == ("On", "Heat", "Put", "Up")
    assert not [note for place, note in context.notes if "never" in note]


def test_scenes_covers_here_and_lists_come_with_the_home(context_in: Callable[..., Context]) -> None:
    more = "scenes: [movie night]\nhere: galley\nlists: [{name: to-do, aliases: [to do]}]\n"
    context = context_in(dedent(HOME) + "  - {name: blinds, area: kitchen, domain: cover, kind: blind}\n" + more)
    assert meanings(context, "activate movie night") == [("Scene", {"name": "movie night"})]
    assert meanings(context, "open the kitchen blinds") == [("Open", {"name": "blinds"})]
    assert meanings(context, "lights in here") == [("Here", {"area": "kitchen"})]
    assert meanings(context, "put soap on the to do list") == [("Put", {"name": "to-do"})]
    assert meanings(context, "lights downstairs") == [("Up", {"floor": "downstairs"})]


@pytest.mark.parametrize(
    ("unit", "said", "value"),
    [("celsius", "twenty one and a half", 21.5), ("fahrenheit", "seventy", 70)],
)
def test_temperatures_are_those_of_the_homes_scale(
    context_in: Callable[..., Context], unit: str, said: str, value: float
) -> None:
    context = context_in(f"{dedent(HOME)}temperature: {unit}\n")
    assert meanings(context, f"heat the kitchen to {said}") == [("Heat", {"area": "kitchen", "temperature": value})]
    other = "seventy" if unit == "celsius" else "twenty one"
    assert meanings(context, f"heat the kitchen to {other}") == []


def test_the_users_home_takes_the_place_of_the_example(tmp_path: Path, context_in: Callable[..., Context]) -> None:
    example = context_in(HOME)
    own = tmp_path / "own.yaml"
    own.write_text("devices: [{name: kettle, domain: switch}]", encoding="utf-8")
    context = load_context(example.folder, home=own)
    assert context.home is not None
    assert context.home.file == str(own)
    assert meanings(context, "turn on the kettle") == [("On", {"name": "kettle"})]
    assert meanings(context, "turn on the desk lamp") == []
    assert context.hash != example.hash


def test_homes_with_the_same_sentences_are_of_one_family(tmp_path: Path) -> None:
    one = load_context("home")
    (tmp_path / "home.yaml").write_text("areas: [attic]\ndevices: [{name: crane, domain: switch, area: attic}]\n")
    other = load_context("home", home=tmp_path / "home.yaml")
    assert one.hash != other.hash
    assert one.family == other.family != ""
    assert load_context("barista").family == ""


def test_editing_what_is_not_said_compiles_nothing_again(context_in: Callable[..., Context]) -> None:
    first = context_in(HOME).hash
    assert context_in(HOME.replace("name: kettle,", "name: kettle, id: switch.x,")).hash == first
    assert context_in(HOME.replace("kettle", "toaster")).hash != first


def test_everything_that_is_wrong_is_said_at_once(home_of: Callable[[str], Home]) -> None:
    text = """\
        areas:
          - kitchen
          - {name: bath, flor: up}
          - kitchen
        devices:
          - {name: lamp, area: kitchn, domain: light}
          - {name: lamp, area: kitchen, domain: lihgt}
          - {name: light, domain: light}
          - {name: "lamp (big)", domain: light}
          - {nam: kettle}
          - {name: blinds, area: kitchen, domain: cover, kind: blindd}
          - {name: one, id: light.x}
          - {name: two, id: light.x}
        scenes: [one]
        here: attic
        temperature: kelvin
        lists: groceries
        """
    found = faults(home_of, text)
    expected = [
        (3, "unknown key 'flor' in an area (did you mean 'floor'?)"),
        (4, "area 'kitchen' is there twice (first in line 2)"),
        (6, "there is no area 'kitchn' (did you mean 'kitchen'?)"),
        (7, "has the domain 'lihgt' (did you mean 'light'?)"),
        (8, "'light' already means all such devices of a room"),
        (9, "the name 'lamp (big)' has '(' in it"),
        (10, "unknown key 'nam' in a device (did you mean 'name'?)"),
        (10, "a device lacks 'name'"),
        (11, "'blindd' is no kind of cover (did you mean 'blind'?)"),
        (13, "the id 'light.x' is there twice (first in line 12)"),
        (14, "scene 'one' has the name of the device in line 12"),
        (15, "there is no area 'attic'"),
        (16, "'temperature' in home.yaml"),
        (17, "'lists' in home.yaml: expected a list, got text"),
    ]
    assert len(found) == len(expected)
    for line, (number, part) in zip(found, expected, strict=True):
        assert line.startswith(f"{number}: ")
        assert part in line


@pytest.mark.parametrize(
    ("devices", "fault"),
    [
        (
            ["{name: lamp, area: hall, domain: light}", "{name: Lamp, area: hall, domain: switch}"],
            "two devices in area 'hall' are called 'Lamp' (first in line 3)",
        ),
        (
            ["{name: lamp, domain: light}", "{name: lamp, domain: light}"],
            "two devices without an area are called 'lamp'",
        ),
        (
            ["{name: lamp, area: hall, domain: light}", "{name: hall lamp, domain: light}"],
            "'lamp' in area 'hall' sounds like 'hall lamp'",
        ),
        (
            ["{name: lamp, area: hall, domain: light}", "{name: torch, aliases: [lamp], area: hall, domain: light}"],
            "'lamp' is also the name of the device in line 3",
        ),
    ],
)
def test_devices_that_nothing_can_tell_apart_are_refused(
    home_of: Callable[[str], Home], devices: list[str], fault: str
) -> None:
    text = "areas: [hall]\ndevices:\n" + "".join(f"  - {device}\n" for device in devices)
    (found,) = faults(home_of, text)
    assert fault in found


def test_what_lets_somebody_in_is_asked_about_unless_the_home_says_otherwise(home_of: Callable[[str], Home]) -> None:
    home = home_of(
        """
        devices:
          - {name: front door, domain: lock}
          - {name: garage door, domain: cover, kind: garage}
          - {name: long curtains, domain: cover, kind: curtain}
          - {name: shed, domain: lock, confirm: false}
          - {name: oven, domain: switch, confirm: true}
        """
    )
    asked = [device.name for device in home.devices if device.confirm]
    assert asked == ["front door", "garage door", "oven"]


def test_a_missing_home_names_the_way_to_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="assistant home new"):
        load_home(tmp_path / "home.yaml")


def test_an_empty_file_is_an_empty_home(home_of: Callable[[str], Home]) -> None:
    assert home_of("").devices == ()


def test_five_thousand_devices_are_read_and_each_has_its_meaning(context_in: Callable[..., Context]) -> None:
    areas = [f"hall {number}" for number in range(50)]
    devices = [f"  - {{name: lamp {n}, area: hall {n % 50}, domain: light}}\n" for n in range(5_000)]
    context = context_in("areas: [" + ", ".join(areas) + "]\ndevices:\n" + "".join(devices))
    assert context.home is not None
    assert len(context.home.devices) == 5_000
    assert meanings(context, "turn on lamp 4321 in the hall 21") == [("On", {"name": "lamp 4321"})]


def test_names_in_other_scripts_load_and_the_linter_says_that_they_will_not_be_heard(
    context_in: Callable[..., Context],
) -> None:
    context = context_in("devices:\n  - {name: 台所の灯り, domain: light}\n  - {name: Küchenlampe, domain: light}\n")
    assert meanings(context, "turn on the Küchenlampe") == [("On", {"name": "Küchenlampe"})]
    findings = [finding for finding in lint(context, str.isascii) if finding.severity is Severity.ERROR]
    assert [(f.place.line, f.message.split("'")[1]) for f in findings] == [(2, "台所の灯り"), (3, "Küchenlampe")]
    assert findings[0].place.file == "home.yaml"


@given(st.text())
def test_whatever_is_written_is_read_or_said_to_be_wrong(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("home") / "home.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    said: object
    try:
        said = load_home(path)
    except ContextFaults as error:
        said = error.faults
    assert said


def test_the_schema_knows_every_key_that_the_loader_knows() -> None:
    schema = json.loads(json.dumps(json_schema()))
    assert set(schema["$defs"]["HomeFile"]["properties"]) == {
        "areas",
        "devices",
        "scenes",
        "lists",
        "here",
        "temperature",
    }
    assert all(definition["additionalProperties"] is False for definition in schema["$defs"].values())
    assert "light" in schema["$defs"]["DeviceSpec"]["properties"]["domain"]["enum"]
