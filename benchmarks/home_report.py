"""`assistant bench home`: run the measurements of `benchmarks.home` and print them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assistant.cli.output import progress, styled, table
from benchmarks import home as bench
from benchmarks import home_fit
from benchmarks.home import End

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.recognize.engine import Recognizer


def measure(args: argparse.Namespace, config: Config, recognizer: Recognizer, key: str) -> dict[str, Any]:
    """All of it: text, spoken, single words, foreign speech."""
    from assistant.cli.finding import bundle_finder
    from assistant.grammar.load import load_context
    from assistant.listen.vad import open_vad
    from benchmarks.listening import Listening
    from benchmarks.make_home import make_home
    from benchmarks.store import Store

    folder = make_home(bench.DEVICES, bench.AREAS, args.out / f"home-{bench.DEVICES}")
    context = load_context(folder)
    sentences = bench.sentences_of(args.limit)
    voices = args.voices.split(",")
    results: dict[str, Any] = {
        "devices": bench.DEVICES,
        "areas": bench.AREAS,
        "sentences": len(sentences),
        "voices": voices,
        "text": bench.as_text(context, sentences),
    }
    with progress("compiling the home", None) as advance:
        advance(0)
        home, open_question = bench.open_systems(recognizer, context, key, bundle_finder(config, recognizer)(context))
    listening = Listening(open_vad(config.listen.vad), Store(args.out / "heard"))
    total = len(sentences) * len(voices) * len(bench.CONDITIONS)
    with progress("listening to commands", total) as advance:
        spoken = [*bench.listen(listening, home, sentences, args.out / "voices", advance, voices)]
    if args.fit:
        with progress("fitting", None) as advance:
            advance(0)
            fitted = home_fit.fit(spoken, context)
        home.context = context = fitted.context
        results["fit"] = {"examples": fitted.examples, "paste": fitted.file}
    heard = [bench.judge(*row, context) for row in spoken]
    results |= {"spoken": bench.summary(heard), "errors": bench.errors(heard)}
    results["half_b"] = home_fit.judged(spoken, context)
    with progress("listening to single words", len(bench.single_words(args.limit))) as advance:
        results["words"] = bench.words(listening, home, open_question, args.limit, advance)
    with progress("listening to foreign speech", None) as advance:
        results["foreign"] = bench.foreign(listening, home, args.out / "voices", args.limit, advance)
    return results


def show(doc: Mapping[str, Any], *, errors: bool = False) -> None:
    """Tables for people."""
    results = doc["results"]
    text = results["text"]["right"]
    print(styled(f"\nas text: {text['count']} of {text['n']} sentences right", "bold"))
    for line in results["text"]["wrong"]:
        print(f"  {line}")
    voices = ", ".join(results["voices"])
    print(styled(f"\nspoken by {voices}; {results['devices']} devices in {results['areas']} areas", "bold"))
    _show_ends(results["spoken"])
    print("\nwithout things that no list has (free words)")
    _show_ends({condition: found["without free words"] for condition, found in results["spoken"].items()})
    print("\nonly sentences that nothing was fitted on (half B)")
    _show_ends(results["half_b"])
    print("\nheard strictly, by voice")
    head = ("condition", *results["voices"])
    rows = [
        (condition, *(f"{100 * v['rate']:.1f}" for v in found["by_voice"].values()))
        for condition, found in results["spoken"].items()
    ]
    print(table(head, rows, right=head[1:]))
    _show_others(results)
    if "fit" in results:
        print(styled("\ncalibration.json of the context home", "bold"))
        print(json.dumps(results["fit"]["paste"], indent=1))
    if errors:
        print(styled("\nnot heard strictly", "bold"))
        for e in results["errors"]:
            print(f"  {e['condition']:13} {e['voice']:9} {e['end']:10} “{e['said']}” → “{e['heard']}”")


def _show_ends(spoken: Mapping[str, Any]) -> None:
    """What came of the commands, by condition; the two kinds of bad mistakes where they were counted."""
    kinds = ("opposite heard", "opposite done", "wider heard", "wider done")
    counted = all(kinds[0] in found for found in spoken.values())
    more = ("opposites", "done", "wider", "done") if counted else ()
    head = ("condition", "n", "heard strictly", *(end.value for end in End), *more)
    rows = [
        (
            condition,
            str(found["strict"]["n"]),
            percent(found["strict"]),
            *(f"{100 * found[end.value]['rate']:.1f}" for end in End),
            *(f"{found[kind]['count']}" for kind in (kinds if counted else ())),
        )
        for condition, found in spoken.items()
    ]
    print(table(head, rows, right=head[1:]))


def _show_others(results: Mapping[str, Any]) -> None:
    words = results["words"]
    print(styled("\nreal single words (AN4)", "bold"))
    for word, found in words["heard"].items():
        print(f"  “{word}” heard and accepted where it may be said: {found['count']} of {found['n']}")
    others = words["others_accepted"]
    which = ", ".join(f"{word} {count}" for word, count in others["words"].items())
    print(f"  others accepted: {others['count']} of {others['n']}{f' ({which})' if which else ''}")
    print(styled("\nforeign speech", "bold"))
    head = ("set", "accepted", "%", "done at once")
    rows = [
        (origin, f"{f['accepted']['count']}/{f['accepted']['n']}", percent(f["accepted"]), str(f["done"]["count"]))
        for origin, f in results["foreign"]["sets"].items()
    ]
    print(table(head, rows, right=head[1:]))


def percent(found: Mapping[str, Any]) -> str:
    """A share with its interval."""
    low, high = found["interval"]
    return f"{100 * found['rate']:5.1f} ({100 * low:.1f}–{100 * high:.1f})"


def section(results: Mapping[str, Any]) -> str:
    """The part of docs/figures.md."""
    head = ("condition", "heard strictly %", *(f"{end.value} %" for end in End), "opposites done", "wider done")
    voices, size = ", ".join(results["voices"]), f"{results['devices']} devices in {results['areas']} areas"
    lines = [
        f"{results['sentences']} sentences by {voices}; {size}. As text {results['text']['right']['count']} right.",
        "",
        f"| {' | '.join(head)} |",
        "|---" * len(head) + "|",
    ]
    for condition, found in results["spoken"].items():
        ends = " | ".join(f"{100 * found[end.value]['rate']:.1f}" for end in End)
        listed = found["without free words"]
        counts = " | ".join(str(found[kind]["count"]) for kind in ("opposite done", "wider done"))
        lines.append(f"| {condition} | {percent(found['strict'])} | {ends} | {counts} |")
        ends = " | ".join(f"{100 * listed[end.value]['rate']:.1f}" for end in End)
        lines.append(f"| {condition}, without free words | {percent(listed['strict'])} | {ends} | | |")
    lines += ["", "Of these, sentences that nothing was fitted on (half B):", "", f"| {' | '.join(head)} |"]
    lines.append("|---" * len(head) + "|")
    for condition, found in results["half_b"].items():
        ends = " | ".join(f"{100 * found[end.value]['rate']:.1f}" for end in End)
        counts = " | ".join(str(found[kind]["count"]) for kind in ("opposite done", "wider done"))
        lines.append(f"| {condition} | {percent(found['strict'])} | {ends} | {counts} |")
    words = results["words"]
    said = ", ".join(f"“{word}” {f['count']} of {f['n']}" for word, f in words["heard"].items())
    others, everything = words["others_accepted"], results["foreign"]["sets"]["all"]["accepted"]
    single = f"{said}; others accepted: {others['count']} of {others['n']}"
    lines.append(f"\nReal single words heard where they may be said: {single}.")
    lines.append(f"Foreign speech accepted: {everything['count']} of {everything['n']}.")
    return "\n".join(lines)


def limits(args: argparse.Namespace) -> str:
    """What a quick run left out."""
    parts = [f"{args.limit} of each set"] if args.limit else []
    if args.voices != ",".join(bench.VOICES):
        parts.append(f"voices {args.voices}")
    return "; ".join(parts)
