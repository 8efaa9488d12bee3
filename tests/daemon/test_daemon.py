"""The whole daemon in its own process: requests, reload, faults while it runs, and its end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from assistant.daemon.client import Client
from assistant.daemon.events import Decided, Reloaded
from assistant.errors import AssistantError
from tests.daemon.running import Running, running
from tests.sound_server import until

pytestmark = pytest.mark.real

CLIENTS, REQUESTS = 100, 50
LIGHTS = "turn on the kitchen lights"


@pytest.fixture(scope="module")
def daemon() -> Iterator[Running]:
    with running() as started:
        yield started


def assistant(daemon: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program, as a user would ask the running daemon with it."""
    command = [sys.executable, "-m", "assistant", *arguments, "--set", f"daemon.socket={daemon.socket}"]
    environment = {**os.environ, "HOME": str(daemon.home), "XDG_STATE_HOME": str(daemon.home / "other")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_command_is_understood_acted_on_and_told_to_subscribers(daemon: Running) -> None:
    with Client.connect(daemon.socket) as listener:
        events = listener.events(timeout_s=30)
        answer = daemon.ask("say", text="set a timer for ten minutes")
        told = next(event for event in events if isinstance(event, Decided))
    assert answer["intent"] == told.intent == "HassStartTimer"
    assert answer["reply"]
    assert told.source.startswith("socket, uid")
    assert [timer["title"] for timer in daemon.ask("timers")] == ["10 minute timer"]
    assert daemon.ask("say", text="cancel that")["outcome"] == "accept"
    assert daemon.ask("timers") == []


def test_a_question_is_answered_in_the_conversation_that_asked_it(daemon: Running) -> None:
    assert daemon.ask("say", text="set a timer")["expects_answer"]
    assert daemon.ask("say", text="three minutes")["intent"] == "HassStartTimer"
    daemon.ask("say", text="cancel the timer")


def test_understanding_does_nothing(daemon: Running) -> None:
    understood = daemon.ask("understand", text="set a timer for one hour")
    assert (understood["intent"], understood["acted"]) == ("HassStartTimer", False)
    assert daemon.ask("timers") == []


def test_the_verbs_ask_the_daemon_that_runs(daemon: Running) -> None:
    done = assistant(daemon, "say", "set a timer for two minutes", "--json")
    assert json.loads(done.stdout)["intent"] == "HassStartTimer", done.stderr
    assert "2 minute timer" in assistant(daemon, "timers").stdout
    daemon.ask("say", text="cancel all timers")
    assert assistant(daemon, "status").stdout.startswith("ready")
    assert assistant(daemon, "mute").returncode == 0
    assert daemon.ask("status")["muted"]
    assert assistant(daemon, "unmute").returncode == 0


def test_metrics_count_without_words(daemon: Running) -> None:
    daemon.ask("say", text=LIGHTS)
    text = daemon.ask("metrics")["text"]
    assert 'assistant_intents_total{intent="HassTurnOn",outcome=' in text
    assert 'assistant_part_up{part="recognizer"} 1.0' in text
    assert "kitchen" not in text


def test_nothing_that_was_said_is_in_the_log(daemon: Running) -> None:
    daemon.ask("say", text=LIGHTS)
    assert "ready" in daemon.log
    assert "kitchen" not in daemon.log


def test_a_configuration_that_changes_to_nonsense_is_refused_and_the_old_one_kept(daemon: Running) -> None:
    with Client.connect(daemon.socket) as client:
        events = client.events(timeout_s=30)
        daemon.configure("listen:\n  cap_s: never\n  modus: wake\n")
        with pytest.raises(AssistantError, match=r"config\.yaml:2: listen\.cap_s is 'never'"):
            daemon.ask("reload")
        refused = next(event for event in events if isinstance(event, Reloaded))
        assert not refused.ok
        daemon.send(signal.SIGHUP)
        until(lambda: "the old configuration is kept" in daemon.log, "the log says so")
        assert daemon.ask("understand", text=LIGHTS)["outcome"] == "accept"
        daemon.configure("context: barista\n")
        assert daemon.ask("reload")["changed"] == "context"
        assert daemon.ask("understand", text="a large latte")["intent"] == "orderDrink"
    daemon.configure("")
    daemon.send(signal.SIGHUP)
    until(lambda: daemon.ask("understand", text=LIGHTS)["outcome"] == "accept", "the first context is back")


def test_the_recogniser_killed_and_stopped_is_there_again(daemon: Running) -> None:
    before = daemon.child
    os.kill(before, signal.SIGKILL)
    until(lambda: daemon.part("recognizer")["restarts"] == 1, "it was started again")
    until(lambda: daemon.part("recognizer")["state"] == "running", "it runs again")
    assert daemon.child != before
    assert daemon.ask("say", text=LIGHTS)["outcome"] == "accept"
    assert 'assistant_part_restarts_total{part="recognizer"} 1.0' in daemon.ask("metrics")["text"]


def test_a_daemon_that_stood_still_goes_on_where_it_was(daemon: Running) -> None:
    starts = [part["restarts"] for part in daemon.ask("status")["parts"]]
    daemon.send(signal.SIGSTOP)
    before = time.monotonic()
    while time.monotonic() < before + 3:  # longer than any look may be late
        os.sched_yield()
    daemon.send(signal.SIGCONT)
    assert daemon.ask("say", text=LIGHTS)["outcome"] == "accept"
    assert [part["restarts"] for part in daemon.ask("status")["parts"]] == starts


def test_a_flood_of_clients_is_answered_and_those_who_harm_are_cut(daemon: Running) -> None:
    """100 clients with 50 requests each; beside them some that stop in the middle, never read, and talk nonsense."""
    answered = []

    def ask() -> None:
        with Client.connect(daemon.socket) as client:
            for number in range(REQUESTS):
                client.ask(
                    *(("status",) if number % 10 else ("understand",)), **({} if number % 10 else {"text": LIGHTS})
                )
            answered.append(REQUESTS)

    harmful = [socket.socket(socket.AF_UNIX) for _ in range(8)]
    for number, each in enumerate(harmful):
        each.connect(str(daemon.socket))
        each.sendall([b'{"do":"stat', b'{"do":"metrics"}\n' * 500, b"\xff\n" * 4, b"x" * 100_000][number % 4])
    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in harmful:
        each.close()
    assert sum(answered) == CLIENTS * REQUESTS
    assert daemon.ask("say", text=LIGHTS)["outcome"] == "accept"
    until(lambda: daemon.ask("status")["clients"] == 1, "all are gone")


def test_it_leaks_no_descriptors_and_no_threads(daemon: Running) -> None:
    def counted() -> list[str]:
        text = daemon.ask("metrics")["text"]
        return re.findall(r"^assistant_(?:threads|open_descriptors) (\S+)", text, flags=re.MULTILINE)

    for _ in range(5):
        daemon.ask("status")
    before = counted()
    for _ in range(100):
        daemon.ask("understand", text=LIGHTS)
    assert counted() == before


def test_timers_outlive_a_kill() -> None:
    with running() as daemon:
        daemon.ask("say", text="set a timer for one hour")
        assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
        daemon.start()
        (timer,) = daemon.ask("timers")
        assert timer["title"] == "1 hour timer"
        child = daemon.child
        assert daemon.end() == 0
        assert not Path(f"/proc/{child}").exists()
        assert not daemon.socket.exists()
        assert not daemon.log.count("longer than")


def test_a_disk_that_is_full_costs_what_was_to_be_kept_and_room_mends_it(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        with running("--set", f"paths.state={disk}") as daemon:
            filler = disk / "filler"
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
            refused = daemon.ask("say", text="set a timer for one hour")
            assert "Timer set" not in refused["reply"]
            assert refused["reply"]
            assert daemon.ask("understand", text=LIGHTS)["outcome"] == "accept"
            assert daemon.ask("status")["ready"]
            filler.unlink()
            assert daemon.ask("say", text="set a timer for one hour")["reply"].startswith("Timer set")
            assert [part["restarts"] for part in daemon.ask("status")["parts"]] == [0, 0]
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_broker_that_is_down_is_tried_again_and_the_assistant_works_without() -> None:
    pytest.importorskip("aiomqtt", reason="the extra mqtt is not installed")
    with socket.create_server(("127.0.0.1", 0)) as there:
        port = there.getsockname()[1]
    with running("--set", "mqtt.host=127.0.0.1", "--set", f"mqtt.port={port}", "--set", "mqtt.tls=false") as daemon:
        assert daemon.part("mqtt")["state"] != "absent"
        assert daemon.ask("say", text=LIGHTS)["outcome"] == "accept"
        daemon.configure("wyoming: {port: 10301}\n")  # something of an integration changes: all of them are joined anew
        daemon.ask("reload")
        until(lambda: daemon.part("mqtt")["state"] != "absent", "it is there again")
        assert daemon.ask("status")["ready"]


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("unshare"), reason="only root can take all interfaces away")
def test_without_any_network_interface_it_does_all_that_it_does() -> None:
    with tempfile.TemporaryDirectory(prefix="dmn-", ignore_cleanup_errors=True) as home:
        daemon = Running(Path(home), prefix=("unshare", "--net", "--"))
        daemon.start()
        assert daemon.ask("say", text="set a timer for one hour")["reply"].startswith("Timer set")
        assert daemon.end() == 0


def test_two_daemons_do_not_share_a_socket(daemon: Running) -> None:
    second = Running(daemon.home)
    second.launch()
    assert second.process is not None
    assert second.process.wait(60) == 8
    assert "another daemon listens here" in daemon.log
    assert daemon.ask("status")["ready"]


def test_what_is_wrong_at_the_start_is_one_line_and_an_exit_code(tmp_path: Path) -> None:
    daemon = Running(tmp_path)
    daemon.launch("--context", "nowhere")
    assert daemon.process is not None
    assert (daemon.process.wait(60), daemon.log.count("\n")) == (4, 1)


def test_the_protocol_is_spoken_by_plain_sockets_too(daemon: Running) -> None:
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(str(daemon.socket))
        lines = plain.makefile("rb")
        assert msgspec.json.decode(lines.readline())["protocol"] == 1
        plain.sendall(b'{"do":"status","id":"x"}\n')
        assert msgspec.json.decode(lines.readline())["id"] == "x"
        lines.close()


FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


@pytest.mark.skipif(FAKETIME is None, reason="no libfaketime here")
def test_a_clock_that_jumps_by_a_day_rings_no_timer_and_loses_none(tmp_path: Path) -> None:
    wall = tmp_path / "faketime"
    wall.write_text("+0")
    environment = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(wall),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    with running(environment=environment) as daemon:
        began = daemon.ask("say", text="set a timer for one hour")["at"]
        for jump, seconds in (("+1d", 86_400), ("-1d", -86_400)):
            wall.write_text(jump)

            def jumped(seconds: int = seconds) -> bool:
                return bool(abs(daemon.ask("say", text=LIGHTS)["at"] - began - seconds) < 600)

            until(jumped, f"the clock shows {jump}")
            (timer,) = daemon.ask("timers")
            assert timer["state"] == "running"
            assert 3000 < timer["remaining_s"] <= 3600
            assert daemon.ask("status")["ready"]
        until(lambda: "assistant_clock_jumps_total 2.0" in daemon.ask("metrics")["text"], "both are counted")
        assert {part["restarts"] for part in daemon.ask("status")["parts"]} == {0}
