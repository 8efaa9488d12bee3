"""A synthetic home of any size, for measuring how contexts scale: `python -m benchmarks.make_home 200 20 FOLDER`.

The sentences are those of the context `home`; areas and devices are made up, from English words as people use them.
The same numbers give the same home.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
from pathlib import Path
from typing import Any

import yaml

from assistant.grammar.home import HOME_FILE
from assistant.grammar.load import find_context

ROOMS = [
    "kitchen",
    "living",
    "bedroom",
    "bathroom",
    "office",
    "hallway",
    "garage",
    "basement",
    "attic",
    "nursery",
    "library",
    "studio",
    "pantry",
    "laundry",
    "porch",
    "patio",
    "balcony",
    "cellar",
    "workshop",
    "lounge",
    "gym",
    "sauna",
    "terrace",
    "guest",
    "dining",
    "music",
    "play",
    "utility",
    "storage",
    "garden",
]
CALLED_ROOMS = {"living", "guest", "dining", "music", "play", "utility", "storage"}
PARTS = ["upstairs", "downstairs", "front", "back", "east", "west", "north", "south", "upper", "lower"]
LAMPS = [
    "ceiling",
    "desk",
    "floor",
    "reading",
    "bedside",
    "corner",
    "window",
    "shelf",
    "counter",
    "mirror",
    "wall",
    "pendant",
    "picture",
    "cabinet",
]
THINGS = {"light": ("lamp", "spotlight", "lantern"), "switch": ("heater", "plug", "pump", "socket"), "fan": ("fan",)}

FIXED: list[tuple[int, tuple[str, str, dict[str, Any]]]] = [
    (0, ("cover", "blinds", {"kind": "blind"})),
    (1, ("cover", "curtains", {"kind": "curtain"})),
    (1, ("media_player", "television", {"aliases": ["TV"]})),
    (0, ("media_player", "radio", {})),
    (2, ("climate", "thermostat", {})),
    (3, ("climate", "radiator", {})),
    (5, ("lock", "front door", {})),
    (6, ("cover", "garage door", {"kind": "garage"})),
]
"""Devices that every home has, each with the number of its area."""


def make_home(devices: int, areas: int, folder: Path, seed: int = 0) -> Path:
    """Write a context of `devices` devices in `areas` areas into `folder` (replacing it) and return it."""
    rng = random.Random(seed)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(find_context("home"), folder, ignore=shutil.ignore_patterns(HOME_FILE, "tests.yaml"))
    home = {
        "areas": area_names(areas),
        "devices": _devices(devices, area_names(areas), rng),
        "scenes": ["movie night", "dinner", "good night", "party"],
        "lists": [{"name": "to-do", "aliases": ["to do"]}, "packing"],
    }
    (folder / HOME_FILE).write_text(yaml.safe_dump(home, sort_keys=False, width=120), encoding="utf-8")
    settings = yaml.safe_load((folder / "context.yaml").read_text(encoding="utf-8"))
    settings["name"] = f"home-{devices}"
    (folder / "context.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return folder


def area_names(number: int) -> list[str]:
    """Names of `number` areas: rooms first, then "upstairs kitchen". Raises ValueError for more than there are."""
    rooms = [f"{room} room" if room in CALLED_ROOMS else room for room in ROOMS]
    names = [*rooms, *(f"{part} {room}" for part in PARTS for room in rooms)]
    if number > len(names):
        raise ValueError(f"at most {len(names)} areas can be made")
    return names[:number]


def _devices(number: int, areas: list[str], rng: random.Random) -> list[dict[str, Any]]:
    """Two thirds lights; of the names "ceiling lamp" … half are used once, the others again in several areas.

    Besides these there are blinds, a television, a thermostat, a door with a lock and a garage door.
    """
    kinds = [(kind, thing) for kind, things in THINGS.items() for thing in things]
    names = [(kind, f"{place} {thing}") for place, (kind, thing) in itertools.product(LAMPS, kinds)]
    rng.shuffle(names)
    fixed = [{"name": name, "domain": kind, "area": areas[i % len(areas)], **more} for i, (kind, name, more) in FIXED]
    once = names[: len(names) // 2]
    many = [(kind, name, area) for (kind, name), area in itertools.product(names[len(names) // 2 :], areas)]
    rng.shuffle(many)
    chosen = [(kind, name, rng.choice(areas)) for kind, name in once]
    chosen = [*chosen[: number // 2], *many][: max(number - len(fixed), 0)]
    if len(chosen) + len(fixed) < number:
        raise ValueError(f"at most {len(chosen) + len(fixed)} devices can be made with {len(areas)} areas")
    return [*fixed[:number], *({"name": name, "domain": kind, "area": area} for kind, name, area in chosen)]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("devices", type=int)
    parser.add_argument("areas", type=int)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    print(make_home(arguments.devices, arguments.areas, arguments.folder))


if __name__ == "__main__":
    main()
