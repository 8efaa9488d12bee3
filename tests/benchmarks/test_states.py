"""What was heard is kept whole, also where several runs keep the same at once."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.states import write_arrays

SAMPLES = 20_000


class BreaksOff:
    """An array that cannot be read."""

    def __array__(self, *_: object, **__: object) -> NDArray[np.float32]:
        raise KeyboardInterrupt


def read(path: Path) -> dict[str, NDArray[np.float32]]:
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    write_arrays(tmp_path / "clip.npz", {"voice": np.arange(5.0), "empty": np.zeros(0)})
    found = read(tmp_path / "clip.npz")
    np.testing.assert_array_equal(found["voice"], np.arange(5.0))
    assert found["empty"].shape == (0,)


def test_a_run_that_is_broken_off_while_writing_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "clip.npz"
    write_arrays(path, {"voice": np.ones(3)})
    with pytest.raises(KeyboardInterrupt):
        write_arrays(path, {"voice": np.zeros(SAMPLES), "then": BreaksOff()})
    np.testing.assert_array_equal(read(path)["voice"], np.ones(3))
    assert [*tmp_path.iterdir()] == [path]


def test_who_reads_while_others_write_the_same_file_finds_all_of_one_of_them(tmp_path: Path) -> None:
    path = tmp_path / "clip.npz"
    sounds = [np.random.default_rng(seed).standard_normal(SAMPLES).astype(np.float32) for seed in range(3)]
    write_arrays(path, {"voice": sounds[0]})

    def keep_on_writing(sound: NDArray[np.float32]) -> None:
        for _ in range(10):
            write_arrays(path, {"voice": sound})

    writers = [threading.Thread(target=keep_on_writing, args=(sound,)) for sound in sounds]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        found = read(path)["voice"]
        assert any(np.array_equal(found, sound) for sound in sounds)
    for writer in writers:
        writer.join()
    assert [*tmp_path.iterdir()] == [path]
