"""The parts of the assistant as a configuration asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args, get_origin

import numpy as np
import pytest

from assistant.audio.array import KNOWN_ARRAYS, SPEED_OF_SOUND_M_S
from assistant.audio.frontend import DelayAndSum, Mean
from assistant.cli.assembly import build_front_end
from assistant.config import Config
from assistant.config.keys import KEYS
from assistant.config.layers import load
from assistant.errors import ConfigError
from assistant.types import SAMPLE_RATE_HZ, AudioBlock

APART_M = 0.2
TWO = f"audio.array=[[{-APART_M / 2}, 0, 0], [{APART_M / 2}, 0, 0]]"


def configured(*values: str) -> Config:
    """The defaults with some values set."""
    return load(settings=values, environment={"HOME": "/nowhere"}, system_folder=Path("/nowhere")).config


def summing(*values: str) -> Config:
    """delay_and_sum with some values set."""
    return configured("audio.frontend=delay_and_sum", *values)


def loudness_from_the_left(*values: str) -> float:
    """How loud a tone is that reaches the left microphone first, when the front end listens as configured."""
    config = summing(TWO, *values)
    tone_hz = SPEED_OF_SOUND_M_S / APART_M / 2  # the wave's two ends are half a period apart
    at = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    left = 10_000 * np.sin(2 * np.pi * tone_hz * at)
    right = 10_000 * np.sin(2 * np.pi * tone_hz * (at - APART_M / SPEED_OF_SOUND_M_S))
    block = AudioBlock(np.stack([left, right]).astype(np.int16), 0.0)
    return float(build_front_end(config, 2).process(block).pcm[1_000:].std())


def test_delay_and_sum_listens_where_it_is_told() -> None:
    assert loudness_from_the_left("audio.azimuth_deg=180") == pytest.approx(10_000 / np.sqrt(2), rel=0.02)
    assert loudness_from_the_left() < 100  # ahead, the tone cancels out


def test_every_array_that_can_be_named_is_known() -> None:
    (hint, _) = get_args(KEYS["audio.array"].type)
    (names,) = (get_args(part) for part in get_args(hint) if get_origin(part) is Literal)
    assert set(names) == set(KNOWN_ARRAYS)
    for name in names:
        config = summing(f"audio.array={name}")
        assert isinstance(build_front_end(config, KNOWN_ARRAYS[name].channels), DelayAndSum)


def test_an_array_that_is_not_the_microphones_is_refused() -> None:
    config = summing("audio.array=ps_eye")
    with pytest.raises(ConfigError, match="needs the place of each of the 2 microphones; set audio.array"):
        build_front_end(config, 2)


def test_without_more_being_said_channels_are_averaged() -> None:
    assert isinstance(build_front_end(configured(), 2), Mean)
