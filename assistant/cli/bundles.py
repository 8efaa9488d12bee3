"""Bundles of the fused model, for `assistant models`: listed, described, hashed again, chosen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import AssistantError, ModelError

if TYPE_CHECKING:
    from assistant.config import Config

ENGINE = "fused"
KEY = "understand.fused"


def find_bundles(config: Config) -> dict[str, Path]:
    """The folders of all bundles by name; the user's own before those that ship."""
    from assistant.cli.finding import bundle_roots
    from assistant.understand.fused.bundle import bundle_folders

    return {folder.name: folder for folder in bundle_folders(bundle_roots(config))}


def row(name: str, folder: Path) -> dict[str, Any]:
    """What `models list` shows of one."""
    from assistant.understand.fused.manifest import read_manifest

    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    found: dict[str, Any] = {"name": name, "engine": ENGINE, "language": "", "size": size, "path": folder}
    try:
        manifest = read_manifest(folder)
    except AssistantError:
        return found | {"state": "damaged", "licence": ""}
    licences = ", ".join(dict.fromkeys(manifest.licences.values()))
    return found | {"language": manifest.language, "state": "installed", "licence": licences}


def facts(name: str, folder: Path) -> dict[str, Any]:
    """What `models info` prints of one. Raises ModelError when its manifest does not read."""
    from assistant.understand.fused.manifest import GENERIC, read_manifest

    m = read_manifest(folder)
    generic = m.context_hash == GENERIC
    found = row(name, folder) | {
        "context": "every one" if generic else f"{m.context} ({m.context_hash[:12]})",
        "hears": m.recognizer,
        "command": m.command,
        "built in": f"{m.built_s / 60:.0f} min",
        "machine": m.machine,
        "notes": m.notes,
    }
    for v in m.variants:
        cost = "" if v.milliseconds is None else f", {v.milliseconds:.2f} ms a hypothesis"
        found[v.cost] = f"{v.precision}, {v.parameters:,} parameters, {v.bytes / 1024:.0f} KiB{cost}"
    if m.sound is not None:
        s = m.sound
        size = f"{s.precision}, {s.parameters:,} parameters, {s.bytes / 1024:.0f} KiB"
        found["sound alone"] = f"{size}; acts from {s.gate.accept:.0%} sure on, asks from {s.gate.ask:.0%} on"
        found["heads"] = ", ".join(f"{h.slot or name} {len(h.labels) - 1}" for name, h in m.heads.items())
    return found


def faults(folder: Path) -> list[dict[str, str]]:
    """The files of a bundle that are not as they were made, its manifest first."""
    from assistant.understand.fused.manifest import FEATURES_FILE, MANIFEST_FILE, read_manifest
    from assistant.understand.fused.net import check_file

    try:
        manifest = read_manifest(folder)
    except ModelError as error:
        return [{"path": MANIFEST_FILE, "what": error.what}]
    found = []
    made = [(FEATURES_FILE, manifest.features_sha256), *((v.file, v.sha256) for v in manifest.variants)]
    if manifest.sound is not None:
        made += [(manifest.sound.file, manifest.sound.sha256), (manifest.sound.basis_file, manifest.sound.basis_sha256)]
    for name, digest in made:
        try:
            check_file(folder / name, digest)
        except ModelError as error:
            found.append({"path": name, "what": error.what})
    return found


def use(choice: str, bundles: Mapping[str, Path]) -> Path:
    """Write `choice` (on, off, a variant, a bundle or NAME/VARIANT) into the user's configuration; the file.

    Raises ModelError when it names nothing that is there, StorageError when the file cannot be written.
    """
    import os

    from assistant.config.layers import load, user_file
    from assistant.config.text import with_value
    from assistant.errors import StorageError

    _check_choice(choice, bundles)
    target = user_file()
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        old = target.read_text(encoding="utf-8") if target.is_file() else ""
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(with_value(old, KEY, choice), encoding="utf-8")
        load(file=draft)
        draft.replace(target)
    except OSError as error:
        raise StorageError(f"cannot be written ({error.strerror})", where=str(target)) from error
    finally:
        draft.unlink(missing_ok=True)
    return target


def _check_choice(choice: str, bundles: Mapping[str, Path]) -> None:
    from assistant.understand.fused.bundle import OFF, ON
    from assistant.understand.fused.manifest import read_manifest

    if choice in (ON, OFF):
        return
    name, _, cost = choice.partition("/")
    if name in bundles:
        manifest = read_manifest(bundles[name])
        if cost:
            manifest.variant(cost)
        return
    if not cost and any(choice == v.cost for folder in bundles.values() for v in read_manifest(folder).variants):
        return
    known = ", ".join(bundles) or "none is installed"
    raise ModelError(f"there is no bundle or variant '{choice}'", where="models use", remedy=f"there are: {known}")
