"""The table of verbs: what `assistant --help` prints and which module to import for the one that was asked for.

It imports nothing, so that help is there at once. Each module named here has a function `register(subparsers)` that
adds the parsers of all its verbs, with `parser.set_defaults(run=function)`; `function(args)` returns the exit code or
None for 0.
"""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """One verb: its name, the module that registers it (below assistant.cli) and a line for the overview."""

    name: str
    module: str
    summary: str


class Group(NamedTuple):
    """Verbs that belong together in the overview."""

    title: str
    verbs: tuple[Verb, ...]


GROUPS = (
    Group(
        "Talk to it",
        (
            Verb("run", "run", "listen and answer; without a microphone, a demo"),
            Verb("understand", "understand", "understand sound files or lines of text, one JSON line each"),
            Verb("say", "typed", "understand a typed command"),
            Verb("listen", "run", "hear one command and stop"),
            Verb("repl", "typed", "type commands, one after another"),
        ),
    ),
    Group(
        "Ask it why",
        (
            Verb("doctor", "doctor", "find what is wrong, and say what to do"),
            Verb("why", "why", "explain a decision: what was heard, what competed, where the time went"),
            Verb("forget", "why", "remove decisions from the trace"),
        ),
    ),
    Group(
        "Teach it",
        (
            Verb("context", "context", "make, check, test and calibrate what can be said"),
            Verb("home", "home", "name your areas, devices, scenes and lists, and check them"),
            Verb("skill", "skill", "write a skill of your own"),
        ),
    ),
    Group(
        "See what it keeps",
        (
            Verb("timers", "skill", "list the timers and alarms that are set"),
            Verb("lists", "skill", "show the shopping list and the others"),
        ),
    ),
    Group(
        "Sound",
        (
            Verb("devices", "sound", "list microphones and loudspeakers"),
            Verb("record", "sound", "record from a microphone into a file"),
            Verb("play", "sound", "play a file"),
            Verb("speak", "speak", "speak a text"),
            Verb("wake", "wake", "list, test and try wake words"),
        ),
    ),
    Group(
        "Run it all the time",
        (
            Verb("daemon", "daemon", "run all the time, with a control socket"),
            Verb("service", "service", "start with the system: install, remove, look after"),
            Verb("status", "control", "what the daemon does, and how its parts are"),
            Verb("mute", "control", "let the daemon stop listening"),
            Verb("unmute", "control", "let the daemon listen again"),
            Verb("reload", "control", "let the daemon read its configuration again"),
            Verb("events", "control", "follow what the daemon hears, decides and says"),
            Verb("metrics", "control", "print the daemon's counters in Prometheus' text format"),
        ),
    ),
    Group(
        "Keep it",
        (
            Verb("models", "models", "list, fetch and check models"),
            Verb("calibrate", "schedule", "measure what recognition costs on this board"),
            Verb("schedule", "schedule", "what the scheduler sees, would choose, and makes of a day"),
            Verb("bench", "bench", "measure understanding, refusal, latency, memory and start"),
            Verb("plugins", "skill", "list recognisers, voices, skills, wake words and policies with their state"),
            Verb("config", "config", "show, check and edit the configuration"),
            Verb("completion", "completion", "print a completion script for bash, zsh or fish"),
            Verb("version", "version", "print versions, for a bug report"),
        ),
    ),
)

VERBS = {verb.name: verb for group in GROUPS for verb in group.verbs}

EXAMPLES = (
    ("assistant run", "listen on the default microphone"),
    ("assistant run --context barista --demo", "hear it work without a microphone"),
    ('assistant say "turn on teh kitchen lihgts"', "typed, misspelt, understood"),
    ("assistant understand --jsonl --context barista *.flac", "one line a file, for other programs"),
    ("assistant why last", "why it did that"),
    ("assistant help understand", "all options of one verb"),
)

EXIT_CODES = (
    (0, "it worked"),
    (1, "it did not, as the message says; a check found something; with a traceback: please report it"),
    (2, "the command line makes no sense"),
    (3, "a sound file, text file or stream could not be read"),
    (4, "a context does not load, lint or compile"),
    (5, "the configuration has unknown keys or wrong values"),
    (6, "a model is missing, corrupt or does not fit"),
    (7, "a sound device is absent, busy or gone"),
    (8, "a folder or file cannot be read or written"),
    (9, "a plug-in does not load or misbehaves"),
    (130, "interrupted with Ctrl-C (`assistant run`, once it listens, ends in order with 0)"),
    (141, "the reader of the output went away (a closed pipe)"),
    (143, "ended by SIGTERM while it started, or because ending in order took too long"),
)
