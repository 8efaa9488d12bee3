"""The daemon that runs, as verbs reach it: where its control socket is, and a client that is connected to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.daemon.client import Client


def connect(config: Config) -> Client:
    """The daemon that runs. Raises NoDaemon."""
    from assistant.daemon.client import Client

    return Client.connect(_found(config) or socket_path(config))


def running_daemon(config: Config) -> Client | None:
    """The daemon that runs, None where none does."""
    from assistant.daemon.client import Client, NoDaemon

    found = _found(config)
    if found is None:
        return None
    try:
        return Client.connect(found)
    except NoDaemon:
        return None


def socket_path(config: Config) -> Path:
    """Where the control socket is."""
    from assistant.folders import folders

    return (
        Path(config.daemon.socket).expanduser()
        if config.daemon.socket
        else folders(config.paths).runtime / "assistant.sock"
    )


def _found(config: Config) -> Path | None:
    from assistant.daemon.client import find_socket
    from assistant.folders import folders

    return find_socket(config.daemon.socket, folders(config.paths).runtime)
