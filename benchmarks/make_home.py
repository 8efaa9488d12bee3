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
THINGS = {"light": ("lamp", "spotlight", "lantern"), "switch": ("heater", "plug", "pump", "radio"), "fan": ("fan",)}


def make_home(devices: int, areas: int, folder: Path, seed: int = 0) -> Path:
    """Write a context of `devices` devices in `areas` areas into `folder` (replacing it) and return it."""
    rng = random.Random(seed)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(find_context("home"), folder, ignore=shutil.ignore_patterns("devices.yaml", "tests.yaml"))
    rooms = [f"{room} room" if room in CALLED_ROOMS else room for room in ROOMS]
    names = [*rooms, *(f"{part} {room}" for part in PARTS for room in rooms)][:areas]
    if len(names) < areas:
        raise ValueError(f"at most {len(names)} areas can be made")
    lists: dict[str, Any] = {"area": {"values": names}, "name": {"values": _devices(devices, names, rng)}}
    content = yaml.safe_dump({"language": "en", "lists": lists}, sort_keys=False, width=120)
    (folder / "sentences/devices.yaml").write_text(content, encoding="utf-8")
    settings = yaml.safe_load((folder / "context.yaml").read_text(encoding="utf-8"))
    settings["name"] = f"home-{devices}"
    (folder / "context.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return folder


def _devices(number: int, areas: list[str], rng: random.Random) -> list[dict[str, Any]]:
    """Devices of three kinds, two thirds of them lights; "ceiling lamp" first, then "garage ceiling lamp"."""
    kinds = [(kind, thing) for kind, things in THINGS.items() for thing in things]
    short = [(kind, f"{place} {thing}") for place, (kind, thing) in itertools.product(LAMPS, kinds)]
    long = [(kind, f"{area} {name}") for area, (kind, name) in itertools.product(areas, short)]
    rng.shuffle(short)
    rng.shuffle(long)
    chosen = [*short[: number // 2], *long][:number]
    if len(chosen) < number:
        raise ValueError(f"at most {len(chosen)} devices can be made with {len(areas)} areas")
    return [{"in": name, "out": name, "context": {"domain": kind}} for kind, name in chosen]


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
