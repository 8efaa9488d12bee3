"""Where sound comes from, as flags and configuration name it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from assistant.audio.source import Source
    from assistant.config import Config


def open_source(
    config: Config, file: str | None, kind: Literal["file", "file_in_real_time"] = "file_in_real_time"
) -> Source:
    """`file`, read as `kind` says, or standard input where it is "-"; without a file the configured microphone.

    Raises AssistantError when it cannot be opened.
    """
    from assistant.audio.kinds import SourceSettings, open_source
    from assistant.clock import SystemClock

    clock = SystemClock()
    if file == "-":
        return open_source(SourceSettings("stdin"), clock)
    if file:
        return open_source(SourceSettings(kind, file), clock)
    device = "" if config.audio.device == "default" else config.audio.device
    return open_source(SourceSettings("card", device, config.audio.channels), clock)
