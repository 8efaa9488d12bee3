"""The control socket: takes connections, asks the table what may stay, and hands whole lines to the dispatcher.

bytes ─► lines ─► `clients.step` ─► its turn (`pace`) ─► dispatch ─► answer ─► bytes      one line of a client at a time
                      ▲ every second: a look at all
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from assistant.clock import Clock
from assistant.daemon import clients
from assistant.daemon.clients import MOST_CLIENTS, Client, State
from assistant.daemon.events import Event
from assistant.daemon.pace import Pace
from assistant.daemon.peers import Admitted, Peer, not_admitted, peer_of
from assistant.daemon.protocol import (
    Answer,
    AnyRequest,
    Hello,
    Subscribe,
    broken,
    line_of,
    read_request,
    refused,
    request_id,
)
from assistant.errors import AssistantError, StorageError, UsageError

LOOK_EVERY_S = 1.0
MOST_LINES = 32
"""Lines of one client that may wait; then no more is read from it until they are answered."""
BACKLOG = 128
MODE = 0o660
# From Python 3.13 on a server removes its socket's name when it ends; one that systemd handed over outlives us.
KEEPS_PATH: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
DEAREST_S = 0.01
"""No request keeps the loop longer: what may take long is done in another thread."""

log = logging.getLogger(__name__)


class Dispatch(Protocol):
    """What does the requests."""

    async def __call__(self, request: AnyRequest, peer: Peer) -> object:
        """The result. Raises AssistantError where it cannot be done."""
        ...


Subscribing = Callable[[str], contextlib.AbstractAsyncContextManager[AsyncIterator[Event]]]


class ControlServer:
    """The server on one Unix socket.

    dispatch: does the requests. subscribe: opens a subscription to events. admitted: whom it answers; group names those
    in the error that others get. counted: is called with the reason whenever a client is cut or sent away.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        subscribe: Subscribing,
        admitted: Admitted,
        clock: Clock,
        *,
        version: str,
        group: str = "",
        counted: Callable[[str], None] = lambda _why: None,
    ) -> None:
        self.dispatch, self.subscribe, self.admitted, self.clock = dispatch, subscribe, admitted, clock
        self.hello, self.group, self.counted = line_of(Hello(assistant=version)), group, counted
        self.connections: set[Connection] = set()
        self.pace = Pace()
        self._server: asyncio.AbstractServer | None = None
        self._looking: asyncio.Task[None] | None = None

    async def serve(self, listening: socket.socket) -> None:
        """Take connections on a listening socket."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(
            lambda: Connection(self), sock=listening, backlog=BACKLOG, **KEEPS_PATH
        )
        self._looking = asyncio.create_task(self._look())

    async def close(self) -> None:
        """Take no more and cut everybody."""
        if self._looking is not None:
            self._looking.cancel()
        if self._server is not None:
            self._server.close()
        for connection in tuple(self.connections):
            connection.end()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for connection in tuple(self.connections):
                connection.look()


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, server: ControlServer) -> None:
        self._server = server
        self._client = Client(State.OPEN, server.clock.monotonic())
        self._held = b""
        self._lines: deque[bytes] = deque()
        self._untaken_since: float | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.Transport
        self._peer = Peer(0, -1, frozenset())

    # -- asyncio's side ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections.add(self)
        try:
            self._peer = peer_of(transport.get_extra_info("socket"))
        except OSError as error:
            log.warning("control socket: the kernel does not say who connects (%s)", error.strerror)
        if len(self._server.connections) > MOST_CLIENTS:
            busy = UsageError("too many clients", where="control socket", remedy="close some")
            self._send_away(busy, "too many clients")
        elif not self._server.admitted.admits(self._peer):
            log.warning("control socket: uid %d (process %d) was refused", self._peer.uid, self._peer.pid)
            self._send_away(not_admitted(self._server.group), "not admitted")
        else:
            transport.write(self._server.hello)

    def data_received(self, data: bytes) -> None:
        *lines, self._held = (self._held + data).split(b"\n")
        self._lines.extend(line for line in lines if line.strip())
        self._step(clients.Received(self._now(), len(self._held), ended=bool(lines)))
        if len(self._lines) >= MOST_LINES:
            self._transport.pause_reading()
        self._next()

    def eof_received(self) -> bool:
        """The client will send no more: what it has sent is still answered."""
        if not self._lines and self._client.state is not State.ANSWERING:
            return False
        self._held = b""
        return True

    def pause_writing(self) -> None:
        self._untaken_since = self._now()
        self._writable.clear()

    def resume_writing(self) -> None:
        self._untaken_since = None
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._server.connections.discard(self)
        self._writable.set()
        for task in self._tasks:
            task.cancel()
        self._step(clients.Left(self._now()))

    # -- the table's side --------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Time has passed."""
        self._step(clients.Look(self._now(), self._untaken_since))

    def end(self) -> None:
        """The daemon ends."""
        self._transport.abort()

    def _step(self, event: clients.Event) -> None:
        before = self._client.state
        self._client = clients.step(self._client, event)
        if self._client.state is State.CUT and before is not State.CUT and not isinstance(event, clients.Left):
            log.info("control socket: process %d was cut: %s", self._peer.pid, self._client.why)
            self._server.counted(self._client.why)
            self._transport.abort()

    def _next(self) -> None:
        """Begin with the next line, if none is being answered."""
        if self._lines and self._client.state in (State.OPEN, State.SUBSCRIBED) and not self._transport.is_closing():
            self._step(clients.Taken(self._now()))
            self._begin(self._answer(self._lines.popleft()))

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, line: bytes) -> None:
        pace = self._server.pace
        if (wait_s := pace.turn(self._now())) > 0:
            await asyncio.sleep(wait_s)
        began_s = time.thread_time()
        answer, sense, subscribing = await self._done(line)
        if self._transport.is_closing():
            return
        self._transport.write(line_of(answer))
        # Where another thread did it, others had the loop meanwhile: what they cost is not this one's.
        pace.spent(min(time.thread_time() - began_s, DEAREST_S))
        await self._writable.wait()
        if subscribing and self._client.state is State.ANSWERING:
            self._begin(self._tell())
        self._step(clients.Answered(self._now(), sense, subscribing))
        if len(self._lines) < MOST_LINES and not self._transport.is_closing():
            self._transport.resume_reading()
        self._next()

    async def _done(self, line: bytes) -> tuple[Answer, bool, bool]:
        """The answer to a line; whether it was a request; whether events are to follow."""
        try:
            request = read_request(line)
        except UsageError as error:
            return refused(error, request_id(line)), False, False
        if isinstance(request, Subscribe):
            return Answer(ok=True, id=request.id), True, True
        try:
            result = await self._server.dispatch(request, self._peer)
        except AssistantError as error:
            return refused(error, request.id), True, False
        except Exception:  # a fault of ours must cost this answer only
            log.exception("control socket: a request failed")
            return broken(request.id), True, False
        return Answer(ok=True, id=request.id, result=result), True, False

    async def _tell(self) -> None:
        """Send events until the client leaves; while it does not read, they wait in its bounded queue."""
        async with self._server.subscribe(f"socket, process {self._peer.pid}") as events:
            async for event in events:
                if self._transport.is_closing():
                    return
                self._transport.write(line_of(event))
                await self._writable.wait()

    def _send_away(self, error: AssistantError, why: str) -> None:
        self._server.counted(why)
        self._transport.write(line_of(refused(error)))
        self._transport.close()
        self._client = Client(State.CUT, self._now(), why=why)

    def _now(self) -> float:
        return self._server.clock.monotonic()


def listen_on(path: Path, group: int | None = None) -> socket.socket:
    """A listening socket at `path`, mode 0660, of `group` where it may be given to it; one left by a crash is replaced.

    Raises StorageError when another daemon listens there, or the folder cannot be written.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _clear(path)
        before = os.umask(0o777 & ~MODE)
        try:
            listening.bind(str(path))
        finally:
            os.umask(before)
        if group is not None:
            with contextlib.suppress(PermissionError):  # not a member: then only this user and root may connect
                os.chown(path, -1, group)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        what = f"the control socket cannot be made ({error.strerror or error})"
        raise StorageError(
            what, where=str(path), remedy="choose a folder with daemon.socket that may be written"
        ) from None
    except StorageError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


def _clear(path: Path) -> None:
    """Remove a socket that nobody listens on."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError:
            pass
    raise StorageError(
        "another daemon listens here", where=str(path), remedy="stop it (`assistant service status`), or use it"
    )
