"""Contexts as single files named by their content, so that they go to other machines as data does."""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from pathlib import Path

from assistant.errors import InputError
from assistant.grammar.load import find_context, load_context
from assistant.grammar.tree import Context
from convert.files import write_whole

FOLDER = "contexts"
WRITTEN = (1980, 1, 1, 0, 0, 0)
"""The date of every member: the same files give the same bytes."""


def pack(path_or_name: str, work: Path) -> str:
    """Write the files of a context as one below `work`; returns its name there. Raises ContextError, StorageError."""
    folder = find_context(path_or_name).resolve()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            inside = f"{folder.name}/{file.relative_to(folder).as_posix()}"
            archive.writestr(zipfile.ZipInfo(inside, WRITTEN), file.read_bytes())
    data = out.getvalue()
    name = f"{FOLDER}/{hashlib.sha256(data).hexdigest()[:24]}.zip"
    if not (work / name).is_file():
        write_whole(work / name, data)
    return name


def unpack(file: Path) -> Context:
    """The context that was packed. Raises InputError when the file is damaged, ContextError when it does not load."""
    with tempfile.TemporaryDirectory() as place:
        try:
            with zipfile.ZipFile(file) as archive:
                archive.extractall(place)
        except (OSError, zipfile.BadZipFile) as error:
            raise InputError(f"is no packed context ({error})", where=str(file), remedy="remove it") from error
        (folder,) = Path(place).iterdir()
        return load_context(folder)
