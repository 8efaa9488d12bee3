"""The devices of a Home Assistant: asked and moved over its REST API, and intents that only it knows.

Home Assistant answers a call for a device that is not there with success. So each is looked at first: what is missing
or unreachable is said, and nothing is claimed that was not done.
"""

from __future__ import annotations

import http.client
import json
import logging
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from assistant.act.home_assistant_calls import UNREACHABLE, Call, calls_for, state_of
from assistant.act.houses import Move
from assistant.act.skill import Request, Result, failed
from assistant.act.states import State
from assistant.errors import AssistantError, ConfigError
from assistant.grammar.household import Device, Scene

HOME_FOLDER = "home_assistant"
"""Below the folder of what is kept: where the home.yaml lies that was made from Home Assistant."""
TIMEOUT_S = 10.0
"""Home Assistant itself waits so long for a device (its SERVICE_CALL_LIMIT)."""
MOST_ANSWER = 32 * 1024 * 1024
"""Bytes; all states of a home with thousands of entities."""
HANDLED_WITHIN_S = 2 * TIMEOUT_S + 1
"""A command takes two calls: how it is, and what is to be done."""
ASK_ONE_BY_ONE = 3
"""The states of more devices are fetched all at once."""

log = logging.getLogger(__name__)


class HomeAssistant:
    """A connection's address and key. Each call is one of HTTP's, so that a restart of the other side needs nothing.

    url: "http://homeassistant.local:8123". trust: whom an https address is checked against; None: the system's.
    Raises ConfigError for what is no such address.
    """

    def __init__(self, url: str, token: str, trust: ssl.SSLContext | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self.url, self._token, self._trust, self._timeout_s = checked_url(url), token, trust, timeout_s

    def states(self) -> dict[str, Mapping[str, Any]]:
        """All entities by id. Raises AssistantError."""
        found = self._call("GET", "/api/states")
        if not isinstance(found, list):
            raise self._nonsense()
        return {str(one["entity_id"]): one for one in found if isinstance(one, dict) and "entity_id" in one}

    def state(self, entity_id: str) -> Mapping[str, Any] | None:
        """One entity, None where there is none. Raises AssistantError."""
        found = self._call("GET", f"/api/states/{urllib.parse.quote(entity_id, safe='.')}", absent=None)
        return found if isinstance(found, dict) else None

    def call(self, call: Call) -> None:
        """Call a service and wait until it is done. Raises AssistantError."""
        self._call("POST", f"/api/services/{call.domain}/{call.service}", {"entity_id": [*call.entities], **call.data})

    def intent(self, name: str, slots: Mapping[str, Any]) -> Mapping[str, Any]:
        """Let Home Assistant do an intent; its response. Raises AssistantError."""
        found = self._call("POST", "/api/intent/handle", {"name": name, "data": dict(slots)})
        if not isinstance(found, dict):
            raise self._nonsense()
        return found

    def _call(self, method: str, path: str, body: Any = None, **absent: Any) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310  it is checked
        # No proxy: what is called is in the house, and no variable shall send the token elsewhere.
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({}), _StayHere()]
        if self._trust is not None:
            handlers.append(urllib.request.HTTPSHandler(context=self._trust))
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=self._timeout_s) as answer:
                text = answer.read(MOST_ANSWER)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == http.client.NOT_FOUND and "absent" in absent:
                    return absent["absent"]
                raise self._refused(error.code) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise self._nonsense() from None

    def _refused(self, code: int) -> AssistantError:
        if code in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            remedy = "make a new token in your profile there, and put it into home_assistant.token_file"
            return AssistantError("Home Assistant does not let me in", where=self.url, remedy=remedy)
        if code < http.client.INTERNAL_SERVER_ERROR:
            return AssistantError("Home Assistant does not know how to do that", where=self.url)
        return AssistantError("Home Assistant could not do it", where=self.url, remedy="look into its log")

    def _unreachable(self, error: Exception) -> AssistantError:
        cause = getattr(error, "reason", error)
        if isinstance(cause, TimeoutError):
            return AssistantError("Home Assistant does not answer in time", where=self.url)
        if isinstance(cause, ssl.SSLCertVerificationError):
            what = "I don't trust whoever answers in place of Home Assistant"
            return AssistantError(what, where=self.url, remedy=f"its certificate: {cause.verify_message}")
        log.info("home assistant: %s: %s", self.url, cause)
        return AssistantError("I can't reach Home Assistant", where=self.url)

    def _nonsense(self) -> AssistantError:
        return AssistantError("Home Assistant gives an answer that I don't understand", where=self.url)


class RemoteHouse:
    """The house of the skill home where its devices are in Home Assistant."""

    keeps_scenes = False

    def __init__(self, hub: HomeAssistant) -> None:
        self._hub = hub

    def states(self, devices: Iterable[Device]) -> Mapping[str, State]:
        """As `House.states`."""
        wanted = tuple(devices)
        found = zip(wanted, self._entities(wanted), strict=True)
        return {device.id: state_of(entity or {}) for device, entity in found}

    def move(self, operation: str, moves: Sequence[Move]) -> None:
        """As `House.move`: nothing is done where one of the devices cannot be reached."""
        for move, entity in zip(moves, self._entities([move.device for move in moves]), strict=True):
            name = move.device.full_name or move.device.name
            if entity is None:
                raise AssistantError(f"the {name} is not in Home Assistant any more", where=self._hub.url)
            if entity.get("state") == UNREACHABLE[0]:
                raise AssistantError(f"Home Assistant cannot reach the {name}", where=self._hub.url)
        for call in calls_for(operation, moves):
            self._hub.call(call)

    def activate(self, scene: Scene) -> Sequence[Move] | None:
        """As `House.activate`: what it moves is not told."""
        if self._hub.state(scene.id) is None:
            raise AssistantError(f"the scene {scene.name} is not in Home Assistant any more", where=self._hub.url)
        self._hub.call(Call("scene", "turn_on", (scene.id,), {}))
        return ()

    def save(self, scene: Scene, devices: Iterable[Device]) -> None:
        """Scenes are edited there; `keeps_scenes` is false, so that nobody calls this."""
        del scene, devices
        raise AssistantError("scenes are saved in Home Assistant", where=self._hub.url)

    def close(self) -> None:
        """Nothing is open."""

    def _entities(self, devices: Sequence[Device]) -> list[Mapping[str, Any] | None]:
        if len(devices) <= ASK_ONE_BY_ONE:
            return [self._hub.state(device.id) for device in devices]
        states = self._hub.states()
        return [states.get(device.id) for device in devices]


class Intents:
    """The skill `home_assistant`: intents of your own that Home Assistant handles, with its words as the reply."""

    name = "home_assistant"
    timeout_s = HANDLED_WITHIN_S

    def __init__(self, hub: HomeAssistant) -> None:
        self._hub = hub

    def handle(self, request: Request) -> Result:
        """Do it there; `do` in actions.yaml names the intent where it is called differently."""
        name = str(request.parameters.get("do") or request.intent)
        slots = {slot: value for slot, value in request.slots.items() if value is not None}
        response = self._hub.intent(name, slots)
        speech = response.get("speech")
        plain = speech.get("plain") if isinstance(speech, dict) else None
        text = str(plain.get("speech") or "") if isinstance(plain, dict) else ""
        if response.get("response_type") == "error":
            return failed(text or "Home Assistant could not do that.")
        return Result({"speech": text or None}, "" if text else request.response, text)


def checked_url(url: str) -> str:
    """The address without a slash at its end. Raises ConfigError for what is none."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        remedy = "write http://homeassistant.local:8123"
        raise ConfigError("home_assistant.url is no address of Home Assistant", where=url, remedy=remedy)
    return url.rstrip("/")


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Follows nobody elsewhere with the token."""

    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None
