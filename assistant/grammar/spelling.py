"""How a recogniser, or a hurried typist, may write what was said: digits for words, hyphens for spaces, variants.

`spellings(text)` turns a literal stretch of a template into its alternative writings; meaning never depends on which
one was used. Numbers follow hassil's ranges: whole numbers as words ("twenty five", "twenty-five") and digits ("25").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
VALUES = {word: value for value, word in enumerate(ONES)} | {word: 10 * i for i, word in enumerate(TENS) if i > 1}

MAX_SPELLINGS = 32
"""More alternative writings of one stretch of text than this are cut: they would only slow the beam."""


def number_words(value: int) -> str:
    """English words of a whole number, |value| < one million: 125 is "one hundred twenty five"."""
    if value < 0:
        return f"minus {number_words(-value)}"
    if value < 20:
        return ONES[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return TENS[tens] + (f" {ONES[ones]}" if ones else "")
    if value < 1000:
        hundreds, rest = divmod(value, 100)
        return f"{ONES[hundreds]} hundred" + (f" {number_words(rest)}" if rest else "")
    thousands, rest = divmod(value, 1000)
    return f"{number_words(thousands)} thousand" + (f" {number_words(rest)}" if rest else "")


def number_writings(value: int) -> tuple[str, ...]:
    """All writings of one number, the most usual first: words, hyphenated, "and", "a hundred", digits."""
    words = number_words(value)
    forms = [words]
    hyphened = re.sub(rf"\b({'|'.join(TENS[2:])}) ({'|'.join(ONES[1:10])})\b", r"\1-\2", words)
    forms.append(hyphened)
    if "hundred " in words:
        forms += [form.replace("hundred ", "hundred and ") for form in (words, hyphened)]
    if words.startswith("one hundred"):
        forms += [form.replace("one hundred", "a hundred", 1) for form in tuple(forms)]
    forms.append(str(value))
    return tuple(dict.fromkeys(forms))


def spellings(text: str, variants: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Alternative writings of `text` (leading and trailing spaces kept), itself first.

    variants: the context's own word → writings ("iced" → ("ice",)).
    """
    pieces = [_piece_writings(piece, variants) for piece in _pieces(text)]
    writings = [""]
    for options in pieces:
        writings = [written + option for written in writings for option in options][:MAX_SPELLINGS]
    return tuple(dict.fromkeys(writings))


_NUMBER_WORD = "|".join(sorted(VALUES, key=len, reverse=True))
_PIECE = re.compile(
    rf"(?P<number>\b(?:(?:{'|'.join(TENS[2:])})[ -](?:{'|'.join(ONES[1:10])})|{_NUMBER_WORD}|\d+)\b)"
    r"(?P<unit>[ -](?=[A-Za-z]))?|(?P<word>[^\s]+)|(?P<space>\s+)"
)


def _pieces(text: str) -> Iterator[re.Match[str]]:
    return _PIECE.finditer(text)


def _piece_writings(piece: re.Match[str], variants: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    if piece["number"] is None:
        return (piece[0], *variants.get(piece[0].lower(), ()))
    value = _value(piece["number"])
    numbers = (piece["number"], *variants.get(piece["number"].lower(), ()), *number_writings(value))
    joints = (" ", "-") if piece["unit"] else ("",)
    return tuple(dict.fromkeys(number + joint for number in numbers for joint in joints))


def _value(text: str) -> int:
    if text.isdigit():
        return int(text)
    return sum(VALUES[word] for word in re.split("[ -]", text.lower()))
