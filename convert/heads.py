"""The net for sound alone as a part of a bundle: trained, int8, its confidence and its gate fitted, judged.

    takes ─► voices ─► rooms ─► encoder ─► rows ─► train ─► int8 ─► temperature, logistic, gate ─► sound.tflite, .npz

The gate is set so that 99 of 100 answers in moderate noise are right, on the half that it is fitted on; every figure
is of the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import InputError
from assistant.grammar.load import load_context
from assistant.grammar.tree import Context
from assistant.types import SOUND_ONLY, Gate, Hypothesis, Transcript
from assistant.understand.calibration import expected_calibration_error, fit_weights
from assistant.understand.fused.by_sound import confidence, log_odds
from assistant.understand.fused.heads import BASIS_ARRAYS, Basis, Heads, heads_of, labels_of
from assistant.understand.fused.manifest import INTENT, Head, SoundNet
from benchmarks.fused_clips import FOREIGN, ORDERS
from benchmarks.scoring import auc, same_value
from convert import heads_train as t
from convert.files import Places, archive, write_arrays
from convert.heads_data import Listened, encodings, read_listened, sound_takes, voices
from convert.heads_judge import Recorded, recorded
from convert.heads_model import SoundShape, build, fix
from convert.heads_train import SoundSchedule
from convert.model import operations, tensorflow
from convert.quantize import converted, runner
from convert.recognise import read_shard
from convert.stages import Advance, company_of, speak_all
from convert.synthesize import CUT, FULL
from convert.workers import Crew, located, missing

SOUND_FILE, BASIS_FILE = "sound.tflite", "sound.npz"
SENTENCES = 6000
"""So many are planned; each is spoken once and heard several times."""
TAKES, QUICK_TAKES = 6720, 1500
QUICK_SCHEDULE = SoundSchedule(epochs=8)
CALIBRATION_ROWS = 300
WANTED = 0.99
"""Share of answers that must be right for the gate to let them pass."""
GATED = ("clean", "kitchen 12 dB", "kitchen 6 dB", "above 10 dB")
"""In these conditions; where it is louder, or others talk, confidence falls by itself and it asks."""
STRANGERS = 0.02
"""Share of foreign speech that may be asked about at most."""
LEAST_ASK = 0.1
TEMPERATURES = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0)
TRAIN_FORMAT = 1

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SoundOrder:
    """What to make. folder: of the context. takes: utterances to learn from. real: judge by recordings."""

    folder: str
    places: Places
    takes: int
    schedule: SoundSchedule
    seed: int
    real: bool


@dataclass(frozen=True, slots=True, eq=False)
class SoundMade:
    """The files and what the manifest says of them."""

    net: SoundNet
    heads: Mapping[str, Head]
    data: bytes
    basis: bytes
    history: Sequence[Mapping[str, float]]
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a recording. strict: whether the best meaning is exactly right; score: its log-probability."""

    kind: str
    group: str
    fits: bool
    strict: bool
    score: float


def make(order: SoundOrder, shards: Iterable[Path], crew: Crew, advance: Advance) -> SoundMade | None:
    """All stages; None where the context's slots are no closed lists. shards: of what else was heard: negatives.

    Raises AssistantError.
    """
    context = load_context(order.folder)
    heads = labels_of(context)
    if heads is None:
        return None
    listened = gather(order, context, crew, advance)
    negatives = list(_others(shards, context.name))
    basis = t.fit(listened, order.seed)
    rows = t.rows_of([*listened, *negatives], heads, context.name, basis)
    trained = _trained(order, rows, heads, basis, advance)
    data, parameters, multiplications = exported(trained, rows, heads, order.seed)
    basis_data = archive({name: getattr(basis, name) for name in BASIS_ARRAYS})
    net = SoundNet(
        file=SOUND_FILE,
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        basis_file=BASIS_FILE,
        basis_sha256=hashlib.sha256(basis_data).hexdigest(),
        frames=t.FRAMES,
        pool=t.POOL,
        audio_dim=len(basis.mean),
        state_dim=t.STATE_DIM,
        precision="int8",
        parameters=parameters,
        operations=multiplications,
        gate=Gate(1.0, 1.0),
    )
    judged = _recordings(order, advance) if order.real else list(_held(listened))
    net = calibrated(net, heads, basis, data, context, judged)
    found = answers(heads_of(net, heads, basis, runner(data), context, Path(SOUND_FILE)), judged)
    figures = figures_of(found, net.gate)
    return SoundMade(replace_figures(net, figures), heads, data, basis_data, trained.history, figures)


def gather(order: SoundOrder, context: Context, crew: Crew, advance: Advance) -> list[Listened]:
    """Speak and encode what is not there yet; all of it."""
    takes = sound_takes(context, company_of(order.places.data), SENTENCES, order.seed)[: order.takes]
    if not takes:
        raise InputError("no voice is installed to speak the sentences", where="sound")
    tasks = encodings(takes)
    todo = missing(tasks, order.places)
    unspoken = [take for task in tasks if task in todo for take in task.takes]
    speak_all(unspoken, order.places, crew, advance, voices())
    done = len(tasks) - len(todo)
    advance("encode", done, len(tasks))

    def told(finished: Any) -> None:
        nonlocal done
        del finished
        done += 1
        advance("encode", done, len(tasks))

    crew.run(todo, told)
    return [one for task in tasks for one in read_listened(located(order.places, task.name))]


def _others(shards: Iterable[Path], context: str) -> Iterator[Listened]:
    """What was heard under other grammars, whole: it is none of this context."""
    for shard in shards:
        for heard in read_shard(shard):
            if heard.take.grammar != context and heard.take.kind in (FULL, FOREIGN):
                yield Listened(heard.take, heard.noise, heard.snr_db, heard.sound.states.astype(np.float16))


def _held(listened: Sequence[Listened]) -> Iterator[Recorded]:
    """Validation takes as recordings to judge by, every second one to calibrate on."""
    held = [one for one in listened if one.take.split != "train" and one.take.kind != CUT]
    for i, one in enumerate(held):
        meant = one.take.kind == FULL
        group = "clean" if one.snr_db is None else "above 10 dB" if one.snr_db > 10 else "below 10 dB"
        kind = ORDERS if meant else FOREIGN
        take = one.take
        yield Recorded(take.key, kind, group, i % 2 == 0, take.intent, dict(take.slots), one.states)


def _recordings(order: SoundOrder, advance: Advance) -> list[Recorded]:
    return recorded(order.places, order.folder, lambda i, n: advance("recordings", i, n))


def exported(
    trained: t.SoundTrained, rows: t.SoundRows, heads: Mapping[str, Head], seed: int, precision: str = "int8"
) -> tuple[bytes, int, int]:
    """The net as a .tflite without what only training needs; its parameters and multiplications."""
    tf, keras = tensorflow()
    keras.backend.clear_session()
    made = (rows.frames.shape[1], t.spelling_of(heads), rows.words.shape[1], trained.shape)
    free, net = build(*made), build(*made, frames=t.FRAMES)
    free.set_weights(trained.weights)
    fix(free, net)

    @tf.function(input_signature=[tf.TensorSpec((1, t.FRAMES, rows.frames.shape[1] + 1), tf.float32, name="frames")])  # type: ignore[untyped-decorator]
    def serve(frames: Any) -> dict[str, Any]:
        out = net(frames, training=False)
        return {name: out[name] for name in heads}

    def examples() -> Iterator[dict[str, Floats]]:
        noisy = np.flatnonzero(~rows.valid)
        for row in np.sort(np.random.default_rng(seed).permutation(noisy)[:CALIBRATION_ROWS]):
            yield {"frames": t.padded([rows.of(row)], t.FRAMES)}

    return converted(net, serve, precision, examples), int(net.count_params()), operations(net)


def answers(heads: Heads, judged: Sequence[Recorded]) -> list[Answered]:
    """What the device would make of each recording."""
    found = []
    for one in judged:
        if not len(one.states):
            continue
        transcript = heads.answer(Transcript((), "", "", SOUND_ONLY, one.states.astype(np.float32)))
        best = transcript.hypotheses[0] if transcript.hypotheses else None
        strict = best is not None and one.kind == ORDERS and _exactly(best, one)
        found.append(Answered(one.kind, one.group, one.fits, strict, best.score if best else -20.0))
    return found


def _exactly(best: Hypothesis, one: Recorded) -> bool:
    said = {name: value for name, value in best.slots.items() if value not in (None, "")}
    return (
        same_value(best.intent, one.intent)
        and said.keys() == one.slots.keys()
        and all(same_value(said[name], value) for name, value in one.slots.items())
    )


def calibrated(
    net: SoundNet, heads: Mapping[str, Head], basis: Basis, data: bytes, context: Context, judged: Sequence[Recorded]
) -> SoundNet:
    """`net` with its temperature, logistic and gate, from the recordings that are to calibrate on."""
    fits = [one for one in judged if one.fits]
    run = runner(data)
    best: tuple[float, SoundNet] | None = None
    kept: list[tuple[Any, ...]] = []

    def replayed(frames: Any) -> Any:
        return run(frames=frames)

    for temperature in TEMPERATURES:
        tried = _with(net, temperature=temperature)
        if not kept:
            kept = _logits(heads_of(tried, heads, basis, replayed, context, Path(SOUND_FILE)), fits)
        loss = _loss(kept, temperature)
        if best is None or loss < best[0]:
            best = (loss, tried)
    assert best is not None
    net = best[1]
    found = answers(heads_of(net, heads, basis, run, context, Path(SOUND_FILE)), fits)
    x = np.array([[log_odds(one.score)] for one in found])
    y = np.array([one.strict for one in found], bool)
    bias, slope = (0.0, np.array([1.0])) if y.all() or not y.any() else fit_weights(x, y)
    gate = Gate(1.0, 1.0, float(slope[0]), float(bias))
    stated = np.array([confidence(one.score, gate) for one in found])
    usual = np.array([one.kind == FOREIGN or one.group in GATED for one in found], bool)
    accept = _least(stated[usual], y[usual], WANTED)
    strangers = np.array([p for p, one in zip(stated, found, strict=True) if one.kind == FOREIGN])
    ask = float(np.quantile(strangers, 1 - STRANGERS)) if len(strangers) else LEAST_ASK
    return _with(net, gate=replace(gate, accept=accept, ask=min(max(ask, LEAST_ASK), accept)))


def _logits(heads: Heads, fits: Sequence[Recorded]) -> list[tuple[Any, ...]]:
    """For each sentence that was meant: each head's logits and which label is right."""
    found = []
    for one in fits:
        if one.kind != ORDERS or not len(one.states):
            continue
        frames = heads.basis.frames(one.states.astype(np.float32), heads.net.frames, heads.net.pool)
        out = heads.run(frames=frames[None])
        for name, head in heads.heads.items():
            label = one.intent if name == INTENT else str(one.slots.get(head.slot, ""))
            known = [i for i, listed in enumerate(head.labels) if same_value(listed, label)]
            if known:
                found.append((np.ravel(out[name]).astype(np.float64), known[0]))
    return found


def _loss(pairs: Sequence[tuple[Any, ...]], temperature: float) -> float:
    """Mean cross-entropy."""
    total = 0.0
    for logits, label in pairs:
        scaled = logits / temperature
        total += float(np.logaddexp.reduce(scaled) - scaled[label])
    return total / max(len(pairs), 1)


def _least(stated: NDArray[np.float64], right: NDArray[np.bool_], wanted: float) -> float:
    """The least confidence from which on at least `wanted` of the answers are right."""
    order = np.argsort(-stated, kind="stable")
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(share >= wanted)
    return float(stated[order[enough[-1]]]) if len(enough) else 1.0


def figures_of(found: Sequence[Answered], gate: Gate) -> dict[str, Any]:
    """Of the half that nothing was calibrated on: by group how many are right, answered, right of those, asked."""
    half = [one for one in found if not one.fits]
    groups: dict[str, list[Answered]] = {}
    for one in half:
        groups.setdefault(one.group if one.kind == ORDERS else f"{FOREIGN}: {one.group}", []).append(one)
    table = {}
    for name, rows in groups.items():
        sure = [confidence(one.score, gate) for one in rows]
        answered = [one for one, p in zip(rows, sure, strict=True) if p >= gate.accept]
        table[name] = {
            "n": len(rows),
            "strict": sum(one.strict for one in rows),
            "answered": len(answered),
            "answered_right": sum(one.strict for one in answered),
            "asked": sum(gate.ask <= p < gate.accept for p in sure),
        }
    stated = np.array([confidence(one.score, gate) for one in half])
    true = np.array([one.strict for one in half], bool)
    both = bool(half) and bool(true.any()) and not bool(true.all())
    return {
        "groups": table,
        "auc": round(float(auc(stated[true].tolist(), stated[~true].tolist())), 4) if both else None,
        "ece": round(float(expected_calibration_error(stated, true)), 4) if both else None,
    }


def replace_figures(net: SoundNet, figures: Mapping[str, Any]) -> SoundNet:
    """`net` with what was measured of it."""
    return _with(net, figures=dict(figures))


def _with(net: SoundNet, **changes: Any) -> SoundNet:
    import msgspec

    return msgspec.structs.replace(net, **changes)


def _trained(
    order: SoundOrder, rows: t.SoundRows, heads: Mapping[str, Head], basis: Basis, advance: Advance
) -> t.SoundTrained:
    """The net, trained now or before."""
    shape = SoundShape()
    digest = hashlib.sha256(basis.basis.tobytes())
    for array in (rows.first, rows.labels, rows.weights, rows.words, rows.valid):
        digest.update(np.ascontiguousarray(array).tobytes())
    content = [TRAIN_FORMAT, asdict(shape), asdict(order.schedule), order.seed, digest.hexdigest()]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:20]
    file = order.places.work / "trained" / f"sound-{key}.npz"
    if file.is_file():
        with np.load(file) as stored:
            history, seconds = json.loads(stored["history"].tobytes())
            weights = [stored[name] for name in stored.files if name.startswith("w")]
        return t.SoundTrained(shape, weights, history, seconds)

    def told(epoch: int, epochs: int, figures: Mapping[str, float]) -> None:
        del figures
        advance("train sound", epoch, epochs)

    made = t.train(rows, heads, shape, order.schedule, order.seed, told)
    record = np.frombuffer(json.dumps([made.history, made.seconds]).encode(), np.uint8)
    write_arrays(file, {"history": record, **{f"w{i:03d}": w for i, w in enumerate(made.weights)}})
    return made
