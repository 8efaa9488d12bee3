"""What the net trains on: a row a hypothesis, features as the device computes them, labels from what was really said.

    kind             right (this meaning was said)   whole (nothing left over, nothing invented)
    full             its meaning is the one said     the same
    tail, lead       its meaning is the one said     never
    cut              never; a shorter sentence       never
                     that was said is left out
    alien, foreign   never                           never

Each token also says whether its word was spoken: an extra loss that teaches where to listen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.types import Hypothesis
from assistant.understand.fused.features import extract, extract_raw
from assistant.understand.fused.projection import Projection, fit_scale, unfitted
from convert.files import write_arrays
from convert.reader import Reader, plain_word
from convert.recognise import Heard
from convert.synthesize import CUT, FULL, LATTICE, LEAD, TAIL

FORMAT = 1
"""Raised whenever rows are made otherwise."""
ROWS_A_TAKE = 5
LOWER_RANK_WEIGHT = 0.5
CUT_WEIGHT = 2.0
BASIS_TAKES = 600
"""Utterances whose states and tokens the bases are fitted on."""
SCALE_TAKES = 900

Halves = NDArray[np.float16]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What the net sees of R hypotheses: float16 tokens [R, N, Dt], frames [R, F, Df], globals [R, G]."""

    tokens: Halves
    frames: Halves
    globals: Halves

    def __len__(self) -> int:
        return len(self.globals)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """R hypotheses.

    tokens: float16 [R, N, Dt]; frames: float16 [R, F, Df]; globals: float16 [R, G].
    right, whole: float32 [R], 0 or 1; right_weight, whole_weight: float32 [R].
    wrong: float32 [R, N], 1 where a token's word was not said; wrong_weight: the same shape.
    utterance: int32 [R], which take; rank: int32 [R]; score: float32 [R], the recogniser's own, nats.
    kind, corpus: text [R]; snr_db: float32 [R], NaN where clean; valid: bool [R].
    """

    tokens: Halves
    frames: Halves
    globals: Halves
    right: Floats
    whole: Floats
    right_weight: Floats
    whole_weight: Floats
    wrong: Floats
    wrong_weight: Floats
    utterance: NDArray[np.int32]
    rank: NDArray[np.int32]
    score: Floats
    kind: NDArray[np.str_]
    corpus: NDArray[np.str_]
    snr_db: Floats
    valid: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.right)

    @property
    def inputs(self) -> Inputs:
        """What the net sees of them."""
        return Inputs(self.tokens, self.frames, self.globals)

    def chosen(self, rows: NDArray[Any]) -> Rows:
        """Some of them: by number or by a mask."""
        return Rows(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    @staticmethod
    def joined(parts: Sequence[Rows]) -> Rows:
        """All of `parts`, utterances renumbered."""
        shifted, first = [], 0
        for part in parts:
            shifted.append(replace(part, utterance=part.utterance + np.int32(first)))
            first += int(part.utterance.max(initial=-1)) + 1
        names = Rows.__dataclass_fields__
        return Rows(*(np.concatenate([getattr(part, name) for part in shifted]) for name in names))


def same_meaning(heard: Heard, h: Hypothesis) -> bool:
    """Whether `h` means what was said."""
    take = heard.take
    if not take.said or dict(h.slots) != dict(heard.truth):
        return False
    return take.grammar == LATTICE or h.intent == take.intent


def labels(heard: Heard, h: Hypothesis) -> tuple[float, float, float]:
    """(right, whole, weight) of one hypothesis; weight 0: leave it out."""
    kind, same = heard.take.kind, same_meaning(heard, h)
    if kind == FULL:
        return float(same), float(same), 1.0
    if kind in (TAIL, LEAD):
        return float(same), 0.0, 1.0
    if kind == CUT:
        shorter = h.slots.items() <= heard.truth.items() and h.intent in (heard.take.intent, "read")
        return 0.0, 0.0, 0.0 if shorter and not same and heard.take.grammar != LATTICE else 1.0
    return 0.0, 0.0, 1.0


def wrong_words(heard: Heard, h: Hypothesis, reader: Reader) -> tuple[Floats, Floats]:
    """For each token: 1 if its word was not said, and the weight of knowing so (0 where the sound was cut)."""
    n = len(h.tokens)
    words, owner = reader.words_of(h)
    said = [plain_word(word) for word in heard.take.line.text.split()]
    if same_meaning(heard, h):
        found = set(range(len(words)))
    else:
        blocks = SequenceMatcher(None, words, said, autojunk=False).get_matching_blocks()
        found = {block.a + i for block in blocks for i in range(block.size)}
    wrong = np.array([float(w >= 0 and w not in found) for w in owner], np.float32)
    weight = np.array([float(w >= 0) for w in owner], np.float32)
    over = heard.take.kind in (FULL, LEAD) and (not words or len(words) - 1 in found) and bool(heard.take.said)
    if heard.take.kind == CUT:
        weight[:] = 0.0
    wrong[n - 1], weight[n - 1] = float(not over), 1.0
    return wrong, weight


def fit_projection(shards: Sequence[Path], reader: Reader, seed: int) -> Projection:
    """Bases and normalisation from a part of the training takes, spread over all shards."""
    rng = np.random.default_rng(seed)
    some = [h for h in _spread(shards, reader, max(BASIS_TAKES, SCALE_TAKES), rng) if h.take.split == "train"]
    states = np.concatenate([h.sound.states[:: max(len(h.sound.states) // 40, 1)] for h in some[:BASIS_TAKES]])
    vectors = np.concatenate([v for h in some[:BASIS_TAKES] if (v := h.hypotheses[0].vectors) is not None])
    bases = unfitted(reader.spec, states, vectors)
    tokens, frames, globals_ = [], [], []
    for heard in some[:SCALE_TAKES]:
        raw = extract_raw(heard.sound, heard.hypotheses, bases)
        tokens.append(raw.tokens[raw.tokens[..., -1] > 0][:, :-1])
        frames.append(raw.frames[0][raw.frames[0, :, -1] > 0][:, :-1])
        globals_.append(raw.globals[:ROWS_A_TAKE])
    token_mean, token_scale = fit_scale(np.concatenate(tokens))
    frame_mean, frame_scale = fit_scale(np.concatenate(frames))
    global_mean, global_scale = fit_scale(np.concatenate(globals_))
    return replace(
        bases,
        token_mean=token_mean,
        token_scale=token_scale,
        frame_mean=frame_mean,
        frame_scale=frame_scale,
        global_mean=global_mean,
        global_scale=global_scale,
    )


def rows_of(shard: Path, reader: Reader, projection: Projection) -> Rows | None:
    """The rows of one shard; None when it is empty."""
    made = [_take_rows(i, heard, reader, projection) for i, heard in enumerate(reader.read(shard))]
    return Rows.joined([rows for rows in made if rows is not None]) if any(r is not None for r in made) else None


def load_rows(
    shards: Sequence[Path], reader: Reader, projection: Projection, folder: Path, advance: Callable[[int, int], None]
) -> Rows:
    """The rows of all shards, each kept in `folder` under a name that holds what it depends on."""
    files = row_files(shards, projection, folder)
    for i, (shard, file) in enumerate(zip(shards, files, strict=True)):
        if not file.is_file():
            rows = rows_of(shard, reader, projection)
            if rows is not None:
                write_arrays(file, {name: getattr(rows, name) for name in Rows.__dataclass_fields__})
        advance(i + 1, len(shards))
    return read_rows(file for file in files if file.is_file())


def row_files(shards: Sequence[Path], projection: Projection, folder: Path) -> list[Path]:
    """Where the rows of each shard are kept in `folder`, if it has any."""
    basis = hashlib.sha256(projection.to_bytes()).hexdigest()[:12]
    return [folder / f"{shard.stem}-{basis}-{FORMAT}.npz" for shard in shards]


def read_rows(files: Iterable[Path]) -> Rows:
    """The rows of all files, one behind the other."""
    parts = []
    for file in files:
        with np.load(file) as kept:
            parts.append(Rows(*(kept[name] for name in Rows.__dataclass_fields__)))
    return Rows.joined(parts)


def _take_rows(number: int, heard: Heard, reader: Reader, projection: Projection) -> Rows | None:
    hypotheses = heard.hypotheses
    seen = extract(heard.sound, hypotheses, projection)
    n = projection.spec.tokens
    kept, right, whole, weight, wrong, wrong_weight = [], [], [], [], [], []
    for rank, h in enumerate(hypotheses[:ROWS_A_TAKE]):
        r, w, counts = labels(heard, h)
        if not counts or len(h.tokens) > n:
            continue
        kept.append(rank)
        right.append(r)
        whole.append(w)
        weight.append(counts * (1.0 if rank == 0 else LOWER_RANK_WEIGHT))
        one, other = wrong_words(heard, h, reader)
        wrong.append(np.pad(one, (0, n - len(one))))
        wrong_weight.append(np.pad(other, (0, n - len(other))))
    if not kept:
        return None
    count = len(kept)
    at = np.array(kept, np.int32)
    take = heard.take
    weights = np.array(weight, np.float32)
    return Rows(
        tokens=seen.tokens[at].astype(np.float16),
        frames=seen.frames[at].astype(np.float16),
        globals=seen.globals[at].astype(np.float16),
        right=np.array(right, np.float32),
        whole=np.array(whole, np.float32),
        right_weight=weights,
        whole_weight=weights * np.float32(CUT_WEIGHT if take.kind == CUT else 1.0),
        wrong=np.stack(wrong).astype(np.float32),
        wrong_weight=np.stack(wrong_weight).astype(np.float32),
        utterance=np.full(count, number, np.int32),
        rank=at,
        score=np.array([hypotheses[i].rerank for i in kept], np.float32),
        kind=np.full(count, take.kind, "<U8"),
        corpus=np.full(count, take.grammar, "<U24"),
        snr_db=np.full(count, np.nan if heard.snr_db is None else heard.snr_db, np.float32),
        valid=np.full(count, take.split != "train"),
    )


def _spread(shards: Sequence[Path], reader: Reader, takes: int, rng: np.random.Generator) -> Iterator[Heard]:
    """About `takes` utterances, some of every shard."""
    each = max(-(-takes * 5 // (4 * max(len(shards), 1))), 1)
    for shard in shards:
        heard = list(reader.read(shard))
        for i in sorted(rng.permutation(len(heard))[:each].tolist()):
            yield heard[i]


def counts(rows: Rows) -> Mapping[str, int]:
    """Rows of each kind, and of right ones: for the report."""
    kinds, numbers = np.unique(rows.kind, return_counts=True)
    return {str(k): int(n) for k, n in zip(kinds, numbers, strict=True)} | {"right": int(rows.right.sum())}
