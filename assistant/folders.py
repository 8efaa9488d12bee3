"""Where the assistant keeps its files: the configured folder, else systemd's, else the XDG base directories.

    what     configured   a systemd service        a user (XDG variable, default)
    data     paths.data   -                        XDG_DATA_HOME/assistant, ~/.local/share/assistant
    cache    paths.cache  CACHE_DIRECTORY          XDG_CACHE_HOME/assistant, ~/.cache/assistant
    state    paths.state  STATE_DIRECTORY          XDG_STATE_HOME/assistant, ~/.local/state/assistant
    runtime  -            RUNTIME_DIRECTORY        XDG_RUNTIME_DIR/assistant, a folder in /tmp

A service's data lies beside its state. Nothing here writes, except `usable_cache`, which makes its folder.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

NAME = "assistant"

log = logging.getLogger(__name__)


class PathSettings(Protocol):
    """The configured folders (`assistant.config.Paths`); None follows the conventions."""

    @property
    def data(self) -> str | None: ...
    @property
    def cache(self) -> str | None: ...
    @property
    def state(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders of one run; none needs to exist yet."""

    data: Path
    cache: Path
    state: Path
    runtime: Path


def folders(settings: PathSettings | None = None, environment: Mapping[str, str] | None = None) -> Folders:
    """The folders that `settings` and `environment` (the process's own) lead to."""
    environment = os.environ if environment is None else environment
    service_state = _service(environment, "STATE_DIRECTORY")
    data = service_state / "data" if service_state else _xdg(environment, "XDG_DATA_HOME", ".local/share")
    cache = _service(environment, "CACHE_DIRECTORY") or _xdg(environment, "XDG_CACHE_HOME", ".cache")
    state = service_state or _xdg(environment, "XDG_STATE_HOME", ".local/state")
    return Folders(
        data=_configured(settings.data if settings else None) or data,
        cache=_configured(settings.cache if settings else None) or cache,
        state=_configured(settings.state if settings else None) or state,
        runtime=_service(environment, "RUNTIME_DIRECTORY") or _runtime(environment),
    )


def usable_cache(preferred: Path) -> Path:
    """`preferred`, made if need be; where it cannot be written, a temporary folder of this user's, with a warning."""
    try:
        preferred.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=preferred):
            return preferred
    except OSError as error:
        fallback = Path(tempfile.gettempdir()) / f"{NAME}-cache-{os.getuid()}"
        fallback.mkdir(mode=0o700, exist_ok=True)
        log.warning("%s: cannot be written (%s); using %s until it can", preferred, error.strerror, fallback)
        return fallback


def user_config_folder(environment: Mapping[str, str]) -> Path:
    """The folder of the user's configuration."""
    return _xdg(environment, "XDG_CONFIG_HOME", ".config")


def _configured(folder: str | None) -> Path | None:
    """A configured folder, `~` expanded."""
    return Path(folder).expanduser() if folder else None


def _service(environment: Mapping[str, str], variable: str) -> Path | None:
    """systemd's folder of a kind: the first of those it made."""
    first = environment.get(variable, "").partition(":")[0]
    return Path(first) if first else None


def _xdg(environment: Mapping[str, str], variable: str, default: str) -> Path:
    """An XDG base directory; a relative one is ignored, as the specification asks."""
    base = environment.get(variable, "")
    return (Path(base) if base.startswith("/") else _home(environment) / default) / NAME


def _home(environment: Mapping[str, str]) -> Path:
    """The user's home. A user that exists only while a service runs has none; Debian's name for that is used."""
    try:
        return Path(environment.get("HOME") or Path.home())
    except RuntimeError:
        return Path("/nonexistent")


def _runtime(environment: Mapping[str, str]) -> Path:
    """Where sockets go for a user."""
    base = environment.get("XDG_RUNTIME_DIR", "")
    return Path(base) / NAME if base.startswith("/") else Path(tempfile.gettempdir()) / f"{NAME}-{os.getuid()}"
