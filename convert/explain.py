"""Why the net said what it said of one recording: what its answer loses when a word or a stretch of sound is hidden.

Occlusion (Zeiler and Fergus, 2014): a token's, or some frames', inputs are put to their mean, and the answers are asked
for again. A bar upward: without this the net would agree less.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import InputError
from assistant.folders import folders
from assistant.grammar.load import load_context
from assistant.listen.clip import cut_clip
from assistant.listen.vad import open_vad
from assistant.recognize.moonshine import create
from assistant.recognize.moonshine.model import FRAME_S
from assistant.types import Hypothesis
from assistant.understand.fused.bundle import open_bundle
from assistant.understand.fused.features import Features, extract
from convert.files import write_whole
from convert.rooms import read

HIDDEN_FRAMES = 4
"""Frames of the net that are hidden together: 0.4 s of sound."""

Floats = NDArray[np.float32]


def explain(file: Path, context: str, bundle: Path, picture: Path) -> str:
    """Write the picture; returns what it shows in words. Raises InputError when nothing was recognised."""
    engine = create(cache=folders().cache)
    pcm = np.clip(np.rint(read(file) * 32768), -32768, 32767).astype(np.int16)
    utterance = cut_clip(pcm, open_vad("silero"))
    transcript = engine.open(engine.prepare(load_context(context))).finish(utterance)
    opened = open_bundle(bundle)
    if not opened.source.sees(transcript):
        raise InputError("nothing in it fits the context", where=str(file), remedy="choose another --context")
    sound = opened.source.sound(utterance, transcript)
    features = extract(sound, opened.source.aligned(transcript.hypotheses, sound), opened.projection)
    first = Features(features.tokens[:1], features.frames[:1], features.globals[:1])
    best = transcript.hypotheses[0]
    names = [engine.model.tokenizer.decode([int(token)]) or "end" for token in best.tokens]
    answers = opened.net.answers(first)
    right, whole = float(answers.right[0]), float(answers.whole[0])
    tokens = _without(opened.net, first, "tokens", len(best.tokens), 1)
    frames = _without(opened.net, first, "frames", int(first.frames[0, :, -1].sum()), HIDDEN_FRAMES)
    write_whole(picture, _draw(best, names, np.array([right, whole], np.float32), tokens, frames))
    order = np.argsort([-abs(right - value) for value in tokens[:, 0]])[:3]
    moved = ", ".join(f"{names[i]!r} ({right - tokens[i, 0]:+.1f})" for i in order)
    return (
        f"“{best.text}”: right {_probability(right):.2f}, whole {_probability(whole):.2f} "
        f"({opened.name}); `right` hangs most on {moved}; {picture}"
    )


def _without(net: Any, features: Features, name: str, count: int, width: int) -> Floats:
    """Both answers with each `width` of the first `count` steps hidden; float32 [steps, 2]."""
    found = []
    for begin in range(0, count, width):
        arrays = {n: np.array(getattr(features, n)) for n in ("tokens", "frames", "globals")}
        arrays[name][0, begin : begin + width, :-1] = 0.0
        answers = net.answers(Features(**arrays))
        found.append((float(answers.right[0]), float(answers.whole[0])))
    return np.array(found, np.float32).reshape(-1, 2)


def _draw(best: Hypothesis, names: list[str], answers: Floats, tokens: Floats, frames: Floats) -> bytes:
    """The attention above, what hiding a word and what hiding a stretch of sound costs below; PNG."""
    import io

    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    top, middle, bottom = (figure.add_subplot(3, 1, i + 1) for i in range(3))
    assert best.attention is not None
    seconds = best.attention.shape[1] * FRAME_S
    top.imshow(best.attention, aspect="auto", origin="upper", extent=(0, seconds, len(names) - 0.5, -0.5))
    top.set_yticks(range(len(names)), names, fontsize=7)
    top.set(title=best.text, xlabel="seconds")
    places = np.arange(len(tokens))
    for shift, (label, column) in zip((-0.2, 0.2), (("right", 0), ("whole", 1)), strict=True):
        middle.bar(places + shift, answers[column] - tokens[:, column], 0.4, label=label)
        at = (np.arange(len(frames)) + 0.5) * seconds / max(len(frames), 1)
        bottom.bar(at + shift * 0.3, answers[column] - frames[:, column], 0.1, label=label)
    middle.set_xticks(places, names[: len(places)], rotation=60, fontsize=7)
    middle.set(ylabel="logit lost without the word")
    bottom.set(ylabel="logit lost without the sound", xlabel="seconds")
    middle.legend()
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=120)
    return out.getvalue()


def _probability(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))
