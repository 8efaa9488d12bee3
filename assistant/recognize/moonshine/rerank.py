"""Order meanings by a second look at the scores of their sentences.

`R(y) = sum [log p - lambda_2 * ILM] - penalty * n`. A large lambda invents slots in loud noise, a smaller one and a
price per token take the inventions out again. With this table (one prefix a state) the beam invents next to nothing,
so the default re-ranks gently; `assistant context calibrate` chooses both numbers for a context.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from assistant.recognize.moonshine.beam import Sentence
from assistant.types import Hypothesis, frozen_array


@dataclass(frozen=True, slots=True)
class RerankOptions:
    """lambda_: weight of the internal language model; token_penalty: nats a token."""

    lambda_: float = 0.45
    token_penalty: float = 0.0


def rerank(meanings: Sequence[tuple[Hypothesis, list[Sentence]]], options: RerankOptions) -> tuple[Hypothesis, ...]:
    """Score each meaning over its sentences (logsumexp) both ways; best re-ranked first."""
    scored = []
    for hypothesis, sentences in meanings:
        values = [second_score(sentence, options) for sentence in sentences]
        best = sentences[int(np.argmax(values))]
        scored.append(
            replace(
                hypothesis,
                score=float(np.logaddexp.reduce([sentence.score for sentence in sentences])),
                rerank=float(np.logaddexp.reduce(values)),
                tokens=frozen_array(best.tokens),
                log_p=frozen_array(best.log_p),
                ilm=frozen_array(best.ilm),
                attention=frozen_array(best.attention),
                terminal=best.terminal,
            )
        )
    return tuple(sorted(scored, key=lambda hypothesis: -hypothesis.rerank))


def second_score(sentence: Sentence, options: RerankOptions) -> float:
    """R(y) of one sentence, nats."""
    acoustic = float(sentence.log_p.sum() - options.lambda_ * sentence.ilm.sum())
    return acoustic - options.token_penalty * len(sentence.tokens) + sentence.weight
