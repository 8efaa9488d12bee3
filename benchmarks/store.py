"""What was heard, kept between runs: hearing takes minutes, deciding about it again takes a second.

A file of JSON lines for each (engine, context, condition); its name holds a hash of everything the result depends on,
the code of the recogniser included, so nothing stale is ever read.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import assistant
from assistant.types import Agreement, Fusion, Hypothesis, Transcript, Word, frozen_array

_PACKAGE = Path(assistant.__file__).parent
_CUTTING = ("listen/clip.py", "listen/activity.py", "listen/vad.py")
_HEARING = (
    "recognize/moonshine/*.py",
    *_CUTTING,
    *(f"grammar/{name}.py" for name in ("acceptor", "meaning", "network", "spelling", "tokens")),
)
_MIXING = ("mixing.py", "conditions.py", "clips.py")


class Store:
    """Rows by file name, one file per key, below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, name: str, key: str) -> Shelf:
        """The rows kept under `key`; `name` makes the file recognisable."""
        self._folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        plain = "".join(c if c.isalnum() else "-" for c in name)
        return Shelf(self._folder / f"{plain}-{digest}.jsonl")


class Shelf:
    """One file of rows, appended to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, Any] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    name, row = json.loads(line)
                except ValueError:  # the last line of a run that was broken off
                    continue
                self._rows[name] = row

    def get(self, name: str) -> Any:
        """The row of `name`, or None."""
        return self._rows.get(name)

    def put(self, name: str, row: Any) -> None:
        """Keep `row`."""
        self._rows[name] = row
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([name, row]) + "\n")


def code_key(*more: Path) -> str:
    """Hash of the code that hears (recogniser, acceptor, voice activity, mixing) and of the files `more`.

    Comments, docstrings and layout do not count.
    """
    return _hash_of(_HEARING, more)


def sound_key(*more: Path) -> str:
    """The same of the code that mixes and cuts the sound, for recognisers that are not ours."""
    return _hash_of(_CUTTING, more)


def _hash_of(patterns: Sequence[str], more: Sequence[Path]) -> str:
    files: list[Path] = [Path(__file__).parent / name for name in _MIXING]
    for pattern in patterns:
        files += sorted(_PACKAGE.glob(pattern))
    digest = hashlib.sha256()
    for file in [*files, *more]:
        digest.update(_without_comments(file.read_text(encoding="utf-8")).encode())
    return f"{digest.hexdigest()} onnxruntime {version('onnxruntime')} numpy {version('numpy')}"


def _without_comments(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [item for item in body if not _is_text(item)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_text(item: ast.AST) -> bool:
    return isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant) and isinstance(item.value.value, str)


def transcript_row(transcript: Transcript) -> dict[str, Any]:
    """`transcript` as JSON, without encoder states and attention."""
    return {
        "text": transcript.text,
        "engine": transcript.engine,
        "variant": transcript.variant,
        "fused": transcript.fused,
        "fusion": None if transcript.fusion is None else _fusion_row(transcript.fusion),
        "hypotheses": [_hypothesis_row(hypothesis) for hypothesis in transcript.hypotheses],
    }


def transcript_of(row: dict[str, Any]) -> Transcript:
    """The transcript that `transcript_row` kept."""
    fusion = row.get("fusion")
    return Transcript(
        tuple(map(_hypothesis_of, row["hypotheses"])),
        row["text"],
        row["engine"],
        row["variant"],
        fused=row.get("fused", ""),
        fusion=None if fusion is None else Fusion(**fusion),
    )


def _fusion_row(fusion: Fusion) -> dict[str, Any]:
    return asdict(replace(fusion, confidence=dict(fusion.confidence), whole=dict(fusion.whole)))


def _hypothesis_row(h: Hypothesis) -> dict[str, Any]:
    return {
        "intent": h.intent,
        "slots": dict(h.slots),
        "text": h.text,
        "score": h.score,
        "rerank": h.rerank,
        "tokens": h.tokens.tolist(),
        "log_p": _rounded(h.log_p.tolist()),
        "ilm": _rounded(h.ilm.tolist()),
        "prior": h.prior,
        "words": [[w.text, w.start_s, w.end_s, w.confidence] for w in h.words],
        "terminal": h.terminal,
        "response": h.response,
        "spelt": list(h.spelt),
        "agreement": None if h.agreement is None else asdict(h.agreement),
    }


def _hypothesis_of(row: dict[str, Any]) -> Hypothesis:
    arrays = {
        "tokens": frozen_array(np.array(row["tokens"], np.int32)),
        "log_p": frozen_array(np.array(row["log_p"], np.float32)),
        "ilm": frozen_array(np.array(row["ilm"], np.float32)),
        "words": tuple(Word(*word) for word in row["words"]),
        "spelt": tuple(row.get("spelt", ())),
    }
    agreement = row.get("agreement")
    judged = {"agreement": None if agreement is None else Agreement(**agreement)}
    return Hypothesis(**(row | arrays | judged))


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(value, 4) for value in values]
