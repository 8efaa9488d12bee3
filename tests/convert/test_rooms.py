from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.errors import InputError
from convert.rooms import Rooms, _loudest, at_ratio, coloured, read, room_bank
from convert.sources import VALIDATION_NOISES, noise_files, readings, split_of


def tone(samples: int = 32_000) -> NDArray[np.float64]:
    return np.asarray(0.1 * np.sin(np.arange(samples) / 7))


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 12.0])
def test_noise_stands_at_the_ratio_that_was_drawn(snr_db: float) -> None:
    noise = at_ratio(tone(), coloured(32_000, np.random.default_rng(0)), snr_db)
    assert 10 * np.log10(_loudest(tone()) / _loudest(noise)) == pytest.approx(snr_db, abs=1e-6)


def test_rooms_ring_as_long_as_they_should_and_are_kept(tmp_path: Path) -> None:
    bank = room_bank(tmp_path)
    assert len({round(rt60_s, 4) for rt60_s, _ in bank}) > 20
    for rt60_s, response in bank:
        assert np.abs(response).max() == pytest.approx(1.0)
        assert len(response) <= rt60_s * 16_000 + 16
    again = room_bank(tmp_path)
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(bank, again, strict=True))


@pytest.mark.real
def test_the_same_seed_hears_the_same_samples(tmp_path: Path, data: Path) -> None:
    rooms = Rooms(data, tmp_path, readings(data))
    one, other = (rooms.hear(tone(), np.random.default_rng(9), "train")[0] for _ in range(2))
    assert np.array_equal(one, other)
    assert np.abs(one.astype(int)).max() < 32_768


def test_a_file_that_is_no_sound_is_named(tmp_path: Path) -> None:
    file = tmp_path / "broken.flac"
    file.write_bytes(b"not a sound")
    with pytest.raises(InputError, match="broken.flac"):
        read(file)


def test_noises_for_validation_are_other_classes(data: Path) -> None:
    train, valid = (set(noise_files(data, split)) for split in ("train", "valid"))
    assert train
    assert valid
    assert not train & valid
    assert len(VALIDATION_NOISES) == 2


def test_an_empty_noise_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_text("")
    with pytest.raises(InputError, match="no noise"):
        noise_files(tmp_path, "train")


def test_an_empty_voice_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_text("")
    with pytest.raises(InputError, match="no recordings"):
        readings(tmp_path)


def test_a_speaker_is_in_one_split_only(data: Path) -> None:
    splits: dict[tuple[str, str], set[str]] = {}
    for reading in readings(data):
        splits.setdefault((reading.origin, reading.speaker), set()).add(reading.split)
    assert all(len(found) == 1 for found in splits.values())
    assert split_of("an4", "fash") == split_of("an4", "fash")
