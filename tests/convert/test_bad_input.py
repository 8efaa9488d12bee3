"""Contexts of unusual sizes, and a disk that fills up in the middle: what is there stays, and the rest follows."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from assistant.grammar.load import load_context
from assistant.grammar.tree import Context, ListRef, ListValue, Sequence, Template, Text, TextList
from convert.synthesize import FULL, Company, balanced, context_takes
from convert.voices import FORMANT, RECORDED

COMPANY = Company({"train": (), "valid": ()}, ("what a lovely day it is",), (*RECORDED, *FORMANT))
INTENTS, VALUES = 50, 500


def context(templates: tuple[Template, ...], values: tuple[str, ...]) -> Context:
    """A context of `templates` and one list, `place`."""
    places = TextList("place", tuple(ListValue(Text(value), value) for value in values))
    barista = load_context("barista")
    lists = MappingProxyType({"place": places})
    return replace(barista, name="made", templates=templates, lists=lists, hash="0" * 64)


def command(number: int) -> Template:
    """One intent's sentence with a slot."""
    text = f"number {number} at {{place}}"
    return Template(f"intent{number}", Sequence((Text(f"number {number} at "), ListRef("place", "place"))), text)


def test_one_intent_only_makes_takes_of_that_and_of_what_is_none_of_it() -> None:
    takes = list(context_takes(context((command(7),), ("home", "work")), COMPANY, 60, 0))
    assert Counter(take.intent for take in takes).keys() <= {"intent7", ""}
    assert any(take.intent == "" for take in takes)
    assert {str(take.slots["place"]) for take in takes if take.kind == FULL} == {"home", "work"}


def test_fifty_intents_and_five_hundred_values_are_all_said() -> None:
    values = tuple(f"place {i}" for i in range(VALUES))
    large = context(tuple(command(i) for i in range(INTENTS)), values)
    said = list(balanced(large, 2 * VALUES, 0))
    assert {sentence.intent for sentence in said} == {f"intent{i}" for i in range(INTENTS)}
    assert {dict(sentence.slots)["place"] for sentence in said} == set(values)


HEAR = """
import resource, signal, sys
from pathlib import Path
from assistant.errors import StorageError
from convert import stages
from convert.files import Places
from convert.workers import Alone
places, limit = Places(*map(Path, sys.argv[1:5])), int(sys.argv[5])
crew = Alone(places)
takes = [take for draw in stages.plan("barista", places, {"barista": "barista"}, stages.Amounts(90, 1, 0), 5)
         for take in draw if take.line.speaker.startswith("espeak") and take.other is None][:14]
shards = stages.shard_files([takes[:1], takes[1:2], takes[2:]], places, {"barista": "barista"})
stages.speak_all(takes, places, crew, lambda *_: None)
def hear(some):
    return stages.hear_all(dict(some), places, {"barista": "barista"}, crew, lambda *_: None)
if limit:
    hear(list(shards.items())[:1])  # the rooms and the compiled context are kept with it
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
try:
    print("heard", hear(shards.items()))
except StorageError as error:
    print("StorageError:", error)
"""
LIMIT = 400_000
"""Bytes a file may have, which ends a write as a full disk does: a take fits, twelve do not."""


@pytest.mark.real
@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_a_disk_that_fills_up_in_the_middle_keeps_what_was_made_and_the_next_run_makes_the_rest(
    tmp_path: Path, repository: Path, data: Path, cache: Path
) -> None:
    def run(limit: int) -> str:
        places = [str(place) for place in (data, tmp_path / "sounds", tmp_path, cache)]
        words = [sys.executable, "-c", HEAR, *places, str(limit)]
        ran = subprocess.run(words, cwd=repository, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def shards() -> dict[Path, int]:
        return {file: file.stat().st_mtime_ns for file in (tmp_path / "heard").iterdir()}

    full = run(LIMIT)
    assert "StorageError" in full
    assert "goes on where it stopped" in full
    kept = shards()
    assert len(kept) == 2
    assert "heard 12" in run(0)
    assert len(shards()) == 3
    assert shards().items() >= kept.items()
