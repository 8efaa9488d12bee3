"""Home Assistant's WebSocket API: log in, ask for lists, and hear what changes.

https://developers.home-assistant.io/docs/api/websocket
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any

import websockets.asyncio.client
from websockets.exceptions import WebSocketException

from assistant.errors import AssistantError
from assistant.integrations.home_assistant_home import Registry

MOST_BYTES = 32 * 1024 * 1024
"""One message: all states of a home with thousands of entities."""
OPEN_WITHIN_S = 10.0
ANSWER_WITHIN_S = 20.0
PING_EVERY_S = 20.0
"""A peer that does not answer a ping for as long counts as gone: half-open connections are noticed."""

RUNNING = "RUNNING"
CHANGES = (
    "area_registry_updated",
    "floor_registry_updated",
    "device_registry_updated",
    "entity_registry_updated",
    "homeassistant_started",
    "core_config_updated",
)
"""Events after which the registries are read again."""


class NotLetInError(Exception):
    """The token is not taken."""


class NotAnsweredError(Exception):
    """A command failed, or the answer is none."""


class Socket:
    """One connection after the log-in."""

    def __init__(self, connection: websockets.asyncio.client.ClientConnection) -> None:
        self._connection = connection
        self._number = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.changed = asyncio.Event()

    async def listen(self) -> None:
        """Take what comes until the connection ends; raises what ended it."""
        try:
            async for text in self._connection:
                self._take(_object(text))
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(NotAnsweredError("the connection ended"))
        raise NotAnsweredError("the connection ended")

    async def ask(self, command: str, **arguments: Any) -> Any:
        """The result of a command. Raises NotAnsweredError."""
        self._number += 1
        number, future = self._number, asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            await self._connection.send(json.dumps({"id": number, "type": command, **arguments}))
            return await asyncio.wait_for(future, ANSWER_WITHIN_S)
        except asyncio.TimeoutError:
            raise NotAnsweredError(f"{command} was not answered") from None
        finally:
            self._waiting.pop(number, None)
            if future.done() and not future.cancelled():
                future.exception()  # it is raised above, or nobody waits for it any more

    async def subscribe(self) -> None:
        """Set `changed` whenever something does that a home is made of."""
        for event in CHANGES:
            await self.ask("subscribe_events", event_type=event)

    async def is_running(self) -> bool:
        """Whether it has started: until then half of its devices may be missing."""
        return bool(_mapping(await self.ask("get_config")).get("state") == RUNNING)

    async def registry(self, *, only_exposed: bool) -> Registry:
        """Everything that a home is made of. Raises NotAnsweredError."""
        entities = _rows(await self.ask("config/entity_registry/list"))
        config = _mapping(await self.ask("get_config"))
        exposed = await self._exposed() if only_exposed else None
        return Registry(
            areas=_rows(await self.ask("config/area_registry/list")),
            floors=await self._floors(),
            devices=_rows(await self.ask("config/device_registry/list")),
            entities=await self._with_aliases(entities, exposed),
            states=_rows(await self.ask("get_states")),
            exposed=exposed,
            fahrenheit=_mapping(config.get("unit_system") or {}).get("temperature") == "°F",
        )

    async def _exposed(self) -> frozenset[str]:
        """Ids of the entities that Assist may use."""
        found = _mapping(_mapping(await self.ask("homeassistant/expose_entity/list")).get("exposed_entities") or {})
        return frozenset(id_ for id_, to in found.items() if isinstance(to, dict) and to.get("conversation"))

    async def _floors(self) -> list[Mapping[str, Any]]:
        try:
            return _rows(await self.ask("config/floor_registry/list"))
        except NotAnsweredError:
            return []  # Home Assistant before 2024.3 knows no floors

    async def _with_aliases(
        self, entities: list[Mapping[str, Any]], exposed: frozenset[str] | None
    ) -> list[Mapping[str, Any]]:
        """The list leaves the aliases out; the whole entries have them."""
        ids = [str(row.get("entity_id")) for row in entities if exposed is None or row.get("entity_id") in exposed]
        whole = _mapping(await self.ask("config/entity_registry/get_entries", entity_ids=ids)) if ids else {}
        return [found if isinstance(found := whole.get(str(row.get("entity_id"))), dict) else row for row in entities]

    def _take(self, message: Mapping[str, Any]) -> None:
        if message.get("type") == "event":
            self.changed.set()
            return
        future = self._waiting.get(int(message.get("id") or 0))
        if future is None or future.done() or message.get("type") != "result":
            return
        if message.get("success"):
            future.set_result(message.get("result"))
        else:
            error = message.get("error")
            future.set_exception(NotAnsweredError(str(error.get("message") if isinstance(error, dict) else error)))


@contextlib.asynccontextmanager
async def logged_in(url: str, token: str, trust: ssl.SSLContext | None) -> AsyncIterator[Socket]:
    """A connection after the log-in. Raises NotLetInError, NotAnsweredError, OSError, WebSocketException."""
    address = f"ws{url.removeprefix('http')}/api/websocket"
    connecting = websockets.asyncio.client.connect(
        address,
        ssl=trust if url.startswith("https") else None,
        max_size=MOST_BYTES,
        open_timeout=OPEN_WITHIN_S,
        ping_interval=PING_EVERY_S,
        ping_timeout=PING_EVERY_S,
        proxy=None,
    )
    async with connecting as connection:
        await asyncio.wait_for(_log_in(connection, token), ANSWER_WITHIN_S)
        yield Socket(connection)


def in_words(error: BaseException) -> str:
    """What went wrong with a connection."""
    if isinstance(error, NotLetInError):
        return "it does not take the token"
    if isinstance(error, AssistantError):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message}"
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return "it does not answer in time"
    return str(error) or type(error).__name__


LOST = (NotAnsweredError, NotLetInError, WebSocketException, OSError, asyncio.TimeoutError)
"""What `logged_in` and a `Socket` raise."""


async def _log_in(connection: websockets.asyncio.client.ClientConnection, token: str) -> None:
    greeting = _object(await connection.recv())
    if greeting.get("type") == "auth_required":
        await connection.send(json.dumps({"type": "auth", "access_token": token}))
        greeting = _object(await connection.recv())
    if greeting.get("type") == "auth_invalid":
        raise NotLetInError
    if greeting.get("type") != "auth_ok":
        raise NotAnsweredError("this is not Home Assistant")


def _object(text: str | bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise NotAnsweredError("it says what is no JSON") from None
    return _mapping(found)


def _mapping(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise NotAnsweredError("it gives an answer of another form than expected")
    return found


def _rows(found: Any) -> list[Mapping[str, Any]]:
    if not isinstance(found, list):
        raise NotAnsweredError("it gives an answer of another form than expected")
    return [row for row in found if isinstance(row, dict)]
