"""The same recogniser without a grammar: greedy decoding of whatever was said, for comparison."""

from __future__ import annotations

import numpy as np

from assistant.recognize.moonshine.engine import voiced_stretch
from assistant.recognize.moonshine.model import Model
from assistant.recognize.moonshine.tokenizer import END, START
from assistant.types import SAMPLE_RATE_HZ, Utterance

TOKENS_PER_SECOND = 12.0
"""Ends loops. The 6.5 of Moonshine's own program (Jeffries et al., arXiv 2410.15608) cuts quick speakers short."""


def transcribe(model: Model, utterance: Utterance) -> str:
    """The likeliest token at each step until the end token; "" when nothing was voiced."""
    pcm, _ = voiced_stretch(utterance)
    if not len(pcm):
        return ""
    sound = model.encode(pcm)
    past, parent = model.begin(), np.zeros(1, np.int64)
    token, tokens = START, []
    for position in range(max(int(TOKENS_PER_SECOND * len(pcm) / SAMPLE_RATE_HZ), 4)):
        step = model.step(sound, np.array([token], np.int64), parent, position, past)
        past = step.past
        token = int(model.vocabulary[int(step.logits[0].argmax())])
        if token == END:
            break
        tokens.append(token)
    return model.tokenizer.decode(tokens)
