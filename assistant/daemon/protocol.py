"""The control socket's messages: one JSON object a line, in both directions, checked as frozen structs.

    daemon ─► {"assistant": "0.1.0", "protocol": 1}                              once, when somebody connects
    client ─► {"do": "say", "id": 7, "text": "turn on the lamp"}
    daemon ─► {"id": 7, "ok": true, "result": {…}}
            | {"id": 7, "ok": false, "error": {"kind": …, "what": …, "where": …, "remedy": …}}
    daemon ─► {"event": "decided", …}                                            after {"do": "subscribe"}

Requests are answered in the order in which they came. Nothing here touches a socket; docs/control-socket.md is drawn
from these structs.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_type_hints

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from assistant import errors
from assistant.config.keys import ConfigErrors
from assistant.daemon.events import Event
from assistant.errors import AssistantError, ConfigError, UsageError
from assistant.types import SAMPLE_RATE_HZ

PROTOCOL = 1
MAX_LINE_BYTES = 512 * 1024
"""A longer line ends the connection: 10 s of sound in base64 is 427 kB."""
MAX_TEXT = 1_000
MAX_SOUND_S = 10.0

Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]


class Request(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="do"):
    """What every request may have. id: comes back in the answer. protocol: the version that the client speaks."""

    id: int | Annotated[str, Meta(max_length=64)] | None = None
    protocol: Literal[1] = 1


class Status(Request, frozen=True, tag="status"):
    """What it does, how its parts are, what it counted."""


class Say(Request, frozen=True, tag="say"):
    """Understand a typed command and act on it. speak: say the reply aloud, too."""

    text: Text
    speak: bool = False


class Understand(Request, frozen=True, tag="understand"):
    """Understand and do nothing: a text, or sound as base64 of 16-bit little-endian PCM, 16 kHz, mono, at most 10 s."""

    text: Text | None = None
    sound: Annotated[str, Meta(max_length=MAX_LINE_BYTES)] | None = None


class Speak(Request, frozen=True, tag="speak"):
    """Say a text on the loudspeaker when its turn comes."""

    text: Text


class Listen(Request, frozen=True, tag="listen"):
    """Hear one command without a wake word; or press and release the button of push-to-talk."""

    action: Literal["once", "press", "release"] = "once"


class Mute(Request, frozen=True, tag="mute"):
    """Stop listening, or start again."""

    muted: bool = True


class Timers(Request, frozen=True, tag="timers"):
    """The timers and alarms that are set."""


class Reload(Request, frozen=True, tag="reload"):
    """Read the configuration, contexts and home again. What is wrong is the answer, and the old one stays."""


class Metrics(Request, frozen=True, tag="metrics"):
    """The counters in Prometheus' text format."""


class Subscribe(Request, frozen=True, tag="subscribe"):
    """All events from now on, after the answer, until the connection is closed."""


AnyRequest = Union[Status, Say, Understand, Speak, Listen, Mute, Timers, Reload, Metrics, Subscribe]
REQUESTS: tuple[type[Request], ...] = get_args(AnyRequest)


class Hello(Struct, frozen=True, kw_only=True):
    """The daemon's first line."""

    assistant: str
    protocol: int = PROTOCOL


class Fault(Struct, frozen=True, kw_only=True):
    """Why a request was not done. kind: an AssistantError's class, or "busy", "internal"."""

    kind: str
    what: str
    where: str = ""
    remedy: str = ""


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a request."""

    ok: bool
    id: int | str | None = None
    result: Any = None
    error: Fault | None = None


_requests: msgspec.json.Decoder[AnyRequest] = msgspec.json.Decoder(AnyRequest)
_answers = msgspec.json.Decoder(Answer)
_events: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder()


def read_request(line: bytes) -> AnyRequest:
    """The request in a line. Raises UsageError that says what is wrong with it, never quoting it."""
    try:
        return _requests.decode(line)
    except msgspec.ValidationError as error:
        raise UsageError(str(error), where="request", remedy="see docs/control-socket.md") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UsageError("no JSON object", where="request", remedy="send one object a line, in UTF-8") from None


def request_id(line: bytes) -> int | str | None:
    """The id in a line that is no valid request, as far as it has one."""
    try:
        found = msgspec.json.decode(line, type=dict[str, Any]).get("id")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, int | str) and not isinstance(found, bool) else None


def refused(error: AssistantError, number: int | str | None = None) -> Answer:
    """The answer to a request that was not done."""
    if isinstance(error, ConfigErrors):  # many, one a line
        fault = Fault(kind=ConfigError.__name__, what=str(error))
    else:
        fault = Fault(kind=type(error).__name__, what=error.what, where=error.where, remedy=error.remedy)
    return Answer(ok=False, id=number, error=fault)


def broken(number: int | str | None = None) -> Answer:
    """The answer where the fault is the daemon's; what happened stands in its log, not here."""
    what = "the daemon failed at this; its log says where"
    return Answer(ok=False, id=number, error=Fault(kind="internal", what=what, remedy="please report it"))


def line_of(message: Struct) -> bytes:
    """A message as it is sent."""
    return _encoder.encode(message) + b"\n"


def read_answer(line: bytes) -> Answer | Event:
    """The daemon's line as the client reads it. Raises msgspec.DecodeError where it is neither answer nor event."""
    return _events.decode(line) if line.startswith(b'{"event"') else _answers.decode(line)


def raised(fault: Fault) -> AssistantError:
    """The error that `refused` was made from, to be raised on the client's side."""
    kind = getattr(errors, fault.kind, AssistantError)
    known = isinstance(kind, type) and issubclass(kind, AssistantError)
    return (kind if known else AssistantError)(fault.what, where=fault.where, remedy=fault.remedy)


def sound_of(text: str) -> NDArray[np.int16]:
    """The sound of an Understand, int16, shape [samples], 16 kHz. Raises UsageError."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise UsageError("the sound is no base64", where="request", remedy="send 16-bit PCM in base64") from None
    if len(data) % 2 or not data or len(data) > 2 * MAX_SOUND_S * SAMPLE_RATE_HZ:
        what = f"{len(data)} bytes are no sound of up to {MAX_SOUND_S:g} s"
        raise UsageError(what, where="request", remedy="send 16-bit PCM, 16 kHz, mono")
    return np.frombuffer(data, "<i2").astype(np.int16)


def page() -> Iterator[str]:
    """The lines of the reference of all requests and events, in Markdown."""
    yield from ("| request | fields | what it does |", "|---|---|---|")
    for kind in REQUESTS:
        own = [name for name in kind.__struct_fields__ if name not in Request.__struct_fields__]
        hints = get_type_hints(kind)
        fields = ", ".join(f"`{name}` {_type_in_words(hints[name])}" for name in own)
        yield f"| `{kind.__struct_config__.tag}` | {fields} | {_in_a_row(kind)} |"
    yield from ("", "| event | fields | meaning |", "|---|---|---|")
    for event in get_args(Event):
        names = ", ".join(f"`{name}`" for name in event.__struct_fields__)
        yield f"| `{event.__struct_config__.tag}` | {names} | {_in_a_row(event)} |"


def _in_a_row(kind: type[Struct]) -> str:
    return " ".join(str(kind.__doc__).split())


def _type_in_words(hint: Any) -> str:
    if hint in (str, int, bool):
        return {str: "text", int: "number", bool: "true or false"}[hint]
    if hasattr(hint, "__metadata__"):
        return _type_in_words(hint.__origin__)
    if args := [arg for arg in get_args(hint) if arg is not type(None)]:
        return " or ".join(f'"{arg}"' if isinstance(arg, str) else _type_in_words(arg) for arg in args)
    return str(hint)
