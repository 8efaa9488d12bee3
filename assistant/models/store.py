"""The models on this device: fetched ones in one folder, packaged ones where pip put them.

FOLDER/NAME/…                      a model, complete: it was renamed into place
FOLDER/NAME/.manifest.json         SHA-256 and size of each file, written when it was unpacked
FOLDER/.fetching/NAME.zip[.etag]   an archive under way
FOLDER/.fetching/lock              held by the one process that pulls or removes
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from assistant.clock import Clock, SystemClock
from assistant.errors import ModelError, StorageError
from assistant.models.catalogue import Archive, Model, Package, Sha256
from assistant.models.download import fetch, file_sha256
from assistant.models.unpack import unpack

MANIFEST = ".manifest.json"
FETCHING = ".fetching"

# Room to leave on the disk beyond what a pull needs.
SPARE_BYTES = 50_000_000

# step ("fetch", "unpack" or "check"), bytes done, bytes in all
OnProgress = Callable[[str, int, int], None]


def no_progress(step: str, done: int, total: int) -> None:
    """Show nothing."""


class State(enum.Enum):
    """What is known of a model without hashing it."""

    INSTALLED = "installed"
    ABSENT = "absent"
    PARTIAL = "partly fetched"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Fault:
    """One file that is not as it should be."""

    path: str
    what: str


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file as it was unpacked."""

    size: int
    sha256: Sha256


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a fetched model consists of."""

    name: str
    archive_sha256: Sha256
    files: dict[str, FileEntry]


class Store:
    """The fetched models below `folder` (made when first needed), and a view on the packaged ones."""

    def __init__(self, folder: Path, *, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or SystemClock()

    def path(self, model: Model) -> Path | None:
        """The folder of `model`, or None while it is not installed."""
        if model.package is not None:
            return _package_folder(model.package)
        path = self._folder / model.name
        return path if (path / MANIFEST).exists() else None

    def state(self, model: Model) -> State:
        """Looks at presence and sizes only."""
        path = self.path(model)
        if path is None:
            part = self._part(model)
            return State.PARTIAL if part.exists() else State.ABSENT
        return State.DAMAGED if _size_faults(model, path) else State.INSTALLED

    def require(self, model: Model) -> Path:
        """The folder of `model`, for an engine to load. Raises ModelError with the remedy when it is not whole."""
        path = self.path(model)
        if path is None:
            raise ModelError("is not installed", where=f"model {model.name}", remedy=_remedy(model))
        faults = _size_faults(model, path)
        if faults:
            raise ModelError(
                f"{faults[0].path} {faults[0].what}", where=f"model {model.name}", remedy=_remedy(model, again=True)
            )
        return path

    def verify(self, model: Model, on_progress: OnProgress = no_progress) -> tuple[Fault, ...]:
        """Hash every file again; returns what is wrong. Raises ModelError when the model is not installed."""
        path = self.path(model)
        if path is None:
            raise ModelError("is not installed", where=f"model {model.name}", remedy=_remedy(model))
        expected = _expected(model, path)
        faults = []
        for count, (name, sha256) in enumerate(expected.items(), start=1):
            file = path / name
            if not file.is_file():
                faults.append(Fault(name, "is missing"))
            elif file_sha256(file) != sha256:
                faults.append(Fault(name, "has changed"))
            on_progress("check", count, len(expected))
        return tuple(faults)

    def pull(self, model: Model, on_progress: OnProgress = no_progress, *, again: bool = False) -> Path:
        """Fetch and unpack `model` unless it is there whole (`again`: even then); returns its folder.

        Raises ModelError when it cannot be fetched, is not what the catalogue says, or another process is pulling;
        StorageError when there is no room. A model that is in use stays whole until the new one is complete.
        """
        if model.archive is None:
            return self.require(model)
        with self._lock():
            if not again and self.state(model) is State.INSTALLED:
                return self.require(model)
            self._sweep()
            self._check_room(model.archive, model)
            part = self._part(model)
            fetch(
                model.archive.url,
                part,
                size=model.archive.size,
                sha256=model.archive.sha256,
                clock=self._clock,
                on_progress=lambda done: on_progress("fetch", done, model_size(model)),
            )
            self._install(model, model.archive, part, on_progress)
            part.unlink()
        return self.require(model)

    def remove(self, model: Model) -> bool:
        """Delete what was fetched of `model`; False when there was nothing. Raises ModelError for a packaged one."""
        if model.package is not None:
            raise ModelError(
                f"comes with the package {model.package.distribution}",
                where=f"model {model.name}",
                remedy=f"pip uninstall {model.package.distribution}",
            )
        if not self._folder.exists():
            return False
        with self._lock():
            part, installed = self._part(model), self._folder / model.name
            fetched = [path for path in (part, part.with_suffix(".zip.etag")) if path.exists()]
            found = bool(fetched) or installed.exists()
            for path in fetched:
                path.unlink()
            if installed.exists():
                self._discard(installed)
        return found

    def _install(self, model: Model, archive: Archive, part: Path, on_progress: OnProgress) -> None:
        """Unpack beside the models, then rename into place."""
        fresh = Path(tempfile.mkdtemp(dir=self._fetching(), prefix=f"{model.name}-"))
        try:
            unpack(
                part,
                fresh,
                root=archive.root,
                limit_bytes=archive.unpacked_max,
                on_progress=partial(on_progress, "unpack"),
            )
            _write_manifest(model, archive, fresh)
            fresh.chmod(0o755)
            target = self._folder / model.name
            if target.exists():
                self._discard(target)
            fresh.replace(target)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise

    def _discard(self, path: Path) -> None:
        """Take `path` out of sight in one step, then delete it."""
        grave = Path(tempfile.mkdtemp(dir=self._fetching(), prefix="old-"))
        path.replace(grave / path.name)
        shutil.rmtree(grave, ignore_errors=True)

    def _sweep(self) -> None:
        """Delete what a process that was killed left half unpacked."""
        for left in self._fetching().iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)

    def _check_room(self, archive: Archive, model: Model) -> None:
        part = self._part(model)
        held = part.stat().st_size if part.exists() else 0
        needed = max(archive.size - held, 0) + archive.unpacked_max + SPARE_BYTES
        free = shutil.disk_usage(self._fetching()).free
        if free < needed:
            raise StorageError(
                f"{free / 1e6:.0f} MB are free, {model.name} needs {needed / 1e6:.0f} MB while it is unpacked",
                where=str(self._folder),
                remedy="free some space, or set paths.data to a folder on a larger disk",
            )

    def _part(self, model: Model) -> Path:
        return self._folder / FETCHING / f"{model.name}.zip"

    def _fetching(self) -> Path:
        folder = self._folder / FETCHING
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"cannot be made ({error.strerror})",
                where=str(folder),
                remedy="set paths.data to a folder you may write",
            ) from error
        return folder

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """One process at a time; the lock falls with the process, however it ends."""
        path = self._fetching() / "lock"
        try:
            file = path.open("a")
        except OSError as error:
            raise StorageError(
                f"cannot be written ({error.strerror})",
                where=str(path),
                remedy="set paths.data to a folder you may write",
            ) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ModelError(
                    "another process is fetching or removing models",
                    where=str(self._folder),
                    remedy="wait until it is done",
                ) from error
            yield


def model_size(model: Model) -> int:
    """Bytes to fetch, 0 for a packaged model."""
    return model.archive.size if model.archive else 0


def _package_folder(package: Package) -> Path | None:
    """Where pip put it; found without importing anything of it."""
    try:
        folder = Path(str(importlib.metadata.distribution(package.distribution).locate_file(package.folder)))
    except importlib.metadata.PackageNotFoundError:
        return None
    return folder if folder.is_dir() else None


def _expected(model: Model, path: Path) -> dict[str, str]:
    """Relative path to SHA-256 of every file."""
    if model.package is not None:
        return dict(model.package.files)
    return {name: entry.sha256 for name, entry in _read_manifest(model, path).files.items()}


def _size_faults(model: Model, path: Path) -> list[Fault]:
    """What presence and sizes alone give away."""
    if model.package is not None:
        return [Fault(name, "is missing") for name in model.package.files if not (path / name).is_file()]
    try:
        entries = _read_manifest(model, path).files
    except ModelError as error:
        return [Fault(MANIFEST, error.what)]
    faults = []
    for name, entry in entries.items():
        file = path / name
        if not file.is_file():
            faults.append(Fault(name, "is missing"))
        elif file.stat().st_size != entry.size:
            faults.append(Fault(name, f"has {file.stat().st_size} bytes, not {entry.size}"))
    return faults


def _read_manifest(model: Model, path: Path) -> Manifest:
    try:
        return msgspec.json.decode((path / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelError(
            f"the manifest cannot be read ({error})", where=f"model {model.name}", remedy=_remedy(model, again=True)
        ) from error


def _write_manifest(model: Model, archive: Archive, folder: Path) -> None:
    """Write down what was unpacked. Raises ModelError when something that the engine needs is not in it."""
    missing = [name for name in archive.files if not (folder / name).is_file()]
    if missing:
        raise ModelError(f"lacks {missing[0]}", where=f"model {model.name}", remedy="a later version may know it")
    files = {
        file.relative_to(folder).as_posix(): FileEntry(file.stat().st_size, file_sha256(file))
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    manifest = Manifest(model.name, archive.sha256, files)
    with (folder / MANIFEST).open("wb") as out:
        out.write(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        out.flush()
        os.fsync(out.fileno())


def _remedy(model: Model, *, again: bool = False) -> str:
    if model.package is not None:
        force = "--force-reinstall " if again else ""
        return f"pip install {force}'{model.package.distribution}=={model.package.version}'"
    return f"assistant models pull {model.name}" + (" --again" if again else "")
