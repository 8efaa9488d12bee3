"""A real HTTP server whose faults can be chosen, and a small archive to fetch from it."""

from __future__ import annotations

import hashlib
import io
import random
import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from assistant.models.catalogue import Archive, Model
from assistant.testing.clock import HeldClock

ROOT = "vosk-model-tiny-0.1"
REQUIRED = ("am/final.mdl", "conf/model.conf")


class PassingClock(HeldClock):
    """A held clock on which waiting is passing: back-off costs a test no time, and its length can be read."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_s: list[float] = []

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        self.waited_s.append(timeout_s)
        self.advance(timeout_s)
        return event.is_set()


@dataclass
class Served:
    """What the server has and how it misbehaves.

    break_after: for each coming request, the bytes of the body after which the line is cut (None: not at all).
    status: for each coming request, an error status instead of the file (0: none).
    """

    body: bytes
    etag: str = '"one"'
    ranges: bool = True
    break_after: list[int | None] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    sent_bytes: int = 0
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    served: Served

    def do_GET(self) -> None:
        served = self.served
        wanted = self.headers["Range"]
        served.requests.append(wanted or "whole")
        status = served.status.pop(0) if served.status else 0
        if status:
            self.send_error(status)
            return
        fresh = self.headers["If-Range"] in (None, served.etag)
        start = int(re.findall(r"bytes=(\d+)-", wanted)[0]) if wanted and served.ranges and fresh else 0
        if wanted and start >= len(served.body):
            self.send_error(416)
            return
        body = served.body[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(served.body) - 1}/{len(served.body)}")
        if served.etag:
            self.send_header("ETag", served.etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = served.break_after.pop(0) if served.break_after else None
        self.wfile.write(body[:cut])
        served.sent_bytes += len(body[:cut])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Say nothing."""


def zipped(files: dict[str, bytes], root: str = ROOT) -> bytes:
    """A ZIP with `files` below `root`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(f"{root}/{name}" if root else name, content)
    return buffer.getvalue()


def model_files() -> dict[str, bytes]:
    """The files of a small model; incompressible, so that the archive has a size worth breaking."""
    return {
        "am/final.mdl": random.Random(1).randbytes(300_000),
        "conf/model.conf": b"--beam=10.0\n",
        "graph/phones/word_boundary.int": b"1 nonword\n",
    }


def model_for(served: Served, **changes: object) -> Model:
    """A catalogue entry for what the server has now."""
    facts: dict[str, object] = {
        "url": served.url,
        "size": len(served.body),
        "sha256": hashlib.sha256(served.body).hexdigest(),
        "root": ROOT,
        "unpacked_max": 1_000_000,
        "files": REQUIRED,
    }
    archive = Archive(**{**facts, **changes})  # type: ignore[arg-type]
    return Model(
        name="vosk-tiny", engine="vosk", language="en", about="", licence="Apache-2.0", home="", archive=archive
    )


@contextmanager
def serving(body: bytes) -> Iterator[Served]:
    """A server on this machine that has `body`."""
    state = Served(body)
    handler = type("Handler", (_Handler,), {"served": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/model.zip"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()
