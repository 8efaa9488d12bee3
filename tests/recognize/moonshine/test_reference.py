"""Real orders, token by token, beside values that an independent decoder of the same model wrote down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from assistant.grammar.acceptor import Acceptor
from assistant.grammar.load import load_context
from assistant.grammar.meaning import MeaningParser
from assistant.grammar.network import build_network
from assistant.grammar.tokens import TokenNetwork
from assistant.recognize.moonshine.beam import Beam, BeamOptions
from assistant.recognize.moonshine.columns import columns_for, log_sum_exp
from assistant.recognize.moonshine.engine import Moonshine
from assistant.recognize.moonshine.grammar import Compiled, MoonshineGrammar, compile_grammar
from assistant.recognize.moonshine.model import FRAME_S, Encoded, Model
from assistant.recognize.moonshine.tokenizer import END, START
from assistant.types import SAMPLE_RATE_HZ

CLEAN = "clean"
CUTS = {"0075d273": 9664, "02b77977": 14272, "0493148e": 19904, "05984e70": 9152, "05b2d348": 21440, "05da5bb1": 3008}
"""First sample of each clip that the reference decoded, by the beginning of its name."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One recording: what the reference wrote down, and its sound, encoded by us."""

    name: str
    hypotheses: list[dict[str, Any]]
    sound: Encoded


@dataclass(frozen=True, slots=True, eq=False)
class Forced:
    """Scores of given tokens: log_p, ilm [n], nats; centre of the attention [n], seconds."""

    log_p: NDArray[np.float64]
    ilm: NDArray[np.float64]
    centre_s: NDArray[np.float64]


@pytest.fixture(scope="module")
def written(data: Path) -> list[dict[str, Any]]:
    path = data.parent / "lab" / "decoding-reference.json"
    if not path.is_file():
        pytest.skip(f"no reference values: {path.name} is not beside the recordings' folder")
    clips: list[dict[str, Any]] = json.loads(path.read_text())["clips"]
    return clips


@pytest.fixture(scope="module")
def compiled(model: Model) -> Compiled:
    return compile_grammar(load_context("barista"), model)


@pytest.fixture(scope="module")
def clips(written: list[dict[str, Any]], recordings: Any, model: Model) -> list[Clip]:
    found = []
    for clip in written:
        start = CUTS.get(clip["file"][:8])
        if clip["condition"] != CLEAN or start is None:
            continue
        path = next(recordings("barista").rglob(clip["file"]))
        pcm, _ = soundfile.read(path, dtype="float32")
        sound = model.encode(pcm[start : start + round(clip["trimmed_s"] * SAMPLE_RATE_HZ)])
        found.append(Clip(clip["file"], clip["hypotheses"], sound))
    return found


def forced(model: Model, compiled: Compiled, sound: Encoded, tokens: list[int]) -> Forced:
    """Feed `tokens` one by one and read what the model and the table say of each."""
    columns = columns_for(model, compiled.acceptor.tokens)
    past, state, rows = model.begin(), compiled.acceptor.start, []
    for at, (before, token) in enumerate(zip([START, *tokens[:-1]], tokens, strict=True)):
        step = model.step(sound, np.array([before]), np.zeros(1, np.int64), at, past)
        past = step.past
        logits = columns.extend(step)[0]
        (column,) = np.flatnonzero(columns.tokens == token)
        centre = float(step.attention[0] @ (np.arange(len(sound.states)) + 0.5)) * FRAME_S
        ilm, state = expected(compiled, state, token)
        rows.append((float(logits[column] - log_sum_exp(logits)), ilm, centre))
    return Forced(*np.array(rows).T)


def expected(compiled: Compiled, state: int, token: int) -> tuple[float, int]:
    """The table's entry for `token` in `state`, and the state after it."""
    if token == END:
        return float(compiled.table.ends[state]), state
    at = arc_of(compiled.acceptor, state, token)
    return float(compiled.table.arcs[at]), int(compiled.acceptor.to[at])


def arc_of(acceptor: Acceptor, state: int, token: int) -> int:
    first = int(acceptor.offsets[state])
    (at,) = np.flatnonzero(acceptor.arcs(state).tokens == token)
    return first + int(at)


def all_hypotheses(clips: list[Clip]) -> Iterator[tuple[Clip, dict[str, Any]]]:
    for clip in clips:
        for hypothesis in clip.hypotheses:
            yield clip, hypothesis


def test_every_reference_hypothesis_is_in_the_language_and_means_the_same(
    written: list[dict[str, Any]], compiled: Compiled, model: Model
) -> None:
    parser = MeaningParser(
        TokenNetwork(build_network(load_context("barista")), model.tokenizer), model.tokenizer.decode
    )
    hypotheses = [hypothesis for clip in written for hypothesis in clip["hypotheses"]]
    assert len(hypotheses) > 30
    for hypothesis in hypotheses:
        *tokens, end = hypothesis["tokens"]
        assert end == END
        state = compiled.acceptor.start
        for token in tokens:
            state = int(compiled.acceptor.to[arc_of(compiled.acceptor, state, token)])
        assert compiled.acceptor.final[state] == 0.0
        assert model.tokenizer.decode(tokens) == hypothesis["text"]
        (meaning,) = parser.parse(tuple(tokens))
        assert meaning.slots == hypothesis["meaning"]


def test_token_scores_are_those_of_the_reference(clips: list[Clip], compiled: Compiled, model: Model) -> None:
    differences = [
        forced(model, compiled, clip.sound, hypothesis["tokens"]).log_p - hypothesis["log_p"]
        for clip, hypothesis in all_hypotheses(clips)
    ]
    size = np.abs(np.concatenate(differences))
    assert len(size) > 150
    assert size.mean() < 0.06
    assert (size < 0.3).mean() > 0.98
    assert size.max() < 0.6  # its beam had other rows, and a row's scale depends on its batch mates


def test_attention_falls_where_the_reference_heard_the_words(
    clips: list[Clip], compiled: Compiled, model: Model
) -> None:
    for clip, hypothesis in all_hypotheses(clips):
        centre_s = forced(model, compiled, clip.sound, hypothesis["tokens"]).centre_s
        assert np.abs(centre_s - hypothesis["attention_centre_s"]).max() < 0.15


def test_the_table_expects_what_the_references_sampled_table_expects(
    clips: list[Clip], compiled: Compiled, model: Model
) -> None:
    pairs = [
        (forced(model, compiled, clip.sound, hypothesis["tokens"]).ilm, np.array(hypothesis["ilm"]))
        for clip, hypothesis in all_hypotheses(clips)
    ]
    mine, theirs = (np.concatenate(side) for side in zip(*pairs, strict=True))
    assert np.abs(mine - theirs).mean() < 1.0  # one prefix a state, not the mean over sampled sentences
    assert np.corrcoef(mine, theirs)[0, 1] > 0.8


def test_clean_orders_are_understood_as_the_reference_understood_them(
    clips: list[Clip], moonshine: Moonshine, barista: MoonshineGrammar
) -> None:
    for clip in clips:
        beam = Beam(moonshine.model, barista.space(moonshine.silence), BeamOptions())
        best = beam.search(clip.sound).sentences[0]
        ((meaning, *_),) = barista.meanings([tuple(best.tokens[:-1].tolist())])
        assert dict(meaning.slots) == clip.hypotheses[0]["meaning"], clip.name
        assert best.score > 10


def test_encoder_states_have_the_references_spread(clips: list[Clip], written: list[dict[str, Any]]) -> None:
    noted = {clip["file"]: clip for clip in written if clip["condition"] == CLEAN}
    for clip in clips:
        states = clip.sound.states
        assert list(states.shape) == noted[clip.name]["encoder_states"]
        assert states.mean() == pytest.approx(noted[clip.name]["encoder_mean"], abs=5e-4)
        assert states.std() == pytest.approx(noted[clip.name]["encoder_std"], abs=5e-3)
