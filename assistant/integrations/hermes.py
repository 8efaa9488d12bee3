"""What happens in the assistant as Hermes messages, and sessions: a function of events, without broker or clock.

    woke ──► hotword detected, session started ──► decided ─┬─ accept ──► intent ──────────────► session ended
                                                            ├─ ask ─────► (the session stays open)
                                                            └─ refuse ──► intent not recognized ► session ended

A sentence that may go on is held until it is clear that it does not, or replaced by what it became: nobody acts twice.
Topics and fields are those of Snips' and Rhasspy's protocol (https://rhasspy.readthedocs.io/en/latest/reference/).
Words leave the assistant only where `words` says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from assistant.integrations.commands import Query, Speak
from assistant.integrations.outbox import Message

if TYPE_CHECKING:
    from assistant.daemon.events import Decided, Event, Woke

HOLD_S = 1.2
"""So long a sentence is held that may go on: what follows within 0.8 s of its end belongs to it, and is known 0.3 s
later."""
SESSION_S = 30.0
"""A session in which nothing more happens ends after so long."""


@dataclass(frozen=True, slots=True)
class Session:
    """What is remembered between events.

    site: siteId. nonce: makes the ids of sessions differ from those of another run. number: of the last session.
    open: it has not ended. at: wall time of its last event. held: an accepted sentence that may go on.
    """

    site: str
    nonce: str
    words: bool = False
    number: int = 0
    open: bool = False
    at: float = 0.0
    held: Decided | None = None

    @property
    def id(self) -> str:
        """The session's id."""
        return f"{self.nonce}-{self.number}"


Output = tuple[Session, tuple[Message, ...]]


def happened(session: Session, event: Event) -> Output:
    """The session after `event`, and what to tell."""
    handler = _HANDLERS.get(str(type(event).__struct_config__.tag))
    return handler(session, event) if handler is not None else (session, ())


def looked(session: Session, now: float) -> Output:
    """Time passes: what was held is told, and a session that was forgotten ends. now: wall clock, seconds."""
    if session.held is not None and not 0 <= now - session.held.at < HOLD_S:
        return _released(session)
    if session.open and session.held is None and not 0 <= now - session.at < SESSION_S:
        return _ended(session, "timeout")
    return session, ()


def intent_messages(session: Session, decided: Decided) -> tuple[Message, ...]:
    """An accepted sentence, for Hermes and for whoever reads our own topic."""
    words = decided.text if session.words else ""
    own = {
        "intent": decided.intent,
        "slots": dict(decided.slots),
        "confidence": round(decided.confidence, 4),
        "context": decided.context,
        "at": decided.at,
        **({"text": words} if words else {}),
    }
    return (
        *_captured(session, decided),
        _message(f"hermes/intent/{topic_level(decided.intent)}", parsed(decided, session.site, session.id, words)),
        _message(f"assistant/{session.site}/intent", own),
    )


def parsed(decided: Decided, site: str, session_id: str | None, words: str) -> dict[str, Any]:
    """The body of `hermes/intent/…` and of `hermes/nlu/intentParsed`. words: what is shown as the input."""
    return {
        "siteId": site,
        "sessionId": session_id,
        "input": words,
        "intent": {"intentName": decided.intent, "confidenceScore": round(decided.confidence, 4)},
        "slots": [_slot(name, value, decided.confidence) for name, value in decided.slots.items() if value is not None],
    }


def answer(query: Query, decided: Decided, site: str) -> Message:
    """What `hermes/nlu/query` is answered with; the words are the asker's own."""
    if decided.outcome == "accept":
        body = {**parsed(decided, site, query.session, query.text), "id": query.id}
        return _message("hermes/nlu/intentParsed", body)
    body = {"siteId": site, "sessionId": query.session, "id": query.id, "input": query.text}
    return _message("hermes/nlu/intentNotRecognized", body)


def say_finished(speak: Speak, site: str) -> Message:
    """What `hermes/tts/say` is answered with, when the text has been said."""
    return _message("hermes/tts/sayFinished", {"siteId": site, "id": speak.id, "sessionId": speak.session})


def topic_level(name: str) -> str:
    """A name as one level of a topic: without what MQTT gives a meaning (/, +, #) and what it forbids."""
    return re.sub(r"[/+#\x00-\x1f\x7f-\x9f\ufffe\uffff]", "_", name) or "_"


def _woke(session: Session, event: Woke) -> Output:
    session, before = _ended(session, "abortedByUser")
    session = replace(session, number=session.number + 1, open=True, at=event.at)
    body = {"siteId": session.site, "modelId": event.word, "sessionId": session.id}
    detected = _message(f"hermes/hotword/{topic_level(event.word)}/detected", body)
    return session, (*before, detected, _started(session))


def _decided(session: Session, event: Decided) -> Output:
    if not event.acted:
        return session, ()
    before: tuple[Message, ...] = ()
    if session.held is not None:
        session, before = (replace(session, held=None), ()) if event.revises else _released(session)
    if event.outcome == "refuse" and not event.reply and not session.open:
        return session, before  # noise, or speech that was not meant for it: nobody needs to know
    if not session.open:
        session = replace(session, number=session.number + 1, open=True)
        before = (*before, _started(session))
    session = replace(session, at=event.at)
    if event.outcome == "accept" and event.provisional:
        return replace(session, held=event), before
    session, after = _told(session, event)
    return session, (*before, *after)


def _muted(session: Session, event: Any) -> Output:
    state = Message(f"assistant/{session.site}/listening", b"OFF" if event.muted else b"ON", retain=True)
    return session, (state,)


def _announced(session: Session, event: Any) -> Output:
    body = {"ring": event.ring, **({"text": event.text} if session.words else {})}
    return session, (_message(f"assistant/{session.site}/announced", body),)


_HANDLERS: Mapping[str, Callable[[Session, Any], Output]] = MappingProxyType(
    {"woke": _woke, "decided": _decided, "muted": _muted, "announced": _announced}
)


def _released(session: Session) -> Output:
    """Tell what was held."""
    held = session.held
    assert held is not None
    return _told(replace(session, held=None), held)


def _told(session: Session, decided: Decided) -> Output:
    """Tell of a decision that stands; the session goes on where a question is open."""
    if decided.outcome == "ask":
        return session, _captured(session, decided)
    if decided.outcome == "accept":
        messages = intent_messages(session, decided)
        if decided.expects_answer:
            return session, messages
        session, ended = _ended(session, "nominal")
        return session, (*messages, *ended)
    body = {"siteId": session.site, "sessionId": session.id, "input": decided.text if session.words else ""}
    lost = _message("hermes/dialogueManager/intentNotRecognized", body)
    captured = _captured(session, decided)
    session, ended = _ended(session, "intentNotRecognized")
    return session, (*captured, lost, *ended)


def _captured(session: Session, decided: Decided) -> tuple[Message, ...]:
    words = decided.heard or decided.text
    if not session.words or not words:
        return ()
    seconds = round((decided.felt_ms or 0.0) / 1000, 3)
    body = {
        "siteId": session.site,
        "sessionId": session.id,
        "text": words,
        "likelihood": round(decided.confidence, 4),
        "seconds": seconds,
    }
    return (_message("hermes/asr/textCaptured", body),)


def _started(session: Session) -> Message:
    body = {"siteId": session.site, "sessionId": session.id, "customData": None}
    return _message("hermes/dialogueManager/sessionStarted", body)


def _ended(session: Session, reason: str) -> Output:
    """End the session, where one is open; what was held in it is told first."""
    if session.held is not None:
        session, before = _released(session)
        session, after = _ended(session, reason)
        return session, (*before, *after)
    if not session.open:
        return session, ()
    body = {"siteId": session.site, "sessionId": session.id, "termination": {"reason": reason}, "customData": None}
    return replace(session, open=False), (_message("hermes/dialogueManager/sessionEnded", body),)


def _slot(name: str, value: Any, confidence: float) -> dict[str, Any]:
    kind = "Number" if isinstance(value, (int, float)) and not isinstance(value, bool) else "Custom"
    return {
        "entity": name,
        "slotName": name,
        "rawValue": str(value),
        "value": {"kind": kind, "value": value},
        "confidence": round(confidence, 4),
    }


def _message(topic: str, body: Mapping[str, Any]) -> Message:
    return Message(topic, json.dumps(body, ensure_ascii=False, default=str).encode())
