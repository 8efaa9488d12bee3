"""What others may ask over MQTT: a topic and some bytes become a command, or the reason why they do not.

    assistant/SITE/speak, hermes/tts/say                                ─► Speak      "speak"
    assistant/SITE/listen, hermes/dialogueManager/startSession          ─► Listen     "listen"
    assistant/SITE/listening/set, hermes/{hotword,asr}/toggle{On,Off}   ─► Mute       "mute"
    hermes/nlu/query                                                    ─► Query      "query"
    assistant/SITE/say                                                  ─► Say        "say"

Nothing that a broker kept from earlier is obeyed (retained, or older than the connection): "turn on the heater" must
not be done again whenever the assistant connects.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Union

MOST_BYTES = 4_096
"""A longer payload is no command."""
MOST_TEXT = 1_000
"""Characters; longer texts are cut off by refusing them."""
MOST_ID = 128

BURST, PER_S = 10, 2.0
"""So many commands at once, and so many a second in the long run."""


@dataclass(frozen=True, slots=True)
class Speak:
    """Say a text on the loudspeaker. id, session: come back when it has been said, where `told` asks for that."""

    text: str
    id: str | None = None
    session: str | None = None
    told: bool = False


@dataclass(frozen=True, slots=True)
class Listen:
    """Hear one command without a wake word; say `text` first, "" for nothing."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Mute:
    """Listen no more, or again."""

    muted: bool


@dataclass(frozen=True, slots=True)
class Query:
    """What does this text mean? id, session: come back in the answer."""

    text: str
    id: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """Act on a text as if it had been said."""

    text: str


Command = Union[Speak, Listen, Mute, Query, Say]


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing is done. why: for a counter and a log, without a word of the payload; "" where it is meant for others."""

    why: str


@dataclass(frozen=True, slots=True)
class Allowance:
    """A bucket of tokens: how many commands may come at once. at: monotonic time of the last look."""

    tokens: float = BURST
    at: float = 0.0


def spend(allowance: Allowance, now: float) -> tuple[Allowance, bool]:
    """The bucket after one command, and whether it may be done."""
    tokens = min(BURST, allowance.tokens + PER_S * max(now - allowance.at, 0.0))
    return (Allowance(tokens - 1, now), True) if tokens >= 1 else (Allowance(tokens, now), False)


def topics(site: str, accept: Collection[str]) -> tuple[str, ...]:
    """The topics to subscribe to."""
    return tuple(topic.format(site=site) for topic, route in _ROUTES.items() if route.kind in accept)


def read(
    topic: str, payload: bytes, site: str, accept: Collection[str], *, retained: bool = False
) -> Command | Ignored:
    """The command in a message. Never raises, whatever the payload."""
    route = next((route for pattern, route in _ROUTES.items() if topic == pattern.format(site=site)), None)
    if route is None:
        return Ignored("nobody subscribed to this topic")
    if route.kind not in accept:
        return Ignored(f"mqtt.accept does not allow {route.kind}")
    if retained:
        return Ignored("it was kept by the broker")
    try:
        return route.make(_body(payload, site) if route.json else {"text": _decoded(payload)})
    except _NoCommandError as error:
        return Ignored(str(error))


class _NoCommandError(Exception):
    """Why something is no command."""


def _decoded(payload: bytes) -> str:
    if len(payload) > MOST_BYTES:
        raise _NoCommandError(f"more than {MOST_BYTES} bytes")
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:
        raise _NoCommandError("not UTF-8") from None


def _body(payload: bytes, site: str) -> Mapping[str, Any]:
    """The JSON object in a Hermes message that is meant for this site; an empty payload is an empty object."""
    try:
        body = json.loads(_decoded(payload) or "{}")
    except (ValueError, RecursionError):
        raise _NoCommandError("not JSON") from None
    if not isinstance(body, dict):
        raise _NoCommandError("not a JSON object")
    if body.get("siteId", "default") != site:
        raise _NoCommandError("")
    return body


def _text(body: Mapping[str, Any], name: str) -> str:
    """A text that can be said: one line of printable characters."""
    value = body.get(name)
    if not isinstance(value, str):
        raise _NoCommandError(f"{name} is no text")
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in value).split())
    if not text:
        raise _NoCommandError(f"{name} is empty")
    if len(text) > MOST_TEXT:
        raise _NoCommandError(f"{name} has more than {MOST_TEXT} characters")
    return text


def _id(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    return value[:MOST_ID] if isinstance(value, str) else None


def _session(body: Mapping[str, Any]) -> Command:
    """`startSession`: a notification is only said, anything else is said and then listened to."""
    wanted = body.get("init", {})
    if not isinstance(wanted, dict):
        raise _NoCommandError("init is no object")
    if wanted.get("type") == "notification":
        return Speak(_text(wanted, "text"))
    return Listen(_text(wanted, "text") if wanted.get("text") else "")


def _switched(body: Mapping[str, Any]) -> Command:
    wanted = str(body["text"]).strip().upper()
    if wanted not in ("ON", "OFF"):
        raise _NoCommandError("neither ON nor OFF")
    return Mute(muted=wanted == "OFF")


class _Route(NamedTuple):
    """kind: what mqtt.accept must hold. json: the payload is JSON. make: the command, or _NoCommandError."""

    kind: str
    json: bool
    make: Callable[[Mapping[str, Any]], Command]


_ROUTES: Mapping[str, _Route] = MappingProxyType(
    {
        "assistant/{site}/speak": _Route("speak", json=False, make=lambda body: Speak(_text(body, "text"))),
        "assistant/{site}/listen": _Route("listen", json=False, make=lambda _body: Listen()),
        "assistant/{site}/listening/set": _Route("mute", json=False, make=_switched),
        "assistant/{site}/say": _Route("say", json=False, make=lambda body: Say(_text(body, "text"))),
        "hermes/tts/say": _Route(
            "speak",
            json=True,
            make=lambda body: Speak(_text(body, "text"), _id(body, "id"), _id(body, "sessionId"), told=True),
        ),
        "hermes/dialogueManager/startSession": _Route("listen", json=True, make=_session),
        "hermes/hotword/toggleOn": _Route("mute", json=True, make=lambda _body: Mute(muted=False)),
        "hermes/hotword/toggleOff": _Route("mute", json=True, make=lambda _body: Mute(muted=True)),
        "hermes/asr/toggleOn": _Route("mute", json=True, make=lambda _body: Mute(muted=False)),
        "hermes/asr/toggleOff": _Route("mute", json=True, make=lambda _body: Mute(muted=True)),
        "hermes/nlu/query": _Route(
            "query", json=True, make=lambda body: Query(_text(body, "input"), _id(body, "id"), _id(body, "sessionId"))
        ),
    }
)
