"""`assistant calibrate`: measures what the plans cost on this board, at the clocks that may be set, and keeps it."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli.assembly import add_engine_options, engine_flags
from assistant.cli.output import add_json_option, examples, print_json, progress, table
from assistant.cli.scheduling import clock_of, profile_file
from assistant.errors import InputError, PluginError, UsageError

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.grammar.tree import Context
    from assistant.schedule.calibrate import Measured
    from assistant.schedule.plans import Plan
    from assistant.schedule.profile import Profile
    from assistant.schedule.scheduler import Calibrate
    from assistant.types import Utterance
    from assistant.understander import Understander

SENTENCES = 24
IDLE_SENTENCES = 8

log = logging.getLogger(__name__)


def register(subparsers: Any) -> None:
    """Add `calibrate`."""
    calibrate = subparsers.add_parser(
        "calibrate",
        help="measure what the plans cost on this board",
        description="Measure what every plan costs on this board, in less than three minutes: a voice speaks sentences "
        "of the context. (`assistant context calibrate` fits how a context is heard.)",
        epilog=examples("assistant calibrate", "assistant calibrate --dry-run --json"),
    )
    add_engine_options(calibrate)
    calibrate.add_argument("--recordings", type=Path, metavar="FOLDER", help="your own recordings instead of a voice")
    calibrate.add_argument(
        "--limit", type=int, default=SENTENCES, metavar="N", help=f"utterances (default {SENTENCES})"
    )
    calibrate.add_argument("--dry-run", action="store_true", help="print, write nothing")
    add_json_option(calibrate)
    calibrate.set_defaults(run=_calibrate)


def _calibrate(args: argparse.Namespace) -> int:
    from assistant.cli.assembly import build_understander
    from assistant.cli.settings import load_settings
    from assistant.schedule.profile import save

    if args.limit < 4:
        raise UsageError("--limit must be 4 or more", where="calibrate")
    config = load_settings(args, engine_flags(args)).config
    clock_of(config).put_back()  # what another run that was killed left
    understander = build_understander(config)
    utterances = _utterances(config, understander.context, args)
    profile, found = _measured(config, understander, utterances, lambda: None)
    path = profile_file(config)
    if not args.dry_run:
        save(profile, path)
    if args.json:
        print_json(profile)
        return 0
    print(f"{profile.identity.board}: {found.n} utterances, {len(found.costs)} plans")
    rows = [
        (name, f"{c.base_ms:.1f} + {c.per_s_ms:.1f} a second of speech", f"±{c.spread:.0%}", f"{c.energy_mj:.0f}")
        for name, c in found.costs.items()
    ]
    energy = "mJ a second" if found.watts is not None else "mJ a second (estimated)"
    print(table(("plan", "milliseconds", "spread", energy), rows, right=("spread", energy)))
    for slower in profile.clocks:
        print(f"at {slower.share:.0%} of the clock everything takes {slower.factor:.2f} times as long")
    if not profile.clocks:
        print("the clock may not be changed here (or has one step): lower ones are reckoned by their ratio")
    print("nothing was written" if args.dry_run else f"written to {path}")
    return 0


def idle_calibration(config: Config, understander: Understander) -> Calibrate:
    """What measures this board while nobody speaks: a few sentences by the voice, given up when somebody does."""
    from assistant.errors import AssistantError

    class Spoken(Exception):
        pass

    def calibrate(stop: Callable[[], bool]) -> Profile | None:
        def go_on(_amount: float = 0.0) -> None:
            if stop():
                raise Spoken

        try:
            utterances = _spoken(config, understander.context, IDLE_SENTENCES, go_on)
            return _measured(config, understander, utterances, go_on)[0]
        except Spoken:
            log.info("measuring this board was broken off: somebody speaks")
        except AssistantError as error:
            log.warning("this board could not be measured: %s", error)
        return None

    return calibrate


def _measured(
    config: Config, understander: Understander, utterances: list[Utterance], before_each: Callable[[], None]
) -> tuple[Profile, Measured]:
    """Every plan that this engine and context have, then the cheapest and the dearest at lower clocks."""
    from assistant.daemon.remote import RemoteRecognizer
    from assistant.recognize.engine import Adjustable
    from assistant.schedule.board import Board
    from assistant.schedule.calibrate import measure, measure_clocks
    from assistant.schedule.plans import PLANS
    from assistant.schedule.priors import board_prior
    from assistant.schedule.profile import measured, this_board

    u, engine = understander, understander.recognizer
    if not isinstance(engine, Adjustable):
        raise PluginError(f"{engine.name} cannot be adjusted", where="calibrate", remedy="use the engine moonshine")

    def run(plan: Plan, utterance: Utterance) -> None:
        before_each()
        u.hear(utterance, u.prepared, plan.effort, plan.fused, lambda: False)

    sound, again = u.can_answer_from_sound(u.context), u.context.settings.look_again and config.recognize.again
    fitting = [plan for plan in PLANS if plan.fits(from_sound=sound, again=again)]
    plans = [plan for plan in fitting if plan.effort is None or not engine.ready(plan.effort)]
    identity, board = this_board(threads=config.recognize.threads), Board()
    one_thread = config.recognize.threads == 1 and not isinstance(engine, RemoteRecognizer)
    watts = board_prior(identity.board).watts
    with progress("measuring", len(utterances)) as advance:
        found = measure(plans, utterances, run, board, one_thread=one_thread, typical_w=watts, advance=advance)
    timer = time.thread_time if one_thread else time.perf_counter
    clocks = measure_clocks(clock_of(config), plans, utterances, run, board, timer=timer)
    return measured(found.costs, identity, time.time(), clocks), found


def _utterances(config: Config, context: Context, args: argparse.Namespace) -> list[Utterance]:
    """Recordings, or sentences of the context by the voice, cut as the assistant would cut them."""
    from assistant.cli.calibrate import _read
    from assistant.listen.clip import cut_clip
    from assistant.listen.vad import open_vad

    if args.recordings is not None:
        vad, kinds = open_vad(config.listen.vad), (".wav", ".flac", ".ogg", ".mp3")
        paths = sorted(path for path in args.recordings.rglob("*") if path.suffix.lower() in kinds)[: args.limit]
        if len(paths) < 4:
            raise InputError("fewer than four recordings", where=str(args.recordings), remedy="record some commands")
        return [cut_clip(_read(path), vad) for path in paths]
    with progress("speaking", args.limit) as advance:
        return _spoken(config, context, args.limit, advance)


def _spoken(config: Config, context: Context, count: int, advance: Callable[[float], None]) -> list[Utterance]:
    """Sentences of the context by the voice."""
    from assistant.cli.spoken import spoken
    from assistant.folders import folders, usable_cache
    from assistant.grammar.sample import sample
    from assistant.listen.clip import cut_clip
    from assistant.listen.vad import open_vad
    from assistant.speak.speech import Speech
    from assistant.speak.voice import choose_voice

    vad, utterances = open_vad(config.listen.vad), []
    cache = usable_cache(folders(config.paths).cache) / "phrases"
    speech = Speech(choose_voice("auto", language=context.settings.language), folder=cache)
    for number, sentence in enumerate(sample(context, count, seed=3)):
        utterances.append(cut_clip(spoken(speech, sentence.text, seed=number), vad))
        advance(1)
    return utterances
