"""context.yaml and calibration.json: how a context is called and how it wants to be heard."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from assistant.grammar.places import Faults, read_yaml
from assistant.grammar.schema import CalibrationFile, ContextFile, TogetherSpec, read
from assistant.grammar.tree import Place, Settings

CONTEXT_FILE = "context.yaml"
CALIBRATION_FILE = "calibration.json"


@dataclass(frozen=True, slots=True)
class Header:
    """What the two files say.

    name: "" if not said. rare: alternative in lower case → natural log of its weight; rare_places: where each stands.
    home: lists come from the user's home. together: which commands may be joined, None for none, and where it is said.
    """

    name: str
    settings: Settings
    rare: Mapping[str, float]
    rare_places: Mapping[str, Place]
    home: bool = False
    together: TogetherSpec | None = None
    together_place: Place = field(default_factory=lambda: Place(CONTEXT_FILE, 1))


def read_settings(folder: Path, faults: Faults) -> Header:
    """Read both files; a missing one counts as empty. calibration.json wins where both speak."""
    written = ContextFile()
    rare_places: dict[str, Place] = {}
    together: TogetherSpec | None = None
    together_place = Place(CONTEXT_FILE, 1)
    path = folder / CONTEXT_FILE
    if path.exists():
        located = read_yaml(path, CONTEXT_FILE, faults)
        if located is not None:
            written = read(located, ContextFile, faults, CONTEXT_FILE) or written
            rare_places = {
                _words(phrase): place
                for phrase, place in (located.value.get("rare").keys.items() if written.rare else ())
            }
            if written.together is not None:
                together = read(located.value["together"], TogetherSpec, faults, "together")
                together_place = located.keys["together"]
    fitted = CalibrationFile()
    path = folder / CALIBRATION_FILE
    if path.exists():
        # JSON is YAML, and a hand-edited number deserves a line in the message too.
        located = read_yaml(path, CALIBRATION_FILE, faults)
        if located is not None:
            fitted = read(located, CalibrationFile, faults, CALIBRATION_FILE) or fitted
    settings = Settings(
        language=written.language,
        lambda_=_first(fitted.lambda_, written.lambda_),
        prune=_first(fitted.prune, written.prune),
        rerank=_first(fitted.rerank, written.rerank),
        token_penalty=_first(fitted.token_penalty, written.token_penalty),
        accept=MappingProxyType(dict(fitted.accept)),
        ask_margin=_first(fitted.ask_margin, written.ask_margin),
        look_again=written.look_again,
        ask_below=written.ask_below if fitted.ask_below is None else fitted.ask_below,
        harmless=tuple(written.harmless),
        refuse_below=written.refuse_below if fitted.refuse_below is None else fitted.refuse_below,
        wait_for_more=written.wait_for_more,
        confusable=tuple((left, right) for left, right in written.confusable),
        spellings=MappingProxyType({word: tuple(others) for word, others in written.spellings.items()}),
    )
    rare = MappingProxyType({_words(phrase): math.log(weight) for phrase, weight in written.rare.items()})
    return Header(written.name, settings, rare, MappingProxyType(rare_places), written.home, together, together_place)


def _first(fitted: float | None, written: float | None) -> float | None:
    return written if fitted is None else fitted


def _words(phrase: str) -> str:
    return " ".join(phrase.split()).casefold()
