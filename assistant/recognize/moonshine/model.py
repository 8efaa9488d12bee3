"""Moonshine tiny-en on onnxruntime: sound to encoder states, tokens to log-probabilities, a beam of pasts.

The published files live in the wheel `moonshine-voice`; `prepare_model` rebuilds them once into a cache folder
(graph.py) and `Model` runs them on one thread, without memory arenas.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import hashlib
import importlib.util
import shutil
import tempfile
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import ModelError, StorageError
from assistant.grammar.tokens import SENTENCE_MARKS
from assistant.recognize.moonshine.tokenizer import Tokenizer

FORMAT = 4
"""Raised whenever graph.py builds something else: older caches are then rebuilt."""
MIN_SAMPLES = 16_000 // 2
"""Shorter sound is padded with silence to half a second."""
FREQUENT_TOKENS = 8192
SINGLE_CHARACTERS = range(29871, 29960)
PUBLISHED_SHA256 = {
    "encoder_model.ort": "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
    "decoder_model_merged.ort": "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0",
    "tokenizer.bin": "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d",
}
"""The files of moonshine-voice 0.1.0, checked whenever they are prepared."""
FRAME_S = 384 / 16_000
"""One encoder state covers 24 ms (strides 64, 3 and 2)."""
LAYERS, HEADS, HEAD_DIM = 6, 8, 36

Past = list[NDArray[np.float32]]


def base_vocabulary() -> NDArray[np.int64]:
    """Tokens of the output layer: the frequent ones and all single characters (8,281 of 32,768)."""
    return np.array([*range(FREQUENT_TOKENS), *SINGLE_CHARACTERS], np.int64)


def published_folder() -> Path:
    """Where the wheel keeps tiny-en. Raises ModelError."""
    spec = importlib.util.find_spec("moonshine_voice")
    folder = Path(spec.origin or "").parent / "assets" / "tiny-en" if spec else Path()
    if spec is None or not all((folder / name).is_file() for name in PUBLISHED_SHA256):
        raise ModelError(
            "the speech model tiny-en is not installed",
            where="moonshine-voice",
            remedy="run: pip install moonshine-voice==0.1.0",
        )
    return folder


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A prepared model: the two graphs, the tokenizer, the output layer's remaining columns; id names the content."""

    encoder: Path
    decoder: Path
    tokenizer: Path
    projection: Path
    id: str


def prepare_model(cache: Path, precision: str = "int8") -> ModelFiles:
    """The prepared files, built into `cache` if they are not there (about 5 s). Raises ModelError, StorageError."""
    source = published_folder()
    identity = hashlib.sha256(f"{FORMAT}:{precision}".encode())
    for name in PUBLISHED_SHA256:
        stat = (source / name).stat()
        identity.update(f"{name}:{stat.st_size}:{stat.st_mtime_ns}".encode())
    folder = cache / f"moonshine-tiny-en-{precision}-{identity.hexdigest()[:16]}"
    files = ModelFiles(
        folder / "encoder.onnx",
        folder / "decoder.onnx",
        source / "tokenizer.bin",
        folder / "projection.npy",
        f"tiny-en-{precision}-{FORMAT}",
    )
    if not (folder / "complete").is_file():
        _build(source, folder, precision)
    return files


def discard_model(files: ModelFiles) -> None:
    """Remove the prepared files, so that they are built anew."""
    shutil.rmtree(files.encoder.parent, ignore_errors=True)


def _check(source: Path) -> None:
    """Raise ModelError if a published file is not the one that this engine was made for."""
    for name, expected in PUBLISHED_SHA256.items():
        if hashlib.sha256((source / name).read_bytes()).hexdigest() != expected:
            raise ModelError(
                "the speech model is corrupt (its SHA-256 is another one)",
                where=str(source / name),
                remedy="reinstall it: pip install --force-reinstall --no-deps moonshine-voice==0.1.0",
            )


def _build(source: Path, folder: Path, precision: str) -> None:
    """Convert into a temporary sibling and rename, so that a broken-off build leaves nothing half done."""
    _check(source)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".moonshine-", dir=folder.parent))
    except OSError as error:
        raise StorageError(
            str(error), where=str(folder.parent), remedy="set XDG_CACHE_HOME to a writable folder"
        ) from error
    try:
        _convert(source, staging, precision)
        (staging / "complete").touch()
        shutil.rmtree(folder, ignore_errors=True)
        staging.replace(folder)
    except OSError as error:
        if not (folder / "complete").is_file():
            raise StorageError(str(error), where=str(folder), remedy="free some disk space (60 MB)") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _convert(source: Path, folder: Path, precision: str) -> None:
    import onnx

    from assistant.recognize.moonshine import graph

    encoder = onnx.load(str(_as_onnx(source / "encoder_model.ort", folder)))
    merged = onnx.load(str(_as_onnx(source / "decoder_model_merged.ort", folder)))
    branch = next(
        attribute.g
        for node in merged.graph.node
        if node.op_type == "If"
        for attribute in node.attribute
        if attribute.name == "else_branch"
    )
    decoder = graph.Weights(branch, merged.graph.initializer)
    onnx.save(graph.build_encoder(encoder, decoder, precision), str(folder / "encoder.onnx"))
    onnx.save(graph.build_decoder(decoder, base_vocabulary(), precision), str(folder / "decoder.onnx"))
    integers, scale = decoder.quantized("logits")
    if integers.min() < -128 or integers.max() > 127:
        integers = np.clip(integers, -128, 127)
    np.save(folder / "projection.npy", integers.T.astype(np.int8))
    (folder / "scale.txt").write_text(repr(scale))
    for name in ("encoder_model.onnx", "decoder_model_merged.onnx"):
        (folder / name).unlink()


def _as_onnx(ort_file: Path, folder: Path) -> Path:
    """Let onnxruntime write its own format back as ONNX."""
    import onnxruntime

    target = folder / f"{ort_file.stem}.onnx"
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.save_model_format", "ONNX")
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    try:
        onnxruntime.InferenceSession(str(ort_file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own family, unrelated to each other
        raise ModelError(
            "the speech model is corrupt", where=str(ort_file), remedy="reinstall moonshine-voice==0.1.0"
        ) from error
    return target


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """One stretch of sound: states [frames, 288], keys [6, 8, 36, frames], values [6, 8, frames, 36]; all float32."""

    states: NDArray[np.float32]
    keys: NDArray[np.float32]
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One decoder step of a beam.

    logits: float32 [beam, columns]; hidden: float32 [beam, 288]; attention: float32 [beam, frames].
    past: twelve arrays float32 [beam, 8, length, 36].
    """

    logits: NDArray[np.float32]
    hidden: NDArray[np.float32]
    attention: NDArray[np.float32]
    past: Past


@dataclass(frozen=True, slots=True, eq=False)
class Wild:
    """Words beyond the frequent tokens. tokens: int32 [n], ascending; weights: float32 [288, n], output layer."""

    tokens: NDArray[np.int32]
    weights: NDArray[np.float32]


class Model:
    """The two sessions. Thread-safe: holds no state between calls. `unload` gives their memory back for a while."""

    def __init__(self, files: ModelFiles, threads: int = 1) -> None:
        self._files, self._threads = files, threads
        self._lock = threading.Lock()
        self._sessions: tuple[Any, Any] | None = None
        _, decoder = self.load()
        self.id = files.id
        self.projection: NDArray[np.int8] = np.load(files.projection, mmap_mode="r")
        self.tokenizer = Tokenizer.load(files.tokenizer)
        self.marks = frozenset(self.tokenizer.encode_word(mark, glued=True)[0] for mark in SENTENCE_MARKS)
        self.vocabulary = base_vocabulary().astype(np.int32)
        self.free = self.text_tokens(self.vocabulary)
        self.begins_word = np.array([self.tokenizer.begins_word(token) for token in range(len(self.tokenizer))])
        self.column = np.full(len(self.tokenizer), -1, np.int32)
        self.column[self.vocabulary] = np.arange(len(self.vocabulary), dtype=np.int32)
        self._names = [output.name for output in decoder.get_outputs()]

    @property
    def files(self) -> ModelFiles:
        """What it was loaded from."""
        return self._files

    @property
    def loaded(self) -> bool:
        """Whether the next step starts at once."""
        return self._sessions is not None

    def load(self) -> tuple[Any, Any]:
        """Encoder and decoder, loaded if they are not. Raises ModelError."""
        import onnxruntime

        with self._lock:
            if self._sessions is not None:
                return self._sessions
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = self._threads
            options.inter_op_num_threads = 1
            options.enable_cpu_mem_arena = False
            # It keeps a plan of memory for every combination of lengths, and no two utterances are of one length:
            # measured over 300 utterances 200 against 236 MB and still growing, at no cost in time (55 pairs: 0.99).
            options.enable_mem_pattern = False
            options.log_severity_level = 3
            files, providers = self._files, ["CPUExecutionProvider"]
            try:
                self._sessions = (
                    onnxruntime.InferenceSession(str(files.encoder), options, providers),
                    onnxruntime.InferenceSession(str(files.decoder), options, providers),
                )
                self.scale = float((files.projection.parent / "scale.txt").read_text())
            except Exception as error:  # onnxruntime raises its own family, unrelated to each other
                raise ModelError(
                    f"the prepared speech model does not load ({error})",
                    where=str(files.encoder.parent),
                    remedy=f"delete {files.encoder.parent}; it is built again",
                ) from error
            return self._sessions

    def unload(self) -> None:
        """Give the weights' memory back; what comes next loads them again."""
        self._sessions = None
        _give_back()

    def encode(self, pcm: NDArray[np.float32]) -> Encoded:
        """States of sound, float32 [samples] in ±1 at 16 kHz."""
        if len(pcm) < MIN_SAMPLES:
            pcm = np.pad(pcm, (0, MIN_SAMPLES - len(pcm)))
        encoder, _ = self._sessions or self.load()
        states, keys, values = encoder.run(None, {"sound": pcm[None, :]})
        return Encoded(states[0], keys, values)

    def begin(self) -> Past:
        """The empty past."""
        return [np.zeros((1, HEADS, 0, HEAD_DIM), np.float32) for _ in range(2 * LAYERS)]

    def step(
        self, sound: Encoded, tokens: NDArray[np.int64], parents: NDArray[np.int64], position: int, past: Past
    ) -> Step:
        """Feed one token to each row; row i continues past[parents[i]]."""
        feed: dict[str, Any] = {
            "tokens": tokens,
            "parents": parents,
            "position": np.array([position], np.int64),
            "keys": sound.keys,
            "values": sound.values,
        }
        for layer in range(LAYERS):
            feed[f"past_k_{layer}"] = past[2 * layer]
            feed[f"past_v_{layer}"] = past[2 * layer + 1]
        _, decoder = self._sessions or self.load()
        logits, hidden, attention, *present = decoder.run(self._names, feed)
        return Step(logits, hidden, attention, present)

    @cached_property
    def wild(self) -> Wild:
        """The rarer words and pieces, for wildcards; made when they are first needed (18 MB)."""
        rare = np.setdiff1d(np.arange(len(self.tokenizer), dtype=np.int32), self.vocabulary)
        tokens = rare[np.fromiter(map(self.tokenizer.is_word_piece, rare.tolist()), bool, len(rare))]
        return Wild(tokens, self.columns_of(tokens))

    def text_tokens(self, tokens: NDArray[np.int32]) -> NDArray[np.int32]:
        """The same tokens, -1 for those that a wildcard may not take."""
        text = np.fromiter((self.tokenizer.is_text(int(token)) for token in tokens), bool, len(tokens))
        return np.where(text, tokens, -1).astype(np.int32)

    def vectors_of(self, tokens: NDArray[np.int32]) -> NDArray[np.float32]:
        """The decoder's embedding of each token, float32 [len(tokens), 288] (its output layer has the same weights)."""
        return self.projection[tokens].astype(np.float32) * np.float32(self.scale)

    def columns_of(self, tokens: NDArray[np.int32]) -> NDArray[np.float32]:
        """Output-layer weights float32 [288, len(tokens)] of tokens outside the base vocabulary."""
        return np.ascontiguousarray(self.vectors_of(tokens).T)


def _give_back() -> None:
    """Have the C library return what is free to the system; others than glibc do so by themselves."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
