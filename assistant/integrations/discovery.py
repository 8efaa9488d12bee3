"""The assistant as a device in Home Assistant, by MQTT discovery: retained messages that describe its entities.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

from assistant.integrations.outbox import Message

ONLINE, OFFLINE = b"online", b"offline"


def status_topic(site: str) -> str:
    """Where `online` stands while the assistant is connected; the last will writes `offline` there."""
    return f"assistant/{site}/status"


def announcements(prefix: str, site: str, accept: Collection[str], version: str) -> Iterator[Message]:
    """What makes Home Assistant show the assistant; what `accept` leaves out is taken away where it was before."""
    for component, key, kind, about in _entities(site):
        topic = f"{prefix}/{component}/assistant_{site}/{key}/config"
        wanted = not kind or kind in accept
        body = {**about, **_common(site, key, version)} if wanted else None
        yield Message(topic, json.dumps(body).encode() if body else b"", retain=True)


def _entities(site: str) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Component, key, what `accept` must hold ("" for nothing), and what makes it that entity."""
    own = f"assistant/{site}"
    intent = {
        "name": "Last intent",
        "icon": "mdi:account-voice",
        "state_topic": f"{own}/intent",
        "value_template": "{{ value_json.intent }}",
        "json_attributes_topic": f"{own}/intent",
        "force_update": True,
    }
    listening = {
        "name": "Microphone",
        "icon": "mdi:microphone",
        "state_topic": f"{own}/listening",
        "command_topic": f"{own}/listening/set",
    }
    speak = {"name": "Speak", "icon": "mdi:bullhorn", "command_topic": f"{own}/speak", "max": 255}
    listen = {"name": "Listen", "icon": "mdi:ear-hearing", "command_topic": f"{own}/listen"}
    yield "sensor", "intent", "", intent
    yield "switch", "listening", "mute", listening
    yield "text", "speak", "speak", speak
    yield "button", "listen", "listen", listen


def _common(site: str, key: str, version: str) -> dict[str, Any]:
    name = "Voice assistant" if site == "default" else f"Voice assistant {site}"
    return {
        "unique_id": f"assistant_{site}_{key}",
        "object_id": f"assistant_{site}_{key}",
        "availability_topic": status_topic(site),
        "device": {"identifiers": [f"assistant_{site}"], "name": name, "sw_version": version},
        "origin": {"name": "assistant-voice", "sw_version": version},
    }
