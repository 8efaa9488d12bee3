"""Errors that a user can act on: what is wrong, where, and the remedy. Anything else is a bug and keeps its traceback.

The exit codes are the program's:

    AssistantError
    ├── UsageError        a wrong command line                         exit code 2
    ├── InputError        a file or stream that cannot be read         exit code 3
    ├── ContextError      a context that does not load or compile      exit code 4
    ├── ConfigError       a configuration that does not validate       exit code 5
    ├── ModelError        a model that is missing, corrupt or wrong    exit code 6
    ├── DeviceError       a sound device that is absent or gone        exit code 7
    │   └── DeviceInUse   one that another program holds
    ├── StorageError      a folder that cannot be read or written      exit code 8
    └── PluginError       a plug-in that does not load or misbehaves   exit code 9
"""

from __future__ import annotations


class AssistantError(Exception):
    """One line for the user: `where: what; remedy`.

    what: the fault, a phrase without a full stop.
    where: file:line, device or option that it concerns ("" if none).
    remedy: what to do about it ("" only if the fault says it).
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}; {self.remedy}" if self.remedy else text


class UsageError(AssistantError):
    """A command line that makes no sense."""

    exit_code = 2


class InputError(AssistantError):
    """A sound file, text file or stream that cannot be read as what it should be."""

    exit_code = 3


class ContextError(AssistantError):
    """A context that does not load, lint or compile."""

    exit_code = 4


class ConfigError(AssistantError):
    """A configuration with unknown keys or wrong values."""

    exit_code = 5


class ModelError(AssistantError):
    """A model that is missing, corrupt or does not fit."""

    exit_code = 6


class DeviceError(AssistantError):
    """A microphone or loudspeaker that is absent or gone, or does not do what is asked."""

    exit_code = 7


class DeviceInUse(DeviceError):
    """A microphone or loudspeaker that another program holds."""


class StorageError(AssistantError):
    """A folder or file that cannot be read or written."""

    exit_code = 8


class PluginError(AssistantError):
    """A plug-in (engine, voice, skill …) that does not load or misbehaves."""

    exit_code = 9
