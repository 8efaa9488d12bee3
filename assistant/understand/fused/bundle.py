"""An open bundle: features, net, and the numbers that join its answers; and finding the one that fits a context."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from assistant.errors import AssistantError, ModelError
from assistant.types import Fusion, Transcript, Utterance
from assistant.understand.fused.features import extract
from assistant.understand.fused.fuse import asks_sound, fuse
from assistant.understand.fused.manifest import (
    FEATURES_FILE,
    GENERIC,
    MANIFEST_FILE,
    Manifest,
    Variant,
    read_manifest,
)
from assistant.understand.fused.net import Net, check_file, find_runtime
from assistant.understand.fused.projection import Projection, read_projection
from assistant.understand.fused.source import SoundSource, source_of
from assistant.understand.fused.witness import Witness, open_witness

log = logging.getLogger(__name__)

ON, OFF = "on", "off"


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A bundle with one variant open. Threads take turns. folder: where it is.

    witness: the net for sound alone, where the variant counts on it.
    """

    manifest: Manifest
    variant: Variant
    projection: Projection
    net: Net
    source: SoundSource
    folder: Path = Path()
    witness: Witness | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """As decisions name it: "generic/full"."""
        return f"{self.manifest.name}/{self.variant.cost}"

    @property
    def fusion(self) -> Fusion:
        """How its answers count."""
        return self.variant.fusion

    def other(self, cost: str) -> Bundle:
        """The same bundle with another variant open, which shares the rest. Raises ModelError, PluginError."""
        variant = self.manifest.variant(cost)
        check_file(self.folder / variant.file, variant.sha256)
        interpreter = find_runtime()
        net = Net(self.folder / variant.file, self.manifest.features, interpreter)
        witness = _witness(self.folder, self.manifest, variant, interpreter)
        return Bundle(self.manifest, variant, self.projection, net, self.source, self.folder, witness)

    def look(self, utterance: Utterance, transcript: Transcript) -> Transcript:
        """`transcript` re-ranked; the same where the engine gave nothing to look at. Raises ModelError."""
        if not self.source.sees(transcript):
            return transcript
        began = time.perf_counter()
        sound = self.source.sound(utterance, transcript)
        features = extract(sound, self.source.aligned(transcript.hypotheses, sound), self.projection)
        if not features.finite:  # an int8 net would answer all the same
            raise ModelError("was given sound that is not a number", where=str(self.folder))
        with self._turn:
            answers = self.net.answers(features)
            heard = self.says(transcript)
        fused = fuse(transcript, answers.right.tolist(), answers.whole.tolist(), self.fusion, self.name, heard)
        elapsed_ms = 1000 * (time.perf_counter() - began)
        return replace(fused, timings_ms={**transcript.timings_ms, "fused": elapsed_ms})

    def says(self, transcript: Transcript) -> list[tuple[float, float]]:
        """What the witness says of the first meanings (fuse.fuse); nothing where there is none, or it cannot."""
        if self.witness is None or transcript.states is None:
            return []
        return self.witness.of(transcript.states, transcript.hypotheses[: self.manifest.features.hypotheses])


def open_bundle(folder: Path, cost: str = "", interpreter: Callable[..., Any] | None = None) -> Bundle:
    """The bundle in `folder` with the variant of this cost class, its dearest by default.

    Raises ModelError for whatever is wrong with it, PluginError when no runtime is installed.
    """
    manifest = read_manifest(folder)
    variant = manifest.variant(cost) if cost else manifest.variants[0]
    for name, digest in ((FEATURES_FILE, manifest.features_sha256), (variant.file, variant.sha256)):
        check_file(folder / name, digest)
    projection = read_projection(folder / FEATURES_FILE, manifest.features)
    interpreter = interpreter or find_runtime()
    net = Net(folder / variant.file, manifest.features, interpreter)
    witness = _witness(folder, manifest, variant, interpreter)
    return Bundle(manifest, variant, projection, net, source_of(manifest.features), folder, witness)


def _witness(folder: Path, manifest: Manifest, variant: Variant, interpreter: Callable[..., Any]) -> Witness | None:
    """The net for sound alone where the variant counts on it."""
    return open_witness(folder, manifest, interpreter) if asks_sound(variant.fusion) else None


def bundle_folders(roots: Iterable[Path]) -> Iterator[Path]:
    """The folders of bundles in `roots`, by name; of two with one name the first root's."""
    seen: set[str] = set()
    for root in roots:
        for manifest in sorted(root.glob(f"*/{MANIFEST_FILE}")):
            if manifest.parent.name not in seen:
                seen.add(manifest.parent.name)
                yield manifest.parent


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a bundle is wanted for: a context's hash and language, and who hears it: "moonshine/tiny-en/beam12".

    family: of a context with a home: a bundle for the same sentences in another home fits, too.
    """

    context_hash: str
    language: str
    recognizer: str
    family: str = ""


def choose(folders: Iterable[Path], wanted: Wanted, choice: str = ON) -> Bundle | None:
    """The bundle that fits `wanted`, its own before a generic one, opened; None where none fits.

    choice: "on", a variant ("full", "lite", "tiny"), a bundle's name, or NAME/VARIANT; another bundle is taken where
    the named one does not fit. What is wrong with a bundle is one warning, and the next one is tried.
    """
    if choice == OFF:
        return None
    every = list(folders)
    names = [folder.name for folder in every]
    name, cost = _asked_for(choice, set(names))
    known = ", ".join(names) or "none is installed"
    if name and name not in names:
        log.warning("fused: there is no bundle '%s' (there are: %s); trying another", name, known)
    fitting = sorted(_ranked(every, wanted, name))
    interpreter = _runtime(choice) if fitting else None
    for _, _, folder in fitting if interpreter else ():
        try:
            return open_bundle(folder, cost, interpreter)
        except AssistantError as error:
            _warn(error)
    if choice != ON and (interpreter or not fitting):
        log.warning("fused: no bundle fits '%s' (there are: %s); understanding goes on without it", choice, known)
    return None


def _runtime(choice: str) -> Callable[..., Any] | None:
    """The interpreter; without one nobody is warned who did not ask for a net, since it is an extra."""
    try:
        return find_runtime()
    except AssistantError as error:
        log.log(logging.INFO if choice == ON else logging.WARNING, "%s; understanding goes on without it", error)
        return None


def _asked_for(choice: str, names: set[str]) -> tuple[str, str]:
    """Bundle and variant, "" where it is left open."""
    name, _, cost = choice.partition("/")
    if choice == ON:
        return "", ""
    return (name, cost) if cost or name in names else ("", choice)


def _ranked(folders: Iterable[Path], wanted: Wanted, name: str) -> Iterator[tuple[bool, int, Path]]:
    """Those that fit, to be sorted: the named one, one made for the context, for its sentences, a generic one."""
    for folder in folders:
        try:
            manifest = read_manifest(folder)
        except AssistantError as error:
            _warn(error)
            continue
        if _fits(manifest, wanted):
            made_for = (manifest.context_hash == GENERIC) + (manifest.context_hash != wanted.context_hash)
            yield folder.name != name, made_for, folder
        elif folder.name == name:
            log.warning("fused: %s was made for another context or recogniser; trying another bundle", name)


def _fits(manifest: Manifest, wanted: Wanted) -> bool:
    return (
        wanted.recognizer.startswith(manifest.recognizer)
        and manifest.language == wanted.language.partition("-")[0]
        and (manifest.context_hash in (GENERIC, wanted.context_hash) or manifest.family == wanted.family != "")
    )


def _warn(error: AssistantError) -> None:
    log.warning("%s; understanding goes on without it", error)
