"""The phrase cache, on a real disk."""

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from assistant.speak.phrases import PhraseCache

RATE_HZ = 16_000


def tone(length: int = 1_600) -> NDArray[np.int16]:
    return (8_000 * np.sin(np.arange(length) / 7)).astype(np.int16)


def cache(folder: Path | None, **bounds: int) -> PhraseCache:
    return PhraseCache(folder, voice="test", sample_rate=RATE_HZ, **bounds)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.wav"))


def test_a_sentence_rendered_ahead_survives_the_process(tmp_path: Path) -> None:
    cache(tmp_path).keep("Okay.", tone(), ahead=True)
    again = cache(tmp_path).get("Okay.")
    assert again is not None
    np.testing.assert_array_equal(again, tone())
    assert not again.flags.writeable


def test_what_is_said_once_stays_in_memory_and_the_second_time_reaches_the_disk(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    kept.keep("Added the birthday cake.", tone())
    assert files(tmp_path) == []
    assert kept.get("Added the birthday cake.") is not None
    kept.keep("Added the birthday cake.", tone())
    assert len(files(tmp_path)) == 1


def test_only_the_owner_may_read_what_was_said(tmp_path: Path) -> None:
    folder = tmp_path / "phrases"
    cache(folder).keep("Okay.", tone(), ahead=True)
    assert folder.stat().st_mode & 0o077 == 0
    assert files(folder)[0].stat().st_mode & 0o077 == 0


def test_another_voice_does_not_get_this_ones_sound(tmp_path: Path) -> None:
    cache(tmp_path).keep("Okay.", tone(), ahead=True)
    assert PhraseCache(tmp_path, voice="other", sample_rate=RATE_HZ).get("Okay.") is None


def test_the_longest_unused_files_leave_when_the_disk_share_is_full(tmp_path: Path) -> None:
    bound = 20_000
    kept = cache(tmp_path, disk_bytes=bound)
    for number in range(20):
        kept.keep(f"Sentence {number}.", tone(), ahead=True)
    assert sum(path.stat().st_size for path in files(tmp_path)) <= bound
    assert kept.disk_bytes <= bound
    later = cache(tmp_path)
    assert later.get("Sentence 19.") is not None
    assert later.get("Sentence 0.") is None


@pytest.mark.parametrize("damage", [b"", b"RIFF", b"\0" * 3_244, b"not a wav at all"])
def test_a_damaged_file_is_a_miss_and_is_written_anew(tmp_path: Path, damage: bytes) -> None:
    cache(tmp_path).keep("Okay.", tone(), ahead=True)
    files(tmp_path)[0].write_bytes(damage)
    kept = cache(tmp_path)
    assert kept.get("Okay.") is None
    kept.keep("Okay.", tone(), ahead=True)
    assert cache(tmp_path).get("Okay.") is not None


def test_a_truncated_file_is_a_miss(tmp_path: Path) -> None:
    cache(tmp_path).keep("Okay.", tone(), ahead=True)
    path = files(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-100])
    assert cache(tmp_path).get("Okay.") is None


def test_a_disk_that_cannot_be_written_costs_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be")
    kept = cache(blocked / "phrases")
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            kept.keep(f"Sentence {number}.", tone(), ahead=True)
    assert [kept.get(f"Sentence {number}.") is not None for number in range(3)] == [True] * 3
    assert len(caplog.records) == 1
    assert "in memory only" in caplog.text


def test_a_read_only_file_system_is_survived(caplog: pytest.LogCaptureFixture) -> None:
    kept = cache(Path("/proc/phrases"))  # not even root may write there
    kept.keep("Okay.", tone(), ahead=True)
    assert kept.get("Okay.") is not None
    assert "in memory only" in caplog.text


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 400)), max_size=60))
def test_memory_never_exceeds_its_bound(said: list[tuple[str, int]]) -> None:
    bound = 2_000
    kept = cache(None, memory_bytes=bound)
    for text, length in said:
        if kept.get(text) is None:
            kept.keep(text, tone(length))
        assert kept.memory_bytes <= bound
