"""The Wyoming server, asked by the protocol's own client, and by clients that mean no good."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.config import Config
from assistant.config.integrations import Wyoming as Settings
from assistant.errors import ConfigError
from assistant.recognize.moonshine.engine import Moonshine
from tests.integrations.broker import free_port
from tests.integrations.house import House, bus_of, house, patiently, until

pytest.importorskip("wyoming", reason="the extra wyoming is not installed")
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.info import Describe, Info
from wyoming.intent import Intent, NotRecognized, Recognize
from wyoming.ping import Ping, Pong
from wyoming.wake import Detect, Detection, NotDetected

from assistant.integrations.configured import create_wyoming
from assistant.integrations.wyoming import Wyoming

pytestmark = pytest.mark.real

RATE_HZ = 16_000
Spoken = Callable[[str], NDArray[np.int16]]


@pytest.fixture(scope="module")
def hearing(moonshine: Moonshine) -> House:
    return house(moonshine, "barista")


@asynccontextmanager
async def serving(house: House, **changed: Any) -> AsyncIterator[tuple[Wyoming, AsyncTcpClient]]:
    settings = Settings(**{"enabled": True, "port": free_port(), **changed})
    server = create_wyoming(Config(wyoming=settings, context=house.understander.context.name), None)
    assert server is not None
    bus = bus_of(house)
    try:
        await server.start(bus)
        async with AsyncTcpClient("127.0.0.1", settings.port) as client:
            yield server, client
    finally:
        await server.stop()
        bus.close()


async def asked(client: AsyncTcpClient, *events: Any) -> Any:
    for event in events:
        await client.write_event(event.event())
    return await patiently(client.read_event())


def chunks(pcm: NDArray[np.int16], rate_hz: int = RATE_HZ, channels: int = 1) -> list[Any]:
    data = np.repeat(pcm[:, None], channels, axis=1).tobytes()
    size = 2 * channels * rate_hz // 10
    sound = [AudioChunk(rate_hz, 2, channels, data[at : at + size]) for at in range(0, len(data), size)]
    return [AudioStart(rate_hz, 2, channels), *sound, AudioStop()]


def running(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def test_nothing_is_open_unless_it_is_enabled_and_then_only_here() -> None:
    assert create_wyoming(Config(), None) is None
    assert Settings().host == "127.0.0.1"


def test_it_says_what_it_can(typed: House) -> None:
    async def work() -> None:
        async with serving(typed) as (_, client):
            info = Info.from_event(await asked(client, Describe()))
            assert [model.name for model in info.asr[0].models] == ["home"]
            assert info.asr[0].models[0].languages == ["en"]
            assert info.intent[0].installed
            assert [model.name for program in info.wake for model in program.models] == ["hey_jarvis"]
            assert Pong.from_event(await asked(client, Ping("there?"))).text == "there?"

    running(work)


def test_a_text_becomes_an_intent_and_nothing_is_done(typed: House) -> None:
    async def work() -> None:
        async with serving(typed) as (_, client):
            intent = Intent.from_event(await asked(client, Recognize("turn on the desk lamp")))
            assert intent.name == "HassTurnOn"
            assert [(entity.name, entity.value) for entity in intent.entities] == [("name", "desk lamp")]
            assert NotRecognized.is_type((await asked(client, Recognize("colourless green ideas"))).type)

    running(work)


@pytest.mark.parametrize(("rate_hz", "channels"), [(16_000, 1), (16_000, 2), (44_100, 1)])
def test_speech_becomes_text(hearing: House, spoken: Spoken, rate_hz: int, channels: int) -> None:
    import soxr

    pcm = spoken("can I have a large latte")
    pcm = pcm if rate_hz == RATE_HZ else soxr.resample(pcm, RATE_HZ, rate_hz)

    async def work() -> None:
        async with serving(hearing) as (_, client):
            event = await asked(client, Transcribe(language="en"), *chunks(pcm, rate_hz, channels))
            assert "large latte" in Transcript.from_event(event).text.lower()

    running(work)


def test_of_what_makes_no_sense_here_no_words_are_guessed(hearing: House, spoken: Spoken) -> None:
    async def work() -> None:
        async with serving(hearing) as (_, client):
            event = await asked(client, Transcribe(), *chunks(spoken("the parliament adjourned until wednesday")))
            assert Transcript.from_event(event).text == ""
            assert Transcript.from_event(await asked(client, AudioStart(RATE_HZ, 2, 1), AudioStop())).text == ""

    running(work)


def test_an_hour_of_sound_is_answered_once_and_costs_no_memory(typed: House) -> None:
    second = AudioChunk(RATE_HZ, 2, 1, bytes(2 * RATE_HZ)).event()

    async def work() -> None:
        async with serving(typed, cap_s=5) as (server, client):
            await client.write_event(AudioStart(RATE_HZ, 2, 1).event())
            for number in range(3_600):
                await client.write_event(second)
                if number == 10:
                    assert Transcript.is_type((await patiently(client.read_event())).type)
                (connection,) = server.connections
                assert connection.kept_s <= 6.0
            assert Pong.from_event(await asked(client, AudioStop(), Ping("still"))).text == "still"

    running(work)


def test_a_wake_word_is_found_in_a_stream(typed: House, spoken: Spoken) -> None:
    pytest.importorskip("pymicro_wakeword", reason="the extra wake is not installed")
    silence = np.zeros(RATE_HZ, np.int16)

    async def work() -> None:
        async with serving(typed) as (_, client):
            for event in (Detect(["hey_jarvis"]), *chunks(np.concatenate([silence, spoken("hey jarvis"), silence]))):
                await client.write_event(event.event())
            assert Detection.from_event(await patiently(client.read_event())).name == "hey_jarvis"
            for event in (Detect([]), *chunks(np.concatenate([silence, spoken("good morning"), silence]))):
                await client.write_event(event.event())
            assert NotDetected.is_type((await patiently(client.read_event())).type)

    running(work)


def test_a_wake_word_that_is_not_configured_is_an_error(typed: House) -> None:
    async def work() -> None:
        async with serving(typed) as (_, client):
            error = Error.from_event(await asked(client, Detect(["open_sesame"]), AudioStart(RATE_HZ, 2, 1)))
            assert "none of these wake words is configured" in error.text
            assert Pong.is_type((await asked(client, Ping())).type)  # it goes on

    running(work)


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "an event is no JSON"),
        (b"[1, 2]\n", "an event is no JSON object"),
        (b'{"data": {}}\n', "a header has no type"),
        (b'{"type": "describe", "data_length": 99999999999}\n', "data_length is not a number up to"),
        (b'{"type": "audio-chunk", "payload_length": -1}\n', "payload_length is not a number up to"),
        (b'{"type": "audio-chunk", "payload_length": 99999999999}\n', "payload_length is not a number up to"),
        (b"x" * 200_000, "a header has more than"),
        (b'{"type": "audio-chunk", "data": {"rate": 1, "width": 2, "channels": 1}}\n', "no rate from 8000 to 48000"),
        (b'{"type": "audio-chunk", "data": {"rate": 16000, "width": 4, "channels": 1}}\n', "not 16-bit"),
        (b'{"type": "audio-chunk", "data": {"rate": 16000, "width": 2, "channels": 99}}\n', "not 1 to 8 channels"),
        (b"[" * 60_000 + b"\n", "an event is no JSON"),
    ],
)
def test_what_is_no_event_is_said_and_the_client_sent_away(typed: House, sent: bytes, why: str) -> None:
    async def work() -> None:
        async with serving(typed) as (server, client):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(sent)
            told = b""
            try:
                told = await asyncio.wait_for(reader.read(), 20)
            except ConnectionResetError:  # it closed while we still wrote
                assert len(sent) > 100_000
            assert why in told.decode() or len(sent) > 100_000
            writer.close()
            assert Pong.is_type((await asked(client, Ping())).type)  # others notice nothing

    running(work)


def test_one_client_too_many_is_sent_away_until_another_leaves(typed: House) -> None:
    async def work() -> None:
        async with serving(typed, clients=2) as (server, client):
            assert Pong.is_type((await asked(client, Ping())).type)
            async with AsyncTcpClient("127.0.0.1", server.port) as second:
                assert Pong.is_type((await asked(second, Ping())).type)
                async with AsyncTcpClient("127.0.0.1", server.port) as third:
                    error = Error.from_event(await patiently(third.read_event()))
                    assert error.code == "busy"
            await until(lambda: len(server.connections) == 1)
            async with AsyncTcpClient("127.0.0.1", server.port) as fourth:
                assert Pong.is_type((await asked(fourth, Ping())).type)

    running(work)


def test_stopping_leaves_clients_that_are_in_the_middle(typed: House) -> None:
    async def work() -> None:
        async with serving(typed) as (server, client):
            await client.write_event(AudioStart(RATE_HZ, 2, 1).event())
            _, half_open = await asyncio.open_connection("127.0.0.1", server.port)
            half_open.write(json.dumps({"type": "describe"}).encode())
            await until(lambda: len(server.connections) == 2)
            await patiently(server.stop())
            assert not server.connections
            half_open.close()

    running(work)


def test_a_port_that_is_taken_is_said(typed: House) -> None:
    async def work() -> None:
        async with serving(typed) as (server, _):
            other = create_wyoming(Config(wyoming=Settings(enabled=True, port=server.port)), None)
            assert other is not None
            with pytest.raises(ConfigError, match="the port cannot be opened.*set wyoming.port"):
                await other.start(bus_of(typed))
            await other.stop()

    running(work)
