"""The entry points of `assistant.integrations`: each imports its integration only where that is configured."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.act.home_assistant import HOME_FOLDER

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.integrations.home_assistant import HomeAssistantHome
    from assistant.integrations.mqtt import Mqtt
    from assistant.integrations.wyoming import Wyoming

log = logging.getLogger(__name__)


def create_mqtt(config: Config, folder: Path | None) -> Mqtt | None:
    """MQTT; None where no broker is configured. folder: what is kept lies in a folder below it."""
    if config.mqtt.host is None:
        return None
    with _from_extra("mqtt"):
        from assistant.integrations.mqtt import Mqtt
    return Mqtt(config.mqtt, folder and folder / "mqtt")


def create_wyoming(config: Config, folder: Path | None) -> Wyoming | None:
    """The Wyoming server; None unless it is enabled. It keeps nothing."""
    del folder
    if not config.wyoming.enabled:
        return None
    with _from_extra("wyoming"):
        from assistant.integrations.wyoming import Wyoming
    return Wyoming(config)


def create_home_assistant(config: Config, folder: Path | None) -> HomeAssistantHome | None:
    """The home from Home Assistant; None where none is configured, or where nothing can be kept."""
    if config.home_assistant.url is None or folder is None:
        return None
    with _from_extra("home-assistant"):
        from assistant.integrations.home_assistant import HomeAssistantHome
    return HomeAssistantHome(config, folder / HOME_FOLDER)


@contextmanager
def _from_extra(name: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        log.critical("%s is configured, but not installed: pip install 'assistant-voice[%s]' (%s)", name, name, error)
        raise
