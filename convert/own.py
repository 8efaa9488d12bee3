"""A user's own labelled recordings as takes: they join the training of their context, split by speaker.

    FOLDER/labels.jsonl, a line: {"path": "a.wav", "text": "a large latte", "intent": …, "slots": {…}, "speaker": "x"}

`intent` and `slots` may be left out: then the context says what the text means.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from assistant.errors import InputError
from assistant.grammar.match import match
from assistant.grammar.tree import Context
from convert.sources import split_of
from convert.synthesize import CUT, CUT_AT, FULL, TAIL, Company, Line, Take

LABELS_FILE = "labels.jsonl"
TAKES_EACH = 4
"""Each recording is heard so often, in other noise: twice whole, cut, talked into."""


def own_takes(folder: Path, context: Context, company: Company, seed: int) -> Iterator[Take]:
    """Takes of all recordings. Raises InputError for what cannot be read, or is no sentence of the context."""
    for number, row in enumerate(_rows(folder), 1):
        where = f"{folder / LABELS_FILE}:{number}"
        file, text = (folder / str(row.get("path", ""))).resolve(), str(row.get("text", ""))
        if not file.is_file():
            raise InputError(f"there is no file '{row.get('path', '')}'", where=where)
        intent, slots = _meaning(row, text, context, where)
        split = split_of("own", str(row.get("speaker", "")))
        rng = random.Random(f"{file.name}|{seed}")
        for i, kind in enumerate((FULL, FULL, CUT, TAIL)[:TAKES_EACH]):
            yield Take(
                key=f"own-{file.name}-{seed}-{i}",
                kind=kind,
                grammar=context.name,
                grammar_text="",
                said=text,
                intent=intent,
                slots=slots,
                line=Line(text, file=str(file)),
                other=company.passer_by(rng, "train" if split == "train" else "valid") if kind == TAIL else None,
                cut_at=round(rng.uniform(*CUT_AT), 3) if kind == CUT else 1.0,
                split="train" if split == "train" else "valid",
            )


def _rows(folder: Path) -> list[dict[str, Any]]:
    path = folder / LABELS_FILE
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise InputError(
            f"is not a list of labels ({error})", where=str(path), remedy="one JSON object a line"
        ) from error
    if not rows:
        raise InputError("lists no recordings", where=str(path))
    return rows


def _meaning(row: Mapping[str, Any], text: str, context: Context, where: str) -> tuple[str, dict[str, Any]]:
    """What the recording means, checked against the context."""
    found = match(context, text)
    if not found:
        raise InputError(
            f"“{text}” is no sentence of {context.name}", where=where, remedy="correct `text`, or the context"
        )
    meanings = [(m.intent, dict(m.slots)) for m in found]
    if "intent" not in row:
        return meanings[0]
    labelled = (str(row["intent"]), dict(row.get("slots", {})))
    if labelled not in meanings:
        raise InputError(
            f"“{text}” does not mean {labelled[0]} {labelled[1]} in {context.name}",
            where=where,
            remedy=f"it means {meanings[0][0]} {meanings[0][1]}",
        )
    return labelled
