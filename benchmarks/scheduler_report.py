"""`assistant bench scheduler`: runs the scenarios, sums them up, prints tables, draws the timeline."""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assistant.cli.assembly import engine_flags
from assistant.cli.output import plain, progress, styled, table
from assistant.cli.settings import load_settings
from assistant.errors import PluginError, UsageError
from benchmarks import scheduler_overhead
from benchmarks.load import Others, limit, load_by
from benchmarks.scheduler_overhead import lines as overhead_lines
from benchmarks.scoring import paired, percentiles, wilson

if TYPE_CHECKING:
    from assistant.schedule.plans import Plan
    from assistant.schedule.profile import Profile
    from assistant.understander import Understander
    from benchmarks.scheduler import Heard, Outcome, Played, Player, Scenario

CONDITIONS = ("kitchen 12 dB", "kitchen 3 dB")
"""Heard in turn: the first is the published level, the second is where plans differ."""
MOMENTS = 90
QUICK_MOMENTS = 40
QUICK_PLANS = ("sound", "beam-1", "beam-2", "beam-4", "beam-8", "beam-16")
CALIBRATED_ON = 8
ROOM_FACTOR = 1.3
"""The objective, over what the dearest plan takes for 95 of 100 utterances when idle: it is just in time on the idle
machine, as 400 ms are on a Raspberry Pi 5 (by its estimate), so that every load makes it late."""
CONTEXT = "barista"
TYPICAL_S = 3.0
WARM_UP = 5
"""Moments of a steady load after which its times are said to be foreseen: a forecast begins with nothing learnt."""


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Calibrate, run all scenarios, sum up."""
    from assistant.cli.assembly import build_understander
    from assistant.recognize.engine import Adjustable
    from assistant.schedule.plans import PLANS
    from benchmarks import scheduler as bench

    config = load_settings(args, {**engine_flags(args), "context": CONTEXT}).config
    understander = build_understander(config)
    if not isinstance(understander.recognizer, Adjustable):
        raise PluginError("needs the engine moonshine", where="bench scheduler", remedy="--engine moonshine")
    sound, again = understander.can_answer_from_sound(understander.context), understander.context.settings.look_again
    fitting = [plan for plan in PLANS if plan.fits(from_sound=sound, again=again)]
    plans = tuple(plan for plan in fitting if not args.quick or plan.name in QUICK_PLANS)
    moments = min(args.limit or MOMENTS, QUICK_MOMENTS if args.quick else MOMENTS)
    heard = _heard(moments + CALIBRATED_ON, config.listen.vad)
    tried, heard = heard[:CALIBRATED_ON], heard[CALIBRATED_ON:]
    profile, calibrated_s = _profile(understander, plans, tried)
    slo_ms = args.p95_ms or 10 * round(ROOM_FACTOR * bench.idle_late_ms(understander, plans[-1], heard) / 10)
    overhead = scheduler_overhead.measure(understander, plans, [utterance for _, utterance, _ in tried])
    if args.overhead:
        return {"slo_ms": slo_ms, "overhead": overhead, "costs": costs_of(profile), "scenarios": {}, "moments": 0}
    found: dict[str, Any] = {}
    chosen = _chosen(bench.scenarios(moments, len(os.sched_getaffinity(0))), args.scenarios)
    with limit() as limited, progress("deciding under load", moments * len(chosen)) as advance:
        others = Others()
        stage = bench.Stage(understander, plans, others, limited)
        try:
            for scenario in chosen:
                if not limited.available and any(load.quota for load in scenario.moments):
                    continue
                played = stage.play(scenario, heard, profile, slo_ms, advance)
                found[scenario.name] = summary(played, slo_ms)
        except KeyboardInterrupt:
            if not found:
                raise
            print("stopped; what was measured before is kept", file=sys.stderr)
        finally:
            others.close()
        limits_set = limited.available
    return {
        "slo_ms": slo_ms,
        "moments": moments,
        "load_by": load_by(),
        "limits": "a control group of its own" if limits_set else "not permitted: those scenarios were left out",
        "calibrated_s": calibrated_s,
        "idle_ms": {name: round(cost.time_ms(3.0), 1) for name, cost in profile.costs.items()},
        "overhead": overhead,
        "costs": costs_of(profile),
        "scenarios": found,
        "all": overall(found),
    }


def costs_of(profile: Profile) -> dict[str, Any]:
    """Each plan's CPU time for a typical utterance, and how many times the cheapest the dearest costs."""
    ms = {name: round(cost.time_ms(TYPICAL_S), 1) for name, cost in profile.costs.items()}
    return {"ms": ms, "dearest_over_cheapest": round(max(ms.values()) / min(ms.values()), 2)}


def _chosen(scenarios: Sequence[Scenario], names: str | None) -> list[Scenario]:
    """The scenarios that were asked for. Raises UsageError for an unknown one."""
    if names is None:
        return list(scenarios)
    known = {scenario.name: scenario for scenario in scenarios}
    wanted = [name.strip() for name in names.split(",")]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UsageError(f"no scenario {unknown[0]!r}", where="--scenarios", remedy=f"choose of: {', '.join(known)}")
    return [known[name] for name in wanted]


def _heard(count: int, vad_name: str) -> list[Heard]:
    """Orders in noise, cut: half at each condition, every other one."""
    from assistant.listen.clip import cut_clip
    from assistant.listen.vad import open_vad
    from benchmarks.clips import recorded
    from benchmarks.conditions import BY_NAME, Room
    from benchmarks.recordings import barista_orders

    room, vad = Room(), open_vad(vad_name)
    found: list[Heard] = []
    with progress("mixing", count) as advance:
        for number, order in enumerate(barista_orders(count)):
            condition = CONDITIONS[number % len(CONDITIONS)]
            clip = recorded(order.recording, BY_NAME[condition], room)
            found.append((order, cut_clip(clip.load(), vad), condition))
            advance(1)
    return found


def _profile(understander: Understander, plans: Sequence[Plan], tried: Sequence[Heard]) -> tuple[Any, float]:
    """This board's profile, by the same code as `assistant calibrate`; and the seconds it took."""
    import time

    from assistant.schedule.board import Board
    from assistant.schedule.calibrate import measure as calibrate
    from assistant.schedule.profile import measured, this_board
    from assistant.types import Utterance

    def run(plan: Plan, utterance: Utterance) -> None:
        understander.hear(utterance, understander.prepared, plan.effort, plan.fused, lambda: False)

    began = time.perf_counter()
    costs = calibrate(plans, [utterance for _, utterance, _ in tried], run, Board()).costs
    return measured(costs, this_board(), time.time()), round(time.perf_counter() - began, 1)


# -- summing up ----------------------------------------------------------------------------------------------------


def summary(played: Played, slo_ms: float) -> dict[str, Any]:
    """A scenario's figures for every policy, the comparison with the best fixed plan, and the timeline."""
    from benchmarks.scheduler import SCHEDULER

    could = [min(outcomes[n].ms for outcomes in played.plans.values()) <= slo_ms for n in range(len(played.moments))]
    rows = {name: _row(player, played, could, slo_ms) for name, player in played.players.items()}
    fixed = [name for name in rows if name.startswith("fixed ")]
    best = max(fixed, key=lambda name: (rows[name]["good"], -rows[name]["busy_s"]))
    scheduler, rival = played.players[SCHEDULER], played.players[best]
    late = [[o.ms > slo_ms for o in player.outcomes] for player in (scheduler, rival)]
    right = [[o.right for o in player.outcomes] for player in (scheduler, rival)]
    good = [[r and not m for r, m in zip(*both, strict=True)] for both in zip(right, late, strict=True)]
    return {
        "steady": played.scenario.steady,
        "possible": sum(could),
        "policies": rows,
        "deadline_answers": played.cut,
        "behind_oracle": rows["oracle"]["accuracy"] - rows[SCHEDULER]["accuracy"],
        "reaction": _reaction(played, could, slo_ms),
        "best_fixed": {
            "policy": best,
            "late": paired(late[1], late[0]),
            "right": paired(right[0], right[1]),
            "good": paired(good[0], good[1]),
        },
        "overhead_ms": percentiles(played.overhead_ms),
        "timeline": _timeline(played),
    }


def _row(player: Player, played: Played, could: Sequence[bool], slo_ms: float) -> dict[str, Any]:
    outcomes = player.outcomes
    misses = [o.ms > slo_ms for o in outcomes]
    avoidable = [m for m, c in zip(misses, could, strict=True) if c]
    first = [o.right for o, c in zip(outcomes, played.conditions, strict=True) if c == CONDITIONS[0]]
    names = [choice.plan.name for choice in player.choices]
    times = percentiles([o.ms for o in outcomes])
    return {
        "miss": sum(misses) / len(misses),
        "miss_possible": sum(avoidable) / max(len(avoidable), 1),
        "misses_possible": sum(avoidable),
        "miss_interval": wilson(sum(avoidable), len(avoidable)),
        "accuracy": sum(o.right for o in outcomes) / len(outcomes),
        "good": sum(o.right and not m for o, m in zip(outcomes, misses, strict=True)) / len(outcomes),
        "accuracy_12db": sum(first) / max(len(first), 1),
        "p50_ms": times["p50"],
        "p95_ms": times["p95"],
        "p99_ms": round(sorted(o.ms for o in outcomes)[math.ceil(0.99 * len(outcomes)) - 1], 1),
        "switches": sum(a != b for a, b in itertools.pairwise(names)),
        "busy_s": round(sum(o.ms for o in outcomes) / 1000, 2),
        "covered": _covered(player, outcomes),
        "foreseen": max(len(outcomes) - WARM_UP, 0),
    }


def _covered(player: Player, outcomes: Sequence[Outcome]) -> float:
    """Share of times within the quantile that was foreseen, once something was learnt."""
    within = [o.ms <= c.forecast.late_ms for o, c in zip(outcomes, player.choices, strict=True)][WARM_UP:]
    return sum(within) / max(len(within), 1)


def _reaction(played: Played, could: Sequence[bool], slo_ms: float) -> dict[str, int]:
    """After each growth of the load: how often the second utterance was in time, where some plan could be."""
    from benchmarks.scheduler import SCHEDULER

    outcomes = played.players[SCHEDULER].outcomes
    second = [n + 1 for n in played.scenario.onsets if n + 1 < len(outcomes) and could[n + 1]]
    return {"onsets": len(second), "second_in_time": sum(outcomes[n].ms <= slo_ms for n in second)}


def _timeline(played: Played) -> dict[str, Any]:
    dearest = [name for name in played.players if name.startswith("fixed ")][-1]
    shown = ("scheduler", "oracle", dearest)
    return {
        "pressure": [m.signals.pressure for m in played.moments],
        "quota": [load.quota for load in played.scenario.moments],
        "celsius": [load.celsius for load in played.scenario.moments],
        "others": [load.cpu + load.memory for load in played.scenario.moments],
        "plan": {name: [c.plan.name for c in played.players[name].choices] for name in shown},
        "right": {name: [o.right for o in played.players[name].outcomes] for name in shown},
        "ms": {name: [round(o.ms, 1) for o in played.players[name].outcomes] for name in shown},
        "late_ms": [round(c.forecast.late_ms, 1) for c in played.players["scheduler"].choices],
        "reasons": [c.reason for c in played.players["scheduler"].choices],
        "speech_s": [round(m.speech_s, 2) for m in played.moments],
        "signals": [dict(m.signals.numbers) for m in played.moments],
        "every_plan": {
            name: {"ms": [round(o.ms, 1) for o in outcomes], "right": [o.right for o in outcomes]}
            for name, outcomes in played.plans.items()
        },
    }


def overall(found: Mapping[str, Any]) -> dict[str, Any]:
    """Over all scenarios, where some plan could be in time: misses by policy; coverage in steady load."""
    policies = next(iter(found.values()))["policies"] if found else {}
    rows = {}
    for name in policies:
        count = sum(s["policies"][name]["misses_possible"] for s in found.values())
        n = sum(s["possible"] for s in found.values())
        rows[name] = {"misses": count, "n": n, "rate": count / max(n, 1), "interval": wilson(count, n)}
    steady = [s["policies"]["slo"] for s in found.values() if s["steady"]]
    foreseen = sum(row["foreseen"] for row in steady)
    within = round(sum(row["covered"] * row["foreseen"] for row in steady))
    return {
        "misses_possible": rows,
        "behind_oracle": {name: round(s["behind_oracle"], 4) for name, s in found.items()},
        "covered_in_steady_load": within / foreseen if foreseen else None,
        "covered_of": foreseen,
        "covered_interval": wilson(within, foreseen),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


# -- showing -------------------------------------------------------------------------------------------------------


def show(doc: Mapping[str, Any]) -> None:
    """Tables for people."""
    results = doc["results"]
    times = ", ".join(f"{name} {ms:.0f}" for name, ms in results["costs"]["ms"].items())
    print(f"CPU ms of {TYPICAL_S:.0f} s of speech: {times}; the dearest is", end=" ")
    print(f"{results['costs']['dearest_over_cheapest']:.1f} times the cheapest")
    print(table(("of the scheduler itself", "", "at most"), overhead_lines(results["overhead"])))
    if not results["scenarios"]:
        return
    print(f"objective {results['slo_ms']:.0f} ms of computing; {results['moments']} utterances a scenario, every other")
    print(f"at 12 and 3 dB; load by {results['load_by']}; limits: {results['limits']}")
    for name, scenario in results["scenarios"].items():
        cut = scenario["deadline_answers"]
        print(styled(f"\n{name}: some plan could be in time in {scenario['possible']} of {results['moments']}", "bold"))
        rows = [
            (
                policy,
                f"{r['miss']:.0%}",
                f"{r['miss_possible']:.1%} ({r['miss_interval'][0]:.0%}–{r['miss_interval'][1]:.0%})",
                f"{r['accuracy']:.1%}",
                f"{r['good']:.1%}",
                f"{r['accuracy_12db']:.1%}",
                f"{r['p50_ms']:.0f} / {r['p95_ms']:.0f} / {r['p99_ms']:.0f}",
                r["switches"],
                f"{r['busy_s']:.1f}",
            )
            for policy, r in scenario["policies"].items()
        ]
        head = (
            "policy",
            "late",
            "avoidably",
            "right",
            "and in time",
            "at 12 dB",
            "p50/95/99 ms",
            "switches",
            "seconds",
        )
        print(table(head, rows, right=head[1:]))
        pair, reaction = scenario["best_fixed"], scenario["reaction"]
        print(f"answered at the deadline: {cut}; against {pair['policy']}: {_pair(pair)}", end="")
        grown = f"; load grew {reaction['onsets']} times, second utterance in time {reaction['second_in_time']}"
        print(grown if reaction["onsets"] else "")
    summed = [
        (name, f"{r['rate']:.1%} ({r['interval'][0]:.1%}–{r['interval'][1]:.1%})", f"{r['misses']}/{r['n']}")
        for name, r in results["all"]["misses_possible"].items()
    ]
    print(styled("\nall scenarios: late although some plan could be in time", "bold"))
    print(table(("policy", "late", ""), summed, right=("late", "")))
    if results["all"]["covered_in_steady_load"] is not None:
        print(f"\nthe 95 % quantile covered {_coverage(results['all'])} in steady load (93 to 97 %)")
    behind = ", ".join(f"{name} {100 * by:+.1f}" for name, by in results["all"]["behind_oracle"].items())
    print(f"points of accuracy behind the oracle (at most 1.5): {behind}")


def _coverage(overall: Mapping[str, Any]) -> str:
    low, high = overall["covered_interval"]
    return f"{overall['covered_in_steady_load']:.1%} of {overall['covered_of']} times ({low:.0%}–{high:.0%})"


def _pair(pair: Mapping[str, Any]) -> str:
    late, right, good = pair["late"], pair["right"], pair["good"]
    return (
        f"late only it {late['only_ours']}, only the scheduler {late['only_theirs']} (p {late['p']:.2g}); "
        f"right only the scheduler {right['only_ours']}, only it {right['only_theirs']} (p {right['p']:.2g}); "
        f"right in time only the scheduler {good['only_ours']}, only it {good['only_theirs']} (p {good['p']:.2g})"
    )


def last_line(results: Mapping[str, Any]) -> None:
    """What programs read: one line of JSON."""
    from benchmarks.scheduler import in_short

    print(json.dumps(plain(in_short(results))))


def section(results: Mapping[str, Any]) -> str:
    """The page of figures."""
    about = (
        f"Objective {results['slo_ms']:.0f} ms of computing; {results['moments']} orders a scenario, every other "
        f"at 12 and at 3 dB of kitchen noise; load by {results['load_by']}; limits: {results['limits']}. Late: of the "
        "moments at which some plan was in time."
    )
    head = "| scenario | policy | late % | right % | p50 / p95 ms | switches |"
    lines = [about, "", head, "|---|---|---|---|---|---|"]
    for name, scenario in results["scenarios"].items():
        best = scenario["best_fixed"]["policy"]
        dearest = [p for p in scenario["policies"] if p.startswith("fixed ")][-1]
        for policy in dict.fromkeys(("scheduler", "slo", "greedy", "oracle", best, dearest)):
            r = scenario["policies"][policy]
            lines.append(
                f"| {name} | {policy}{' (best fixed)' if policy == best else ''} | {100 * r['miss_possible']:.1f} | "
                f"{100 * r['accuracy']:.1f} | {r['p50_ms']:.0f} / {r['p95_ms']:.0f} | {r['switches']} |"
            )
    for policy, r in results["all"]["misses_possible"].items():
        low, high = r["interval"]
        rate = f"{100 * r['rate']:.1f} ({100 * low:.1f}–{100 * high:.1f}), {r['misses']}/{r['n']}"
        lines.append(f"| all | {policy} | {rate} | | | |")
    if "overhead" in results:
        lines += [
            "",
            *(f"- {what}: {value} (at most {most})" for what, value, most in overhead_lines(results["overhead"])),
        ]
        lines += [f"- the dearest plan costs {results['costs']['dearest_over_cheapest']:.1f} times the cheapest"]
    if results["all"].get("covered_in_steady_load") is not None:
        lines += [f"- the 95 % quantile covered {_coverage(results['all'])} in steady load"]
    return "\n".join(lines)
