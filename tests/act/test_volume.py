"""The volume, of a real sound server and of our own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from assistant.act.home import Devices
from assistant.act.volume import OwnGain, PulseMixer, Volume
from tests.sound_server import SPEAKER, SoundServer, running_server

Run = Callable[..., Any]


@pytest.fixture
def own(run: Run) -> Any:
    """An assistant that has only its own gain."""
    volume = Volume()
    assistant = run(volume)
    volume.mixer = volume.own
    return assistant


@pytest.fixture(scope="module")
def sound_server() -> Iterator[SoundServer]:
    missing = SoundServer.missing()
    if missing:
        pytest.skip(f"not installed: {missing}")
    with running_server() as server:
        server.pactl("set-default-sink", SPEAKER.name)
        yield server


def sink_volume(server: SoundServer) -> int:
    found = re.search(r"(\d+)%", server.pactl("get-sink-volume", SPEAKER.name))
    assert found
    return int(found[1])


def test_volume_is_set_raised_lowered_and_told(own: Any) -> None:
    assert own.ask("volume", "HassSetVolume", volume_level=40).values["volume"] == 40
    assert own.ask("volume", "HassSetVolumeRelative", volume_step="up").values["volume"] == 50
    assert own.ask("volume", "HassSetVolumeRelative", volume_step="down").values["volume"] == 40
    assert own.ask("volume", "HassSetVolumeRelative", volume_step=-15).values["volume"] == 25
    assert own.ask("volume", "VolumeStatus").text == "The volume is at 25 percent."


def test_mute_is_silence_until_the_volume_is_touched(own: Any) -> None:
    gain: OwnGain = own.skills["volume"].own
    own.ask("volume", "HassSetVolume", volume_level=50)
    assert gain.factor == 0.25
    own.ask("volume", "HassMediaPlayerMute")
    assert gain.factor == 0.0
    own.ask("volume", "HassMediaPlayerUnmute")
    assert gain.factor == 0.25


def test_the_ends_are_said_and_what_is_beyond_them_refused(own: Any) -> None:
    own.ask("volume", "HassSetVolume", volume_level=100)
    assert own.ask("volume", "HassSetVolumeRelative", volume_step="up").text == "It is at 100 percent already."
    assert not own.ask("volume", "HassSetVolume", volume_level=130).ok


def test_a_change_is_taken_back_and_the_volume_outlives_the_process(own: Any, run: Run) -> None:
    own.ask("volume", "HassSetVolume", volume_level=40)
    own.ask("volume", "HassSetVolume", volume_level=90)
    own.skills.undo()
    own.skills.close()
    again = Volume()
    run(again)
    assert again.own.read() == (40, False)


def test_the_volume_of_a_device_is_the_homes(run: Run) -> None:
    volume, devices = Volume(), Devices()
    assistant = run(volume, devices)
    volume.mixer = volume.own
    assert assistant.ask("volume", "HassSetVolume", volume_level=40, name="television").ok
    assert volume.own.read() == (100, False)
    assert assistant.ask("home", "HassGetState", name="television").values["state"] is None
    assert assistant.ask("volume", "HassSetVolume", volume_level=30).ok
    assert volume.own.read() == (30, False)


@pytest.mark.real
def test_the_sound_servers_volume_is_the_assistants(run: Run, sound_server: SoundServer) -> None:
    volume = Volume()
    assistant = run(volume)
    assert volume.mixer.name == "pactl"
    assistant.ask("volume", "HassSetVolume", volume_level=35)
    assert sink_volume(sound_server) == 35
    assistant.ask("volume", "HassSetVolumeRelative", volume_step="up")
    assert sink_volume(sound_server) == 45
    assistant.ask("volume", "HassMediaPlayerMute")
    assert "yes" in sound_server.pactl("get-sink-mute", SPEAKER.name)
    assert assistant.ask("volume", "VolumeStatus").text == "I am muted."
    assistant.skills.undo()
    assert sink_volume(sound_server) == 45


@pytest.mark.real
def test_a_sound_server_that_dies_is_said_and_the_next_try_works_again(run: Run, sound_server: SoundServer) -> None:
    volume = Volume()
    assistant = run(volume)
    sound_server.kill()
    dead = assistant.ask("volume", "HassSetVolume", volume_level=35)
    assert (dead.ok, dead.text) == (False, "I can't reach the volume control.")
    sound_server.start()
    sound_server.pactl("set-default-sink", SPEAKER.name)
    assert isinstance(volume.mixer, PulseMixer)
    assert assistant.ask("volume", "HassSetVolume", volume_level=35).ok
    assert sink_volume(sound_server) == 35
