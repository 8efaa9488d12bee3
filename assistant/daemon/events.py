"""What a running daemon tells whoever subscribed, on the control socket or as an integration: frozen messages.

They carry what was said, so they go only to those who may use the socket, and never into a log or a metric.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Union

from msgspec import Struct, field

MICROPHONE = "microphone"


class Message(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="event"):
    """What all events have. at: wall clock, seconds since the epoch."""

    at: float


class Woke(Message, frozen=True, tag="woke"):
    """A wake word was said. context: what it switches to, "" for the configured one."""

    word: str
    context: str = ""


class SpeechBegan(Message, frozen=True, tag="speech_began"):
    """Somebody began to speak, and it is listened to."""


class Decided(Message, frozen=True, tag="decided"):
    """An utterance or a typed line was understood, and acted on if `acted`.

    outcome: accept, ask or refuse. engine, variant: who heard it, "text" for what was typed.
    heard: the best wording that recognition found, before anything was decided.
    source: "microphone", "socket", or the integration's name. provisional, revises: as in `assistant.types.Decision`.
    """

    context: str
    outcome: str
    intent: str
    slots: Mapping[str, Any]
    text: str
    confidence: float
    reason: str
    reply: str
    engine: str = ""
    variant: str = ""
    heard: str = ""
    expects_answer: bool = False
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    felt_ms: float | None = None
    provisional: bool = False
    revises: bool = False
    acted: bool = True
    source: str = MICROPHONE


class Announced(Message, frozen=True, tag="announced"):
    """Something was said that is no reply: a timer ran out. ring: a sound went with it."""

    text: str
    ring: bool


class Said(Message, frozen=True, tag="said"):
    """What was asked to be said has been said to its end, or dropped. mark: as it was asked with."""

    mark: str = ""


class PartChanged(Message, frozen=True, tag="part_changed"):
    """A supervised part changed its state: stopped, starting, running, waiting (to be started again), given_up."""

    part: str
    state: str
    why: str = ""


class Muted(Message, frozen=True, tag="muted"):
    """The microphone is listened to, or not."""

    muted: bool


class Reloaded(Message, frozen=True, tag="reloaded"):
    """The configuration was read again. ok: False where the old one is kept, and then `why`."""

    ok: bool
    why: str = ""


Event = Union[Woke, SpeechBegan, Decided, Announced, Said, PartChanged, Muted, Reloaded]
