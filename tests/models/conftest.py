"""A server to fetch from and an empty store to fetch into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.models.store import Store
from tests.models.serving import PassingClock, Served, model_files, serving, zipped


@pytest.fixture
def served() -> Iterator[Served]:
    """The server, with a good archive."""
    with serving(zipped(model_files())) as state:
        yield state


@pytest.fixture
def clock() -> PassingClock:
    """The store's clock."""
    return PassingClock()


@pytest.fixture
def store(tmp_path: Path, clock: PassingClock) -> Store:
    """An empty store."""
    return Store(tmp_path / "models", clock=clock)
