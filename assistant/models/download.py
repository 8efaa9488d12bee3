"""Fetch one file over HTTP so that a broken line costs only what was not received yet.

part of a file? ─ yes ─► Range + If-Range ─┬─ 206: append
      │ no                                  ├─ 200: the file changed or ranges are not served: from the start
      └────────────► plain GET ─────────────┴─ broke off: wait (1, 2, 4 … s), go on from there
all there ─► SHA-256 ─┬─ right: done
                      └─ wrong: thrown away; once more from the start if it was pieced together
"""

from __future__ import annotations

import hashlib
import http.client
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

from assistant.clock import Clock
from assistant.errors import ModelError, StorageError

CHUNK_BYTES = 1 << 16
TIMEOUT_S = 30.0

# Attempts that bring not one byte before it gives up; each byte received starts the count anew.
MAX_FAILURES = 5
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0

# Answers after which asking again is pointless; others (429, 5xx) may pass.
_FINAL_STATUS = frozenset({400, 401, 403, 404, 405, 406, 410, 451})
_RANGE_NOT_SATISFIABLE = 416
_PARTIAL_CONTENT = 206

USER_AGENT = "assistant-models/1"

T = TypeVar("T")

# Called with the bytes that are there after each chunk; smaller than before when it starts again.
OnProgress = Callable[[int], None]


def fetch(url: str, target: Path, *, size: int, sha256: str, clock: Clock, on_progress: OnProgress) -> None:
    """Make `target` the `size` bytes at `url` that hash to `sha256`, going on from what `target` holds already.

    Beside it lies `target`.etag while it is not complete. Raises ModelError when the server does not give the file, it
    is another one, or the line breaks again and again; StorageError when the disk is full. What was received stays for
    the next call, except a complete file with the wrong hash.
    """
    resumed = _fetch_all(url, target, size=size, clock=clock, on_progress=on_progress)
    found = file_sha256(target)
    if found != sha256 and resumed:  # pieces of two versions, perhaps: whole, it may be right
        _forget(target)
        _fetch_all(url, target, size=size, clock=clock, on_progress=on_progress)
        found = file_sha256(target)
    _etag_file(target).unlink(missing_ok=True)
    if found != sha256:
        target.unlink(missing_ok=True)
        raise ModelError(
            f"the file hashes to {found[:16]}…, not {sha256[:16]}…",
            where=url,
            remedy="try again later; if it stays, the server's file is not the one this version was made for",
        )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _fetch_all(url: str, target: Path, *, size: int, clock: Clock, on_progress: OnProgress) -> bool:
    """Fetch until `target` has `size` bytes; returns whether it was put together from several answers."""
    pieces = 1 if _held(target) else 0
    failures = 0
    while (before := _held(target)) != size:
        broke_off = _attempt(url, target, size=size, on_progress=on_progress)
        pieces += 1
        held = _held(target)
        failures = 0 if held > before else failures + 1
        if failures == MAX_FAILURES:
            raise ModelError(
                f"{MAX_FAILURES} attempts brought nothing ({broke_off})",
                where=url,
                remedy="check the connection and pull again: it goes on where it stopped",
            )
        if held != size:
            clock.wait(threading.Event(), min(FIRST_WAIT_S * 2**failures, LONGEST_WAIT_S))
    return pieces > 1


def _attempt(url: str, target: Path, *, size: int, on_progress: OnProgress) -> str:
    """One request; returns why it ended, for the case that it brought nothing."""
    if _held(target) > size:
        _forget(target)
    try:
        with urllib.request.urlopen(_request(url, target), timeout=TIMEOUT_S) as answer:  # noqa: S310  catalogue: http(s)
            mode = _accept(answer, target, size=size, url=url)
            _copy(answer, target, mode, size=size, on_progress=on_progress)
    except urllib.error.HTTPError as error:
        if error.code in _FINAL_STATUS:
            raise ModelError(
                f"the server answers {error.code} {error.reason}",
                where=url,
                remedy="a later version may know a new address",
            ) from error
        if error.code == _RANGE_NOT_SATISFIABLE:
            _forget(target)
        return f"{error.code} {error.reason}"
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        return str(getattr(error, "reason", None) or error)
    return "the line was closed"


def _request(url: str, target: Path) -> urllib.request.Request:
    request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})  # noqa: S310
    held = _held(target)
    etag = _etag_file(target)
    if held and etag.exists():  # without an ETag nothing says that it is still the same file
        request.add_header("Range", f"bytes={held}-")
        request.add_header("If-Range", etag.read_text(encoding="ascii", errors="replace").strip())
    return request


def _accept(answer: http.client.HTTPResponse, target: Path, *, size: int, url: str) -> str:
    """Check an answer and note its ETag; "ab" if it goes on from what is held, "wb" if it starts anew."""
    held = _held(target)
    going_on = answer.status == _PARTIAL_CONTENT and (answer.headers["Content-Range"] or "").startswith(
        f"bytes {held}-"
    )
    length = answer.headers["Content-Length"]
    whole = (held if going_on else 0) + int(length) if length else size
    if whole != size:
        raise ModelError(
            f"the server's file has {whole} bytes, not {size}",
            where=url,
            remedy="it was replaced: a later version may know the new one",
        )
    etag = answer.headers["ETag"]
    if etag and not etag.startswith("W/"):  # a weak one does not promise the same bytes
        _stored(lambda: _etag_file(target).write_text(etag, encoding="ascii", errors="replace"), target)
    else:
        _etag_file(target).unlink(missing_ok=True)
    return "ab" if going_on else "wb"


def _copy(answer: http.client.HTTPResponse, target: Path, mode: str, *, size: int, on_progress: OnProgress) -> None:
    """Write what comes, never more than `size` in all; on the disk when it returns or breaks off."""
    file: IO[bytes] = _stored(lambda: target.open(mode), target)
    with file:
        held = file.tell()
        while held < size and (chunk := answer.read(min(CHUNK_BYTES, size - held))):
            _stored(lambda data=chunk: file.write(data), target)  # type: ignore[misc]
            held += len(chunk)
            on_progress(held)
        _stored(file.flush, target)
        _stored(lambda: os.fsync(file.fileno()), target)


def _stored(write: Callable[[], T], target: Path) -> T:
    """`write`, whose failures are the disk's, not the line's."""
    try:
        return write()
    except OSError as error:
        raise StorageError(
            f"cannot be written ({error.strerror or error})",
            where=str(target),
            remedy="free some space or set paths.data to another disk, then pull again",
        ) from error


def _held(target: Path) -> int:
    try:
        return target.stat().st_size
    except FileNotFoundError:
        return 0


def _etag_file(target: Path) -> Path:
    return target.with_name(f"{target.name}.etag")


def _forget(target: Path) -> None:
    target.unlink(missing_ok=True)
    _etag_file(target).unlink(missing_ok=True)
