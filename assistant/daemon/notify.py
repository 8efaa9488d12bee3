"""What systemd is told and what it hands over: readiness, watchdog, status (sd_notify), and listening sockets.

The protocol is a datagram of lines to the socket that NOTIFY_SOCKET names (sd_notify(3)); where nothing names one,
nothing is sent.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

FIRST_SOCKET = 3
"""Where handed-over sockets begin (SD_LISTEN_FDS_START)."""
LONGEST_STATUS = 200

log = logging.getLogger(__name__)


class Notifier:
    """Sends to systemd; from any thread, and it never raises."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = watchdog_s(environment)

    @property
    def wanted(self) -> bool:
        """Somebody listens."""
        return bool(self._address)

    def ready(self, status: str) -> None:
        """The service is up."""
        self._send("READY=1", _status(status))

    def reloading(self) -> None:
        """The configuration is being read; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={_monotonic_us()}")

    def status(self, status: str) -> None:
        """What it does, for `systemctl status`."""
        self._send(_status(status))

    def alive(self) -> None:
        """The watchdog need not bark."""
        self._send("WATCHDOG=1")

    def extend_start(self, seconds: float) -> None:
        """The start takes so much longer."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def stopping(self) -> None:
        """The service ends."""
        self._send("STOPPING=1", _status("ending"))

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as there:
                there.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.debug("systemd was not told: %s", error)


def watchdog_s(environment: Mapping[str, str]) -> float | None:
    """How often systemd wants a sign of life from this process, seconds; None where it does not."""
    try:
        wanted_us = int(environment.get("WATCHDOG_USEC", "0"))
        process = int(environment.get("WATCHDOG_PID", "0") or 0)
    except ValueError:
        return None
    return wanted_us / 1e6 if wanted_us > 0 and process in (0, os.getpid()) else None


def handed_over(environment: Mapping[str, str] | None = None) -> socket.socket | None:
    """The Unix socket that systemd listens on for this service (socket activation), None where it has none."""
    environment = os.environ if environment is None else environment
    try:
        count, process = int(environment.get("LISTEN_FDS", "0")), int(environment.get("LISTEN_PID", "0"))
    except ValueError:
        return None
    if count < 1 or process != os.getpid():
        return None
    os.set_inheritable(FIRST_SOCKET, False)
    listening = socket.socket(fileno=FIRST_SOCKET)
    listening.setblocking(False)
    return listening


def _status(text: str) -> str:
    """STATUS is one line."""
    return "STATUS=" + " ".join(text.split())[:LONGEST_STATUS]


def _monotonic_us() -> int:
    import time

    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
