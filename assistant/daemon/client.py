"""The client's side of the control socket: for the verbs of the program, and for anybody's Python.

with Client.connect(path) as daemon:
    print(daemon.ask("status"))
    for event in daemon.events():
        …
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from assistant.daemon.events import Event
from assistant.daemon.protocol import MAX_LINE_BYTES, PROTOCOL, Answer, Hello, raised, read_answer
from assistant.errors import AssistantError, UsageError

if TYPE_CHECKING:
    from typing_extensions import Self

HELLO_S = 10.0
"""A daemon that is only starting answers once its program is loaded."""
ANSWER_S = 30.0
SYSTEM_SOCKET = Path("/run/assistant/assistant.sock")


class NoDaemon(AssistantError):
    """Nobody listens on the control socket."""


class Client:
    """One connection. Raises NoDaemon when the daemon goes, and whatever a request was refused with."""

    def __init__(self, connection: socket.socket, where: str) -> None:
        self._connection, self._where = connection, where
        self._file = connection.makefile("rb")
        hello = self._answered()
        if hello.startswith(b'{"ok":false'):
            answer = msgspec.json.decode(hello, type=Answer)
            assert answer.error is not None
            raise raised(answer.error)
        self.hello = msgspec.json.decode(hello, type=Hello)
        if self.hello.protocol != PROTOCOL:
            raise UsageError(
                f"the daemon speaks protocol {self.hello.protocol}, this program {PROTOCOL}",
                where=where,
                remedy="restart the daemon after an update",
            )

    @classmethod
    def connect(cls, path: Path) -> Self:
        """Connect to the daemon at `path`. Raises NoDaemon, or UsageError where this user may not."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(HELLO_S)
        try:
            connection.connect(str(path))
        except PermissionError:
            connection.close()
            remedy = "become a member of the group 'assistant', or use sudo"
            raise UsageError("you may not use this daemon", where=str(path), remedy=remedy) from None
        except OSError as error:
            connection.close()
            remedy = "start one: `assistant service install`, or `assistant daemon` in a terminal"
            raise NoDaemon(f"no daemon answers ({error.strerror})", where=str(path), remedy=remedy) from None
        try:
            return cls(connection, str(path))
        except BaseException:
            connection.close()
            raise

    def ask(self, do: str, **fields: Any) -> Any:
        """The result of a request, as plain values. Raises the error that it was refused with."""
        self._send({"do": do, **{name: value for name, value in fields.items() if value is not None}})
        self._connection.settimeout(ANSWER_S)
        while not isinstance(answer := read_answer(self._answered()), Answer):
            continue  # an event of an earlier subscription
        if answer.error is not None:
            raise raised(answer.error)
        return answer.result

    def events(self, timeout_s: float | None = None) -> Iterator[Event]:
        """Subscribe now; all events from now on, as they come. timeout_s: longest silence, then it ends."""
        self.ask("subscribe")
        self._connection.settimeout(timeout_s)
        return self._events()

    def _events(self) -> Iterator[Event]:
        while True:
            try:
                event = read_answer(self._line())
            except TimeoutError:
                return
            if not isinstance(event, Answer):
                yield event

    def close(self) -> None:
        """Leave."""
        self._file.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _send(self, message: Mapping[str, Any]) -> None:
        try:
            self._connection.sendall(msgspec.json.encode(message) + b"\n")
        except OSError:
            raise self._gone() from None

    def _answered(self) -> bytes:
        """The next line, which should have come by now."""
        try:
            return self._line()
        except TimeoutError:
            remedy = "`assistant service logs` may say what it does"
            raise NoDaemon("the daemon does not answer", where=self._where, remedy=remedy) from None

    def _line(self) -> bytes:
        """The next line. Raises TimeoutError when none came in time."""
        try:
            line = self._file.readline(2 * MAX_LINE_BYTES)
        except TimeoutError:
            raise
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            raise self._gone()
        return line

    def _gone(self) -> NoDaemon:
        return NoDaemon("the daemon has gone", where=self._where, remedy="`assistant service status` may say why")


def find_socket(configured: str | None, runtime: Path, system: Path = SYSTEM_SOCKET) -> Path | None:
    """Where a daemon seems to listen: as configured, else this user's own, else the system's; None where none does."""
    places = [Path(configured).expanduser()] if configured else [runtime / "assistant.sock", system]
    for place in places:
        try:
            if place.is_socket():
                return place
        except OSError:  # a folder that this user may not look into
            continue
    return None
