"""A reply's text made fit to be spoken: marks that engines obey are dropped, and it is cut into sentences."""

from __future__ import annotations

import re
import unicodedata

# A reply longer than this is a fault of a template or a skill; a minute and a half of speech is enough to say so.
MAX_TEXT_CHARS = 1_500

# The first sound waits for the first piece: longer sentences are cut at a comma, else at a space.
MAX_SENTENCE_CHARS = 200

CUT_SHORT = " …"

# Brackets carry phonemes in both engines' input; the others are read out as "asterisk", "underscore".
_MARKS = re.compile(r"[\[\]{}<>|\\^~*_#`]+")
_SPACES = re.compile(r"\s+")
_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])[\"”’)]*\s+(?=\S)")
_CLAUSE_END = re.compile(r"(?<=[,;:—])\s+")

# "Dr. Smith", "at 7 p.m. today": a full stop after these ends no sentence.
_ABBREVIATIONS = frozenset({"dr", "mr", "mrs", "ms", "prof", "st", "no", "vs", "etc", "a.m", "p.m", "e.g", "i.e"})

# Unicode categories that have no sound: emoji and other symbols (So), controls, surrogates, unassigned, private use,
# and modifier symbols (skin tones).
_SILENT_CATEGORIES = frozenset({"So", "Sk", "Cc", "Cf", "Cs", "Cn", "Co"})
_SPOKEN_SYMBOLS = frozenset("°℃℉")


def speakable(text: str) -> str:
    """`text` without emoji, controls and marks, spaces single, at most MAX_TEXT_CHARS; "" if no letter is left."""
    text = unicodedata.normalize("NFC", text[: MAX_TEXT_CHARS * 4])
    kept = "".join(" " if _silent(char) else char for char in text)
    kept = _SPACES.sub(" ", _MARKS.sub(" ", kept)).strip()
    if not any(char.isalnum() for char in kept):
        return ""
    if len(kept) > MAX_TEXT_CHARS:
        room = MAX_TEXT_CHARS - len(CUT_SHORT)
        space = kept.rfind(" ", room // 2, room)
        kept = kept[: space if space > 0 else room] + CUT_SHORT
    return kept


def sentences(text: str) -> list[str]:
    """`text` (as `speakable` returns it) cut where a speaker pauses, none longer than MAX_SENTENCE_CHARS.

    Joined by spaces the pieces give the text back.
    """
    pieces: list[str] = []
    start = 0
    for end in _SENTENCE_END.finditer(text):
        if _ends_sentence(text[start : end.start()], text[end.end()]):
            pieces.append(text[start : end.end()].rstrip())
            start = end.end()
    pieces.append(text[start:])
    return [part for piece in pieces if piece for part in _short(piece)]


def _silent(char: str) -> bool:
    return char not in _SPOKEN_SYMBOLS and unicodedata.category(char) in _SILENT_CATEGORIES


def _ends_sentence(before: str, next_char: str) -> bool:
    if not before.endswith(".") or next_char.islower():
        return not next_char.islower()
    word = before[:-1].rsplit(" ", 1)[-1].lower()
    return word not in _ABBREVIATIONS and not (len(word) == 1 and word.isalpha())


def _short(sentence: str) -> list[str]:
    if len(sentence) <= MAX_SENTENCE_CHARS:
        return [sentence]
    pieces: list[str] = []
    line = ""
    for clause in _CLAUSE_END.split(sentence):
        for word in [clause] if len(clause) <= MAX_SENTENCE_CHARS else _words(clause):
            if line and len(line) + 1 + len(word) > MAX_SENTENCE_CHARS:
                pieces.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
    return [*pieces, line]


def _words(clause: str) -> list[str]:
    """Words, themselves cut when absurdly long (a URL, a hash)."""
    return [
        word[cut : cut + MAX_SENTENCE_CHARS]
        for word in clause.split(" ")
        for cut in range(0, max(len(word), 1), MAX_SENTENCE_CHARS)
    ]
