"""Runs inside the booted Debian, by its own Python and nothing else: does things to the service, writes down what came.

What is written is only facts (seconds, states, words of the kernel); `tests/board/test_board.py` judges them.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SOCKET = "/run/assistant/assistant.sock"
UNIT = "assistant.service"
KILLS = 50
RESULTS: dict[str, Any] = {}


def main() -> None:
    steps = (ready, say_timer, confined, killed, hangs, stopped_and_started, members, own_verbs, stop_time)
    for step in steps:
        try:
            RESULTS[step.__name__] = step()
        except Exception as error:  # noqa: BLE001  written down like everything else
            RESULTS[step.__name__] = {"error": f"{type(error).__name__}: {error}"}
        print(step.__name__, RESULTS[step.__name__], flush=True)
    RESULTS["journal"] = run("journalctl", "--unit", UNIT, "--no-pager", "--output=cat")
    Path("/check/results.json").write_text(json.dumps(RESULTS))


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def show(name: str) -> str:
    return run("systemctl", "show", "--value", f"--property={name}", UNIT)


def ask(do: str, **fields: Any) -> Any:
    with socket.socket(socket.AF_UNIX) as there:
        there.settimeout(30)
        there.connect(SOCKET)
        lines = there.makefile("rb")
        lines.readline()
        there.sendall(json.dumps({"do": do, **fields}).encode() + b"\n")
        answer = json.loads(lines.readline())
    return answer.get("result") if answer["ok"] else answer


def until(condition: Callable[[], object], limit_s: float = 60.0) -> float:
    """Seconds until it is true."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > limit_s:
            raise TimeoutError(f"not within {limit_s:.0f} s")
        time.sleep(0.05)
    return round(time.monotonic() - began, 2)


def is_ready() -> bool:
    """systemd calls it active (READY=1), and it answers."""
    try:
        return show("ActiveState") == "active" and bool(ask("status")["ready"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def back_after(number: int) -> float:
    """Send a signal to the daemon; seconds until another one is ready.

    The socket is systemd's: what is asked while there is no daemon is answered by the next one, so that hardly anything
    is asked in vain, and the asking takes nothing from the start.
    """
    before = int(show("MainPID"))

    def another() -> bool:
        try:
            status = ask("status")
            return bool(status["ready"]) and status["process"] != before
        except (OSError, ValueError, KeyError, TypeError):
            return False

    os.kill(before, number)
    return until(another)


def ready() -> dict[str, Any]:
    first_s = until(is_ready, 120)
    until(lambda: "starting" not in show("StatusText"), 10)  # it is told anew every second
    return {
        "after_s": first_s,
        "status": show("StatusText"),
        "notify": show("NotifyAccess"),
        "watchdog_us": show("WatchdogUSec"),
        "parts": ask("status")["parts"],
    }


def say_timer() -> Any:
    return {"reply": ask("say", text="set a timer for two hours"), "timers": ask("timers")}


def confined() -> dict[str, Any]:
    """What the kernel says about the process, and what it can reach: tried from inside its own namespaces."""
    process = int(show("MainPID"))
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines() if ":\t" in line
    )
    probe = (
        "import os, socket\n"
        "def tried(call):\n"
        "    try: call(); return 'done'\n"
        "    except OSError as e: return e.strerror\n"
        "for path in ('/etc/x', '/usr/x', '/home/x', '/var/lib/x', '/opt/assistant/src/x', '/x', '/sys/x'):\n"
        "    print(path, tried(lambda: open(path, 'w')))\n"
        "for path in ('/dev/kmsg', '/dev/mem', '/root/x'):\n"
        "    print(path, tried(lambda: open(path)))\n"
        "print('inet', tried(lambda: socket.socket(socket.AF_INET)))\n"
        "print('netlink', tried(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)))\n"
        "print('mount', tried(lambda: os.chroot('/tmp')))\n"
    )
    properties = run("systemctl", "show", UNIT, "--property=" + ",".join(PROPERTIES)).splitlines()
    # A process with the unit's own confinement, started beside it.
    tried = run(
        "systemd-run",
        "--wait",
        "--pipe",
        "--quiet",
        *(f"--property={line}" for line in properties if not line.endswith("=")),
        "/usr/bin/python3",
        "-c",
        probe,
    )
    return {
        "uid": status["Uid"].split()[0],
        "no_new_privileges": status["NoNewPrivs"],
        "seccomp": status["Seccomp"],
        "capabilities": status["CapEff"],
        "interfaces": sorted(line.split(":")[0].strip() for line in _lines(f"/proc/{process}/net/dev")[2:]),
        "tcp": _lines(f"/proc/{process}/net/tcp")[1:],
        "written": sorted(written(process)),
        "tried": dict(
            line.rsplit(" ", 1) if line.count(" ") == 1 else line.split(" ", 1) for line in tried.splitlines()
        ),
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


PROPERTIES = (
    "DynamicUser",
    "ProtectSystem",
    "ProtectHome",
    "PrivateTmp",
    "DevicePolicy",
    "PrivateNetwork",
    "NoNewPrivileges",
    "RestrictAddressFamilies",
    "ProtectKernelTunables",
    "ProtectKernelModules",
    "ProtectKernelLogs",
    "ProtectControlGroups",
    "ProtectClock",
    "ProtectHostname",
    "PrivateIPC",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "CapabilityBoundingSet",
)


def written(process: int) -> set[str]:
    """Regular files that the daemon and its children hold open for writing."""
    found = set()
    for child in (process, *map(int, run("pgrep", "-P", str(process)).split())):
        for entry in Path(f"/proc/{child}/fd").iterdir():
            try:
                target, flags = str(entry.readlink()), Path(f"/proc/{child}/fdinfo/{entry.name}").read_text().split()
            except OSError:
                continue
            if target.startswith("/") and int(flags[flags.index("flags:") + 1], 8) & 3:
                found.add(target)
    return found


def killed() -> dict[str, Any]:
    """kill -9, over and over."""
    seconds = [back_after(signal.SIGKILL) for _ in range(KILLS)]
    return {"back_s": seconds, "timers": ask("timers"), "restarts": show("NRestarts")}


def hangs() -> dict[str, Any]:
    """SIGSTOP: the watchdog ends it."""
    return {
        "back_s": back_after(signal.SIGSTOP),
        "journal": run("journalctl", "--unit", UNIT, "--no-pager", "--lines=20"),
    }


def stopped_and_started() -> dict[str, Any]:
    """The socket outlives the service, and asking on it starts it."""
    run("systemctl", "stop", UNIT)
    there = Path(SOCKET).exists()
    return {"socket_stays": there, "back_s": until(is_ready_by_asking)}


def is_ready_by_asking() -> bool:
    try:
        return bool(ask("status")["ready"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def members() -> dict[str, Any]:
    """Root is answered; a user outside the group does not even reach the socket."""
    script = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({SOCKET!r}); print(s.makefile().readline())"
    told = subprocess.run(
        ["/usr/bin/python3", "-c", script],
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    gid = int(run("getent", "group", "assistant").split(":")[2])
    member = subprocess.run(
        ["/usr/bin/python3", "-c", script],
        user=65534,
        group=65534,
        extra_groups=[gid],
        capture_output=True,
        text=True,
        check=False,
    )
    return {"stranger": told.stderr.strip().splitlines()[-1:], "member": member.stdout.strip()}


def own_verbs() -> dict[str, str]:
    """What the program itself says about its service."""
    return {
        verb: run("/opt/assistant/bin/assistant", "service", *verb.split()) for verb in ("status", "logs --lines 50")
    }


def stop_time() -> dict[str, Any]:
    began = time.monotonic()
    run("systemctl", "stop", UNIT)
    return {"seconds": round(time.monotonic() - began, 2), "result": show("Result")}


if __name__ == "__main__":
    main()
