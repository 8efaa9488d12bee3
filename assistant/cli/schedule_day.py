"""`assistant schedule simulate`: every policy through a made-up day of a board, or through the recorded utterances."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from assistant.cli.output import print_json, table
from assistant.cli.scheduling import board_profile, context_plans, objective, open_policy
from assistant.errors import InputError, UsageError

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.schedule.plans import Plan
    from assistant.schedule.policy import Policy
    from assistant.schedule.profile import Profile
    from assistant.schedule.simulate import Run

BARS = " ▁▂▃▄▅▆▇█"


def run(args: argparse.Namespace) -> int:
    """Every policy through a made-up day, or through the recorded utterances."""
    from assistant.cli.settings import load_settings
    from assistant.clock import SystemClock
    from assistant.schedule.policy import Fixed, Greedy, Slo
    from assistant.schedule.simulate import Oracle, day, recorded, simulate

    if not 0 < args.hours <= 24 * 31:
        raise UsageError("--hours must be above 0 and at most a month", where="schedule simulate")
    config = load_settings(args).config
    plans = context_plans(config)
    profile = _profile_of(config, plans, args.board)
    goal = objective(config, SystemClock())
    if args.recorded:
        records = recorded_picks(config, 10_000)
        moments = recorded([(r.at, speech_s(r), r.pick) for r in records], profile)
        if not moments:
            raise InputError("no decision with a plan is recorded", where="trace", remedy="let `assistant run` listen")
    else:
        moments = day(args.hours, args.seed)
    cheapest, best = plans[0].name, plans[-1].name
    policies: tuple[Policy, ...] = (
        Slo(),
        Greedy(),
        Fixed(best, f"fixed {best}"),
        Fixed(cheapest, f"fixed {cheapest}"),
        Oracle(),
    )
    chosen = open_policy(config)
    if chosen.name not in ("slo", "greedy", "fixed"):
        policies = (chosen, *policies)
    runs = [simulate(moments, profile, plans, policy, goal) for policy in policies]
    if args.json:
        print_json({"board": profile.identity.board, "utterances": len(moments), "runs": [_run_row(r) for r in runs]})
        return 0
    print(f"{len(moments)} utterances on {profile.identity.board}, decided within {goal.p95_ms:.0f} ms:")
    rows = [
        (
            r.policy,
            f"{r.misses / max(len(moments), 1):.1%}",
            f"{r.avoidable / max(len(moments), 1):.1%}",
            f"{r.accuracy:.2%}",
            r.switches,
            f"{r.busy_s:.1f}",
            f"{r.energy_j:.1f}",
        )
        for r in runs
    ]
    head = ("policy", "late", "avoidably", "accuracy", "switches", "CPU s", "energy J")
    print(table(head, rows, right=head[1:]))
    print(f"\n{runs[0].policy}, plan by plan through the day (darker is dearer):\n{_timeline(runs[0], plans)}")
    return 0


def _profile_of(config: Config, plans: tuple[Plan, ...], board: str | None) -> Profile:
    if board is None:
        return board_profile(config, plans)
    from msgspec.structs import replace

    from assistant.schedule.priors import board_prior, estimate
    from assistant.schedule.profile import this_board

    if not board_prior(board).name:
        raise UsageError(f"no board {board!r} is known", where="--board", remedy="for example: Raspberry Pi 4")
    return estimate(plans, replace(this_board(), board=board))


def _run_row(run: Run) -> dict[str, Any]:
    return {
        "policy": run.policy,
        "misses": run.misses,
        "avoidable": run.avoidable,
        "accuracy": round(run.accuracy, 4),
        "switches": run.switches,
        "busy_s": round(run.busy_s, 2),
        "energy_j": round(run.energy_j, 2),
    }


def _timeline(run: Run, plans: tuple[Plan, ...], columns: int = 96) -> str:
    """One character a stretch of the day: the mean rank of the plans that ran."""
    rank = {plan.name: index for index, plan in enumerate(plans, 1)}
    ranks = [rank[name] for name in run.plans]
    columns = min(columns, len(ranks))
    parts = [ranks[i * len(ranks) // columns : (i + 1) * len(ranks) // columns] for i in range(columns)]
    return "".join(BARS[round(sum(part) / len(part) / len(plans) * (len(BARS) - 1))] for part in parts)


def recorded_picks(config: Config, limit: int) -> list[Any]:
    """The last decisions that the scheduler chose for, oldest first."""
    from assistant.cli.tracing import trace_folder
    from assistant.trace.file import TraceReader

    reader = TraceReader(trace_folder(config))
    try:
        return [r for r in reversed(list(reader.records(limit))) if r.pick is not None and r.utterance is not None]
    finally:
        reader.close()


def speech_s(record: Any) -> float:
    """Length of what was said."""
    return float(record.utterance.speech_end_s - record.utterance.speech_start_s)
