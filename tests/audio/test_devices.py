from __future__ import annotations

import pytest

from assistant.audio.devices import Device, Direction, find, stable_name
from assistant.errors import DeviceError


def device(full_name: str, index: int, inputs: int = 2, outputs: int = 0, **more: object) -> Device:
    return Device(stable_name(full_name), full_name, index, inputs, outputs, 48_000, **more)  # type: ignore[arg-type]


SEEED = device("seeed-4mic-voicecard: bcm2835-i2s (hw:1,0)", 0, inputs=4)
CAMERA = device("HD Webcam: USB Audio (hw:2,0)", 1, inputs=1)
JACK = device("bcm2835 Headphones: - (hw:0,0)", 2, inputs=0, outputs=8, default_output=True)
PULSE = device("pulse", 3, inputs=32, outputs=32, default_input=True)
ALL = (SEEED, CAMERA, JACK, PULSE)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("seeed-4mic-voicecard: bcm2835-i2s", SEEED),
        ("seeed-4mic-voicecard: bcm2835-i2s (hw:1,0)", SEEED),
        ("SEEED", SEEED),
        ("webcam", CAMERA),
        ("pulse", PULSE),
        (None, PULSE),
        ("default", PULSE),
    ],
)
def test_a_microphone_is_found_by_its_name_or_part_of_it(name: str | None, expected: Device) -> None:
    assert find(ALL, name, Direction.INPUT) is expected


def test_the_name_is_the_same_whatever_number_the_card_has_today() -> None:
    assert stable_name("HD Webcam: USB Audio (hw:7,0)") == stable_name("HD Webcam: USB Audio (hw:2,0)")
    assert stable_name("pulse") == "pulse"


def test_a_whole_name_goes_before_a_part_of_another() -> None:
    both = (device("mic4", 0), device("mic", 1))
    assert find(both, "mic", Direction.INPUT) is both[1]


def test_a_name_that_fits_several_lists_them() -> None:
    twins = (device("USB Mic: Audio (hw:1,0)", 0), device("USB Mic: Audio (hw:2,0)", 1))
    with pytest.raises(DeviceError, match=r"the name fits 2 microphones; name one of .*hw:1,0.*hw:2,0"):
        find(twins, "usb mic", Direction.INPUT)
    assert find(twins, "USB Mic: Audio (hw:2,0)", Direction.INPUT) is twins[1]


def test_one_device_seen_through_two_sound_systems_is_not_ambiguous() -> None:
    seen = (device("USB Mic", 0), device("USB Mic", 1, system="JACK"))
    assert find(seen, "usb", Direction.INPUT) is seen[0]


def test_a_name_that_fits_none_lists_all_and_the_nearest() -> None:
    with pytest.raises(DeviceError, match=r'did you mean "pulse"\? there is "seeed') as caught:
        find(ALL, "pulze", Direction.INPUT)
    assert "Headphones" not in caught.value.remedy
    assert caught.value.where == "pulze"


def test_a_loudspeaker_is_no_microphone() -> None:
    with pytest.raises(DeviceError, match="no microphone has this name"):
        find(ALL, "headphones", Direction.INPUT)
    assert find(ALL, "headphones", Direction.OUTPUT) is JACK


def test_a_device_that_is_called_default_is_taken_by_its_name() -> None:
    named = device("default", 9)
    assert find((*ALL, named), "default", Direction.INPUT) is named


def test_without_a_default_the_only_device_is_taken_and_of_several_one_must_be_named() -> None:
    assert find((CAMERA,), None, Direction.INPUT) is CAMERA
    with pytest.raises(DeviceError, match="there is no default microphone"):
        find((CAMERA, SEEED), None, Direction.INPUT)


def test_without_any_device_the_remedy_is_to_connect_one() -> None:
    with pytest.raises(DeviceError, match="connect one"):
        find((), None, Direction.OUTPUT)


def test_an_empty_name_is_no_part_of_every_name() -> None:
    with pytest.raises(DeviceError, match="no microphone"):
        find(ALL, "", Direction.INPUT)


def test_all_real_channels_are_opened_but_one_of_a_plug_in_that_makes_them_up() -> None:
    assert SEEED.own_channels(Direction.INPUT) == 4
    assert JACK.own_channels(Direction.OUTPUT) == 8
    assert PULSE.own_channels(Direction.INPUT) == 1
