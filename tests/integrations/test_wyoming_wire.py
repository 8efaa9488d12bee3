"""Wyoming's frames: sound comes out as it went in, however it was cut."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import InputError

pytest.importorskip("wyoming", reason="the extra wyoming is not installed")
from wyoming.event import Event

from assistant.integrations.wyoming_wire import MOST_HEADER_BYTES, Resampler, read_event

CUTS = st.lists(st.integers(0, 400), max_size=8)


def heard(data: bytes, cuts: list[int], rate_hz: int, channels: int) -> bytes:
    resampler, pieces = Resampler(), []
    edges = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    for begin, end in itertools.pairwise(edges):
        event = Event("audio-chunk", {"rate": rate_hz, "width": 2, "channels": channels}, data[begin:end])
        pieces.append(resampler.heard(event))
    return np.concatenate([*pieces, resampler.rest()]).tobytes()


@given(st.binary(min_size=2, max_size=400).filter(lambda data: len(data) % 2 == 0), CUTS)
def test_at_our_rate_every_sample_comes_through(data: bytes, cuts: list[int]) -> None:
    assert heard(data, cuts, 16_000, 1) == data


@given(cuts=CUTS, rate_hz=st.sampled_from([8_000, 44_100, 48_000]), channels=st.sampled_from([1, 2, 4]))
def test_at_another_rate_the_cuts_do_not_matter(cuts: list[int], rate_hz: int, channels: int) -> None:
    data = np.random.default_rng(7).integers(-20_000, 20_000, 4_000, np.int16).tobytes()
    whole, cut = (np.frombuffer(heard(data, at, rate_hz, channels), np.int16).astype(int) for at in ([], cuts))
    assert len(cut) == len(whole)
    assert np.abs(cut - whole).max() <= 2  # soxr rounds with a little noise


def test_a_rate_that_changes_in_the_middle_is_refused() -> None:
    resampler = Resampler()
    resampler.heard(Event("audio-chunk", {"rate": 16_000, "width": 2, "channels": 1}, b"\0\0"))
    with pytest.raises(InputError, match="rate or channels change in the middle"):
        resampler.heard(Event("audio-chunk", {"rate": 8_000, "width": 2, "channels": 1}, b"\0\0"))


@given(st.binary(max_size=300))
def test_whatever_comes_is_an_event_an_error_or_the_end(data: bytes) -> None:
    async def read() -> Event | None:
        reader = asyncio.StreamReader(limit=MOST_HEADER_BYTES)
        reader.feed_data(data)
        reader.feed_eof()
        return await read_event(reader)

    with contextlib.suppress(InputError):
        event = asyncio.run(read())
        assert event is None or isinstance(event.type, str)
