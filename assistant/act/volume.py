"""How loud the assistant is: the sound server's volume, else the sound card's, else a gain of its own.

pactl (PulseAudio, PipeWire) ─► amixer (ALSA) ─► own gain, which the playback multiplies with
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from assistant.act.database import Database
from assistant.act.keep import open_kept
from assistant.act.skill import Question, Request, Result, Services, asked, failed, operation

FILE = "volume.db"
STEP_PERCENT = 10
PROGRAM_TIMEOUT_S = 2.0
# ALSA controls that are the volume of a loudspeaker, best first.
CONTROLS = ("Master", "PCM", "Speaker", "Headphone", "Digital", "Playback")

MIGRATIONS = ("CREATE TABLE gain (id INTEGER PRIMARY KEY CHECK (id = 1), percent REAL, muted INTEGER) STRICT",)

OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        "HassSetVolume": "set",
        "HassSetVolumeRelative": "step",
        "HassMediaPlayerMute": "mute",
        "HassMediaPlayerUnmute": "unmute",
        "VolumeStatus": "status",
    }
)


class Mixer(Protocol):
    """Something that has a volume."""

    name: str

    def read(self) -> tuple[int, bool]:
        """Volume in percent, and whether it is muted. Raises OSError where it cannot be reached."""
        ...

    def write(self, percent: int, *, muted: bool) -> None:
        """Set both. Raises OSError."""
        ...


class PulseMixer:
    """The sound server's default output."""

    name = "pactl"

    def read(self) -> tuple[int, bool]:
        shown = _run("pactl", "get-sink-volume", "@DEFAULT_SINK@")
        return _percent(shown), _run("pactl", "get-sink-mute", "@DEFAULT_SINK@").strip().endswith("yes")

    def write(self, percent: int, *, muted: bool) -> None:
        _run("pactl", "set-sink-volume", "@DEFAULT_SINK@", f"{percent}%")
        _run("pactl", "set-sink-mute", "@DEFAULT_SINK@", "1" if muted else "0")


class AlsaMixer:
    """A control of the sound card; its percentages follow the ear (amixer -M)."""

    name = "amixer"

    def __init__(self) -> None:
        controls = re.findall(r"'([^']+)'", _run("amixer", "scontrols"))
        found = next((control for control in CONTROLS if control in controls), None)
        if found is None:
            raise OSError("the sound card has no volume control")
        self._control = found

    def read(self) -> tuple[int, bool]:
        shown = _run("amixer", "-M", "sget", self._control)
        return _percent(shown), "[off]" in shown

    def write(self, percent: int, *, muted: bool) -> None:
        _run("amixer", "-M", "sset", self._control, f"{percent}%", "mute" if muted else "unmute")


class OwnGain:
    """A number of our own, kept in a file; `factor` is what the playback multiplies samples with."""

    name = "own"

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def factor(self) -> float:
        """0..1; the square of the percentage is near to how loud it seems."""
        percent, muted = self.read()
        return 0.0 if muted else (percent / 100) ** 2

    def read(self) -> tuple[int, bool]:
        rows = self._database.rows("SELECT percent, muted FROM gain")
        return (round(rows[0][0]), bool(rows[0][1])) if rows else (100, False)

    def write(self, percent: int, *, muted: bool) -> None:
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO gain VALUES (1, ?, ?)", (percent, int(muted)))


class Volume:
    """The skill. A sentence that names a device or a room is none of its: that is the home's."""

    name = "volume"
    devices_go_to = "home"
    reversible = True

    def start(self, services: Services) -> None:
        """Find out what has a volume here."""
        kept = open_kept(services.state, FILE, MIGRATIONS)
        self._database, self.own = kept.database, OwnGain(kept.database)
        self.mixer: Mixer = find_mixer() or self.own

    def stop(self) -> None:
        """Close the file."""
        self._database.close()

    def handle(self, request: Request) -> Result:
        if request.slots.get("name") or request.slots.get("area"):
            return failed("I can only change how loud I am myself.", "not_mine")
        try:
            percent, muted = self.mixer.read()
            return self._change(request, percent, muted=muted)
        except (OSError, subprocess.SubprocessError):
            return failed("I can't reach the volume control.", "unreachable")

    def _change(self, request: Request, percent: int, *, muted: bool) -> Result:
        slots, what = request.slots, operation(request, OPERATIONS)
        wanted, silent = percent, muted
        if what == "set":
            if slots.get("volume_level") is None:
                return asked("How loud, in percent?", Question("volume_level"), "how_loud")
            wanted, silent = round(float(slots["volume_level"])), False
            if not 0 <= wanted <= 100:
                return failed("The volume goes from 0 to 100 percent.", "impossible")
        elif what == "step":
            wanted, silent = min(max(percent + volume_step(slots), 0), 100), False
        elif what in ("mute", "unmute"):
            silent = what == "mute"
        elif what != "status":
            return failed("I don't know what to do with the volume then.", "unknown")
        values = {"volume": wanted, "volume_level": wanted, "muted": "muted" if silent else None}
        if what == "status":
            return Result(values, "status", "I am muted." if muted else f"The volume is at {percent} percent.")
        self.mixer.write(wanted, muted=silent)
        if what == "step" and wanted == percent and percent in (0, 100):
            return Result(values, "limit", f"It is at {percent} percent already.")
        return Result(values, undo=lambda: self._undo(percent, muted=muted))

    def _undo(self, percent: int, *, muted: bool) -> Result:
        self.mixer.write(percent, muted=muted)
        return Result(response="undone", text=f"The volume is at {percent} percent again.")


def find_mixer() -> Mixer | None:
    """The sound server's volume or the sound card's, None where there is neither."""
    for program, make in (("pactl", PulseMixer), ("amixer", AlsaMixer)):
        if shutil.which(program):
            try:
                mixer: Mixer = make()
                mixer.read()
            except (OSError, ValueError, subprocess.SubprocessError):
                continue
            return mixer
    return None


def create() -> Volume:
    """The skill as its entry point makes it."""
    return Volume()


def volume_step(slots: Mapping[str, Any]) -> int:
    """How much louder the slot `volume_step` asks for, in percent: "up", "down", or a number."""
    said = slots.get("volume_step", "up")
    if isinstance(said, (int, float)):
        return round(said)
    return -STEP_PERCENT if str(said) in ("down", "quieter") else STEP_PERCENT


def _percent(shown: str) -> int:
    """The first percentage in a program's output."""
    found = re.search(r"(\d+)%", shown)
    if found is None:
        raise OSError("no volume is shown")
    return int(found[1])


def _run(*command: str) -> str:
    arguments: Sequence[str] = command
    done = subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_TIMEOUT_S,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "LC_ALL": "C"},
    )
    if done.returncode:
        raise OSError(done.stderr.strip() or f"{command[0]} failed")
    return done.stdout
