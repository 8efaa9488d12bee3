"""What each plan costs on this board: a line over the length of speech, its spread, memory and energy.

A profile is measured by `assistant calibrate` and kept with all that it depends on; until then, and where it is of
another board or damaged, there are estimates.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from assistant.errors import InputError, StorageError
from assistant.whole import PRIVATE, write_whole

FILE = "profile.json"
FORMAT = 1
LEAST_SPREAD, MOST_SPREAD = 0.03, 1.0
LEAST_TIME_MS = 0.1
LEAST_CLOCK = 0.02
"""Share of the highest clock; less is nonsense."""
PACKAGES = ("assistant-voice", "onnxruntime", "moonshine-voice", "numpy")


class Cost(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One plan's cost.

    base_ms, per_s_ms: time = base_ms + per_s_ms * seconds of speech. spread: standard deviation of ln(time / line).
    memory_mb: resident beside what all plans share. energy_mj: millijoules a second of speech, of the whole board.
    energy_measured: False where it follows from a typical power. n: utterances measured, 0 where it is an estimate.
    """

    base_ms: float
    per_s_ms: float
    spread: float
    memory_mb: float = 0.0
    energy_mj: float = 0.0
    energy_measured: bool = False
    n: int = 0

    def time_ms(self, speech_s: float) -> float:
        """The line, at `speech_s`."""
        return max(self.base_ms + self.per_s_ms * max(speech_s, 0.0), LEAST_TIME_MS)


class Identity(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a profile depends on."""

    board: str
    kernel: str
    governor: str
    cores: int
    threads: int
    versions: dict[str, str]


class AtClock(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much longer everything takes at a lower clock. share: of the highest clock. factor: times as long, 1 or more.

    power_w: of the board meanwhile, above idle; None where it does not tell.
    """

    share: float
    factor: float
    power_w: float | None = None


class Profile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The costs of plans by name. estimated: nothing was measured here. made_at: seconds since the epoch.

    clocks: measured at lower clocks, where that was permitted.
    """

    format: int
    identity: Identity
    made_at: float
    costs: dict[str, Cost]
    estimated: bool = False
    clocks: tuple[AtClock, ...] = ()

    def at_clock(self, share: float) -> float:
        """How many times longer everything takes at this share of the highest clock.

        As measured, with straight lines over 1 / share between; in proportion to 1 / share where nothing was measured.
        """
        share = min(max(share, LEAST_CLOCK), 1.0)
        known = {1.0: 1.0, **{1 / clock.share: clock.factor for clock in self.clocks}}
        slowest = max(known)
        found = float(np.interp(1 / share, sorted(known), [known[key] for key in sorted(known)]))
        return found * max(1 / share / slowest, 1.0)


def fit(readings: Sequence[tuple[float, float]], *, memory_mb: float = 0.0, power_w: float | None = None) -> Cost:
    """The cost that readings of (seconds of speech, milliseconds) show.

    Least squares of ratios (weights 1 / time), so that long utterances do not outweigh short ones; the spread is that
    of the logarithms about the line, with the degrees of freedom of a line. power_w: measured above idle while it ran.
    Raises InputError for fewer than three readings.
    """
    if len(readings) < 3:
        raise InputError(f"{len(readings)} utterances are too few to tell what a plan costs", where="calibrate")
    seconds, ms = (np.array(values, float) for values in zip(*readings, strict=True))
    weights = 1 / np.maximum(ms, LEAST_TIME_MS)
    design = np.stack([np.ones_like(seconds), seconds], axis=1)
    (base, slope), *_ = np.linalg.lstsq(design * weights[:, None], ms * weights, rcond=None)
    if slope < 0 or np.ptp(seconds) < 0.2:  # all of one length, or noise: a constant
        base, slope = float(1 / np.mean(weights)), 0.0
    elif base < 0:
        base, slope = 0.0, float(np.sum(ms * seconds * weights**2) / np.sum((seconds * weights) ** 2))
    line = np.maximum(base + slope * seconds, LEAST_TIME_MS)
    residuals = np.log(np.maximum(ms, LEAST_TIME_MS) / line)
    spread = math.sqrt(float(residuals @ residuals) / max(len(ms) - 2, 1))
    energy = 0.0 if power_w is None else power_w * float(np.sum(ms)) / float(np.sum(np.maximum(seconds, 0.1)))
    return Cost(
        base_ms=round(float(base), 3),
        per_s_ms=round(float(slope), 3),
        spread=round(min(max(spread, LEAST_SPREAD), MOST_SPREAD), 4),
        memory_mb=round(memory_mb, 1),
        energy_mj=round(energy, 1),
        energy_measured=power_w is not None,
        n=len(ms),
    )


def this_board(root: Path = Path("/"), threads: int = 1) -> Identity:
    """What a profile made now would depend on."""
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return Identity(
        board=board_name(root),
        kernel=platform.release(),
        governor=_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        cores=len(os.sched_getaffinity(0)),
        threads=threads,
        versions=versions,
    )


def board_name(root: Path = Path("/")) -> str:
    """The board as the device tree names it, else the processor, else the architecture."""
    model = _text(root / "proc/device-tree/model")
    if model:
        return model
    for line in _text(root / "proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def stale(profile: Profile, now: Identity, names: Sequence[str]) -> tuple[str, ...]:
    """Why `profile` does not hold any more, in words; empty where it does. names: the plans that must be in it.

    Another kernel or release is a reason to measure again; another board makes it worthless (`foreign`).
    """
    was = profile.identity
    reasons = [
        f"{what} was {one or 'unknown'}, now {two or 'unknown'}"
        for what, one, two in (
            ("the board", was.board, now.board),
            ("the kernel", was.kernel, now.kernel),
            ("the governor", was.governor, now.governor),
            ("the number of cores", str(was.cores), str(now.cores)),
            ("recognize.threads", str(was.threads), str(now.threads)),
        )
        if one != two
    ]
    for package in sorted({*was.versions, *now.versions}):
        one, two = was.versions.get(package, "absent"), now.versions.get(package, "absent")
        if one != two:
            reasons.append(f"{package} was {one}, now {two}")
    never = [name for name in names if name not in profile.costs or not (profile.estimated or profile.costs[name].n)]
    return (*reasons, *(f"the plan {name} was not measured" for name in never))


def corrected(profile: Profile, log_ratios: Sequence[float], made_at: float) -> Profile:
    """Estimates made to fit this board: all scaled by the median of what utterances took over what was estimated.

    log_ratios: natural logarithms of that, from moments at which nothing pressed. The spread becomes theirs (the median
    absolute deviation, as a standard deviation), which the doubt about the estimate is no part of any more.
    """
    ratios = np.array(log_ratios, float)
    factor = math.exp(float(np.median(ratios)))
    spread = 1.4826 * float(np.median(np.abs(ratios - np.median(ratios))))
    spread = min(max(spread, LEAST_SPREAD), MOST_SPREAD)
    costs = {
        name: msgspec.structs.replace(scaled(cost, factor), spread=spread, n=len(ratios))
        for name, cost in profile.costs.items()
    }
    return msgspec.structs.replace(profile, costs=costs, made_at=made_at)


def scaled(cost: Cost, factor: float) -> Cost:
    """`cost` where everything takes `factor` times as long."""
    return msgspec.structs.replace(
        cost,
        base_ms=round(cost.base_ms * factor, 3),
        per_s_ms=round(cost.per_s_ms * factor, 3),
        energy_mj=round(cost.energy_mj * factor, 1),
    )


def foreign(profile: Profile, now: Identity) -> bool:
    """Whether it is of another board, so that its times say nothing here."""
    return (profile.identity.board, profile.identity.cores) != (now.board, now.cores)


def load(path: Path) -> Profile | None:
    """The profile in `path`, None where there is none. Raises StorageError where it is damaged."""
    remedy = "run `assistant calibrate` to measure this board again"
    try:
        profile = msgspec.json.decode(path.read_bytes(), type=Profile)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(error.strerror or str(error), where=str(path), remedy=remedy) from error
    except msgspec.DecodeError as error:
        raise StorageError(f"the profile is damaged ({error})", where=str(path), remedy=remedy) from error
    sane = all(_sane(cost) for cost in profile.costs.values()) and all(map(_sane_clock, profile.clocks))
    if profile.format != FORMAT or not sane:
        raise StorageError("the profile is damaged (numbers that cannot be)", where=str(path), remedy=remedy)
    return profile


def save(profile: Profile, path: Path) -> None:
    """Write it beside and rename. Raises StorageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, msgspec.json.format(msgspec.json.encode(profile), indent=2) + b"\n", PRIVATE)
    except OSError as error:
        raise StorageError(error.strerror or str(error), where=str(path), remedy="free some disk space") from error


def measured(costs: Mapping[str, Cost], identity: Identity, made_at: float, clocks: Sequence[AtClock] = ()) -> Profile:
    """A profile of this board."""
    return Profile(format=FORMAT, identity=identity, made_at=made_at, costs=dict(costs), clocks=tuple(clocks))


def _sane(cost: Cost) -> bool:
    numbers = (cost.base_ms, cost.per_s_ms, cost.spread, cost.memory_mb, cost.energy_mj)
    return all(math.isfinite(n) and n >= 0 for n in numbers) and cost.spread > 0 and cost.time_ms(1.0) > LEAST_TIME_MS


def _sane_clock(clock: AtClock) -> bool:
    return LEAST_CLOCK <= clock.share <= 1 and math.isfinite(clock.factor) and clock.factor > 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return ""
