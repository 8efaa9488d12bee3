"""A real daemon with real peers: what is configured is joined, outlives a kill, and is left in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.running import Running, running
from tests.integrations.broker import Broker, broker, free_port
from tests.integrations.hass import Hass
from tests.integrations.house import patiently
from tests.sound_server import until

pytestmark = pytest.mark.real

PATIENCE_S = 60.0


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    if Broker.missing():
        pytest.skip(f"not installed: {Broker.missing()}")
    pytest.importorskip("aiomqtt", reason="the extra mqtt is not installed")
    with broker(tmp_path) as made:
        yield made


def at(broker: Broker) -> tuple[str, ...]:
    values = {"host": "127.0.0.1", "port": broker.port, "tls": "false", "site": "kitchen", "keep_s": 600}
    return tuple(part for key, value in values.items() for part in ("--set", f"mqtt.{key}={value}"))


def heard(broker: Broker, topic: str, payload: bytes | None = None) -> bool:
    """Whether the broker gives this to whoever listens, now or within a moment."""
    import aiomqtt

    async def listen() -> bool:
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.subscribe(topic, qos=1)
            async for message in client.messages:
                if payload is None or message.payload == payload:
                    return True
        return False

    return bool(asyncio.run(patiently(listen())))


def joined(daemon: Running, name: str, words: str) -> None:
    until(lambda: words in daemon.part(name).get("status", ""), f"{name}: {words} ({daemon.log})", PATIENCE_S)


def test_a_daemon_that_is_killed_is_offline_and_tells_what_waited_when_it_is_back(mosquitto: Broker) -> None:
    mosquitto.start()
    with running(*at(mosquitto)) as daemon:
        joined(daemon, "mqtt", "connected to")
        assert heard(mosquitto, "assistant/kitchen/status", b"online")
        mosquitto.stop()
        joined(daemon, "mqtt", "waiting to")
        assert daemon.ask("say", text="turn on the desk lamp")["intent"] == "HassTurnOn"
        joined(daemon, "mqtt", "messages wait")
        until(lambda: kept(daemon) > 0, "what waits is on the disk", PATIENCE_S)
        daemon.end(signal.SIGKILL)
        mosquitto.start()
        assert heard_while(mosquitto, "hermes/intent/HassTurnOn", lambda: daemon.start(*at(mosquitto)))
        daemon.end(signal.SIGKILL)
        assert heard(mosquitto, "assistant/kitchen/status", b"offline")


def kept(daemon: Running) -> int:
    """How many intents the file holds."""
    import sqlite3

    file = daemon.home / "state/assistant/mqtt/outbox.db"
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        (number,) = connection.execute("SELECT count(*) FROM outbox WHERE topic LIKE 'hermes/intent/%'").fetchone()
    finally:
        connection.close()
    return int(number)


def heard_while(broker: Broker, topic: str, work: object) -> bool:
    """Whether `topic` comes while `work` is done."""
    import aiomqtt

    async def listen() -> bool:
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.subscribe(topic, qos=1)
            await asyncio.to_thread(work)  # type: ignore[arg-type]
            async for _ in client.messages:
                return True
        return False

    return bool(asyncio.run(patiently(listen())))


def test_a_port_is_open_only_where_wyoming_is_enabled() -> None:
    pytest.importorskip("wyoming", reason="the extra wyoming is not installed")
    from wyoming.client import AsyncTcpClient
    from wyoming.intent import Intent, Recognize

    port = free_port()

    async def ask() -> str:
        async with AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(Recognize("turn on the desk lamp").event())
            return Intent.from_event(await patiently(client.read_event())).name

    with running() as daemon:
        assert daemon.part("wyoming")["state"] == "absent"
        with pytest.raises(ConnectionError):
            asyncio.run(ask())
    with running("--set", "wyoming.enabled=true", "--set", f"wyoming.port={port}") as daemon:
        joined(daemon, "wyoming", "listening on 127.0.0.1")
        assert asyncio.run(ask()) == "HassTurnOn"
        assert daemon.end() == 0


def test_what_is_said_to_the_daemon_happens_in_home_assistant(hass: Hass) -> None:
    pytest.importorskip("websockets", reason="the extra home-assistant is not installed")
    hass.post("/api/services/light/turn_off", {"entity_id": "light.bed_light"})
    where = ("--set", f"home_assistant.url={hass.url}", "--set", f"home_assistant.token_file={hass.token_file}")
    with running(*where) as daemon:
        joined(daemon, "home-assistant", "devices")
        until(lambda: daemon.ask("say", text="turn on the bed light")["outcome"] == "accept", daemon.log, PATIENCE_S)
        assert hass.state("light.bed_light") == "on"
        assert hass.token not in daemon.log
        assert daemon.end() == 0


def test_a_token_that_others_can_read_is_said_at_once(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    token.chmod(0o644)
    with running() as daemon:
        daemon.end()
        daemon.launch("--set", "home_assistant.url=http://127.0.0.1:9", "--set", f"home_assistant.token_file={token}")
        assert daemon.process is not None
        assert daemon.process.wait(PATIENCE_S) != 0
        assert "home_assistant.token_file can be read by other users; chmod 600" in daemon.log
