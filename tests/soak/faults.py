"""Does to a running daemon what months in a house do to it, and says how soon it is well again (`make faults`).

A daemon that hears by a microphone of its own sound server, keeps its state on a disk of its own, and tells a broker
of its own; each fault in turn, then what is asked: is every part at work, is the microphone heard, is the broker told,
is a spoken command understood? Prints a table: seconds from the end of the fault until all is well, and what was
counted. Exit code 1 where one took more than five seconds, was not counted, or a command after it was not understood.

    python -m tests.soak.faults --stop 30
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.daemon.client import Client
from assistant.daemon.events import MICROPHONE, Decided
from assistant.errors import AssistantError
from assistant.types import SAMPLE_RATE_HZ
from tests.daemon.running import Running
from tests.integrations.broker import Broker, broker
from tests.soak.flood import flooded
from tests.soak.soak import spoken
from tests.sound_server import MIC1, SoundServer, running_server, until

MOST_S = 5.0
LIGHTS = "turn on the kitchen lights"
FAULT_S = 6.0
"""How long each lasts, unless it is over at once."""
FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


@dataclass
class House:
    """What a fault can be done to."""

    daemon: Running
    server: SoundServer
    broker: Broker
    disk: Path
    command: NDArray[np.int16]


@dataclass
class Clocked:
    """A daemon whose wall clock can be set; it only reads, for what sets the clock breaks waiting in audio threads."""

    daemon: Running
    wall: Path


@dataclass(frozen=True)
class Fault:
    """name, counted: as the table has them; the latter is a metric, and its labels. happens: from begin to end."""

    name: str
    counted: str
    happens: Callable[[Any], None]


@dataclass(frozen=True)
class Outcome:
    """well_s: from its end until all was well. counted: by how much the counter grew. heard: a command after it was."""

    fault: Fault
    well_s: float
    counted: float
    heard: bool

    @property
    def survived(self) -> bool:
        """As it has to be."""
        return self.well_s <= MOST_S and self.counted > 0 and self.heard


def main(argv: list[str]) -> int:
    """Do all of it and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stop", type=float, default=30.0, help="seconds that it is stopped (%(default)s)")
    parser.add_argument("--only", default="", help="faults whose name holds this")
    args = parser.parse_args(argv)
    print("| fault | well again after | counted |\n|---|---|---|")
    outcomes = []
    for place, done in ((house, faults(args.stop)), (clocked, CLOCK_FAULTS)):
        chosen = [fault for fault in done if args.only in fault.name]
        if not chosen:
            continue
        with place() as there:
            for fault in chosen:
                outcomes.append(outcome(fault, there))
                print(row(outcomes[-1]), flush=True)
    return 0 if all(each.survived for each in outcomes) else 1


def faults(stop_s: float) -> tuple[Fault, ...]:
    """Those that are done, in order."""
    return (
        Fault("recogniser killed", 'part_restarts_total{part="recognizer"}', kill_recognizer),
        Fault("microphone unplugged and plugged in", "audio_reopens_total", unplug),
        Fault("PulseAudio killed and started", "audio_reopens_total", restart_sound),
        Fault("disk full", "trace_lost_total", fill_disk),
        Fault("broker down", 'connections_lost_total{part="mqtt"}', stop_broker),
        Fault("100 clients at work, half-open ones among them", 'clients_cut_total{why="', flood),
        Fault(f"stopped for {stop_s:.0f} s (SIGSTOP)", "stalls_total", lambda house: stop(house, stop_s)),
    )


CLOCK_FAULTS = (
    Fault("clock a day forward", "clock_jumps_total", lambda clocked: jump(clocked, "+1d")),
    Fault("clock two days back", "clock_jumps_total", lambda clocked: jump(clocked, "-1d")),
)


def outcome(fault: Fault, house: House | Clocked) -> Outcome:
    """Let it happen."""
    before = number(house, fault.counted)
    fault.happens(house)
    ended = time.monotonic()
    until(lambda: well(house), f"all is well after: {fault.name}", 60)
    well_s = time.monotonic() - ended
    heard = not isinstance(house, House) or understood(house)
    until(lambda: number(house, fault.counted) > before, f"it is counted: {fault.name}", 15)
    return Outcome(fault, round(well_s, 1), number(house, fault.counted) - before, heard)


def row(outcome: Outcome) -> str:
    """A line of the table."""
    counted = f"`assistant_{outcome.fault.counted.partition('{')[0]}` {outcome.counted:+.0f}"
    heard = "" if outcome.heard else ", but then not understood"
    return f"| {outcome.fault.name} | {outcome.well_s:.1f} s{heard} | {counted} |"


def well(house: House | Clocked) -> bool:
    """Whether everything is at work, sound comes, the broker is there, and what is typed is acted on."""
    with contextlib.suppress(AssistantError, OSError):
        status = house.daemon.ask("status")
        parts = {part["name"]: part for part in status["parts"]}
        return (
            status["ready"]
            and all(part["state"] == "running" for part in parts.values())
            and ("ear" not in parts or parts["ear"]["status"].startswith("listening"))
            and ("mqtt" not in parts or parts["mqtt"]["status"].startswith("connected"))
            and house.daemon.ask("say", text=LIGHTS)["outcome"] == "accept"
        )
    return False


def understood(house: House) -> bool:
    """Say a command into the microphone: whether it was understood; what was, where it was not, on standard error."""
    sound = np.concatenate([np.zeros(SAMPLE_RATE_HZ // 2, np.int16), house.command]) / np.float32(32_768)
    with Client.connect(house.daemon.socket) as client:
        events = client.events(timeout_s=30)
        house.server.play(MIC1, sound.astype(np.float32)[:, np.newaxis], SAMPLE_RATE_HZ)
        heard = None
        with contextlib.suppress(AssistantError):
            heard = next((event for event in events if isinstance(event, Decided) and event.source == MICROPHONE), None)
    if heard is None or heard.outcome != "accept":
        print(heard, file=sys.stderr, flush=True)
        return False
    return True


def number(house: House | Clocked, counted: str) -> float:
    """The sum of all metrics that begin so."""
    text = house.daemon.ask("metrics")["text"]
    return sum(map(float, re.findall(rf"^assistant_{re.escape(counted)}.* (\S+)$", text, flags=re.MULTILINE)))


# -- what is done --------------------------------------------------------------------------------------------------


def kill_recognizer(house: House) -> None:
    """As a crash in native code, or the kernel where memory is short."""
    os.kill(house.daemon.child, signal.SIGKILL)
    time.sleep(0.1)


def unplug(house: House) -> None:
    """Pull the microphone's plug, and put it back."""
    house.server.unplug(MIC1)
    time.sleep(FAULT_S)
    house.server.plug_in(MIC1)


def restart_sound(house: House) -> None:
    """End the sound server as a crash does, and start it."""
    house.server.kill()
    time.sleep(FAULT_S)
    house.server.start()


def fill_disk(house: House) -> None:
    """Leave no byte, let decisions come that would be kept, and make room."""
    filler = house.disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(512)):
            pass
    for _ in range(40):
        house.daemon.ask("say", text="set a timer for one hour")
    time.sleep(FAULT_S)
    filler.unlink()


def stop_broker(house: House) -> None:
    """End the broker, and start it."""
    house.broker.stop()
    time.sleep(FAULT_S)
    house.broker.start()


def jump(clocked: Clocked, by: str) -> None:
    """Set the wall clock."""
    clocked.wall.write_text(by)
    time.sleep(1.2)  # so long the library keeps the old one


def flood(house: House) -> None:
    """Ask as much as 100 clients can, while some never read and some stop in the middle."""
    with flooded(house.daemon):
        talker = socket.socket(socket.AF_UNIX)
        talker.connect(str(house.daemon.socket))
        with contextlib.suppress(OSError):
            talker.sendall(b"x" * 200_000)
        time.sleep(2 * FAULT_S)
        talker.close()


def stop(house: House, seconds: float) -> None:
    """Stop it, and let it go on. Under systemd the watchdog ends it before: `make test-board`."""
    house.daemon.send(signal.SIGSTOP)
    time.sleep(seconds)
    house.daemon.send(signal.SIGCONT)


@contextlib.contextmanager
def house() -> Iterator[House]:
    """Everything that a daemon has around it, and the daemon. Needs root, for the disk."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running_server())
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True)))
        peer = stack.enter_context(broker(home))
        peer.start()
        disk = home / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=True)
        stack.callback(subprocess.run, ["umount", "--lazy", str(disk)], check=True)
        settings = ("audio.device=mic1", "speak.voice=none", f"paths.state={disk}", "mqtt.host=127.0.0.1")
        arguments = [part for each in (*settings, f"mqtt.port={peer.port}") for part in ("--set", each)]
        daemon = Running(home, server.environment, (*arguments, "--set", "mqtt.tls=false")).start()
        stack.callback(daemon.end, signal.SIGKILL)
        there = House(daemon, server, peer, disk, spoken(LIGHTS))
        until(lambda: well(there), "all is well at the beginning", 60)
        yield there


@contextlib.contextmanager
def clocked() -> Iterator[Clocked]:
    """A daemon that is typed to, below libfaketime."""
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as home:
        wall = Path(home, "faketime")
        wall.write_text("+0")
        environment = {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(wall),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        daemon = Running(Path(home), environment).start()
        try:
            yield Clocked(daemon, wall)
        finally:
            daemon.end(signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
