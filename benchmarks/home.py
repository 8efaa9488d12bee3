"""A home of 200 devices: our own sentences as text and spoken, what is done wrong, what else is taken for commands.

The sentences (home_sentences.yaml) are said by three voices, clean and in kitchen noise. Each has one of four ends:
done right, done wrong, asked back (by the decision, or by the skill that needs to know which device), refused.
Opposites (on/off, open/closed, fifteen/fifty) and commands that became wider than said are counted apart.
"""

from __future__ import annotations

import enum
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.act.devices import Found, resolve
from assistant.grammar.match import matcher_of
from assistant.grammar.test_sentences import Expected, read_expected, run_expected
from assistant.grammar.together import Command, commands
from assistant.grammar.tree import Context, TextList
from assistant.recognize.engine import Recognizer
from assistant.types import Outcome, Transcript
from assistant.understand.answers import Meaning, Pending, answer_context
from assistant.understand.confirm import No, Yes, event_of
from assistant.understand.decide import decide
from assistant.understand.fused.bundle import Bundle
from benchmarks.clips import Speaker, recorded
from benchmarks.conditions import BY_NAME, CLEAN, Room
from benchmarks.flite import FliteSpeaker
from benchmarks.listening import Listening
from benchmarks.recordings import BABBLE_SET, Recording, read_sentences, recordings_of, spread
from benchmarks.scoring import share
from benchmarks.store import transcript_of
from benchmarks.systems import Ours

SENTENCES = Path(__file__).with_name("home_sentences.yaml")
DEVICES, AREAS = 200, 20
VOICES = ("hibari", "flite rms", "flite slt")
CONDITIONS = tuple(BY_NAME[name] for name in ("clean", "kitchen 12 dB", "kitchen 6 dB"))
FOREIGN_SETS = ("so762", BABBLE_SET, "an4")
TEXT_SET, TEXT_SENTENCES = "hwu64", 300
NEAR_EDITS = 3.0
"""A foreign sentence within so many slips of the context is none."""

ANSWERS = {"yes": Yes, "no": No}
STOP = "stop"
OPPOSITES = (
    ("HassTurnOn", "HassTurnOff"),
    ("on", "off"),
    ("open", "closed"),
    ("locked", "unlocked"),
    ("up", "down"),
    ("HassMediaPlayerMute", "HassMediaPlayerUnmute"),
    ("HassMediaPause", "HassMediaUnpause"),
    ("HassPauseTimer", "HassUnpauseTimer"),
    ("HassIncreaseTimer", "HassDecreaseTimer"),
)
TEENS = {tens: tens // 10 + 10 for tens in range(30, 100, 10)}
HOME_SKILL, DIALOGUE_SKILL = "home", "dialogue"

Advance = Callable[[float], None]


class End(enum.Enum):
    """What comes of a spoken command."""

    RIGHT = "done right"
    WRONG = "done wrong"
    ASKED = "asked"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Heard:
    """One spoken command.

    strict: the best meaning is the right one, refusal aside. free: there is a thing in it that no list has.
    """

    voice: str
    condition: str
    expected: Expected
    text: str
    strict: bool
    end: End
    opposite: bool
    wider: bool
    free: bool


def speaker(voice: str, folder: Path) -> Speaker | FliteSpeaker:
    """Whoever speaks with `voice`: "hibari", "espeak", "flite NAME". folder: where sound is kept."""
    name = voice.removeprefix("flite ")
    return FliteSpeaker(name, folder) if name != voice else Speaker(voice, folder)


def as_text(context: Context, sentences: Sequence[Expected]) -> dict[str, Any]:
    """The sentences as they are written: right intent and slots, and which are not."""
    results = run_expected(context, tuple(sentences))
    missing = sorted(set(context.intents) - {item.intent for item in sentences})
    wrong = [str(result) for result in results if not result.passed]
    return {"right": share([result.passed for result in results]), "wrong": wrong, "intents_without": missing}


def listen(
    listening: Listening,
    system: Ours,
    sentences: Sequence[Expected],
    folder: Path,
    advance: Advance,
    voices: Iterable[str] = VOICES,
) -> Iterator[tuple[str, str, Expected, Transcript]]:
    """Every sentence by every voice under every condition: voice, condition, sentence, what was heard."""
    room = Room()
    for voice in voices:
        speaks = speaker(voice, folder)
        for condition in CONDITIONS:
            for sentence in sentences:
                row = listening.hear(system, speaks.clip(sentence.text, condition, room))
                advance(1)
                yield voice, condition.name, sentence, transcript_of(row)


def judge(voice: str, condition: str, expected: Expected, transcript: Transcript, context: Context) -> Heard:
    """What comes of one transcript."""
    u = decide(transcript, context)
    strict = same_meaning(expected.intent or "", expected.slots, u.intent, u.slots)
    if u.outcome is Outcome.REFUSE:
        end = End.REFUSED
    elif u.outcome is Outcome.ASK:
        end = End.ASKED
    elif strict:
        end = End.RIGHT
    else:
        end = End.WRONG if acts(u.intent, u.slots, context) else End.ASKED
    return Heard(
        voice,
        condition,
        expected,
        u.text,
        strict,
        end,
        not strict and is_opposite(expected, u.intent, u.slots),
        not strict and is_wider(expected, u.slots),
        has_free_words(expected, context),
    )


def acts(intent: str, slots: Mapping[str, Any], context: Context) -> bool:
    """Whether accepting this meaning does something at once: the skill neither asks which device nor whether."""
    return any(_acts(command, context) for command in commands(intent, slots))


def _acts(command: Command, context: Context) -> bool:
    action = context.actions.get(command.intent)
    if action is not None and action.skill == DIALOGUE_SKILL:
        return False  # there is nothing that it could follow up
    if action is None or action.skill != HOME_SKILL or context.home is None:
        return True
    if command.slots.get("domain") == "scene":
        return True
    found = resolve(context.home, command.slots)
    return isinstance(found, Found) and not any(device.confirm for device in found.devices)


def same_meaning(intent: str, slots: Mapping[str, Any], other: str, others: Mapping[str, Any]) -> bool:
    """The same intent and exactly the same slots; spaces and hyphens in free words do not matter."""
    return intent == other and {n: _plain(v) for n, v in slots.items()} == {n: _plain(v) for n, v in others.items()}


def is_opposite(expected: Expected, intent: str, slots: Mapping[str, Any]) -> bool:
    """Whether exactly what sounds alike and means the opposite, or another number, was heard in its place."""
    said = {"": expected.intent, **expected.slots}
    got = {"": intent, **slots}
    if said.keys() != got.keys():
        return False
    differ = [(said[name], got[name]) for name in said if _plain(said[name]) != _plain(got[name])]
    return bool(differ) and all(_are_opposites(one, other) for one, other in differ)


def _are_opposites(one: Any, other: Any) -> bool:
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        low, high = sorted((abs(one), abs(other)))
        return TEENS.get(int(high)) == low or (high == 80 and low == 8)
    return (one, other) in OPPOSITES or (other, one) in OPPOSITES


def is_wider(expected: Expected, slots: Mapping[str, Any]) -> bool:
    """Whether a command about one device became one about a room or all, or about a room one about all."""
    for part in ("", "first.", "then."):
        said, got = f"{part}name" in expected.slots, f"{part}name" in slots
        if said and not got and (f"{part}area" in slots or f"{part}floor" in slots or f"{part}domain" in slots):
            return True
        area, heard = expected.slots.get(f"{part}area"), slots.get(f"{part}area")
        if area not in (None, "all") and heard == "all":
            return True
    return False


def has_free_words(expected: Expected, context: Context) -> bool:
    """Whether a thing or name in it is none that the context lists, so that it must be spelt from the sound alone."""
    listed = {
        _plain(value.value)
        for values in context.lists.values()
        if isinstance(values, TextList)
        for value in values.values
    }
    return any(_plain(expected.slots[slot]) not in listed for slot in ("item", "name") if slot in expected.slots)


def _plain(value: Any) -> str:
    return re.sub(r"[\s_-]+", "", str(value)).lower()


def summary(heard: Sequence[Heard]) -> dict[str, Any]:
    """Rates by condition, over all voices and by voice."""
    table: dict[str, Any] = {}
    for condition in dict.fromkeys(h.condition for h in heard):
        rows = [h for h in heard if h.condition == condition]
        by_voice = {v: share([h.strict for h in rows if h.voice == v]) for v in dict.fromkeys(h.voice for h in rows)}
        table[condition] = {
            "strict": share([h.strict for h in rows]),
            "without free words": {
                "strict": share([h.strict for h in rows if not h.free]),
                **{end.value: share([h.end is end for h in rows if not h.free]) for end in End},
            },
            "by_voice": by_voice,
            **{end.value: share([h.end is end for h in rows]) for end in End},
            "opposite heard": share([h.opposite for h in rows]),
            "opposite done": share([h.opposite and h.end is End.WRONG for h in rows]),
            "wider heard": share([h.wider for h in rows]),
            "wider done": share([h.wider and h.end is End.WRONG for h in rows]),
        }
    return table


def errors(heard: Sequence[Heard]) -> list[dict[str, Any]]:
    """Everything that was not heard strictly right."""
    return [
        {"voice": h.voice, "condition": h.condition, "said": h.expected.text, "heard": h.text, "end": h.end.value}
        for h in heard
        if not h.strict
    ]


# -- words and speech that are for nobody ------------------------------------------------------------------------------


def single_words(limit: int | None = None) -> list[Recording]:
    """Recordings of AN4 in which one word is said, and no letter of a spelling."""
    return [r for r in recordings_of("an4", limit) if len(r.text.split()) == 1 and len(r.text) > 1]


def answers(context: Context) -> Context:
    """What may be said while "Did you say: turn on the lamp?" is open."""
    meaning = Meaning("HassTurnOn", {"name": "lamp"}, "turn on the lamp")
    return answer_context(Pending(context, (meaning,), (), "Did you say: turn on the lamp?"))


def words(listening: Listening, home: Ours, open_question: Ours, limit: int | None, advance: Advance) -> dict[str, Any]:
    """Real single words: "stop" in the context, "yes" and "no" while a question is open, all others as they come."""
    room = Room()
    heard: dict[str, list[bool]] = {}
    foreign: Counter[str] = Counter()
    others = 0
    for recording in single_words(limit):
        advance(1)
        word = recording.text.lower()
        system = open_question if word in ANSWERS else home
        clip = recorded(recording, CLEAN, room)
        u = decide(transcript_of(listening.hear(system, clip)), system.context)
        if word in ANSWERS:
            heard.setdefault(word, []).append(isinstance(event_of(u), ANSWERS[word]))
            u = decide(transcript_of(listening.hear(home, clip)), home.context)
        elif word == STOP:
            heard.setdefault(word, []).append(u.accepted and u.intent == "Stop")
            continue
        others += 1
        if u.accepted:
            foreign[word] += 1
    return {
        "heard": {word: share(found) for word, found in sorted(heard.items())},
        "others_accepted": {"count": sum(foreign.values()), "n": others, "words": dict(foreign)},
    }


def foreign(listening: Listening, home: Ours, folder: Path, limit: int | None, advance: Advance) -> dict[str, Any]:
    """Speech for nobody here: accepted, and of these acted on at once, by set."""
    room, context = Room(), home.context
    matcher = matcher_of(context)
    found: dict[str, list[tuple[bool, bool]]] = {}
    examples = []
    clips = [
        (origin, recording.text, recorded(recording, CLEAN, room))
        for origin in FOREIGN_SETS
        for recording in recordings_of(origin, limit)
    ]
    speaks = Speaker("hibari", folder)
    texts = spread(read_sentences(TEXT_SET), min(limit or TEXT_SENTENCES, TEXT_SENTENCES))
    clips += [(TEXT_SET, text, speaks.clip(text, CLEAN, room)) for text in texts]
    for origin, text, clip in clips:
        advance(1)
        if text and matcher.match_within(text, NEAR_EDITS):
            continue
        u = decide(transcript_of(listening.hear(home, clip)), context)
        done = u.accepted and acts(u.intent, u.slots, context)
        found.setdefault(origin, []).append((u.accepted, done))
        if u.accepted:
            examples.append({"set": origin, "said": text, "heard": u.text})
    rows = {origin: _foreign_row(marks) for origin, marks in found.items()}
    rows["all"] = _foreign_row([mark for marks in found.values() for mark in marks])
    return {"sets": rows, "accepted": examples}


def _foreign_row(marks: Sequence[tuple[bool, bool]]) -> dict[str, Any]:
    return {"accepted": share([accepted for accepted, _ in marks]), "done": share([done for _, done in marks])}


def open_systems(recognizer: Recognizer, context: Context, key: str, bundle: Bundle | None = None) -> tuple[Ours, Ours]:
    """The home, and its answers to an open question, each with the recogniser; the home with its fused net, too."""
    return (
        Ours(recognizer, recognizer.prepare(context), key, bundle),
        Ours(recognizer, recognizer.prepare(answers(context)), key),
    )


def sentences_of(limit: int | None = None) -> list[Expected]:
    """Our own sentences; `limit` takes that many, spread over all."""
    return spread(list(read_expected(SENTENCES)), limit)
