"""The assistant on a real broker: what it tells, what it obeys, and what becomes of both when the broker goes away."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from assistant.config.integrations import Mqtt as Settings
from assistant.daemon.bus import DaemonBus
from assistant.errors import ConfigError
from assistant.integrations.connecting import State
from tests.integrations.broker import USER, Broker, broker, make_authority
from tests.integrations.house import House, bus_of, patiently, until

aiomqtt = pytest.importorskip("aiomqtt", reason="the extra mqtt is not installed")
mqtt = pytest.importorskip("assistant.integrations.mqtt")

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(bool(Broker.missing()), reason=f"not installed: {Broker.missing()}"),
]


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with broker(folder) as made:
        yield made


@pytest.fixture
def home(typed: House) -> House:
    typed.said.clear()
    typed.muted = False
    return typed


class Ear:
    """Somebody else on the broker: what came on the topics that he subscribed to."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.heard: list[tuple[str, bytes]] = []

    def topics(self) -> list[str]:
        return [topic for topic, _ in self.heard]

    def of(self, topic: str) -> list[Any]:
        return [json.loads(payload) for heard, payload in self.heard if heard == topic]

    async def got(self, topic: str, number: int = 1) -> None:
        await until(lambda: self.topics().count(topic) >= number, f"no {topic}, but {self.topics()}")


@asynccontextmanager
async def ear(broker: Broker, *topics: str) -> AsyncIterator[Ear]:
    async with aiomqtt.Client("127.0.0.1", broker.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        heard = Ear(client)
        for topic in topics or ("#",):
            await client.subscribe(topic, qos=1)

        async def take() -> None:
            async for message in client.messages:
                heard.heard.append((str(message.topic), bytes(message.payload)))

        taking = asyncio.create_task(take())
        try:
            yield heard
        finally:
            taking.cancel()


def settings(broker: Broker, **changed: Any) -> Settings:
    return Settings(**{"host": "127.0.0.1", "port": broker.port, "tls": False, "site": "kitchen", **changed})


@asynccontextmanager
async def joined(
    house: House, settings: Settings, folder: Path | None, state: State = State.CONNECTED
) -> AsyncIterator[tuple[Any, DaemonBus]]:
    bus, integration = bus_of(house), mqtt.Mqtt(settings, folder)
    try:
        await integration.start(bus)
        await until(lambda: integration.link.state is state, f"not {state}: {integration.status()}")
        yield integration, bus
    finally:
        await integration.stop()
        bus.close()


def running(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def test_a_command_is_told_as_an_intent(mosquitto: Broker, home: House, tmp_path: Path) -> None:
    mosquitto.start()

    async def work() -> None:
        async with ear(mosquitto) as others, joined(home, settings(mosquitto), tmp_path) as (_, bus):
            await bus.say("turn on the desk lamp", "socket")
            await others.got("hermes/dialogueManager/sessionEnded")
            (intent,) = others.of("hermes/intent/HassTurnOn")
            assert intent["intent"]["intentName"] == "HassTurnOn"
            assert [(slot["slotName"], slot["value"]["value"]) for slot in intent["slots"]] == [("name", "desk lamp")]
            assert intent["siteId"] == "kitchen"
            assert [topic for topic in others.topics() if topic.startswith("hermes")] == [
                "hermes/dialogueManager/sessionStarted",
                "hermes/intent/HassTurnOn",
                "hermes/dialogueManager/sessionEnded",
            ]

    running(work)


def test_words_stay_here_unless_they_are_asked_for(mosquitto: Broker, home: House, tmp_path: Path) -> None:
    mosquitto.start()

    async def heard(*, words: bool) -> list[tuple[str, bytes]]:
        async with (
            ear(mosquitto, "hermes/#", "assistant/#") as others,
            joined(home, settings(mosquitto, words=words), tmp_path) as (_, bus),
        ):
            await bus.say("turn on the desk lamp", "socket")
            await others.got("hermes/dialogueManager/sessionEnded")
            return others.heard

    silent, open_ = asyncio.run(heard(words=False)), asyncio.run(heard(words=True))
    assert not any(b"turn on" in payload for _, payload in silent)
    assert any(topic == "hermes/asr/textCaptured" and b"turn on" in payload for topic, payload in open_)


def test_what_was_decided_while_the_broker_was_away_is_told_when_it_is_back(
    mosquitto: Broker, home: House, tmp_path: Path
) -> None:
    mosquitto.start()

    async def work() -> None:
        async with joined(home, settings(mosquitto), tmp_path) as (integration, bus):
            mosquitto.stop()
            await until(lambda: integration.link.state is State.WAITING)
            await bus.say("turn on the desk lamp", "socket")
            await bus.say("turn off the printer", "socket")
            await until(lambda: len(integration._queue) >= 6)
            mosquitto.start()
            async with ear(mosquitto, "hermes/intent/#") as others:
                await others.got("hermes/intent/HassTurnOff")
                assert others.topics() == ["hermes/intent/HassTurnOn", "hermes/intent/HassTurnOff"]
            await until(lambda: not integration._queue)

    running(work)


def test_what_waits_outlives_the_process(mosquitto: Broker, home: House, tmp_path: Path) -> None:
    async def decided_while_away() -> None:
        async with joined(home, settings(mosquitto), tmp_path, State.WAITING) as (integration, bus):
            await bus.say("turn on the desk lamp", "socket")
            await until(lambda: any("HassTurnOn" in w.message.topic for w in integration._queue))

    async def back() -> None:
        async with (
            ear(mosquitto, "hermes/intent/#") as others,
            joined(home, settings(mosquitto), tmp_path) as (integration, _),
        ):
            await others.got("hermes/intent/HassTurnOn")
            await until(lambda: not integration._queue)

    running(decided_while_away)
    mosquitto.start()
    running(back)


def test_a_command_that_waited_too_long_is_not_told(mosquitto: Broker, home: House, tmp_path: Path) -> None:
    async def work() -> None:
        async with joined(home, settings(mosquitto, keep_s=0), tmp_path, State.WAITING) as (integration, bus):
            await bus.say("turn on the desk lamp", "socket")
            mosquitto.start()
            async with ear(mosquitto, "#") as others:
                await others.got("assistant/kitchen/status")
                await until(lambda: not integration._queue)
                assert "hermes/intent/HassTurnOn" not in others.topics()

    running(work)


def test_the_broker_says_offline_when_the_assistant_is_gone(mosquitto: Broker, home: House, tmp_path: Path) -> None:
    mosquitto.start()

    async def work() -> None:
        async with ear(mosquitto, "assistant/kitchen/status") as others:
            async with joined(home, settings(mosquitto), tmp_path):
                await others.got("assistant/kitchen/status")
            await others.got("assistant/kitchen/status", 2)
            async with joined(home, settings(mosquitto), tmp_path) as (integration, _):
                await others.got("assistant/kitchen/status", 3)
                integration._client._client.socket().shutdown(socket.SHUT_RDWR)  # no goodbye
                await others.got("assistant/kitchen/status", 5)
            said = [payload.decode() for _, payload in others.heard]
            assert said[:5] == ["online", "offline", "online", "offline", "online"]

    running(work)


def test_others_may_ask_for_what_is_configured_and_no_more(mosquitto: Broker, home: House, tmp_path: Path) -> None:
    mosquitto.start()

    async def work() -> None:
        accept = ("speak", "mute", "query")
        async with (
            ear(mosquitto, "hermes/nlu/#", "hermes/tts/sayFinished", "assistant/#") as others,
            joined(home, settings(mosquitto, accept=accept), tmp_path) as (_, bus),
        ):
            send = others.client.publish
            await send("assistant/kitchen/say", "turn off the desk lamp", qos=1)
            await send("assistant/kitchen/listening/set", "OFF", qos=1)
            await send("assistant/kitchen/speak", "the bell rang", qos=1)
            await send("hermes/tts/say", json.dumps({"text": "not here", "siteId": "garage"}), qos=1)
            query = {"input": "turn on the desk lamp", "siteId": "kitchen", "id": "7"}
            await send("hermes/nlu/query", json.dumps(query), qos=1)
            await others.got("hermes/nlu/intentParsed")
            said = {"text": "dinner is ready", "siteId": "kitchen", "id": "8", "sessionId": "s"}
            await send("hermes/tts/say", json.dumps(said), qos=1)
            await others.got("hermes/tts/sayFinished")
            assert others.of("hermes/tts/sayFinished") == [{"siteId": "kitchen", "id": "8", "sessionId": "s"}]
            (parsed,) = others.of("hermes/nlu/intentParsed")
            assert (parsed["id"], parsed["intent"]["intentName"]) == ("7", "HassTurnOn")
            assert home.said == ["the bell rang", "dinner is ready"]
            assert bus.muted
            await until(lambda: ("assistant/kitchen/listening", b"OFF") in others.heard)

    running(work)


def test_a_text_is_acted_on_only_where_that_is_allowed(mosquitto: Broker, home: House, tmp_path: Path) -> None:
    mosquitto.start()

    async def work() -> None:
        async with (
            ear(mosquitto, "hermes/intent/#") as others,
            joined(home, settings(mosquitto, accept=("say",)), tmp_path),
        ):
            await others.client.publish("assistant/kitchen/say", "turn off the desk lamp", qos=1)
            await others.got("hermes/intent/HassTurnOff")

    running(work)


def test_what_makes_no_sense_is_counted_and_not_obeyed(mosquitto: Broker, home: House, tmp_path: Path) -> None:
    mosquitto.start()

    async def work() -> None:
        async with (
            ear(mosquitto, "none") as others,
            joined(home, settings(mosquitto), tmp_path) as (integration, _),
        ):
            for payload in (b"\xff\xfe\x80", b"", b"x" * 5_000):
                await others.client.publish("assistant/kitchen/speak", payload, qos=1)
            for payload in (b"[]", b"{", b'{"siteId": "kitchen", "text": 3}', b"[" * 4_000):
                await others.client.publish("hermes/tts/say", payload, qos=1)
            await others.client.publish("assistant/kitchen/speak", "all right", qos=1)
            await until(lambda: home.said == ["all right"])
            assert integration.ignored["not UTF-8"] == 1
            assert sum(integration.ignored.values()) == 7

    running(work)


def test_what_the_broker_kept_is_never_obeyed(mosquitto: Broker, home: House, tmp_path: Path) -> None:
    mosquitto.start()

    async def work() -> None:
        async with ear(mosquitto, "none") as others:
            for number in range(2_000):
                topic = f"assistant/kitchen/{number}" if number % 2 else "assistant/kitchen/speak"
                await others.client.publish(topic, f"kept {number}", qos=0, retain=True)
            async with joined(home, settings(mosquitto), tmp_path) as (integration, _):
                await others.client.publish("assistant/kitchen/speak", "now", qos=1)
                await until(lambda: home.said == ["now"], str(home.said))
                assert not integration.ignored

    running(work)


def test_a_flood_of_commands_is_thinned_and_the_assistant_goes_on(
    mosquitto: Broker, home: House, tmp_path: Path
) -> None:
    mosquitto.start()

    async def work() -> None:
        async with (
            ear(mosquitto, "hermes/intent/#") as others,
            joined(home, settings(mosquitto), tmp_path) as (integration, bus),
        ):
            for number in range(3_000):
                await others.client.publish("assistant/kitchen/speak", f"flood {number}")
            await bus.say("turn on the desk lamp", "socket")
            await others.got("hermes/intent/HassTurnOn")
            await until(lambda: integration.ignored["too many commands"] > 0)
            assert len(home.said) < 100

    running(work)


def test_a_password_and_a_certificate_are_needed_where_the_broker_wants_them(
    mosquitto: Broker, home: House, tmp_path: Path
) -> None:
    secret = mosquitto.make_password()
    mosquitto.make_certificate()
    mosquitto.start()
    right = {"host": "localhost", "tls": True, "ca_file": str(mosquitto.ca_file), "username": USER}

    async def work() -> None:
        async with joined(home, settings(mosquitto, password_file=str(secret), **right), None) as (integration, _):
            assert integration.sent >= 0
        secret.write_text("battery staple")
        async with joined(home, settings(mosquitto, password_file=str(secret), **right), None, State.WAITING) as (i, _):
            assert "refuses" in i.status()
            assert i.link.retry_at - i.link.since > 100  # a person has to do something: no hurry

    running(work)


@pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning")  # paho leaves its socket to the collector here
def test_a_broker_that_is_not_who_it_should_be_gets_neither_password_nor_words(
    mosquitto: Broker, home: House, tmp_path: Path
) -> None:
    secret = mosquitto.make_password()
    mosquitto.make_certificate("localhost")
    mosquitto.start()
    stranger = make_authority(tmp_path, "stranger")
    account: dict[str, Any] = {"tls": True, "username": USER, "password_file": str(secret)}
    wrong: list[dict[str, Any]] = [
        {"host": "localhost", "ca_file": str(stranger)},  # signed by somebody else
        {"host": "localhost", "ca_file": None},  # by nobody whom the system knows
        {"host": "127.0.0.1", "ca_file": str(mosquitto.ca_file)},  # for another name
    ]

    async def work() -> None:
        for where in wrong:
            async with joined(home, settings(mosquitto, **account, **where), None, State.WAITING) as (integration, _):
                assert "certificate is not to be trusted" in integration.status()
                assert "horse" not in integration.status()

    running(work)


def test_a_secret_that_others_can_read_is_refused(mosquitto: Broker, home: House, tmp_path: Path) -> None:
    secret = mosquitto.make_password()
    secret.chmod(0o644)

    async def work() -> None:
        with pytest.raises(ConfigError, match="mqtt.password_file can be read by other users; chmod 600"):
            await mqtt.Mqtt(settings(mosquitto, username=USER, password_file=str(secret)), None).start(bus_of(home))

    running(work)


def test_a_certificate_that_is_none_is_refused(mosquitto: Broker, home: House, tmp_path: Path) -> None:
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text("no certificate")

    async def work() -> None:
        for file, fault in ((nonsense, "is no certificate"), (tmp_path / "absent", "cannot be read")):
            with pytest.raises(ConfigError, match=f"mqtt.ca_file {fault}"):
                await mqtt.Mqtt(settings(mosquitto, tls=True, ca_file=str(file)), None).start(bus_of(home))

    running(work)


def test_home_assistant_finds_the_assistant_and_what_is_not_allowed_is_taken_away(
    mosquitto: Broker, home: House, tmp_path: Path
) -> None:
    mosquitto.start()

    async def announced(accept: tuple[str, ...]) -> list[str]:
        async with joined(home, settings(mosquitto, accept=accept), None) as (integration, _):
            await until(lambda: not integration._queue)
        async with ear(mosquitto, "homeassistant/#", "assistant/kitchen/status") as others:
            await patiently(others.got("assistant/kitchen/status"))
            return sorted(topic.split("/")[1] for topic in others.topics() if topic.startswith("homeassistant"))

    assert asyncio.run(announced(("speak", "listen", "mute"))) == ["button", "sensor", "switch", "text"]
    assert asyncio.run(announced(("mute",))) == ["sensor", "switch"]
