"""The fused nets that compare meanings with the sound: by context and variant, opened when a plan first asks for one.

A variant that is not open yet is opened beside the answer, which the first one gives meanwhile, so that a change of
plan waits for nothing. Those that are worth least are closed where all together take more memory than allowed.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assistant.errors import ModelError
from assistant.grammar.tree import Context
from assistant.types import Transcript, Utterance
from assistant.understand.fused.bundle import Bundle

log = logging.getLogger(__name__)

RESIDENT_MB = {"tiny": 0.6, "lite": 0.6, "full": 0.7}
"""What an open variant takes beside the first one (measured: private memory of three of each)."""
OTHER_MB = 1.0
WORTH_KEPT = 0.98
"""Part of a variant's worth that is left after one more utterance: half of it after 34."""

Key = tuple[str, str]
"""A context's hash, and a variant."""


@dataclass(frozen=True, slots=True)
class Resident:
    """An open net. mb: memory. worth: how often it was asked for lately; infinite for the one that a context needs."""

    key: Key
    mb: float
    worth: float


def too_many(residents: Sequence[Resident], most_mb: float) -> tuple[Key, ...]:
    """Those to close so that the others fit `most_mb`: least worth per MB first, never one that is needed."""
    used_mb = sum(resident.mb for resident in residents)
    closed = []
    for resident in sorted(residents, key=lambda resident: resident.worth / max(resident.mb, 0.01)):
        if used_mb <= most_mb or math.isinf(resident.worth):
            break
        closed.append(resident.key)
        used_mb -= resident.mb
    return tuple(closed)


def _in_a_thread(job: Callable[[], None]) -> None:
    threading.Thread(target=job, name="open-net", daemon=True).start()


class Nets:
    """Safe to use from several threads.

    find: opens the net that fits a context, as configured, if there is one. most_mb: for all open nets.
    beside: runs the opening of a variant beside the answers.
    """

    def __init__(
        self,
        find: Callable[[Context], Bundle | None] | None = None,
        most_mb: float = math.inf,
        beside: Callable[[Callable[[], None]], None] = _in_a_thread,
    ) -> None:
        self._find, self._most_mb, self._beside = find, most_mb, beside
        self._first: dict[str, Bundle | None] = {}
        self._more: dict[Key, Bundle | None] = {}
        self._worth: dict[Key, float] = {}
        self._lock = threading.Lock()

    def open(self, context: Context) -> None:
        """Open the net for `context`, once."""
        if context.hash not in self._first:
            self._first[context.hash] = self._find(context) if self._find else None

    def of(self, context: Context) -> Bundle | None:
        """The net that was opened for `context` at first."""
        return self._first.get(context.hash)

    def look(self, utterance: Utterance, transcript: Transcript, context: Context, cost: str = "") -> Transcript:
        """`transcript` re-ranked by the net for `context`, by its variant `cost` where that is open.

        A variant that fails is given up with a warning, and the next one looks.
        """
        while (bundle := self._bundle(context, cost)) is not None:
            try:
                return bundle.look(utterance, transcript)
            except ModelError as error:
                log.warning("%s; understanding goes on without it", error)
                self._give_up(context, bundle)
        return transcript

    def resident(self) -> tuple[Resident, ...]:
        """What is open."""
        with self._lock:
            return self._residents()

    def _bundle(self, context: Context, cost: str) -> Bundle | None:
        """The variant where it is open; else the first, while it is being opened."""
        first = self._first.get(context.hash)
        known = set() if first is None else {variant.cost for variant in first.manifest.variants}
        if first is None or not cost or cost == first.variant.cost or cost not in known:
            return first
        key = (context.hash, cost)
        with self._lock:
            self._worth = {one: WORTH_KEPT * worth for one, worth in self._worth.items()}
            self._worth[key] = self._worth.get(key, 0.0) + 1.0
            wanted = key not in self._more and self._has_room_for(key)
            if wanted:
                self._more[key] = None  # it is being opened, or cannot be
            open_now = self._more.get(key) or first
        if wanted:
            self._beside(lambda: self._open_more(first, key))
        return open_now

    def _open_more(self, first: Bundle, key: Key) -> None:
        try:
            bundle = first.other(key[1])
        except ModelError as error:
            log.warning("%s; another variant is used", error)
            return
        with self._lock:
            self._more[key] = bundle
            for other in too_many(self._residents(), self._most_mb):
                del self._more[other]

    def _has_room_for(self, key: Key) -> bool:
        """Whether it would stay, once it is open (the lock is held)."""
        opened = Resident(key, RESIDENT_MB.get(key[1], OTHER_MB), self._worth[key])
        return key not in too_many((*self._residents(), opened), self._most_mb)

    def _give_up(self, context: Context, bundle: Bundle) -> None:
        if self._first.get(context.hash) is bundle:
            self._first[context.hash] = None
        else:
            with self._lock:
                self._more[context.hash, bundle.variant.cost] = None

    def _residents(self) -> tuple[Resident, ...]:
        """What is open (the lock is held)."""
        first = [Resident((hash_, bundle.variant.cost), _mb(bundle), math.inf) for hash_, bundle in self._first_open()]
        more = [Resident(key, _mb(b), self._worth.get(key, 0.0)) for key, b in self._more.items() if b is not None]
        return (*first, *more)

    def _first_open(self) -> list[tuple[str, Bundle]]:
        return [(hash_, bundle) for hash_, bundle in self._first.items() if bundle is not None]


def _mb(bundle: Bundle) -> float:
    return RESIDENT_MB.get(bundle.variant.cost, OTHER_MB)
