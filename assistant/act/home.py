"""The devices of the house: sentences change their states and ask for them, in a table here or in a hub (`houses`).

Which devices are meant is `assistant.act.devices`, what becomes of their state `assistant.act.states`; here both meet
the file. What may let somebody in (`Device.confirm`: locks, doors, garages) is asked about before it is moved.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from assistant.act.database import Database
from assistant.act.devices import MOST_ASKED, Found, Missing, Unclear, full_name, home_of, plain_kind, resolve
from assistant.act.houses import RESTORE, House, Move
from assistant.act.keep import open_kept
from assistant.act.skill import (
    DEFAULT_TIMEOUT_S,
    Option,
    Question,
    Request,
    Result,
    Services,
    asked,
    confirm,
    failed,
    operation,
)
from assistant.act.states import ABLE, State, change, described, settable_domains, word
from assistant.act.volume import volume_step
from assistant.act.when import spoken_list
from assistant.grammar.household import EVERYWHERE, Device, Home, Scene

FILE = "home.db"

MIGRATIONS = (
    """
    CREATE TABLE states (device TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT;
    CREATE TABLE scenes (scene TEXT PRIMARY KEY, states TEXT NOT NULL) STRICT
    """,
)

OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        "HassTurnOn": "on",
        "HassTurnOff": "off",
        "HassToggle": "toggle",
        "HassLightSet": "set",
        "HassFanSetSpeed": "set",
        "HassSetPosition": "set",
        "HassClimateSetTemperature": "set",
        "HassClimateSetFanMode": "set",
        "HassSetVolume": "set",
        "HassSetVolumeRelative": "set",
        "HassStopMoving": "stop",
        "HassMediaPause": "pause",
        "HassMediaUnpause": "unpause",
        "HassMediaNext": "next",
        "HassMediaPrevious": "previous",
        "HassMediaPlayerMute": "mute",
        "HassMediaPlayerUnmute": "unmute",
        "HassGetState": "state",
        "HassClimateGetTemperature": "temperature",
        "SceneSave": "save_scene",
    }
)

_DOING = MappingProxyType({"on": "turn on", "off": "turn off", "set": "change", "toggle": "switch"})
_DOING_COVER = MappingProxyType({"on": "open", "off": "close", "set": "move", "toggle": "move", "stop": "stop"})
_DOING_LOCK = MappingProxyType({"on": "lock", "off": "unlock", "toggle": "unlock"})
_TRACELESS = ("next", "previous", "stop")
_NO_STATE: State = MappingProxyType({})


class StateStore:
    """A house in a database: states and scenes that nothing moves but what is said here."""

    keeps_scenes = True

    def __init__(self, database: Database) -> None:
        self.database = database

    def states(self, devices: Iterable[Device]) -> Mapping[str, State]:
        """As `House.states`: empty for one that was never changed. Raises StorageError."""
        return {device.id: self._state(device.id) for device in devices}

    def move(self, operation: str, moves: Sequence[Move]) -> None:
        """As `House.move`: all or none. Raises StorageError."""
        del operation  # only what becomes of a device matters here
        with self.database.transaction() as connection:
            rows = [(move.device.id, json.dumps(dict(move.after))) for move in moves]
            connection.executemany("INSERT OR REPLACE INTO states VALUES (?, ?)", rows)

    def activate(self, scene: Scene) -> Sequence[Move] | None:
        """As `House.activate`. Raises StorageError."""
        rows = self.database.rows("SELECT states FROM scenes WHERE scene = ?", (scene.id,))
        if not rows:
            return None
        states: Mapping[str, State] = json.loads(rows[0][0])
        moves = [Move(Device(id_, "", ""), self._state(id_), after) for id_, after in states.items()]
        self.move("scene", moves)
        return moves

    def save(self, scene: Scene, devices: Iterable[Device]) -> None:
        """As `House.save`. Raises StorageError."""
        text = json.dumps({id_: dict(state) for id_, state in self.states(devices).items() if state})
        with self.database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO scenes VALUES (?, ?)", (scene.id, text))

    def close(self) -> None:
        """As `House.close`."""
        self.database.close()

    def _state(self, id_: str) -> State:
        rows = self.database.rows("SELECT state FROM states WHERE device = ?", (id_,))
        return json.loads(rows[0][0]) if rows else _NO_STATE


class Devices:
    """The skill. house: where the devices are; None: in a file of the skill's own."""

    name = "home"
    reversible = True

    def __init__(self, house: House | None = None, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self._given, self.timeout_s = house, timeout_s

    def start(self, services: Services) -> None:
        """Open the file."""
        self.house: House = self._given or StateStore(open_kept(services.state, FILE, MIGRATIONS).database)

    def stop(self) -> None:
        """Close the file."""
        self.house.close()

    def handle(self, request: Request) -> Result:
        home, what = home_of(request.context), operation(request, OPERATIONS)
        if request.slots.get("volume_step") is not None:
            step = volume_step(request.slots)
            request = replace(request, slots={**request.slots, "volume_step": None, "volume_level_step": step})
        scene = self._scene(home, request)
        if scene is not None and what in ("on", "save_scene"):
            return self._activate(scene, home) if what == "on" else self._save(scene, home)
        if what == "state":
            return self._state(home, request)
        if what == "temperature":
            return self._temperature(home, request)
        if what not in ABLE:
            return failed("I don't know how to do that with a device.", "unknown")
        domains = settable_domains(request.slots) if what == "set" else ABLE[what]
        return self._with_devices(home, request, domains, lambda found: self._change(home, request, what, found))

    # -- changing ----------------------------------------------------------------------------------------------------

    def _change(self, home: Home, request: Request, what: str, found: Found) -> Result:
        doing = _doing(found.devices[0], what)
        if any(device.confirm for device in found.devices) and not request.confirmed:
            names = _names(found.devices)
            return confirm(request, f"Shall I {doing} {names}?", action=doing, devices=names)
        before = self.house.states(found.devices)
        changes = {
            device.id: change(device, what, request.slots, before[device.id], fahrenheit=home.fahrenheit)
            for device in found.devices
        }
        moves = [
            Move(device, before[device.id], _merged(before[device.id], new))
            for device in found.devices
            if (new := changes[device.id]) is not None
        ]
        if not moves:
            return failed(f"I can't {doing} {_names(found.devices)} like that.", "impossible", action=doing)
        self.house.move(what, moves)
        values = {"devices": _names(found.devices), "count": len(moves)}
        first = next(new for new in changes.values() if new is not None)
        told = {name: value for name, value in first.items() if value is not None and name != "on"}
        if found.named:
            values["name"] = request.slots.get("name") or full_name(found.devices[0])
        return Result({**told, **values}, undo=lambda: self._undo(what, moves))

    def _undo(self, what: str, moves: Sequence[Move]) -> Result:
        """Take `moves` back; what leaves no trace in a state (the next song) cannot be."""
        back = [move.back() for move in moves if move.changes]
        if not back and what in _TRACELESS:
            return failed("I can't take that back.", "nothing_to_undo")
        self.house.move(RESTORE, back)
        return Result(response="undone", text="All right, I took that back.")

    def _with_devices(
        self, home: Home, request: Request, domains: Iterable[str], act: Callable[[Found], Result]
    ) -> Result:
        """Act on what is meant; ask where that is not certain."""
        resolved = resolve(home, request.slots, domains)
        if isinstance(resolved, Found):
            return act(resolved)
        if isinstance(resolved, Missing):
            return self._missing(home, request, resolved)
        options = tuple(_option(device, request) for device in resolved.devices[:MOST_ASKED])
        names = spoken_list([f"the {option.text}" for option in options], "or")
        if isinstance(resolved, Unclear):
            question = Question("name", options)
            if len(options) == 1:
                return asked(f"Do you mean {names}?", question, "did_you_mean", choices=names)
            return asked(f"Which one: {names}?", question, "which", choices=names)
        what = plain_kind(resolved.what)
        if len(resolved.devices) > MOST_ASKED:
            return asked(f"Which {what}?", Question("name"), "which_of_many", what=what)
        return asked(f"Which {what}: {names}?", Question("name", options), "which", choices=names)

    def _missing(self, home: Home, request: Request, missing: Missing) -> Result:
        """It is there, but cannot do this; or it is not there."""
        anything = resolve(home, request.slots)
        if isinstance(anything, Found):
            doing = _doing(anything.devices[0], operation(request, OPERATIONS))
            return failed(f"I can't {doing} {_names(anything.devices)}.", "impossible", action=doing)
        return failed(f"There is no {missing.what}.", "missing", what=missing.what)

    # -- asking ------------------------------------------------------------------------------------------------------

    def _state(self, home: Home, request: Request) -> Result:
        wanted = request.slots.get("state")
        about = {key: value for key, value in request.slots.items() if key != "state"}
        if not about.get("name") and not about.get("device_id"):
            resolved = resolve(home, {"area": EVERYWHERE, **about} if not about.get("floor") else about)
            return self._states(request, resolved.devices) if isinstance(resolved, Found) else _no_device(resolved)
        return self._with_devices(home, request, (), lambda found: self._state_of(found.devices[0], wanted, request))

    def _state_of(self, device: Device, wanted: Any, request: Request) -> Result:
        state = self.house.states([device])[device.id]
        plain, words = word(device, state), described(device, state)
        values = {
            "name": request.slots.get("name") or full_name(device),
            "state": words or None,
            "known": plain or None,
        }
        if not words:
            return Result(values, "unknown_state", f"I don't know the state of the {full_name(device)}.")
        if wanted is None:
            return Result(values, request.response, f"The {full_name(device)} is {words}.")
        values["answer"] = "Yes" if plain == wanted else "No"
        return Result(values, request.response, f"{values['answer']}, the {full_name(device)} is {words}.")

    def _states(self, request: Request, devices: tuple[Device, ...]) -> Result:
        """Any, all, which and how many of a group are in a state: the wording's reply key says which is asked."""
        wanted = str(request.slots.get("state") or "on")
        states = self.house.states(devices)
        matched = [device for device in devices if word(device, states[device.id]) == wanted]
        others = [device for device in devices if device not in matched]
        is_are = "is" if len(matched) == 1 else "are"
        yes = f"Yes, {_names(matched)} {is_are} {wanted}." if matched else f"No, none is {wanted}."
        texts = {
            "any": yes,
            "all": f"No, {_names(others)} {'is' if len(others) == 1 else 'are'} not {wanted}." if others else "Yes.",
            "which": f"{_capital(_names(matched))} {is_are} {wanted}." if matched else f"None is {wanted}.",
            "how_many": f"{len(matched)} of {len(devices)}.",
        }
        right = not others if request.response == "all" else bool(matched)
        values = {
            "count": len(matched),
            "total": len(devices),
            "matched": _names(matched) if matched else None,
            "others": _names(others) if others else None,
            "answer": "Yes" if right else "No",
        }
        return Result(values, request.response, texts.get(request.response, yes))

    def _temperature(self, home: Home, request: Request) -> Result:
        def tell(found: Found) -> Result:
            device = found.devices[0]
            state = self.house.states([device])[device.id]
            degrees = state.get("current_temperature", state.get("temperature"))
            if degrees is None:
                return failed(f"I don't know the temperature of the {full_name(device)}.", "unknown_state")
            return Result({"temperature": degrees, "name": full_name(device)}, "", "")

        return self._with_devices(home, request, ("climate",), tell)

    # -- scenes ------------------------------------------------------------------------------------------------------

    def _scene(self, home: Home, request: Request) -> Scene | None:
        name = request.slots.get("scene") or request.slots.get("name")
        return home.scene(str(name)) if name else None

    def _activate(self, scene: Scene, home: Home) -> Result:
        """Do what home.yaml says of the scene, or what the house remembers of it."""
        moves = self._written(scene, home) if scene.states else self.house.activate(scene)
        if moves is None:
            text = f"I don't know yet what {scene.name} looks like. Set everything as you like it, then save the scene."
            return failed(text, "empty_scene", scene=scene.name)
        return Result({"scene": scene.name, "name": scene.name}, undo=lambda: self._undo("on", moves))

    def _written(self, scene: Scene, home: Home) -> Sequence[Move]:
        devices = [device for device in home.devices if device.id in scene.states]
        before = self.house.states(devices)
        moves = [
            Move(device, before[device.id], _in_scene(before[device.id], scene.states[device.id])) for device in devices
        ]
        self.house.move(RESTORE, moves)
        return moves

    def _save(self, scene: Scene, home: Home) -> Result:
        """Remember how everything is now, except what may let somebody in."""
        if scene.states:
            return failed(f"What {scene.name} does is written in home.yaml.", "written_scene", scene=scene.name)
        if not self.house.keeps_scenes:
            return failed("I can't save scenes here: that is done where the devices are.", "no_scenes")
        self.house.save(scene, [device for device in home.devices if not device.confirm])
        return Result({"scene": scene.name}, "saved", f"I will remember this as {scene.name}.")


def create() -> Devices:
    """The skill as its entry point makes it."""
    return Devices()


def _no_device(resolved: Any) -> Result:
    what = resolved.what if isinstance(resolved, Missing) else "such device"
    return failed(f"There is no {what}.", "missing", what=what)


def _in_scene(before: State, new: State) -> State:
    """A state after a scene: what it does not name stays; a light shows a colour or a white, not both."""
    other = {"color": "temperature", "temperature": "color"}
    gone = {other[name] for name in new if name in other}
    return {**{name: value for name, value in before.items() if name not in gone}, **new}


def _merged(before: State, new: State) -> State:
    return {name: value for name, value in {**before, **new}.items() if value is not None}


def _option(device: Device, request: Request) -> Option:
    name = full_name(device)
    also = [device.name, f"{device.name} in the {device.area}"]
    if device.area:
        also += [device.area, f"{device.area} one", f"one in the {device.area}"]
    return Option({**request.slots, "name": name, "device_id": device.id}, name, tuple(also))


def _doing(device: Device, what: str) -> str:
    special = {"cover": _DOING_COVER, "valve": _DOING_COVER, "lock": _DOING_LOCK}.get(device.domain, _DOING)
    return special.get(what, what.replace("_", " "))


def _names(devices: Iterable[Device]) -> str:
    return spoken_list([f"the {full_name(device)}" for device in devices])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
