"""The bundles that ship: whole, small, and of use to a spoken order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import models
from assistant.cli.bundles import faults
from assistant.grammar.tree import Context
from assistant.types import Outcome
from assistant.understand.decide import decide
from assistant.understand.fused.bundle import Wanted, bundle_folders, choose, open_bundle
from assistant.understand.fused.heads import find_heads
from assistant.understand.fused.manifest import GENERIC, read_manifest
from tests.understand.fused.conftest import Hear, Heard

ROOT = Path(models.__file__).parent
FOLDERS = list(bundle_folders([ROOT]))
MOST_BYTES = 8_000_000
VARIANTS = [(folder, variant.cost) for folder in FOLDERS for variant in read_manifest(folder).variants]

shipped = pytest.mark.parametrize(("folder", "cost"), VARIANTS, ids=[f"{f.name}/{cost}" for f, cost in VARIANTS])


def test_a_generic_one_is_among_them_and_all_are_small() -> None:
    assert GENERIC in {read_manifest(folder).context_hash for folder in FOLDERS}
    assert sum(file.stat().st_size for folder in FOLDERS for file in folder.iterdir()) <= MOST_BYTES


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_each_is_as_it_was_built_and_says_from_what(folder: Path) -> None:
    assert faults(folder) == []
    manifest = read_manifest(folder)
    assert manifest.name == folder.name
    assert manifest.licences
    assert manifest.command
    assert manifest.seeds


@shipped
def test_a_spoken_order_is_accepted_as_it_was_said(folder: Path, cost: str, order: Heard, barista: Context) -> None:
    understanding = decide(open_bundle(folder, cost).look(*order), barista)
    assert understanding.outcome is Outcome.ACCEPT
    assert understanding.slots == {"size": "large", "coffeeDrink": "latte", "milkAmount": "soy milk"}
    assert understanding.confidence > 0.8


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_order_that_somebody_talks_into_is_offered(
    folder: Path, order: Heard, barista: Context, spoken: Callable[[str], NDArray[np.int16]], hear: Hear
) -> None:
    tail = spoken("the train to the airport leaves every twenty minutes")[8_000:32_000]
    utterance, transcript = hear(np.concatenate([order[0].pcm[: int(order[0].speech_end_s * 16_000)], tail]))
    understanding = decide(open_bundle(folder).look(utterance, transcript), barista)
    assert understanding.outcome is Outcome.ASK
    assert understanding.slots == {"size": "large", "coffeeDrink": "latte", "milkAmount": "soy milk"}


def test_a_spoken_order_is_understood_from_sound_alone(order: Heard, barista: Context) -> None:
    heads = find_heads(FOLDERS, barista, "moonshine/tiny-en/int8/beam16")
    assert heads is not None
    understanding = decide(heads.answer(replace(order[1], hypotheses=())), barista)
    assert understanding.outcome is Outcome.ACCEPT
    assert understanding.slots == {"size": "large", "coffeeDrink": "latte", "milkAmount": "soy milk"}


def test_the_context_of_the_orders_has_one_of_its_own(barista: Context) -> None:
    found = choose(FOLDERS, Wanted(barista.hash, "en", "moonshine/tiny-en/int8/beam16"))
    assert found is not None
    assert found.name == "barista/full"
