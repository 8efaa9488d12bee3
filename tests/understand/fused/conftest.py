"""What the tests of the fused model share: a recognised order, and a bundle whose net is real and linear."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.grammar.load import load_context
from assistant.grammar.tree import Context
from assistant.listen.clip import cut_clip
from assistant.listen.vad import open_vad
from assistant.types import Transcript, Utterance
from assistant.understand.fused.projection import FeatureSpec
from tests.understand.fused.linear_net import global_weights, linear_net, write_bundle

if TYPE_CHECKING:
    from assistant.recognize.moonshine.engine import Moonshine

Heard = tuple[Utterance, Transcript]
Hear = Callable[[NDArray[np.int16]], Heard]

SAID = "Can I have a large latte with soy milk?"
LINEAR = linear_net(
    FeatureSpec(),
    {
        "right": {"globals": global_weights(margin=0.3, min_log_p=0.8), "bias": 2.0},
        "whole": {"globals": global_weights(longest_uncovered_s=-6.0, gap_after_s=-3.0), "bias": 3.0},
    },
)
"""A net that reads the margin and the faintest token as `right`, and speech that no token explains as not `whole`."""


@pytest.fixture(scope="session")
def barista() -> Context:
    """The context of the orders."""
    return load_context("barista")


@pytest.fixture(scope="session")
def hear(moonshine: Moonshine, barista: Context) -> Hear:
    """What the recogniser makes of a whole recording."""
    prepared, vad = moonshine.prepare(barista), open_vad("auto")

    def one(pcm: NDArray[np.int16]) -> Heard:
        utterance = cut_clip(pcm, vad)
        return utterance, moonshine.open(prepared).finish(utterance)

    return one


@pytest.fixture(scope="session")
def order(spoken: Callable[[str], NDArray[np.int16]], hear: Hear) -> Heard:
    """A spoken order."""
    return hear(spoken(SAID))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle for every context, its net LINEAR."""
    return write_bundle(tmp_path / "generic", LINEAR)
