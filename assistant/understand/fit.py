"""Fit a context's calibration from transcripts of speech that was and was not meant for it: pure, no sound in it.

The thresholds are set on the score per token. Real people score lower than synthetic voices (by about 0.35 nats a token
on spoken orders, `assistant bench refuse`), so a calibration from synthetic speech alone is moved by that much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assistant.types import Transcript
from assistant.understand.calibration import (
    DEFAULT,
    FEATURES,
    Calibration,
    Logistic,
    expected_calibration_error,
    features,
    fit_logistic,
)

SYNTHETIC_SHIFT = 0.35
"""Nats a token by which synthetic voices score higher than real people on the same sentences in the same noise."""
KEPT = 0.99
"""Share of speech meant for the context that must not be refused."""
SCALE_PRIOR = (DEFAULT.heard.bias, DEFAULT.heard.weights[0])


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A transcript and the truth: meant for this context? and is the best meaning strictly right?"""

    transcript: Transcript
    meant: bool
    right: bool
    synthetic: bool


@dataclass(frozen=True, slots=True)
class FitReport:
    """What a fit is worth, on the examples it was not fitted on.

    kept: share of meant speech that is not refused; foreign: share of other speech that is accepted.
    ece: expected calibration error of the confidence. examples: how many were judged.
    """

    kept: float
    foreign: float
    ece: float
    examples: int


def fit(examples: Sequence[Example]) -> Calibration:
    """The calibration that fits `examples`; needs transcripts with hypotheses on both sides."""
    heard = [e for e in examples if e.transcript.hypotheses]
    x = np.array([features_of(e.transcript) for e in heard])
    shift = np.array([SYNTHETIC_SHIFT if e.synthetic and e.meant else 0.0 for e in heard])
    moved = x.copy()
    moved[:, FEATURES.index("per_token")] -= shift
    meant = np.array([e.meant for e in heard])
    right = np.array([e.right for e in heard])
    heard_fit = fit_logistic(moved, meant, used=("per_token",)) if 0 < meant.sum() < len(meant) else DEFAULT.heard
    rows = meant
    right_fit = fit_logistic(moved[rows], right[rows]) if 0 < right[rows].sum() < rows.sum() else DEFAULT.right
    refuse, doubt = thresholds(probabilities_of(heard_fit, moved), meant)
    return Calibration(heard_fit, right_fit, refuse, doubt, DEFAULT.ask_margin)


def thresholds(heard: NDArray[np.float64], meant: NDArray[np.bool_]) -> tuple[float, float]:
    """(refuse, doubt): between the two sides where they part, at the KEPT quantile where they overlap.

    heard: probabilities [examples]; meant: truth [examples].
    """
    if not meant.any() or meant.all():
        return DEFAULT.refuse, DEFAULT.doubt
    low = float(np.quantile(heard[meant], 1 - KEPT))
    high = float(heard[~meant].max())
    refuse = float(np.clip((low + high) / 2 if high < low else low, 0.02, 0.9))
    return refuse, float(np.clip(max(refuse, min(high, 0.95)), refuse, 0.95))


def features_of(transcript: Transcript) -> tuple[float, ...]:
    """FEATURES of a transcript's best hypothesis."""
    return features(transcript.hypotheses[0], transcript.hypotheses[1:])


def probabilities_of(logistic: Logistic, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of feature rows."""
    return np.array([logistic.probability(row) for row in x])


def judge_fit(calibrated: Calibration, examples: Sequence[Example]) -> FitReport:
    """How `calibrated` does on `examples`."""
    kept: list[bool] = []
    foreign: list[bool] = []
    stated: list[float] = []
    truth: list[bool] = []
    for example in examples:
        if not example.transcript.hypotheses:
            (kept if example.meant else foreign).append(False)
            continue
        values = features_of(example.transcript)
        heard = calibrated.heard.probability(values)
        (kept if example.meant else foreign).append(heard >= calibrated.refuse)
        stated.append(heard * calibrated.right.probability(values))
        truth.append(example.right)
    return FitReport(
        float(np.mean(kept)) if kept else 0.0,
        float(np.mean(foreign)) if foreign else 0.0,
        expected_calibration_error(np.array(stated), np.array(truth)),
        len(examples),
    )
