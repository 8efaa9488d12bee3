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
from typing import TYPE_CHECKING, Any

import msgspec

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
    read_manifest,
    write_manifest,
)
from assistant.understand.fused.projection import LOG_MEL, WORDS, FeatureSpec, Projection
from convert.sources import LICENCES as DATA_LICENCES
from convert.voices import FURTHER_LICENCES
from convert.voices import LICENCES as VOICE_LICENCES

if TYPE_CHECKING:
    from convert.heads import SoundMade

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
    folder: Path,
    origin: Origin,
    projection: Projection,
    candidates: Sequence[Candidate],
    seconds: float,
    sound: SoundMade | None = None,
) -> Manifest:
    """Write the bundle to `folder`, replacing what is there in one step. Raises StorageError."""
    features = projection.to_bytes()
    manifest = manifest_of(origin, projection, features, candidates)
    files = {FEATURES_FILE: features} | {f"{candidate.cost}.tflite": candidate.data for candidate in candidates}
    if sound is not None:
        manifest = with_sound(manifest, sound)
        files |= {sound.net.file: sound.data, sound.net.basis_file: sound.basis}
    files |= {MANIFEST_FILE: write_manifest(manifest), CARD_FILE: card(manifest, origin).encode()}
    put(folder, files | {BUILD_FILE: build_record(candidates, seconds)})
    return manifest


def add_sound(folder: Path, sound: SoundMade) -> Manifest:
    """Put a net for sound alone into the bundle in `folder`; its other nets stay as they are, byte for byte.

    Raises ModelError where there is no bundle, StorageError.
    """
    manifest = with_sound(read_manifest(folder), sound)
    kept = {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if file.is_file()}
    plain = kept.get(CARD_FILE, b"").decode().partition(SOUND_TITLE)[0].rstrip() + "\n\n"
    made = {MANIFEST_FILE: write_manifest(manifest), CARD_FILE: (plain + "\n".join(_sound(manifest))).encode()}
    put(folder, kept | made | {sound.net.file: sound.data, sound.net.basis_file: sound.basis})
    return manifest


def with_sound(manifest: Manifest, sound: SoundMade) -> Manifest:
    """`manifest` with a net for sound alone, and the licences of the voices that only it heard."""
    licences = {**manifest.licences, **FURTHER_LICENCES}
    changes = {"format": FORMAT, "sound": sound.net, "heads": dict(sound.heads), "licences": licences}
    return msgspec.structs.replace(manifest, **changes)


def put(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files of a bundle, replacing what is there in one step. Raises StorageError."""
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


def manifest_of(origin: Origin, projection: Projection, features: bytes, candidates: Sequence[Candidate]) -> Manifest:
    """What the bundle says of itself."""
    context = origin.context
    # A net that reads words alone is for the engine that tells no more; its tokens are letters.
    by_words = projection.spec.alignment == WORDS
    return Manifest(
        format=FORMAT,
        name=origin.name,
        context=context.name if context else "",
        context_hash=context.hash if context else GENERIC,
        family=context.family if context else "",
        recognizer="vosk" if by_words else "moonshine/tiny-en",
        tokenizer_sha256="" if by_words else PUBLISHED_SHA256["tokenizer.bin"],
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
        *(_sound(manifest) if manifest.sound is not None else ()),
        "## Limits",
        "",
        f"English; {_hears(manifest.features)}. Voices in the background are speech that is left over: `whole` is low",
        "there for true sentences too, so that the assistant asks rather than refuses. " + manifest.notes,
        "",
    ]
    return "\n".join(lines)


def _hears(spec: FeatureSpec) -> str:
    """What the net hears, in words."""
    if spec.audio != LOG_MEL:
        return "the states of one recogniser"
    return "log-mel, words with times" if spec.alignment == WORDS else "log-mel, the attention of one recogniser"


SOUND_TITLE = "## From sound alone"


def _sound(manifest: Manifest) -> list[str]:
    """What the card says of the net for sound alone."""
    net = manifest.sound
    assert net is not None
    groups = net.figures.get("groups", {})
    rows = [
        f"| {name} | {f['n']} | {f['strict']} | {f['answered']} | {f['answered_right']} | {f['asked']} |"
        for name, f in groups.items()
    ]
    return [
        SOUND_TITLE,
        "",
        f"Understands without decoding ({net.precision}, {net.bytes / 1024:.0f} KiB, {net.parameters:,} parameters,",
        f"{net.operations:,} multiplications): acts from a confidence of {net.gate.accept:.2f} on, asks from",
        f"{net.gate.ask:.2f} on. On the half of the recordings that nothing was calibrated on:",
        "",
        "| condition | n | strictly right | answered | right of these | asked |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        "Only this net heard these voices, too:",
        "",
        *(f"- {name}: {licence}" for name, licence in sorted(FURTHER_LICENCES.items())),
        "",
    ]


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
