from __future__ import annotations

import pytest

from assistant.audio.devices import Device, Direction
from assistant.audio.portaudio import why_not
from assistant.errors import DeviceInUse

MIC = Device("USB Mic", "USB Mic (hw:1,0)", 3, inputs=2, outputs=0, rate_hz=48_000)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (-9985, "USB Mic: the microphone is in use by another program; end that program, or name another device"),
        (-9998, "USB Mic: the microphone does not do 4 channels at 16000 Hz; ask for at most 2 channels, and 48000 Hz"),
        (-9997, "USB Mic: the microphone does not do 4 channels at 16000 Hz"),
        (-9999, r"USB Mic: the microphone cannot be opened \(Error\); check that it is plugged in"),
    ],
)
def test_what_portaudio_says_becomes_one_line_with_a_remedy(code: int, text: str) -> None:
    """A busy card needs hardware; its number is paDeviceUnavailable of portaudio.h, the others are beside it."""
    error = why_not(RuntimeError("Error", code), MIC, Direction.INPUT, channels=4, rate_hz=16_000)
    assert isinstance(error, DeviceInUse) == (code == -9985)
    with pytest.raises(type(error), match=text):
        raise error


def test_an_error_without_a_number_still_says_what_it_is() -> None:
    error = why_not(RuntimeError("no luck"), MIC, Direction.OUTPUT, channels=1, rate_hz=16_000)
    assert "the loudspeaker cannot be opened (no luck)" in str(error)
