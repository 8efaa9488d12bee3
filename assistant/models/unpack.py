"""Unpack a model's ZIP without trusting it: no path leaves the folder, no links, no more bytes than announced."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from assistant.errors import ModelError, StorageError

CHUNK_BYTES = 1 << 20
MAX_FILES = 1_000

# bytes done, bytes in all
OnProgress = Callable[[int, int], None]


def unpack(archive: Path, folder: Path, *, root: str, limit_bytes: int, on_progress: OnProgress) -> None:
    """Unpack what lies below `root` in the ZIP `archive` into `folder`, which must exist and be empty.

    Raises ModelError when the ZIP is broken, holds a path or link that leads elsewhere, or more than `limit_bytes` in
    all; StorageError when the disk is full.
    """
    where = archive.name
    try:
        with zipfile.ZipFile(archive) as file:
            members = [(member, _place(member, root, where)) for member in file.infolist() if not member.is_dir()]
            total = _checked_size(members, limit_bytes, where)
            written = 0
            for member, relative in members:
                for count in _write_member(file, member, folder / relative, where):
                    written += count
                    on_progress(written, total)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"is no ZIP that can be unpacked ({error})", where=where, remedy="pull it again") from error
    except FileExistsError as error:
        raise ModelError(
            f"holds {Path(str(error.filename)).name} twice", where=where, remedy="pull it again"
        ) from error
    except OSError as error:
        raise StorageError(
            f"cannot be unpacked into ({error.strerror})", where=str(folder), remedy="free some space, then pull again"
        ) from error


def _write_member(file: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, where: str) -> Iterator[int]:
    """Write one file, yielding the bytes of each piece; no more than the ZIP's directory says of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with file.open(member) as source, target.open("xb") as out:
        left = member.file_size
        while left and (chunk := source.read(min(CHUNK_BYTES, left))):
            out.write(chunk)
            left -= len(chunk)
            yield len(chunk)
        if left or source.read(1):
            raise ModelError(f"{member.filename} is not as long as announced", where=where, remedy="pull it again")
        out.flush()
        os.fsync(out.fileno())


def _place(member: zipfile.ZipInfo, root: str, where: str) -> Path:
    """Where a member goes, relative to the folder."""
    path = PurePosixPath(member.filename)
    kind = stat.S_IFMT(member.external_attr >> 16)
    outside = path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename
    if outside or path.parts[:1] != (root,) or len(path.parts) < 2:
        raise ModelError(f"holds {member.filename!r}, outside {root}/", where=where, remedy="do not use this archive")
    if kind not in (0, stat.S_IFREG):
        raise ModelError(
            f"holds {member.filename!r}, which is no plain file", where=where, remedy="do not use this archive"
        )
    return Path(*path.parts[1:])


def _checked_size(members: list[tuple[zipfile.ZipInfo, Path]], limit_bytes: int, where: str) -> int:
    total = sum(member.file_size for member, _ in members)
    if total > limit_bytes or len(members) > MAX_FILES:
        raise ModelError(
            f"would unpack to {total} bytes in {len(members)} files, more than {limit_bytes} in {MAX_FILES}",
            where=where,
            remedy="do not use this archive",
        )
    return total
