"""docs/control-socket.md, drawn from the messages and the table of clients."""

from __future__ import annotations

from assistant.daemon import clients
from assistant.daemon.protocol import MAX_LINE_BYTES, PROTOCOL, page

HEAD = f"""# Control socket

Made from the program by `make docs`.

A running daemon answers on a Unix socket: `/run/assistant/assistant.sock` for the system's service, else
`$XDG_RUNTIME_DIR/assistant/assistant.sock`, or where `daemon.socket` says. There is no TCP port. Root, the user that it
runs as and members of the group `daemon.group` are answered; the kernel says who is at the other end.

One JSON object a line, in UTF-8, both ways. The daemon's first line says its release and its protocol, {PROTOCOL}; a
client that sends another number as `protocol` is refused. Within a protocol, requests and fields are only added.
Answers come in the order of the requests; `id`, a number or a text of the client's, comes back. Events come between
answers, once they were asked for.

```
$ socat - UNIX-CONNECT:/run/assistant/assistant.sock
{{"assistant":"0.1.0","protocol":{PROTOCOL}}}
{{"do": "say", "id": 7, "text": "turn on the kitchen lights"}}
{{"ok":true,"id":7,"result":{{"event":"decided","intent":"HassTurnOn","slots":{{"area":"kitchen"}},"reply":"…"}}}}
{{"do": "fly"}}
{{"ok":false,"error":{{"kind":"UsageError","what":"Invalid value 'fly' - at `$.do`","where":"request","remedy":"…"}}}}
```

In Python: `assistant.daemon.client.Client`. On the command line: `assistant status`, `say`, `listen`, `mute`, `unmute`,
`timers`, `reload`, `events`, `metrics`.
"""

LIMITS = f"""
## What a client may do, and when it is cut

At most {clients.MOST_CLIENTS} clients at once. A line may be {MAX_LINE_BYTES // 1024} KiB long and take
{clients.LINE_S:g} s. A client is cut that asks nothing for {clients.IDLE_S:g} s, takes no answers for
{clients.TAKE_S:g} s, or sends {clients.MOST_FAULTS} lines in a row that make no sense. A subscriber that reads too
slowly loses the oldest events, and delays nobody.
"""


def control_socket_page() -> str:
    """docs/control-socket.md."""
    table = "\n".join(page())
    return f"{HEAD}\n## Requests and events\n\n{table}\n{LIMITS}\n```mermaid\n{clients.diagram()}\n```\n"
