"""What systemd is told, on a real datagram socket."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.daemon.notify import LONGEST_STATUS, Notifier, handed_over, watchdog_s


@pytest.fixture
def systemd() -> Iterator[socket.socket]:
    with (
        tempfile.TemporaryDirectory(prefix="nfy-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there,
    ):
        there.bind(str(Path(folder) / "notify"))
        there.settimeout(10)
        yield there


def test_readiness_and_status_are_one_message(systemd: socket.socket) -> None:
    Notifier({"NOTIFY_SOCKET": systemd.getsockname()}).ready("listening\nto everything")
    assert systemd.recv(4096) == b"READY=1\nSTATUS=listening to everything"


def test_a_status_is_one_line_of_bounded_length(systemd: socket.socket) -> None:
    Notifier({"NOTIFY_SOCKET": systemd.getsockname()}).status("x" * 10_000)
    assert len(systemd.recv(65_536)) == len("STATUS=") + LONGEST_STATUS


def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        name = f"\0assistant-test-{os.getpid()}"
        there.bind(name)
        Notifier({"NOTIFY_SOCKET": "@" + name[1:]}).alive()
        assert there.recv(100) == b"WATCHDOG=1"


def test_without_systemd_and_with_one_that_is_gone_nothing_happens() -> None:
    Notifier({}).alive()
    Notifier({"NOTIFY_SOCKET": "/nonexistent/notify"}).stopping()


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "15000000"}, 15.0),
        ({"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_for_this_process_or_not(environment: dict[str, str], wanted: float | None) -> None:
    assert watchdog_s(environment) == wanted


def test_no_socket_is_taken_that_was_not_meant_for_this_process() -> None:
    assert handed_over({}) is None
    assert handed_over({"LISTEN_FDS": "1", "LISTEN_PID": "1"}) is None
    assert handed_over({"LISTEN_FDS": "many", "LISTEN_PID": str(os.getpid())}) is None
