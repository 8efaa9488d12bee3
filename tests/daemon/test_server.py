"""The control socket with real sockets: who is answered, who is cut, and that nobody harms anybody else."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from assistant.clock import SystemClock
from assistant.daemon.bus import Subscription
from assistant.daemon.clients import MOST_CLIENTS, MOST_FAULTS
from assistant.daemon.events import Event, Muted
from assistant.daemon.peers import Admitted, Peer, peer_of
from assistant.daemon.protocol import MAX_LINE_BYTES, AnyRequest, Say
from assistant.daemon.server import Connection, ControlServer, listen_on
from assistant.errors import StorageError, UsageError

HELLO = b'{"assistant":"1.2.3","protocol":1}\n'


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ctl-") as made:  # short: a socket's path has at most 107 characters
        yield Path(made)


class Served:
    """A running server and what happened to its clients."""

    def __init__(self, path: Path, admitted: Admitted) -> None:
        self.path = path
        self.cut: Counter[str] = Counter()
        self.subscription = Subscription("test")
        self.server = ControlServer(
            self.dispatch,
            self.subscribe,
            admitted,
            SystemClock(),
            version="1.2.3",
            counted=lambda why: self.cut.update([why]),
        )

    async def dispatch(self, request: AnyRequest, peer: Peer) -> object:
        if isinstance(request, Say):
            if request.text == "raise":
                raise ZeroDivisionError(request.text)
            if request.text == "refuse":
                raise UsageError("no", where="here", remedy="ask otherwise")
            return {"heard": request.text, "from": peer.uid}
        return None

    @asynccontextmanager
    async def subscribe(self, source: str) -> AsyncIterator[AsyncIterator[Event]]:
        assert source == f"socket, process {os.getpid()}"
        yield self.subscription

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_unix_connection(str(self.path), limit=2**22)
        return reader, writer

    async def ask(self, *lines: bytes) -> list[dict[str, Any]]:
        reader, writer = await self.connect()
        assert await reader.readline() == HELLO
        writer.write(b"".join(line + b"\n" for line in lines))
        answers = [json.loads(await reader.readline()) for _ in lines]
        writer.close()
        return answers

    @property
    def connections(self) -> set[Connection]:
        return self.server.connections


@asynccontextmanager
async def served(folder: Path, admitted: Admitted | None = None) -> AsyncIterator[Served]:
    path = folder / "a.sock"
    it = Served(path, admitted or Admitted(os.getuid()))
    await it.server.serve(listen_on(path))
    try:
        yield it
    finally:
        await it.server.close()


async def gone(reader: asyncio.StreamReader) -> bytes:
    """What is still sent until the server cuts."""
    try:
        return await asyncio.wait_for(reader.read(), 30)
    except ConnectionResetError:
        return b""


def test_requests_are_answered_in_order_and_errors_cost_only_themselves(folder: Path) -> None:
    async def scenario() -> None:
        async with served(folder) as it:
            answers = await it.ask(
                b'{"do":"say","id":1,"text":"a"}',
                b"nonsense",
                b'{"do":"say","id":2,"text":"refuse"}',
                b'{"do":"say","id":3,"text":"raise"}',
                b'{"do":"say","id":4,"text":"b"}',
            )
            assert [answer["ok"] for answer in answers] == [True, False, False, False, True]
            assert answers[0] == {"ok": True, "id": 1, "result": {"heard": "a", "from": os.getuid()}}
            assert answers[2]["error"]["remedy"] == "ask otherwise"
            assert answers[3]["error"]["kind"] == "internal"

    asyncio.run(scenario())


def test_a_line_in_pieces_is_one_line(folder: Path) -> None:
    async def scenario() -> None:
        async with served(folder) as it:
            reader, writer = await it.connect()
            await reader.readline()
            for byte in b'{"do":"say","text":"slow"}\n':
                writer.write(bytes([byte]))
                await writer.drain()
            assert json.loads(await reader.readline())["result"]["heard"] == "slow"
            writer.close()

    asyncio.run(scenario())


def test_a_line_without_end_is_cut(folder: Path) -> None:
    async def scenario() -> None:
        async with served(folder) as it:
            reader, writer = await it.connect()
            await reader.readline()
            writer.write(b"x" * (MAX_LINE_BYTES + 1))
            await gone(reader)
            assert it.cut == {"the line is too long": 1}
            assert (await it.ask(b'{"do":"say","text":"next"}'))[0]["ok"]
            writer.close()

    asyncio.run(scenario())


def test_nonsense_without_end_is_cut(folder: Path) -> None:
    async def scenario() -> None:
        async with served(folder) as it:
            reader, writer = await it.connect()
            writer.write(b"\xff\x00\n" * (MOST_FAULTS + 5))
            await gone(reader)
            assert it.cut == {"too many requests make no sense": 1}
            writer.close()

    asyncio.run(scenario())


def test_one_client_too_many_is_told_so_and_the_others_stay(folder: Path) -> None:
    async def scenario() -> None:
        async with served(folder) as it:
            clients = [await it.connect() for _ in range(MOST_CLIENTS)]
            for reader, _ in clients:
                assert await reader.readline() == HELLO
            reader, writer = await it.connect()
            assert "too many clients" in (await reader.readline()).decode()
            assert await gone(reader) == b""
            clients[0][1].write(b'{"do":"say","text":"still here"}\n')
            assert json.loads(await clients[0][0].readline())["ok"]
            for _, other in (*clients, (reader, writer)):
                other.close()

    asyncio.run(scenario())


def test_a_subscriber_that_never_reads_delays_nobody_and_loses_the_oldest(folder: Path) -> None:
    async def scenario() -> None:
        async with served(folder) as it:
            reader, writer = await it.connect()
            writer.write(b'{"do":"subscribe"}\n')
            assert await reader.readline() == HELLO
            assert json.loads(await reader.readline())["ok"]
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            for number in range(50_000):
                it.subscription.put(Muted(at=number, muted=True))
                if number % 1000 == 0:
                    assert (await it.ask(b'{"do":"say","text":"x"}'))[0]["ok"]
            assert it.subscription.lost > 0
            writer.close()

    asyncio.run(scenario())


def test_events_reach_a_subscriber_who_may_ask_on(folder: Path) -> None:
    async def scenario() -> None:
        async with served(folder) as it:
            reader, writer = await it.connect()
            writer.write(b'{"do":"subscribe"}\n')
            await reader.readline()
            assert json.loads(await reader.readline())["ok"]
            it.subscription.put(Muted(at=1.0, muted=True))
            assert json.loads(await reader.readline()) == {"event": "muted", "at": 1.0, "muted": True}
            writer.write(b'{"do":"say","text":"and?"}\n')
            assert json.loads(await reader.readline())["result"]["heard"] == "and?"
            writer.close()

    asyncio.run(scenario())


def test_a_client_that_closes_its_half_is_still_answered(folder: Path) -> None:
    async def scenario() -> None:
        async with served(folder) as it:
            reader, writer = await it.connect()
            writer.write(b'{"do":"say","text":"last"}\n')
            writer.write_eof()
            assert await reader.readline() == HELLO
            assert json.loads(await reader.readline())["result"]["heard"] == "last"
            writer.close()

    asyncio.run(scenario())


# Another interpreter than this one, which other users may be unable to run.
FIRST_LINE = "my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die $!; print scalar <$s>"


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("perl"), reason="only root can be somebody else, by perl")
@pytest.mark.parametrize(("group", "says"), [(65534, "you may not use this daemon"), (4242, '"protocol":1')])
def test_another_user_is_refused_even_where_the_socket_lets_him_in(folder: Path, group: int, says: str) -> None:
    folder.chmod(0o755)

    async def scenario() -> None:
        async with served(folder, Admitted(0, group=4242)) as it:
            it.path.chmod(0o666)
            command = ["perl", "-MIO::Socket::UNIX", "-e", FIRST_LINE, str(it.path)]
            asked = await asyncio.create_subprocess_exec(
                *command, stdout=subprocess.PIPE, user=65534, group=group, extra_groups=[]
            )
            line, _ = await asked.communicate()
            assert says in line.decode()
            assert it.cut == ({} if group == 4242 else {"not admitted": 1})

    asyncio.run(scenario())


def test_the_kernel_says_who_is_there() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer = peer_of(ours)
    assert (peer.pid, peer.uid) == (os.getpid(), os.getuid())
    assert os.getgid() in peer.groups


@pytest.mark.parametrize(
    ("peer", "does"),
    [
        (Peer(1, 0, frozenset()), "admits"),
        (Peer(1, 1000, frozenset()), "admits"),
        (Peer(1, 1001, frozenset({50})), "admits"),
        (Peer(1, 1001, frozenset({51})), "refuses"),
    ],
)
def test_root_the_own_user_and_the_group_are_admitted(peer: Peer, does: str) -> None:
    assert Admitted(1000, 50).admits(peer) == (does == "admits")
    assert not Admitted(1000).admits(Peer(1, 1001, frozenset({50})))


def test_a_socket_left_by_a_crash_is_replaced_and_a_living_one_is_not(folder: Path) -> None:
    path = folder / "a.sock"
    left = listen_on(path)
    with pytest.raises(StorageError, match="another daemon listens here"):
        listen_on(path)
    left.close()  # a crash closes, and leaves the name
    again = listen_on(path)
    assert path.stat().st_mode & 0o777 == 0o660
    again.close()


def test_a_place_that_cannot_be_used_is_said(folder: Path) -> None:
    with pytest.raises(StorageError, match=r"daemon\.socket"):
        listen_on(folder / ("x" * 200))
