"""The processor's clock, held lower for a while to measure: cpufreq below a root that tests replace.

Only `scaling_max_freq` is written, only where that is permitted, and it is put back at the end. What it was is written
down first, so that the next start puts it back where this one was killed.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

LEFT_OVER = "cpufreq-before.json"
MOST_STEPS = 4
"""Clocks that are measured, spread over those that the governor allows."""

log = logging.getLogger(__name__)


class _Before(Struct, frozen=True, forbid_unknown_fields=True):
    """What was allowed before, kHz, by policy."""

    limits_khz: dict[str, int]


class Clock:
    """The clocks of all cores together. note: where it is written down what to put back."""

    def __init__(self, note: Path, root: Path = Path("/")) -> None:
        self._note, self._root = note, root
        self._base = root / "sys/devices/system/cpu/cpufreq"
        self._policies = sorted(self._base.glob("policy[0-9]*"))

    def permitted(self) -> bool:
        """Whether all limits may be written."""
        return bool(self._policies) and all(os.access(p / "scaling_max_freq", os.W_OK) for p in self._policies)

    def steps(self) -> tuple[float, ...]:
        """Shares of the highest clock that can be asked for, highest first, the highest itself left out.

        Cores of several kinds (policies) are held at about the same share each.
        """
        shares: set[float] = set()
        for policy in self._policies[:1]:
            highest = _number(policy / "cpuinfo_max_freq")
            listed = [int(word) for word in _text(policy / "scaling_available_frequencies").split() if word.isdigit()]
            lowest = _number(policy / "cpuinfo_min_freq")
            if not highest:
                continue
            if not listed and lowest:
                listed = [int(lowest + (highest - lowest) * n / MOST_STEPS) for n in range(MOST_STEPS)]
            shares |= {khz / highest for khz in listed if 0 < khz < highest}
        every = sorted(shares, reverse=True)
        if len(every) <= MOST_STEPS:
            return tuple(every)
        return tuple(every[round(n * (len(every) - 1) / (MOST_STEPS - 1))] for n in range(MOST_STEPS))

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """What `at` sets is put back at the end, whatever happens; `put_back` does so after a kill."""
        before = {policy.name: _number(policy / "scaling_max_freq") for policy in self._policies}
        limits = {name: khz for name, khz in before.items() if khz}
        self._note.parent.mkdir(parents=True, exist_ok=True)
        self._note.write_bytes(msgspec.json.encode(_Before(limits)))
        try:
            yield
        finally:
            self.put_back()

    def at(self, share: float) -> None:
        """Allow no more than this share of the highest clock. Raises OSError."""
        for policy in self._policies:
            highest = _number(policy / "cpuinfo_max_freq")
            if highest:
                (policy / "scaling_max_freq").write_text(f"{round(share * highest)}\n")

    def put_back(self) -> bool:
        """Put back what was written down, if anything was; whether all of it could be."""
        try:
            before = msgspec.json.decode(self._note.read_bytes(), type=_Before)
        except FileNotFoundError:
            return True
        except (OSError, msgspec.DecodeError) as error:
            log.warning("%s: %s; the clock's limit may be lower than it was", self._note, error)
            return False
        done = True
        for name, khz in before.limits_khz.items():
            try:
                (self._base / Path(name).name / "scaling_max_freq").write_text(f"{khz}\n")
            except OSError as error:
                log.warning("the clock of %s could not be put back to %d kHz: %s", name, khz, error)
                done = False
        if done:
            self._note.unlink(missing_ok=True)
        return done


def _number(path: Path) -> int:
    text = _text(path)
    return int(text) if text.isdigit() else 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
