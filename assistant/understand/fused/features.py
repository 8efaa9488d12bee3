"""What the fused net sees of an utterance: three arrays a hypothesis, from sound, alignment, tokens, scores.

    states, attention ─► A·E, coverage ─┐                                  (source.py: encoder states or log-mel)
    tokens ─► their vectors ────────────┼─► tokens [H, N, Dt], frames [H, F, Df], globals [H, G]
    log p, ILM, margins, voice, level ──┘   normalised, clipped to ±4, the last column of tokens and frames a mask

Pure numpy: one matrix product for all hypotheses. The bases and the normalisation (`Projection`) are fitted by the
converter and stored beside the net; the same code runs there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assistant.types import FRAME_MS, Hypothesis
from assistant.understand.fused.projection import FeatureSpec, Projection
from assistant.understand.fused.source import LEVEL_FLOOR_DB, Sound

Floats = NDArray[np.float32]

CLIP = 4.0
"""Normalised values beyond so many standard deviations say no more."""
RANGE_DB = 40.0
"""Below the loudest speech by more than this everything is silence."""
COVERAGE_FLOOR = 1e-3
VOICED = 0.5
MARGIN_CAP = 10.0
EDGE_FRAMES = 5
"""20 ms frames at the end of speech whose level tells a sentence cut off from one that died away."""

TOKEN_SCALARS = ("log_p", "ilm", "gain", "p", "is_end", "peak", "step", "centroid")
FRAME_SCALARS = ("voice", "level", "coverage", "coverage_near", "end_coverage", "token_place")
GLOBALS = (
    "score_per_token",
    "score",
    "rerank_per_token",
    "mean_log_p",
    "min_log_p",
    "second_min_log_p",
    "end_log_p",
    "mean_ilm",
    "margin",
    "rank",
    "alternatives",
    "tokens",
    "voiced_s",
    "rate",
    "uncovered_s",
    "longest_uncovered_s",
    "gap_before_s",
    "gap_after_s",
    "mean_peak",
    "backwards",
    "snr_db",
    "end_level",
    "terminal",
    "prior",
)


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """tokens: float32 [H, N, Dt]; frames: float32 [H, F, Df]; globals: float32 [H, G]; H hypotheses, best first."""

    tokens: Floats
    frames: Floats
    globals: Floats

    @property
    def finite(self) -> bool:
        """Whether all of them are numbers."""
        return all(bool(np.isfinite(part).all()) for part in (self.tokens, self.frames, self.globals))


def extract(sound: Sound, hypotheses: Sequence[Hypothesis], projection: Projection) -> Features:
    """Features of the first `spec.hypotheses` of `hypotheses`, normalised and clipped to ±4."""
    found = extract_raw(sound, hypotheses, projection)
    return Features(
        _normalised(found.tokens, projection.token_mean, projection.token_scale, masked=True),
        _normalised(found.frames, projection.frame_mean, projection.frame_scale, masked=True),
        _normalised(found.globals, projection.global_mean, projection.global_scale, masked=False),
    )


def extract_raw(sound: Sound, hypotheses: Sequence[Hypothesis], projection: Projection) -> Features:
    """The same before normalisation, for whoever fits it. hypotheses: the whole n-best, best first."""
    spec = projection.spec
    shown = list(hypotheses[: spec.hypotheses])
    states = np.asarray((sound.states - projection.states_mean) @ projection.states_basis, np.float32)
    clip = _Clip.of(sound, spec)
    lengths = [len(h.tokens) for h in shown]
    attention = np.concatenate([_attention(h, len(states)) for h in shown])
    vectors = np.concatenate([_vectors(h, projection) for h in shown])
    read = attention @ states
    tokens = np.zeros((len(shown), spec.tokens, spec.token_width), np.float32)
    frames = np.zeros((len(shown), spec.frames, spec.frame_width), np.float32)
    globals_ = np.zeros((len(shown), len(GLOBALS)), np.float32)
    pooled = clip.pooled(states)
    used, d = len(pooled), spec.state_dim
    frames[:, :used, :d] = pooled
    frames[:, :used, d] = clip.pooled(clip.voice[:, None])[:, 0]
    frames[:, :used, d + 1] = clip.pooled(clip.level[:, None])[:, 0]
    frames[:, :used, -1] = 1.0
    begin = 0
    for row, (h, n) in enumerate(zip(shown, lengths, strict=True)):
        part = slice(begin, begin + n)
        begin += n
        kept = _kept(n, spec.tokens)
        scalars, centroid = _token_scalars(h, attention[part])
        k = len(kept)
        tokens[row, :k, :d] = read[part][kept]
        tokens[row, :k, d : d + spec.vector_dim] = vectors[part][kept]
        tokens[row, :k, d + spec.vector_dim : -1] = scalars[kept]
        tokens[row, :k, -1] = 1.0
        coverage = clip.coverage(attention[part])
        frames[row, :used, d + 2 : -1] = coverage
        globals_[row] = _globals(h, row, hypotheses, attention[part], centroid, clip)
    return Features(tokens, frames, globals_)


@dataclass(frozen=True, slots=True, eq=False)
class _Clip:
    """What all hypotheses of an utterance share, on the time axis of the states.

    voice, level: float32 [frames], level in dB relative to the loudest voiced. pool: states to a frame of the net.
    covered: see FeatureSpec.
    """

    voice: Floats
    level: Floats
    voiced: NDArray[np.bool_]
    pool: int
    state_s: float
    covered: float
    snr_db: float
    end_level: float

    @staticmethod
    def of(sound: Sound, spec: FeatureSpec) -> _Clip:
        count = len(sound.states)
        centres_s = sound.start_s + (np.arange(count) + 0.5) * spec.state_s
        at = np.clip((centres_s * 1000 / FRAME_MS).astype(int), 0, max(len(sound.voice) - 1, 0))
        beyond = centres_s * 1000 / FRAME_MS >= len(sound.voice)  # short sound is padded before it is encoded
        voice = np.where(beyond, 0.0, sound.voice[at]).astype(np.float32)
        level = np.where(beyond, LEVEL_FLOOR_DB, sound.level_db[at]).astype(np.float32)
        voiced = voice >= VOICED
        loud = float(np.quantile(level[voiced], 0.9)) if voiced.any() else float(level.max(initial=LEVEL_FLOOR_DB))
        quiet = sound.level_db[sound.voice < VOICED] if len(sound.voice) else sound.level_db
        floor = float(np.quantile(quiet, 0.5)) if len(quiet) else LEVEL_FLOOR_DB
        last = np.flatnonzero(sound.voice >= VOICED)
        end = sound.level_db[max(last[-1] + 1 - EDGE_FRAMES, 0) : last[-1] + 1] if len(last) else sound.level_db[-1:]
        end_level = float(end.mean()) - loud if len(end) else 0.0
        pool = max(spec.pool, -(-count // spec.frames))
        relative = np.maximum(level - np.float32(loud), -RANGE_DB).astype(np.float32)
        return _Clip(
            voice=voice,
            level=relative,
            voiced=voiced,
            pool=pool,
            state_s=spec.state_s,
            covered=spec.covered,
            snr_db=min(loud - floor, RANGE_DB),
            end_level=max(end_level, -RANGE_DB),
        )

    def pooled(self, values: Floats) -> Floats:
        """Mean over each `pool` states; float32 [used frames, columns]."""
        starts = np.arange(0, len(values), self.pool)
        sums = np.add.reduceat(values, starts, axis=0)
        sizes = np.diff(np.append(starts, len(values)))[:, None]
        return np.asarray(sums / sizes, np.float32)

    def coverage(self, attention: Floats) -> Floats:
        """Of each frame: log of the attention of its best token, the same near it, that of the end, the token's place.

        attention: float32 [n, states]. Returns float32 [used frames, 4].
        """
        starts = np.arange(0, attention.shape[1], self.pool)
        mass = np.add.reduceat(attention, starts, axis=1)
        words = mass[:-1] if len(mass) > 1 else mass
        best = words.max(axis=0)
        padded = np.pad(best, 2)
        near = np.max([padded[i : i + len(best)] for i in range(5)], axis=0)
        place = words.argmax(axis=0) / max(len(words) - 1, 1)
        logs = np.log(np.stack([best, near, mass[-1]], axis=1) + COVERAGE_FLOOR)
        return np.concatenate([logs, place[:, None]], axis=1).astype(np.float32)


def _attention(h: Hypothesis, states: int) -> Floats:
    """Attention with rows that sum to 1 over the states; float32 [n, states]."""
    assert h.attention is not None
    attention = h.attention[:, :states]
    total = attention.sum(axis=1, keepdims=True)
    return np.asarray(attention / np.maximum(total, 1e-6), np.float32)


def _vectors(h: Hypothesis, projection: Projection) -> Floats:
    """Decoder embeddings of the tokens in the basis of the net; float32 [n, vector_dim]."""
    assert h.vectors is not None
    return np.asarray((h.vectors - projection.vectors_mean) @ projection.vectors_basis, np.float32)


def _kept(n: int, most: int) -> NDArray[np.int64]:
    """Which of `n` tokens are shown: all, or the first ones and the end."""
    return np.arange(n) if n <= most else np.append(np.arange(most - 1), n - 1)


def _token_scalars(h: Hypothesis, attention: Floats) -> tuple[Floats, Floats]:
    """TOKEN_SCALARS [n, 8], and where each token was heard: centre of its squared attention, states [n]."""
    n, states = attention.shape
    weights = attention**2
    centroid = weights @ np.arange(states, dtype=np.float32) / np.maximum(weights.sum(axis=1), 1e-9)
    step = np.diff(centroid, prepend=centroid[:1])
    is_end = np.zeros(n, np.float32)
    is_end[-1] = 1.0
    columns = (
        np.maximum(h.log_p, -12.0),
        np.maximum(h.ilm, -14.0),
        np.clip(h.log_p - h.ilm, -12.0, 14.0),
        np.exp(h.log_p),
        is_end,
        attention.max(axis=1),
        step,
        centroid / max(states, 1),
    )
    return np.stack(columns, axis=1).astype(np.float32), centroid.astype(np.float32)


def _globals(
    h: Hypothesis, rank: int, every: Sequence[Hypothesis], attention: Floats, centroid: Floats, clip: _Clip
) -> NDArray[np.float64]:
    """GLOBALS of one hypothesis among `every`."""
    n, state_s = len(h.tokens), clip.state_s
    words = attention[:-1] if n > 1 else attention
    covered = words.max(axis=0) >= clip.covered
    covered = covered | np.roll(covered, 1) | np.roll(covered, -1)
    uncovered = clip.voiced & ~covered
    heard = centroid[:-1] if n > 1 else centroid
    voiced = clip.voiced
    voiced_s = float(voiced.sum()) * state_s
    others = [o.rerank for i, o in enumerate(every) if i != rank]
    margin = h.rerank - max(others) if others else MARGIN_CAP
    ordered = np.sort(h.log_p)
    values = (
        h.score / n,
        h.score,
        h.rerank / n,
        h.log_p.mean(),
        ordered[0],
        ordered[min(1, n - 1)],
        h.log_p[-1],
        h.ilm.mean(),
        min(max(margin, -MARGIN_CAP), MARGIN_CAP),
        min(rank, 8),
        min(len(every), 16),
        n,
        voiced_s,
        n / max(voiced_s, 0.2),
        float(uncovered.sum()) * state_s,
        _longest_run(uncovered) * state_s,
        float(voiced[: int(heard.min(initial=len(voiced)))].sum()) * state_s,
        float(voiced[int(heard.max(initial=0)) + 1 :].sum()) * state_s,
        attention.max(axis=1).mean(),
        float((np.diff(heard) < -1).sum()),
        clip.snr_db,
        clip.end_level,
        float(h.terminal),
        h.prior,
    )
    return np.array(values, np.float64)


def _longest_run(flags: NDArray[np.bool_]) -> int:
    """Length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _normalised(values: Floats, mean: Floats, scale: Floats, *, masked: bool) -> Floats:
    """(values - mean) / scale within ±CLIP; where the last column is a mask it stays, and what it hides is zero."""
    if not masked:
        return np.asarray(np.clip((values - mean) / scale, -CLIP, CLIP), np.float32)
    mask = values[..., -1:]
    shown = np.clip((values[..., :-1] - mean) / scale, -CLIP, CLIP) * mask
    return np.asarray(np.concatenate([shown, mask], axis=-1), np.float32)
