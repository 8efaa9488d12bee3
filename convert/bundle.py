"""A bundle: one net a cost class, the features' parameters, a manifest with hashes, a model card; written whole.

What depends on the clock or the machine (build time, latency) goes into `build.json`; every other file is the same,
byte for byte, for the same seed, data and versions.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from assistant.errors import StorageError
from assistant.grammar.tree import Context
from assistant.recognize.moonshine.model import PUBLISHED_SHA256
from assistant.types import Fusion
from assistant.understand.fused.manifest import (
    FEATURES_FILE,
    FORMAT,
    GENERIC,
    MANIFEST_FILE,
    Manifest,
    Variant,
    write_manifest,
)
from assistant.understand.fused.projection import Projection
from convert.sources import LICENCES as DATA_LICENCES
from convert.voices import LICENCES as VOICE_LICENCES

BUILD_FILE = "build.json"
CARD_FILE = "CARD.md"
PACKAGES = ("numpy", "tensorflow", "tensorflow-cpu", "tf-keras", "ai-edge-litert", "onnxruntime", "moonshine-voice")


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One net as a file, with its numbers. figures: measured on recordings; milliseconds: for one hypothesis here."""

    cost: str
    data: bytes
    precision: str
    parameters: int
    operations: int
    fusion: Fusion
    figures: Mapping[str, Any] = field(default_factory=dict)
    milliseconds: float | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a bundle comes from. context: None for a generic one. trained_on: rows by kind and corpus."""

    name: str
    context: Context | None
    command: str
    seeds: Mapping[str, int]
    trained_on: Mapping[str, int]
    notes: str = ""


def write_bundle(
    folder: Path, origin: Origin, projection: Projection, candidates: Sequence[Candidate], seconds: float
) -> Manifest:
    """Write the bundle to `folder`, replacing what is there in one step. Raises StorageError."""
    features = projection.to_bytes()
    manifest = manifest_of(origin, projection, features, candidates)
    files = {MANIFEST_FILE: write_manifest(manifest), FEATURES_FILE: features}
    files |= {f"{candidate.cost}.tflite": candidate.data for candidate in candidates}
    files[CARD_FILE] = card(manifest, origin).encode()
    files[BUILD_FILE] = build_record(candidates, seconds)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for name, data in files.items():
                (staging / name).write_bytes(data)
            staging.chmod(0o755)
            old = folder.with_name(f".{folder.name}-old")
            shutil.rmtree(old, ignore_errors=True)
            if folder.exists():
                folder.replace(old)
            staging.replace(folder)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise StorageError(
            f"the bundle cannot be written ({error.strerror})",
            where=str(folder),
            remedy="free some space and run the command again: what is made stays made",
        ) from error
    return manifest


def manifest_of(origin: Origin, projection: Projection, features: bytes, candidates: Sequence[Candidate]) -> Manifest:
    """What the bundle says of itself."""
    context = origin.context
    return Manifest(
        format=FORMAT,
        name=origin.name,
        context=context.name if context else "",
        context_hash=context.hash if context else GENERIC,
        tokenizer_sha256=PUBLISHED_SHA256["tokenizer.bin"],
        features=projection.spec,
        features_sha256=hashlib.sha256(features).hexdigest(),
        variants=tuple(_variant(candidate) for candidate in candidates),
        licences={**DATA_LICENCES, **VOICE_LICENCES},
        seeds=dict(origin.seeds),
        versions=versions(),
        command=origin.command,
        notes=origin.notes,
    )


def versions() -> dict[str, str]:
    """Versions of what a repetition needs."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def build_record(candidates: Sequence[Candidate], seconds: float) -> bytes:
    """What depends on the machine: how long it took, and how fast the nets are here."""
    record = {
        "built_s": round(seconds, 1),
        "machine": f"{platform.machine()} {platform.system()}",
        "milliseconds": {c.cost: None if c.milliseconds is None else round(c.milliseconds, 4) for c in candidates},
    }
    return (json.dumps(record, indent=1) + "\n").encode()


def card(manifest: Manifest, origin: Origin) -> str:
    """A model card: what it is for, what it was made from, what it is worth, where it is weak."""
    whom = f"the context `{manifest.context}`" if manifest.context else "every English context"
    lines = [
        f"# {manifest.name}",
        "",
        f"Compares what the recogniser ({manifest.recognizer}) offers with the sound, for {whom}. Two answers for each",
        "hypothesis: `right` (this was said) re-ranks, `whole` (nothing else was said) tells when to ask.",
        "",
        f"Built by `{manifest.command}`." if manifest.command else "",
        "",
        "| variant | precision | KiB | parameters | multiplications |",
        "|---|---|---|---|---|",
        *(
            f"| {v.cost} | {v.precision} | {v.bytes / 1024:.0f} | {v.parameters:,} | {v.operations:,} |"
            for v in manifest.variants
        ),
        "",
        *_measured(manifest.variants[0]),
        "## Trained on",
        "",
        "Hypotheses by kind: " + ", ".join(f"{name} {count:,}" for name, count in sorted(origin.trained_on.items())),
        "",
        *(f"- {name}: {licence}" for name, licence in sorted(manifest.licences.items())),
        "",
        "The labelled orders and wake words among the development recordings trained nothing.",
        "",
        "## Limits",
        "",
        "English; the states of one recogniser. Voices in the background are speech that is left over: `whole` is low",
        "there for true sentences too, so that the assistant asks rather than refuses. " + manifest.notes,
        "",
    ]
    return "\n".join(lines)


def _measured(variant: Variant) -> list[str]:
    orders = variant.figures.get("orders")
    if not orders:
        return []
    rows = [
        f"| {group} | {row['n']} | {row['decoder_strict']} | {row['strict']} | {row['in_n_best']} |"
        for group, row in orders.items()
    ]
    others = [
        f"{what}: {variant.figures[key]['count']} of {variant.figures[key]['n']}"
        for key, what in (
            ("halves_invented", "sentences cut in half and completed by invention, accepted"),
            ("tails", "sentences with foreign speech after them, accepted"),
            ("foreign", "foreign speech, accepted"),
        )
    ]
    return [
        f"## Measured ({variant.cost}, {variant.precision})",
        "",
        "Strictly right, on the half of the examples that nothing was calibrated on:",
        "",
        "| condition | n | recogniser alone | with the net | in its n-best |",
        "|---|---|---|---|---|",
        *rows,
        "",
        "; ".join(others) + ".",
        "",
    ]


def _variant(candidate: Candidate) -> Variant:
    return Variant(
        cost=candidate.cost,
        file=f"{candidate.cost}.tflite",
        sha256=hashlib.sha256(candidate.data).hexdigest(),
        bytes=len(candidate.data),
        precision=candidate.precision,
        parameters=candidate.parameters,
        operations=candidate.operations,
        fusion=candidate.fusion,
        figures=dict(candidate.figures),
    )
