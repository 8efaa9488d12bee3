"""What a context costs by its size: read, drawn from, matched against, compiled, each in a process of its own.

    python -m convert.scaling --sentences 1000 10000 --forms written list template

written: every sentence is a line of its own; list: one sentence with a list of so many values; template: lists of
100 values that combine to so many sentences. Prints a JSON line a measurement: seconds of processor time a step, the
peak of memory, and the error where a step refuses. A step that takes longer than --limit is given up.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from assistant.errors import AssistantError
from assistant.folders import folders
from assistant.grammar.load import load_context
from assistant.grammar.match import matcher_of
from assistant.recognize.moonshine.engine import MoonshineOptions, open_model
from assistant.recognize.moonshine.grammar import compile_grammar
from convert.synthesize import balanced

FORMS = ("written", "list", "template")
SIZES = (1_000, 10_000, 100_000, 1_000_000)
DRAWN = 1000
MATCHED = 20
LIST_VALUES = 100
SYLLABLES = "ba be bi bo bu da de di do du ka ke ki ko ku la le li lo lu ma me mi mo mu na ne ni no nu ra re ri".split()


def write_context(folder: Path, form: str, sentences: int) -> None:
    """Write a context in which so many sentences can be said."""
    (folder / "sentences").mkdir(parents=True)
    file = folder / "sentences" / "all.yaml"
    if form == "written":
        lines = "".join(f'          - "{text}"\n' for text in _texts(sentences))
        lists = ""
    else:
        each = [sentences] if form == "list" else _factors(sentences)
        slots = " then ".join(f"{{slot{i}}}" for i in range(len(each)))
        lines = f'          - "bring {slots}"\n'
        lists = "\nlists:\n" + "".join(
            f"  slot{i}:\n    values:\n" + "".join(f'      - "{text}"\n' for text in _texts(size, i))
            for i, size in enumerate(each)
        )
    file.write_text(f"language: en\nintents:\n  bring:\n    data:\n      - sentences:\n{lines}{lists}")


def measure(folder: Path, tell: Callable[[str, Any], None]) -> None:
    """Every step on the context in `folder`, told as soon as it is done."""

    def step(name: str, work: Callable[[], Any]) -> Any:
        began = time.process_time()
        done = work()
        tell(name, round(time.process_time() - began, 3))
        tell("peak_mb", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000)
        return done

    model = open_model(MoonshineOptions(folders().cache))
    context = step("load", lambda: load_context(folder))
    drawn = step("draw", lambda: balanced(context, DRAWN, 0))
    matcher = step("prepare to match", lambda: matcher_of(context))
    step("match", lambda: [matcher.match(found.text) for found in drawn[:MATCHED]])
    compiled = step("compile", lambda: compile_grammar(context, model))
    tell("states", len(compiled.acceptor))


def run(form: str, sentences: int, limit_s: float) -> dict[str, Any]:
    """One measurement, in a process of its own."""
    found: dict[str, Any] = {"form": form, "sentences": sentences}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / f"{form}-{sentences}"
        write_context(folder, form, sentences)
        found["file_mb"] = round((folder / "sentences" / "all.yaml").stat().st_size / 1e6, 2)
        command = [sys.executable, "-m", "convert.scaling", "--measure", str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            try:
                out, _ = child.communicate(timeout=limit_s)
            except subprocess.TimeoutExpired:
                child.kill()
                out, _ = child.communicate()
                found["gave_up_after_s"] = limit_s
    for line in out.splitlines():
        found |= json.loads(line)
    return found


def _texts(count: int, seed: int = 0) -> Iterator[str]:
    """So many different wordings of two to five made-up words of a vocabulary of 1,000."""
    rng = random.Random(seed)
    words = ["".join(rng.choices(SYLLABLES, k=rng.randint(2, 3))) for _ in range(1000)]
    seen: set[str] = set()
    while len(seen) < count:
        text = " ".join(rng.choices(words, k=rng.randint(2, 5)))
        if text not in seen:
            seen.add(text)
            yield text


def _factors(sentences: int) -> list[int]:
    """Sizes of lists that combine to so many sentences."""
    sizes = []
    while sentences > LIST_VALUES:
        sizes.append(LIST_VALUES)
        sentences //= LIST_VALUES
    return [*sizes, sentences]


def _told(name: str, value: Any) -> None:
    print(json.dumps({name: value}), flush=True)


def main(argv: list[str] | None = None) -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m convert.scaling", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sentences", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for a measurement (600)")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.measure is not None:
        try:
            measure(arguments.measure, _told)
        except AssistantError as error:
            _told("refused", str(error))
        return
    for form in arguments.forms:
        for sentences in arguments.sentences:
            print(json.dumps(run(form, sentences, arguments.limit)), flush=True)


if __name__ == "__main__":
    main()
