"""Finds what the configuration names: contexts, the home, and bundles of the fused net."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.grammar.tree import Context
    from assistant.recognize.engine import Recognizer
    from assistant.understand.fused.bundle import Bundle
    from assistant.understand.fused.heads import Heads


def context_folders(config: Config) -> tuple[Path, ...]:
    """Where contexts are looked for by name, before those that this package brings."""
    from assistant.folders import folders

    return (folders(config.paths).data / "contexts",)


def open_context(config: Config, path_or_name: str = "") -> Context:
    """The context of this name or folder, the configured one by default. Raises ContextError."""
    from assistant.grammar.load import load_context

    return load_context(path_or_name or config.context, context_folders(config), home_file(config))


def home_file(config: Config) -> Path | None:
    """The home.yaml: Home Assistant's, else as configured, else beside the user's configuration, else the system's."""
    from assistant.config.layers import SYSTEM_FOLDER
    from assistant.folders import folders, user_config_folder
    from assistant.grammar.home import HOME_FILE

    if config.home_assistant.url is not None:
        from assistant.act.home_assistant import HOME_FOLDER

        imported = folders(config.paths).state / HOME_FOLDER / HOME_FILE
        if imported.is_file():
            return imported
    if config.home.file:
        return Path(config.home.file).expanduser()
    places = (user_config_folder(os.environ) / HOME_FILE, SYSTEM_FOLDER / HOME_FILE)
    return next((place for place in places if place.is_file()), None)


def bundle_roots(config: Config) -> tuple[Path, ...]:
    """Where bundles of the fused net are: the user's own, then those that ship."""
    import models
    from assistant.folders import folders

    return folders(config.paths).data / "bundles", Path(models.__file__).parent


def bundle_finder(config: Config, recognizer: Recognizer) -> Callable[[Context], Bundle | None]:
    """Opens the bundle that fits a context, as configured."""
    from assistant.understand.fused.bundle import Wanted, bundle_folders, choose

    heard_by = f"{recognizer.name}/{recognizer.variant}"

    def find(context: Context) -> Bundle | None:
        wanted = Wanted(context.hash, context.settings.language, heard_by, context.family)
        return choose(bundle_folders(bundle_roots(config)), wanted, config.understand.fused)

    return find


def heads_finder(config: Config, recognizer: Recognizer) -> Callable[[Context], Heads | None]:
    """Opens the net that understands a context from sound alone, whatever bundle is chosen for comparing."""
    from assistant.understand.fused.bundle import bundle_folders
    from assistant.understand.fused.heads import find_heads

    heard_by = f"{recognizer.name}/{recognizer.variant}"
    return lambda context: find_heads(bundle_folders(bundle_roots(config)), context, heard_by)
