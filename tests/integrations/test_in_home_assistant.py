"""How the assistant shows up in a real Home Assistant: as a device over MQTT, and as its ears over Wyoming."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.config import Config
from assistant.config.integrations import Mqtt as MqttSettings
from assistant.config.integrations import Wyoming as WyomingSettings
from assistant.integrations.configured import create_mqtt, create_wyoming
from assistant.recognize.moonshine.engine import Moonshine
from tests.integrations.broker import Broker, broker, free_port
from tests.integrations.hass import Hass
from tests.integrations.house import House, bus_of, house, until

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(bool(Broker.missing()), reason=f"not installed: {Broker.missing()}"),
]


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    with broker(tmp_path) as made:
        made.start()
        yield made


def test_over_mqtt_it_is_a_device_there_that_can_be_switched_and_asked(
    hass: Hass, mosquitto: Broker, typed: House
) -> None:
    pytest.importorskip("aiomqtt", reason="the extra mqtt is not installed")
    hass.add("mqtt", {"broker": "127.0.0.1", "port": mosquitto.port})
    typed.said.clear()
    listened = typed.listened
    settings = MqttSettings(host="127.0.0.1", port=mosquitto.port, tls=False, site="kitchen")

    async def there(entity: str, state: str) -> None:
        await asyncio.to_thread(hass.wait, lambda: hass.state(entity) == state)

    async def call(service: str, entity: str, **data: Any) -> None:
        await asyncio.to_thread(hass.post, f"/api/services/{service}", {"entity_id": entity, **data})

    async def work() -> None:
        integration = create_mqtt(Config(mqtt=settings), None)
        assert integration is not None
        bus = bus_of(typed)
        await integration.start(bus)
        await there("switch.assistant_kitchen_listening", "on")
        await bus.say("turn on the desk lamp", "socket")
        await there("sensor.assistant_kitchen_intent", "HassTurnOn")
        slots = (await asyncio.to_thread(hass.get, "/api/states/sensor.assistant_kitchen_intent"))["attributes"][
            "slots"
        ]
        assert slots == {"name": "desk lamp"}
        await call("switch/turn_off", "switch.assistant_kitchen_listening")
        await until(lambda: bus.muted)
        await there("switch.assistant_kitchen_listening", "off")
        await call("switch/turn_on", "switch.assistant_kitchen_listening")
        await until(lambda: not bus.muted)
        await call("text/set_value", "text.assistant_kitchen_speak", value="Tea is ready")
        await until(lambda: typed.said == ["Tea is ready"])
        await call("button/press", "button.assistant_kitchen_listen")
        await until(lambda: typed.listened > listened)
        await integration.stop()
        bus.close()
        await there("switch.assistant_kitchen_listening", "unavailable")

    asyncio.run(asyncio.wait_for(work(), 90))


def test_over_wyoming_it_hears_for_home_assistant(
    hass: Hass, moonshine: Moonshine, spoken: Callable[[str], NDArray[np.int16]]
) -> None:
    pytest.importorskip("wyoming", reason="the extra wyoming is not installed")
    port = free_port()

    def heard(text: str) -> Any:
        kind = "format=wav; codec=pcm; sample_rate=16000; bit_rate=16; channel=1; language=en"
        headers = {"Authorization": f"Bearer {hass.token}", "X-Speech-Content": kind}
        url = f"{hass.url}/api/stt/stt.assistant"
        request = urllib.request.Request(url, spoken(text).tobytes(), headers)  # noqa: S310  our own http address
        return hass.send(request)

    async def work() -> None:
        server = create_wyoming(Config(wyoming=WyomingSettings(enabled=True, port=port), context="barista"), None)
        assert server is not None
        bus = bus_of(house(moonshine, "barista"))
        await server.start(bus)
        await asyncio.to_thread(hass.add, "wyoming", {"host": "127.0.0.1", "port": port})
        answer = await asyncio.to_thread(heard, "can I have a large latte")
        assert answer["result"] == "success"
        assert "large latte" in answer["text"].lower()
        await server.stop()
        bus.close()

    asyncio.run(asyncio.wait_for(work(), 90))
