"""The configuration as one command line sees it: all layers, with this verb's own flags on top."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assistant.config.layers import Loaded, load


def load_settings(args: argparse.Namespace, flags: Mapping[str, Any] | None = None) -> Loaded:
    """Read the configuration for `args`; raises ConfigErrors that lists everything that is wrong.

    flags: dotted key → value of the verb's own flags ({"audio.device": args.device}); None is not given.
    """
    file = Path(args.config_file) if args.config_file else None
    return load(file=file, settings=[*args.settings, *args.settings_after_verb], flags=flags)
