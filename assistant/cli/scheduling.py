"""The scheduler as configured: profile of this board, plans, policy and objective."""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import PluginError, StorageError, UsageError

if TYPE_CHECKING:
    from assistant.clock import Clock as Time
    from assistant.config import Config
    from assistant.grammar.tree import Context
    from assistant.recognize.engine import Recognizer
    from assistant.schedule.frequency import Clock
    from assistant.schedule.plans import Plan
    from assistant.schedule.policy import Objective, Policy
    from assistant.schedule.profile import Profile
    from assistant.schedule.scheduler import Scheduler

POLICIES = "assistant.policies"
QUICK_VAD, QUICK_VOICE = "webrtc", "espeak"

log = logging.getLogger(__name__)


def build_scheduler(
    config: Config, recognizer: Recognizer, clock: Time, tell: Callable[[str], None] = log.warning
) -> Scheduler | None:
    """The scheduler for `recognizer`; None where it is switched off, or the engine cannot be adjusted."""
    from assistant.recognize.engine import Adjustable, Resting
    from assistant.schedule.board import Board
    from assistant.schedule.scheduler import Scheduler

    if not config.schedule.enabled or not isinstance(recognizer, Adjustable):
        return None
    plans = configured_plans(config)
    engine = recognizer
    if all(plan.effort is None or engine.ready(plan.effort) for plan in plans):  # it decodes with another encoder
        return None

    def ready(plan: Plan) -> str:
        return engine.ready(plan.effort) if plan.effort else ""  # where heads are: the utterance's context says so

    clock_of(config).put_back()  # where `assistant calibrate` was killed
    scheduler = Scheduler(
        board_profile(config, plans, tell),
        clock,
        Board(),
        plans=plans,
        policy=open_policy(config),
        objective=lambda: objective(config, clock),
        ready=ready,
        tell=tell,
        keep=lambda profile: _keep(config, profile),
        rest=recognizer.rest if isinstance(recognizer, Resting) else lambda: None,
    )
    scheduler.watch()
    return scheduler


def _keep(config: Config, profile: Profile) -> None:
    """Write corrected estimates down; a full disk costs only that."""
    from assistant.schedule.profile import save

    try:
        save(profile, profile_file(config))
    except StorageError as error:
        log.warning("%s", error)


def configured_plans(config: Config) -> tuple[Plan, ...]:
    """The plans that search no wider than `recognize.beam`; one of exactly that width where no other fits.

    Where a variant of the fused net is configured, all use that.
    """
    from dataclasses import replace

    from assistant.schedule.plans import PLANS, Plan
    from assistant.types import Effort

    r = config.recognize
    fitting = [plan for plan in PLANS if plan.fits(from_sound=True, again=r.again)]
    within = tuple(plan for plan in fitting if plan.effort is None or plan.effort.width <= r.beam)
    if not any(plan.effort for plan in within):
        within = (*within, Plan(f"beam-{r.beam}", Effort(r.beam, r.prune), 1.0))
    return within if config.understand.fused == "on" else tuple(replace(plan, fused="") for plan in within)


def context_plans(config: Config) -> tuple[Plan, ...]:
    """Those of the configured plans that the configured context can use."""
    from assistant.cli.finding import open_context

    context = open_context(config)
    sound, again = _understands_sound(config, context), context.settings.look_again
    return tuple(plan for plan in configured_plans(config) if plan.fits(from_sound=sound, again=again))


def _understands_sound(config: Config, context: Context) -> bool:
    """Whether some bundle understands `context` from sound alone."""
    from assistant.cli.finding import bundle_roots
    from assistant.errors import AssistantError
    from assistant.understand.fused.bundle import bundle_folders
    from assistant.understand.fused.manifest import read_manifest

    for folder in bundle_folders(bundle_roots(config)):
        try:
            manifest = read_manifest(folder)
        except AssistantError:  # whoever opens it will say so
            continue
        if manifest.sound is not None and manifest.context_hash == context.hash:
            return True
    return False


def clock_of(config: Config) -> Clock:
    """The processor's clock, with the note of what to put back beside the profile."""
    from assistant.schedule.frequency import LEFT_OVER, Clock

    return Clock(profile_file(config).with_name(LEFT_OVER))


def spared(config: Config) -> Config:
    """`config` with the cheap rooms: voice activity by webrtc, no delay and sum, and a quick voice where one is chosen.

    The second opinion about a wake word is asked only in doubt, and costs nothing in between: it stays.
    """
    from msgspec.structs import replace

    from assistant.speak.voice import AUTO, installed_voices

    listen = replace(config.listen, vad=QUICK_VAD)
    audio = replace(config.audio, frontend="mean") if config.audio.frontend == "delay_and_sum" else config.audio
    quick = config.speak.voice == AUTO and QUICK_VOICE in installed_voices()
    speak = replace(config.speak, voice=QUICK_VOICE) if quick else config.speak
    return replace(config, listen=listen, audio=audio, speak=speak)


def always_measured(plans: Iterable[Plan]) -> list[str]:
    """The names of those that every calibration measures: sound alone and a second look are only for some contexts."""
    return [plan.name for plan in plans if plan.fits(from_sound=False, again=False)]


def profile_file(config: Config) -> Path:
    """Where this board's profile is kept."""
    from assistant.folders import folders
    from assistant.schedule.profile import FILE

    return folders(config.paths).state / FILE


def board_profile(config: Config, plans: tuple[Plan, ...], tell: Callable[[str], None] = log.warning) -> Profile:
    """The measured profile, or estimates where there is none, it is damaged, or of another board; `tell` says so."""
    from assistant.schedule import profile as profiles
    from assistant.schedule.priors import completed, estimate

    now = profiles.this_board(threads=config.recognize.threads)
    names = always_measured(plans)
    try:
        found = profiles.load(profile_file(config))
    except StorageError as error:
        tell(f"{error}; until then estimates are used")
        return estimate(plans, now)
    if found is None:
        log.info("this board was never measured (`assistant calibrate`): estimates are used")
        return estimate(plans, now)
    if profiles.foreign(found, now) or not set(names) & set(found.costs):
        tell(f"the profile is of another board ({found.identity.board}); run `assistant calibrate`; estimates are used")
        return estimate(plans, now)
    reasons = profiles.stale(found, now, names)
    if reasons:
        log.info("the profile is stale (%s): `assistant calibrate` measures again", "; ".join(reasons))
    return completed(found, plans)


def open_policy(config: Config) -> Policy:
    """The configured policy, found by its entry point. Raises PluginError, UsageError."""
    from assistant.schedule.plans import BY_NAME
    from assistant.schedule.policy import Fixed, Greedy, Policy, Slo

    name, plan = config.schedule.policy, config.schedule.plan or ""
    if plan and plan not in BY_NAME:
        raise UsageError(f"there is no plan {plan!r}", where="schedule.plan", remedy=f"choose of: {', '.join(BY_NAME)}")
    ours: dict[str, Policy] = {"slo": Slo(), "greedy": Greedy(), "fixed": Fixed(plan)}
    if name in ours:
        return ours[name]
    found = importlib.metadata.entry_points(group=POLICIES)
    if name not in found.names:
        names = ", ".join(sorted({*ours, *found.names}))
        raise PluginError(f"there is no policy {name!r}", where="schedule.policy", remedy=f"choose one of: {names}")
    policy = found[name].load()()
    if not isinstance(policy, Policy):
        raise PluginError("it has no name, or no method choose", where=f"policy {name}", remedy="see docs/scheduler.md")
    return policy


def objective(config: Config, clock: Time) -> Objective:
    """What is to be kept at this time of day."""
    from assistant.schedule.policy import Objective

    s = config.schedule
    return Objective(
        p95_ms=float(s.p95_ms),
        energy_weight=s.energy_weight,
        max_temperature_c=s.max_temperature_c,
        quiet=s.quiet_hours is not None and within(s.quiet_hours, clock.wall()),
        rest_after_s=60 * s.rest_after_min,
        rest_below_mb=s.rest_below_mb,
    )


def within(hours: str, wall_s: float) -> bool:
    """Whether local time is within "22:00-07:00"."""
    from datetime import datetime

    now = datetime.fromtimestamp(wall_s).astimezone().strftime("%H:%M")
    start, _, end = hours.partition("-")
    return start <= now < end if start <= end else now >= start or now < end
