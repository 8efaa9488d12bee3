"""Beam search under a grammar with the internal language model subtracted.

`S(y) = sum over tokens and the end of [log p(y_t | y_<t, sound) - lambda * ILM(y_t | state)] + log weight(y)`.
Finished sentences take no place in the beam. All rows of a beam are one batch on one encoded sound. Between steps the
search can be stopped, or told that it is late: what has finished by then is the answer, and where nothing has, the best
rows are followed alone until one has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assistant.recognize.moonshine.columns import log_sum_exp
from assistant.recognize.moonshine.model import Encoded, Model, Step
from assistant.recognize.moonshine.space import Space, Ways
from assistant.recognize.moonshine.tokenizer import END, START

MAX_STEPS = 64
STEPS_AT_LEAST, STEPS_PER_FRAME = 4, 0.24
"""A sound has at most so many tokens: four, and ten a second of speech (a frame of the encoder is 24 ms). Measured on
spoken orders: at most 9.3 a second. Beyond that the decoder is in a loop."""
HURRIED_ROWS = 3
HURRIED_SHARE = 3
"""Rows that go on when it is late: a third, at most three. Measured on 50 orders that are late at the eighth step of a
beam of 16: right are 96 and 86 % (6 and 0 dB; never late 100 and 86), with one row 94 and 72 %, for a tenth less time.
Late at half of the steps 30 orders lose at most one, and what is left takes two thirds to four fifths of the time."""
FREE_CHOICES = 6
"""Tokens tried in a wildcard at each step, beside the known words that may end it."""
PIECE_WEIGHT = 0.5
"""Nats for each token of a wildcard that does not begin a word: what the tokenizer writes in one piece is common."""
FREE_ILM_FLOOR = -2.5
"""Least expectation, nats, that a wildcard's token is credited with: without it the rarest words win."""


ECHO_ILM = -0.1
"""Expectation, nats, of a token that continues a repetition: any decoder of words predicts it, without a sound too."""

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BeamOptions:
    """width: rows kept; prune: nats below the step's best at which a candidate is cut; lambda_: weight of the ILM.

    late: nats below the best finished sentence at which a row is given up.
    """

    width: int = 16
    prune: float = 10.0
    lambda_: float = 0.4
    late: float = 14.0


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """A finished token sequence, best wording or not.

    tokens: int32 [n] with the end token; log_p, ilm: float32 [n]; attention: float32 [n, frames]; score: nats.
    weight: natural log of the grammar's weight. terminal: nothing longer begins with it.
    """

    tokens: NDArray[np.int32]
    log_p: NDArray[np.float32]
    ilm: NDArray[np.float32]
    attention: NDArray[np.float32]
    score: float
    weight: float
    terminal: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """The beam after one step: each row's parent row, token and its scores; attention of the step that it fed."""

    parent: NDArray[np.int64]
    token: NDArray[np.int64]
    log_p: NDArray[np.float32]
    ilm: NDArray[np.float32]


_Rows = tuple[NDArray[np.int32], Floats, Floats, Integers, Integers]
"""The rows of a beam: their states, scores, grammar weights, last tokens and parent rows."""


@dataclass(slots=True)
class _End:
    layer: int
    row: int
    log_p: float
    ilm: float
    score: float
    weight: float
    terminal: bool


@dataclass(frozen=True, slots=True, eq=False)
class SearchResult:
    """sentences: finished ones, best first; stopped: the search was cut short; steps, rows: work done."""

    sentences: tuple[Sentence, ...]
    stopped: bool
    steps: int
    rows: int


class Beam:
    """One search over one sound."""

    def __init__(self, model: Model, space: Space, options: BeamOptions) -> None:
        self._model, self._space, self._options = model, space, options
        self._layers: list[_Layer] = []
        self._attention: list[NDArray[np.float32]] = []
        self._ends: list[_End] = []
        self._work = 0

    def search(
        self,
        sound: Encoded,
        stop: Callable[[], bool] = lambda: False,
        keep: int = 12,
        late: Callable[[], bool] = lambda: False,
    ) -> SearchResult:
        """Decode `sound`; `stop` and `late` are asked before each step. `keep` best sentences are returned."""
        states = np.array([self._space.start], np.int32)
        scores: Floats = np.zeros(1, np.float32)
        weights: Floats = np.zeros(1, np.float32)
        tokens: Integers = np.array([START], np.int64)
        parents: Integers = np.zeros(1, np.int64)
        histories: list[tuple[int, ...]] = [()]
        past = self._model.begin()
        stopped = hurried = False
        for at in range(min(MAX_STEPS, STEPS_AT_LEAST + int(STEPS_PER_FRAME * len(sound.states)))):
            if stop() or (hurried and self._has_ended(scores)):
                stopped = True
                break
            if not hurried and late():
                hurried = stopped = True
                if self._has_ended(scores):
                    break
                few = max(min(HURRIED_ROWS, self._options.width // HURRIED_SHARE), 1)
                self._options = replace(self._options, width=few)
                states, scores, weights, histories = states[:few], scores[:few], weights[:few], histories[:few]
                tokens, parents = tokens[:few], parents[:few]
            step = self._model.step(sound, tokens, parents, at, past)
            past = step.past
            self._attention.append(step.attention)
            self._work += len(tokens)
            ways = self._space.ways(states, tokens, parents, at)
            logits = ways.columns.extend(step)
            ways, log_p, norm = _with_free(ways, logits, step, self._model, self._options)
            ways = _expecting_echoes(ways, histories)
            chosen = self._advance(ways, log_p, logits, norm, scores, weights)
            if not len(chosen[0]):
                break
            states, scores, weights, tokens, parents = chosen
            histories = [(*histories[parent], token) for parent, token in zip(parents, tokens, strict=True)]
        return SearchResult(self._finished(keep), stopped, len(self._attention), self._work)

    def _has_ended(self, scores: Floats) -> bool:
        """Whether a finished sentence is as good as the best row: going on would only add to that row's costs."""
        return max((end.score for end in self._ends), default=-np.inf) >= float(scores[0])

    def _advance(
        self, ways: Ways, log_p: Floats, logits: Floats, norm: Floats, scores: Floats, weights: Floats
    ) -> _Rows:
        """Note the sentences that end here and choose the rows of the next beam."""
        o = self._options
        self._end(ways, logits, norm, scores, weights)
        total = scores[ways.row] + log_p - o.lambda_ * ways.ilm + ways.weight
        best = float(total.max(initial=-np.inf))
        done = max((end.score for end in self._ends), default=-np.inf)
        alive = np.flatnonzero(total >= max(best - o.prune, done - o.late))
        if len(alive) > o.width:
            alive = alive[np.argpartition(-total[alive], o.width)[: o.width]]
        alive = alive[np.argsort(-total[alive], kind="stable")]
        parents, tokens = ways.row[alive].astype(np.int64), ways.token[alive].astype(np.int64)
        self._layers.append(_Layer(parents, tokens, log_p[alive], ways.ilm[alive]))
        return ways.to[alive], total[alive], weights[ways.row[alive]] + ways.weight[alive], tokens, parents

    def _end(self, ways: Ways, logits: Floats, norm: Floats, scores: Floats, weights: Floats) -> None:
        if not len(ways.end_row):
            return
        rows = ways.end_row
        log_p = logits[rows, ways.columns.end] - norm[rows]
        score = scores[rows] + log_p - self._options.lambda_ * ways.end_ilm + ways.end_weight
        for i, row in enumerate(rows.tolist()):
            self._ends.append(
                _End(
                    len(self._layers),
                    row,
                    float(log_p[i]),
                    float(ways.end_ilm[i]),
                    float(score[i]),
                    float(weights[row] + ways.end_weight[i]),
                    bool(ways.terminal[i]),
                )
            )

    def _finished(self, keep: int) -> tuple[Sentence, ...]:
        ends = sorted(self._ends, key=lambda end: -end.score)[:keep]
        terminal = {(end.layer, end.row): end.terminal for end in self._ends}
        return tuple(self._trace(end, terminal) for end in ends)

    def _trace(self, end: _End, terminal: dict[tuple[int, int], bool]) -> Sentence:
        """Follow the parents back from `end`; whether more could follow is asked before a closing full stop."""
        if end.layer and int(self._layers[end.layer - 1].token[end.row]) in self._space.marks:
            before = (end.layer - 1, int(self._layers[end.layer - 1].parent[end.row]))
            end.terminal = terminal.get(before, False)
        tokens, log_p, ilm = [END], [end.log_p], [end.ilm]
        attention = [self._attention[end.layer][end.row]]
        row = end.row
        for index in range(end.layer - 1, -1, -1):
            layer = self._layers[index]
            tokens.append(int(layer.token[row]))
            log_p.append(float(layer.log_p[row]))
            ilm.append(float(layer.ilm[row]))
            row = int(layer.parent[row])
            attention.append(self._attention[index][row])
        return Sentence(
            np.array(tokens[::-1], np.int32),
            np.array(log_p[::-1], np.float32),
            np.array(ilm[::-1], np.float32),
            np.array(attention[::-1], np.float32),
            end.score,
            end.weight,
            end.terminal,
        )


def _expecting_echoes(ways: Ways, histories: list[tuple[int, ...]]) -> Ways:
    """The same ways, but a token that says again what followed the last one before is fully expected.

    The table knows one prefix for each state and cannot know that a sentence began with the same words; the decoder
    does, and would be paid for repeating itself ("turn on the lamp and turn on the lamp").
    """
    echoes = np.full(len(histories), -1, np.int64)
    for row, history in enumerate(histories):
        before = [at for at in range(len(history) - 1) if history[at] == history[-1]] if history else []
        if before:
            echoes[row] = history[before[-1] + 1]
    echoed = ways.token == echoes[ways.row]
    if not echoed.any():
        return ways
    return replace(ways, ilm=np.where(echoed, np.maximum(ways.ilm, ECHO_ILM), ways.ilm).astype(np.float32))


def _with_free(
    ways: Ways, logits: Floats, step: Step, model: Model, options: BeamOptions
) -> tuple[Ways, Floats, Floats]:
    """Ways, their log-probabilities, and the log of each row's sum; rows in a wildcard get their likeliest free tokens.

    These rows see the whole vocabulary of words (`Model.wild`), the others the frequent tokens and the context's own.
    """
    norm = log_sum_exp(logits)
    if not ways.free:
        return ways, logits[ways.row, ways.column] - norm[ways.row], norm
    inside = np.array([row for row, _, _ in ways.free])
    wild = _wild_logits(ways, step.hidden[inside], model)
    norm[inside] = np.logaddexp(norm[inside], log_sum_exp(wild))
    allowed = np.flatnonzero(ways.columns.free >= 0)
    candidates = np.concatenate([ways.columns.free[allowed], model.wild.tokens])
    weights = np.where(model.begins_word[candidates], 0.0, -PIECE_WEIGHT).astype(np.float32)
    found: list[tuple[int, int, int, float, float, float]] = []
    for at, (row, state, row_ilm) in enumerate(ways.free):
        heard = np.concatenate([logits[row, allowed], wild[at]])
        expected = np.full(len(candidates), FREE_ILM_FLOOR, np.float32)
        expected[: len(allowed)] = np.maximum(row_ilm[allowed], FREE_ILM_FLOOR)
        gain = heard - options.lambda_ * expected + weights
        known = set(ways.token[ways.row == row].tolist())
        near = np.flatnonzero(gain >= gain.max() - options.prune)  # sorting all of them would take a millisecond
        for i in near[np.argsort(-gain[near])[:FREE_CHOICES]].tolist():
            token = int(candidates[i])
            if token not in known:
                found.append((row, token, state, heard[i] - norm[row], expected[i], weights[i]))
    log_p = logits[ways.row, ways.column] - norm[ways.row]
    rows, tokens, to, more, ilm, weight = zip(*found, strict=True) if found else ((),) * 6
    joined = replace(
        ways,
        row=np.concatenate([ways.row, np.array(rows, np.int32)]),
        token=np.concatenate([ways.token, np.array(tokens, np.int32)]),
        to=np.concatenate([ways.to, np.array(to, np.int32)]),
        ilm=np.concatenate([ways.ilm, np.array(ilm, np.float32)]),
        weight=np.concatenate([ways.weight, np.array(weight, np.float32)]),
        free=[],
    )
    return joined, np.concatenate([log_p, np.array(more, np.float32)]), norm


def _wild_logits(ways: Ways, hidden: Floats, model: Model) -> Floats:
    """Logits of the words beyond the frequent tokens, float32 [rows, wild]; those that the context has are left out."""
    logits: Floats = hidden @ model.wild.weights
    own = ways.columns.tokens[len(model.vocabulary) :]
    at = np.searchsorted(model.wild.tokens, own).clip(max=len(model.wild.tokens) - 1)
    logits[:, at[model.wild.tokens[at] == own]] = -np.inf
    return logits
