"""A real Home Assistant: its devices become the home, commands go there, and whatever it does is survived and said."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from assistant.act.home import Devices
from assistant.act.home_assistant import HomeAssistant, Intents, RemoteHouse
from assistant.act.skill import Result, Services
from assistant.act.skills import Skills
from assistant.cli.assembly import build_skills, open_hub
from assistant.cli.finding import home_file
from assistant.clock import SystemClock
from assistant.config import Config, Paths
from assistant.config.integrations import HomeAssistant as Settings
from assistant.errors import AssistantError, ConfigError
from assistant.grammar.household import Device
from assistant.grammar.load import load_context
from assistant.grammar.tree import Action, Context
from assistant.pipeline import Understander
from assistant.recognize.text import TextRecognizer
from assistant.typed import TypedConversation
from tests.integrations.broker import free_port, make_authority, make_certificate, program
from tests.integrations.hass import Hass
from tests.integrations.house import House, bus_of, until

pytest.importorskip("websockets", reason="the extra home-assistant is not installed")

from assistant.integrations.configured import create_home_assistant
from assistant.integrations.connecting import State
from assistant.integrations.home_assistant import HomeAssistantHome

pytestmark = pytest.mark.real

EXPOSED = ("media_player.walkman", "scene.movie_night", "switch.ac", "lock.front_door", "cover.garage_door")


@pytest.fixture(scope="module", autouse=True)
def furnished(hass: Hass) -> None:
    """The demo's devices, some of them in areas, with aliases, and exposed to Assist."""
    registry = "config/entity_registry/update"
    hass.edit(
        {"type": "config/area_registry/create", "name": "Hall", "aliases": ["entrance"]},
        {"type": "config/area_registry/update", "area_id": "living_room", "aliases": ["lounge"]},
        {"type": registry, "entity_id": "light.bed_light", "area_id": "bedroom", "aliases": ["night light"]},
        {"type": registry, "entity_id": "cover.hall_window", "area_id": "hall"},
        expose(*EXPOSED),
        {**expose("media_player.bedroom"), "should_expose": False},
    )


def expose(*entities: str) -> dict[str, Any]:
    """The command that lets Assist use these."""
    command = {"type": "homeassistant/expose_entity", "assistants": ["conversation"], "should_expose": True}
    return {**command, "entity_ids": [*entities]}


def config_of(hass: Hass, state: Path, **changed: Any) -> Config:
    settings = Settings(**{"url": hass.url, "token_file": str(hass.token_file), **changed})
    return Config(home_assistant=settings, paths=Paths(state=str(state)))


@asynccontextmanager
async def following(house: House, config: Config, state: Path) -> AsyncIterator[HomeAssistantHome]:
    integration = create_home_assistant(config, state)
    assert integration is not None
    bus = bus_of(house)
    try:
        await integration.start(bus)
        yield integration
    finally:
        await integration.stop()
        bus.close()


def running(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


@pytest.fixture(scope="module")
def state(furnished: None, hass: Hass, typed: House, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the home as it was imported."""
    folder = tmp_path_factory.mktemp("state")

    async def work() -> None:
        async with following(typed, config_of(hass, folder), folder) as integration:
            await until(lambda: integration.imports > 0, integration.status())

    running(work)
    return folder


@pytest.fixture(scope="module")
def talk(hass: Hass, state: Path) -> Iterator[TypedConversation]:
    """Typed commands in the imported home, carried out in Home Assistant."""
    config = config_of(hass, state)
    context = load_context("home", home=home_file(config))
    skills = build_skills(config, SystemClock(), [context], None)
    recognizer = TextRecognizer()
    understander = Understander(recognizer, recognizer.prepare(context), skills, SystemClock())
    yield TypedConversation(understander)
    skills.close()


def attribute(hass: Hass, entity_id: str, name: str) -> Any:
    return hass.get(f"/api/states/{entity_id}")["attributes"].get(name)


# -- the home ----------------------------------------------------------------------------------------------------------


def test_areas_devices_and_aliases_become_the_home(hass: Hass, state: Path) -> None:
    home = load_context("home", home=home_file(config_of(hass, state))).home
    assert home is not None
    assert {"kitchen", "bedroom", "living room", "hall"} <= {area.name for area in home.areas}
    assert next(area for area in home.areas if area.name == "living room").aliases == ("lounge",)
    devices = {device.id: device for device in home.devices}
    bed = devices["light.bed_light"]
    assert (bed.name, bed.area, bed.aliases) == ("bed light", "bedroom", ("night light",))
    assert (devices["cover.hall_window"].name, devices["cover.hall_window"].area) == ("window", "hall")
    assert devices["lock.front_door"].confirm
    assert devices["cover.garage_door"].confirm
    assert "media_player.bedroom" not in devices  # not exposed to Assist
    assert [scene.name for scene in home.scenes] == ["movie night"]


def test_a_change_there_is_followed_and_a_restart_survived(hass: Hass, typed: House, tmp_path: Path) -> None:
    config = config_of(hass, tmp_path)
    rename = {"type": "config/entity_registry/update", "entity_id": "switch.ac"}

    def name() -> str:
        file = home_file(config)
        text = file.read_text() if file is not None and file.is_relative_to(tmp_path) else ""
        return "cooler" if '"cooler"' in text else "fridge" if '"fridge"' in text else ""

    async def work() -> None:
        async with following(typed, config, tmp_path) as integration:
            await until(lambda: integration.imports > 0)
            reloads = typed.reloads
            await asyncio.to_thread(hass.edit, {**rename, "name": "Cooler"})
            await until(lambda: name() == "cooler" and typed.reloads > reloads)
            await asyncio.to_thread(hass.stop)
            await until(lambda: integration.link.state is State.WAITING)
            assert name() == "cooler"  # what is known stays in use
            await asyncio.to_thread(hass.start)
            await until(lambda: integration.link.state is State.CONNECTED, "it is not found again")
            await asyncio.to_thread(hass.edit, {**rename, "name": "Fridge"})
            await until(lambda: name() == "fridge")
            await asyncio.to_thread(hass.edit, {**rename, "name": None})

    running(work)


def test_a_token_that_it_does_not_take_is_said_and_not_insisted_on(hass: Hass, typed: House, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("nonsense")
    token.chmod(0o600)

    async def work() -> None:
        async with following(typed, config_of(hass, tmp_path, token_file=str(token)), tmp_path) as integration:
            await until(lambda: integration.link.state is State.WAITING)
            assert "it does not take the token" in integration.status()
            assert integration.link.retry_at - integration.link.since > 100

    running(work)
    with pytest.raises(AssistantError, match="Home Assistant does not let me in"):
        HomeAssistant(hass.url, "nonsense").states()


def test_a_token_that_others_can_read_is_refused(hass: Hass, typed: House, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(hass.token)
    token.chmod(0o640)
    config = config_of(hass, tmp_path, token_file=str(token))

    async def work() -> None:
        with pytest.raises(ConfigError, match="home_assistant.token_file can be read by other users"):
            async with following(typed, config, tmp_path):
                raise AssertionError

    running(work)
    with pytest.raises(ConfigError, match="can be read by other users"):
        open_hub(config)


@asynccontextmanager
async def encrypted(hass: Hass, folder: Path) -> AsyncIterator[str]:
    """Home Assistant behind a proxy that encrypts, as many have it; the address."""
    make_certificate(folder, "localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to, back = await asyncio.open_connection("127.0.0.1", hass.port)
        await asyncio.gather(pump(reader, back), pump(to, writer))

    port = free_port()
    server = await asyncio.start_server(connected, "localhost", port, ssl=context)
    try:
        yield f"https://localhost:{port}"
    finally:
        server.close()


@pytest.mark.skipif(program("openssl") is None, reason="not installed: openssl")
def test_over_https_only_the_right_certificate_gets_the_token(hass: Hass, typed: House, tmp_path: Path) -> None:
    stranger = make_authority(tmp_path, "stranger")

    async def work() -> None:
        async with encrypted(hass, tmp_path) as url:
            for ca_file, state in ((tmp_path / "ca.pem", State.CONNECTED), (stranger, State.WAITING)):
                config = config_of(hass, tmp_path, url=url, ca_file=str(ca_file))
                async with following(typed, config, tmp_path) as integration:
                    await until(lambda: integration.link.state is state, integration.status())  # noqa: B023
                    if state is State.CONNECTED:
                        await until(lambda: integration.imports > 0)
                        assert await asyncio.to_thread(open_hub(config).state, "light.bed_light")
                        continue
                    assert "certificate is not to be trusted" in integration.status()
                    with pytest.raises(AssistantError, match="I don't trust whoever answers in place of"):
                        await asyncio.to_thread(open_hub(config).states)

    running(work)


# -- commands ----------------------------------------------------------------------------------------------------------


def test_commands_move_the_devices_there_and_the_reply_says_so(hass: Hass, talk: TypedConversation) -> None:
    reply = talk.line("turn on the bed light").reply.text
    assert (hass.state("light.bed_light"), "bed light" in reply) == ("on", True)
    talk.line("dim the bed light to forty percent")
    assert attribute(hass, "light.bed_light", "brightness") == 102
    talk.line("turn the night light off")
    assert hass.state("light.bed_light") == "off"
    talk.line("set the volume of the walkman to thirty percent")
    assert attribute(hass, "media_player.walkman", "volume_level") == pytest.approx(0.3)
    talk.line("pause the walkman")
    assert hass.state("media_player.walkman") == "paused"


def test_what_was_done_there_can_be_taken_back(hass: Hass, talk: TypedConversation) -> None:
    talk.line("turn on the ceiling lights")
    talk.line("dim the ceiling lights to forty percent")
    talk.line("turn off the ceiling lights")
    assert hass.state("light.ceiling_lights") == "off"
    talk.line("undo that")
    assert (hass.state("light.ceiling_lights"), attribute(hass, "light.ceiling_lights", "brightness")) == ("on", 102)


def test_a_lock_is_asked_about_before_it_is_opened_there(hass: Hass, talk: TypedConversation) -> None:
    assert hass.state("lock.front_door") == "locked"
    asked = talk.line("unlock the front door").reply
    assert asked.expects_answer
    assert hass.state("lock.front_door") == "locked"
    talk.line("yes")
    assert hass.state("lock.front_door") == "unlocked"
    talk.line("lock the front door")
    talk.line("yes")
    assert hass.state("lock.front_door") == "locked"


def test_states_and_temperatures_are_asked_there(hass: Hass, talk: TypedConversation) -> None:
    hass.post("/api/services/light/turn_off", {"entity_id": "light.bed_light"})
    assert "off" in talk.line("is the bed light on").reply.text
    assert "closed" in talk.line("is the garage door open").reply.text
    assert "22" in talk.line("what's the temperature of the hvac").reply.text


def test_a_scene_is_activated_there_and_not_saved_here(hass: Hass, talk: TypedConversation) -> None:
    hass.post("/api/services/light/turn_off", {"entity_id": "light.bed_light"})
    talk.line("activate movie night")
    assert hass.state("light.bed_light") == "on"
    assert "can't save scenes" in talk.line("save this as movie night").reply.text


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def asked(hub: HomeAssistant, device: Device, operation: str = "HassTurnOn", **slots: Any) -> Result:
    """What the skill makes of a command for `device`, whether it is there or not."""
    from assistant.grammar.household import Home
    from tests.act.house import context

    skills = Skills(Services(SystemClock()))
    try:
        skills.add(Devices(RemoteHouse(hub), 30.0))
        where: Context = context({operation: Action("home")}, Home(devices=(device,)))
        return skills.act(where, operation, {"device_id": device.id, **slots})
    finally:
        skills.close()


def test_a_device_that_is_gone_is_said_although_home_assistant_would_claim_success(hass: Hass) -> None:
    result = asked(HomeAssistant(hass.url, hass.token), Device("light.gone", "old lamp", "light"))
    assert (result.ok, result.text) == (
        False,
        "Sorry, that did not work: the old lamp is not in Home Assistant any more.",
    )


def test_what_home_assistant_cannot_do_is_said(hass: Hass) -> None:
    hub = HomeAssistant(hass.url, hass.token)
    window = Device("cover.kitchen_window", "kitchen window", "cover")
    result = asked(hub, window, "HassSetPosition", position=40)  # it has no such service: an error 500
    assert (result.ok, "Home Assistant could not do it" in result.text) == (False, True)
    with pytest.raises(AssistantError, match="Home Assistant could not do it"):
        hub.intent("NoSuchIntent", {})


def test_one_that_is_away_or_hangs_is_said(hass: Hass) -> None:
    lamp = Device("light.bed_light", "bed light", "light")
    assert "I can't reach Home Assistant" in asked(HomeAssistant("http://127.0.0.1:9", "x"), lamp).text
    hass.pause()
    try:
        with pytest.raises(AssistantError, match="does not answer in time"):
            HomeAssistant(hass.url, hass.token, timeout_s=0.5).state(lamp.id)
    finally:
        hass.resume()
    assert HomeAssistant(hass.url, hass.token).state(lamp.id) is not None


def test_intents_of_ones_own_are_handled_there_and_its_words_spoken(hass: Hass) -> None:
    from tests.act.house import context

    skills = Skills(Services(SystemClock()))
    skills.add(Intents(HomeAssistant(hass.url, hass.token)))
    where = context({"Air": Action("home_assistant", {"do": "Ventilate"})})
    assert skills.act(where, "Air", {"room": "attic"}).text == "Airing the attic"
    skills.close()


def test_the_token_follows_no_redirection_elsewhere() -> None:
    seen: list[str] = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(302)
            self.send_header("Location", f"http://{self.headers['Host']}/stolen")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(AssistantError):
            HomeAssistant(f"http://127.0.0.1:{server.server_address[1]}", "secret").states()
        server.shutdown()
    assert seen == ["/api/states"]


@pytest.mark.parametrize("url", ["", "homeassistant:8123", "ftp://x", "http://", "http://u:p@x", "http://x?y"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is no address of Home Assistant"):
        HomeAssistant(url, "x")
