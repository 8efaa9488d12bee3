"""What the daemon and its recogniser's process say to each other: frozen messages, pickled, over a socket pair.

Both ends are this program; nobody else can reach the pair.
"""

from __future__ import annotations

import copyreg
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Union

from assistant.daemon.protocol import Fault
from assistant.grammar.tree import Context
from assistant.types import AudioFrame, Effort, Transcript, Utterance


@dataclass(frozen=True, slots=True, eq=False)
class SetUp:
    """The first message. factory: "module:function" that makes the engine. arguments: what it is given."""

    factory: str
    arguments: tuple[Any, ...]


ENCODED = Effort(0, 0.0)
"""No decoding: the answer holds the encoder's states."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepare:
    """Make a context ready."""

    context: Context


@dataclass(frozen=True, slots=True, eq=False)
class Feed:
    """A frame for a session under a context that was prepared."""

    session: int
    context_hash: str
    frame: AudioFrame


@dataclass(frozen=True, slots=True, eq=False)
class Finish:
    """Decode. number: of the answer. effort: how hard to try; None as configured; ENCODED: not at all."""

    number: int
    session: int
    context_hash: str
    utterance: Utterance
    effort: Effort | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody wants what this session decodes."""

    session: int


@dataclass(frozen=True, slots=True)
class Hurry:
    """It is late: answer for this session with the best that there is."""

    session: int


@dataclass(frozen=True, slots=True)
class Rest:
    """Give the engine's memory back until somebody speaks."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there?"""


Order = Union[SetUp, Prepare, Feed, Finish, Cancel, Hurry, Rest, Ping]


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine is loaded. adjustable: how hard it tries can be chosen for each utterance."""

    name: str
    variant: str
    adjustable: bool = False


@dataclass(frozen=True, slots=True)
class NotReady:
    """It cannot be loaded."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class PreparedContext:
    """A context is ready, or why not."""

    context_hash: str
    fault: Fault | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """What was heard, or why nothing; neither where the context has to be sent (again)."""

    number: int
    transcript: Transcript | None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Pong:
    """Yes."""


Report = Union[Ready, NotReady, PreparedContext, Finished, Pong]


def _frozen(items: dict[Any, Any]) -> Mapping[Any, Any]:
    return MappingProxyType(items)


def _reduced(mapping: MappingProxyType[Any, Any]) -> tuple[Any, tuple[dict[Any, Any]]]:
    return _frozen, (dict(mapping),)


# Contexts and transcripts hold read-only mappings, which pickle does not know by itself.
copyreg.pickle(MappingProxyType, _reduced)
