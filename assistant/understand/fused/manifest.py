"""manifest.json of a bundle: what the net was made for and from, what its answers are worth, and its variants.

    BUNDLE/manifest.json      this
    BUNDLE/features.npz       the features' parameters (projection.py)
    BUNDLE/full.tflite …      one net a variant

Every net has the inputs, all float32, of one hypothesis:
    "tokens" [1, N, Dt], "frames" [1, F, Df], "globals" [1, G]        (features.py; the last columns are masks)
and the outputs, float32 logits:
    "right" [1, 1]     this meaning was said
    "whole" [1, 1]     no speech is left over and no word was invented
They are found by name in the file's signature `serving_default`.

A bundle made for a context may hold one more net, for sound alone (`sound`; heads.py):
    BUNDLE/sound.tflite, sound.npz
whose input is "frames" float32 [1, F, D + 1] and whose outputs are logits, listed in `heads` with their labels:
    "intent" [1, 1 + intents], "slot_0" [1, 1 + values], …; the first label, "", is none of them
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from assistant.errors import ModelError
from assistant.types import Fusion, Gate
from assistant.understand.fused.projection import FEATURES_FORMAT, FeatureSpec

MANIFEST_FILE = "manifest.json"
FEATURES_FILE = "features.npz"
FORMAT = 2
"""Raised with every change of these structs; a bundle of a higher format is not used."""
GENERIC = "generic"
"""`context_hash` of a bundle that is for every context."""
INPUTS = ("tokens", "frames", "globals")
RIGHT, WHOLE = "right", "whole"
INTENT = "intent"

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Variant(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One net of the bundle.

    cost: its class: "full", "lite" or "tiny". file: its .tflite. parameters: how many it has.
    operations: multiplications for one hypothesis. milliseconds: measured for one, one thread, `machine` says where.
    fusion: its own numbers: a quantized net's logits are not a float one's. figures: measured on recordings.
    """

    cost: str
    file: str
    sha256: Sha256
    bytes: int
    precision: str
    parameters: int
    operations: int = 0
    milliseconds: float | None = None
    fusion: Fusion
    figures: dict[str, Any] = {}


class Head(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An output of the net for sound alone: labels by its logits; slot: the slot it names, "" for the intent."""

    labels: tuple[str, ...]
    slot: str = ""


class SoundNet(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The net for sound alone.

    basis_file: of what makes its input from encoder states. frames, pool: how many frames there are, and states
    averaged for each; audio_dim: of a state; state_dim: principal components of a frame.
    temperature: by which the logits of every head are divided. gate: how its answers count.
    parameters, operations, figures: as of a Variant.
    """

    file: str
    sha256: Sha256
    bytes: int
    basis_file: str
    basis_sha256: Sha256
    frames: int
    pool: int
    audio_dim: int
    state_dim: int
    precision: str
    parameters: int
    operations: int = 0
    milliseconds: float | None = None
    temperature: float = 1.0
    gate: Gate
    figures: dict[str, Any] = {}


class Manifest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A bundle.

    name: of the bundle. context: name of its context, "" for a generic one. context_hash: of that context, or GENERIC.
    family: of a context with a home: the bundle is for these sentences in any home; "" otherwise.
    recognizer, tokenizer_sha256: whose states and tokens the net reads.
    features, features_sha256: shapes and the file of their parameters.
    variants: dearest first. sound: the net for sound alone, None where there is none; heads: its outputs by name.
    licences: of all training data, by name. seeds, versions: what repeats the build. command: what built it.
    built_s: how long that took, seconds. machine: where the figures were measured.
    """

    format: int
    name: str
    context: str
    context_hash: str
    family: str = ""
    language: str = "en"
    recognizer: str = "moonshine/tiny-en"
    tokenizer_sha256: str = ""
    features: FeatureSpec
    features_sha256: Sha256
    variants: tuple[Variant, ...]
    heads: dict[str, Head] = {}
    sound: SoundNet | None = None
    licences: dict[str, str] = {}
    seeds: dict[str, int] = {}
    versions: dict[str, str] = {}
    command: str = ""
    built_s: float = 0.0
    machine: str = ""
    notes: str = ""

    def variant(self, cost: str) -> Variant:
        """The variant of this cost class. Raises ModelError with those there are."""
        for variant in self.variants:
            if variant.cost == cost:
                return variant
        known = ", ".join(v.cost for v in self.variants)
        raise ModelError(f"has no variant '{cost}'", where=f"bundle {self.name}", remedy=f"choose one of: {known}")


class _Formats(Struct):
    """What every format has."""

    format: int


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the bundle in `folder`. Raises ModelError when missing, damaged or of a newer format."""
    path = folder / MANIFEST_FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"cannot be read ({error.strerror})", where=str(path), remedy="build or copy the bundle again"
        ) from error
    try:
        written = msgspec.json.decode(data, type=_Formats).format
        if written <= FORMAT:
            manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise ModelError(f"is not a manifest ({error})", where=str(path), remedy="build the bundle again") from error
    if written > FORMAT or manifest.features.format > FEATURES_FORMAT:
        raise ModelError(
            f"was made for a newer version of the assistant (format {written})", where=str(path), remedy="update it"
        )
    if not manifest.variants:
        raise ModelError("has no variants", where=str(path), remedy="build the bundle again")
    return manifest


def write_manifest(manifest: Manifest) -> bytes:
    """`manifest` as manifest.json, indented; the same content gives the same bytes."""
    plain = msgspec.to_builtins(manifest, enc_hook=dict)  # a frozen dictionary is the one thing not known to msgspec
    return msgspec.json.format(msgspec.json.encode(plain, order="deterministic"), indent=1) + b"\n"
