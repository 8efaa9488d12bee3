"""The sections of the configuration for what the assistant connects to; nothing does unless it is set here."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Mqtt(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the assistant tells an MQTT broker and takes from it: see docs/integrations.md. Needs the extra mqtt."""

    host: Annotated[str | None, Meta(description="the broker's name or address; null: no MQTT")] = None
    port: Annotated[
        Annotated[int, Meta(ge=1, le=65_535)] | None, Meta(description="null: 8883 with TLS, 1883 without")
    ] = None
    tls: Annotated[bool, Meta(description="encrypt, and check the broker's certificate")] = True
    ca_file: Annotated[
        str | None, Meta(description="certificate of who signed the broker's; null: the system's authorities")
    ] = None
    cert_file: Annotated[str | None, Meta(description="certificate of this assistant, where the broker asks")] = None
    key_file: Annotated[str | None, Meta(description="its key, a file that only the assistant may read")] = None
    username: Annotated[str | None, Meta(description="null: anonymous")] = None
    password_file: Annotated[str | None, Meta(description="a file that only the assistant may read")] = None
    site: Annotated[
        str, Meta(pattern="^[A-Za-z0-9_-]{1,32}$", description="siteId in Hermes messages, and in the own topics")
    ] = "default"
    words: Annotated[
        bool, Meta(description="also send what was said; without it only intent and slots leave the assistant")
    ] = False
    accept: Annotated[
        tuple[Literal["speak", "listen", "mute", "query", "say"], ...],
        Meta(
            description="what others may ask over MQTT: speak a text, listen without a wake word, mute, query the "
            "meaning of a text, say: act on a text as if it had been spoken"
        ),
    ] = ("speak", "listen", "mute")
    discovery: Annotated[
        str | None, Meta(description="prefix under which Home Assistant looks for devices; null: do not announce")
    ] = "homeassistant"
    keep_s: Annotated[
        float, Meta(ge=0, le=86_400, description="a message that waits longer for the broker is not sent, seconds")
    ] = 60.0


class Wyoming(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A Wyoming server for speech-to-text, intents and wake words. Needs the extra wyoming."""

    enabled: Annotated[bool, Meta(description="open the port")] = False
    host: Annotated[
        str, Meta(min_length=1, description="address to listen on; anything but loopback lets everybody there in")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535, description="the port")] = 10_300
    clients: Annotated[int, Meta(ge=1, le=64, description="so many at once; one more is sent away")] = 8
    cap_s: Annotated[
        float, Meta(gt=0, le=60, description="longest utterance; what a client sends beyond it is not heard, seconds")
    ] = 30.0


class HomeAssistant(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Your Home Assistant: its areas and devices become your home, and commands go there. Extra home-assistant."""

    url: Annotated[
        str | None, Meta(description="http://homeassistant.local:8123 or https://…; null: no Home Assistant")
    ] = None
    token_file: Annotated[
        str | None, Meta(description="a long-lived access token, in a file that only the assistant may read")
    ] = None
    ca_file: Annotated[
        str | None, Meta(description="certificate of who signed its own; null: the system's authorities")
    ] = None
    exposed: Annotated[
        bool, Meta(description="only what is exposed to Assist; false: every device that is not hidden")
    ] = True
    here: Annotated[str, Meta(description="the area where the assistant stands: what “the lights” means")] = ""
