"""Files of the build: written beside and renamed, so that a broken-off stage leaves nothing half done."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant import whole
from assistant.errors import StorageError


@dataclass(frozen=True, slots=True)
class Places:
    """data: recordings; sounds: what voices said; work: shards, rooms; models: prepared recogniser and contexts."""

    data: Path
    sounds: Path
    work: Path
    models: Path


def write_whole(file: Path, data: bytes) -> None:
    """Write `data` to `file` whole or not at all. Raises StorageError (a full or read-only disk)."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        whole.write_whole(file, data)
    except OSError as error:
        raise StorageError(
            f"cannot be written ({error.strerror})",
            where=str(file),
            remedy="free some space and run the command again: it goes on where it stopped",
        ) from error


def write_arrays(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as a NumPy archive. Raises StorageError."""
    write_whole(file, archive(arrays))


def archive(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays as a NumPy archive; the same arrays give the same bytes."""
    out = io.BytesIO()
    # Its other keyword is no array, which the stubs cannot tell from these.
    np.savez(out, **dict[str, Any](arrays))
    return out.getvalue()
