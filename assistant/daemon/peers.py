"""Who is at the other end of a Unix socket, as the kernel says it, and whether he may use the daemon.

The socket's own mode keeps others out already; this holds where a folder's or the socket's mode was changed.
"""

from __future__ import annotations

import grp
import os
import socket
import struct
from dataclasses import dataclass

from assistant.errors import UsageError

SO_PEERGROUPS = 59  # linux/asm-generic/socket.h; Python has no name for it
MOST_GROUPS = 256  # all that Python reads at once
_GID_BYTES = 4


@dataclass(frozen=True, slots=True)
class Peer:
    """A process that connected. groups: its own and its supplementary groups."""

    pid: int
    uid: int
    groups: frozenset[int]


@dataclass(frozen=True, slots=True)
class Admitted:
    """Whom the daemon answers: root, the user that it runs as, and the members of `group`, where there is one."""

    uid: int
    group: int | None = None

    def admits(self, peer: Peer) -> bool:
        """Whether `peer` is one of them."""
        return peer.uid in (0, self.uid) or (self.group is not None and self.group in peer.groups)


def peer_of(connection: socket.socket) -> Peer:
    """The process at the other end. Raises OSError where the kernel does not say."""
    pid, uid, gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    packed = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, MOST_GROUPS * _GID_BYTES)
    groups = struct.unpack(f"{len(packed) // _GID_BYTES}I", packed)
    return Peer(pid, uid, frozenset((gid, *groups)))


def admitted(group: str) -> Admitted:
    """Those whom a daemon with `daemon.group` answers; a group that does not exist admits nobody more."""
    try:
        number = grp.getgrnam(group).gr_gid if group else None
    except KeyError:
        number = None
    return Admitted(os.getuid(), number)


def not_admitted(group: str) -> UsageError:
    """The error for everybody else."""
    remedy = f"become a member of the group {group!r}, or use sudo" if group else "use sudo"
    return UsageError("you may not use this daemon", where="control socket", remedy=remedy)
