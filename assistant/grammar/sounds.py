"""How alike two English words sound: letters to phonemes by rule, then an edit distance with articulatory costs.

A small rule set with exceptions is enough to warn an author; it is not a pronunciation dictionary. A distance of about
0.3 is a voicing or neighbouring vowel ("bed", "bet"), 0.7 one lost consonant ("fifteen", "fifty"), 1 a whole phoneme.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

ALIKE = 0.82
"""Words at most this far apart are confused in noise: fifteen/fifty are 0.7 apart, on/off 0.8, on/out 0.81."""
ALIKE_LONG = 1.05
"""The same for words of six phonemes or more, which share the rest: bathroom/bedroom are 1.0 apart."""

LONG_PHONEMES = 6

LOST_CONSONANT = 0.7
LOST_VOWEL = 0.8
LOST_SCHWA = 0.4
UNLIKE = 1.2  # a vowel for a consonant

# Vowels on the chart: (openness, backness), 0 to 1; diphthongs stand where they spend most of their time.
_VOWELS = {
    "i": (0.0, 0.0),  # fleece
    "I": (0.2, 0.2),  # kit
    "e": (0.5, 0.1),  # dress
    "a": (0.9, 0.2),  # trap
    "A": (1.0, 0.8),  # palm
    "Q": (0.9, 0.9),  # lot
    "O": (0.6, 0.9),  # thought
    "U": (0.2, 0.8),  # foot
    "u": (0.0, 0.9),  # goose
    "V": (0.8, 0.6),  # strut
    "@": (0.5, 0.5),  # comma
    "3": (0.5, 0.5),  # nurse
    "1": (0.4, 0.1),  # face
    "2": (0.8, 0.4),  # price
    "4": (0.6, 0.7),  # choice
    "5": (0.5, 0.8),  # goat
    "6": (0.8, 0.7),  # mouth
}
# Consonants: (place from lips 0 to throat 6, manner, voiced).
_CONSONANTS = {
    "p": (0, "stop", 0),
    "b": (0, "stop", 1),
    "m": (0, "nasal", 1),
    "w": (0, "glide", 1),
    "f": (1, "fricative", 0),
    "v": (1, "fricative", 1),
    "T": (2, "fricative", 0),
    "D": (2, "fricative", 1),
    "t": (3, "stop", 0),
    "d": (3, "stop", 1),
    "n": (3, "nasal", 1),
    "s": (3, "fricative", 0),
    "z": (3, "fricative", 1),
    "l": (3, "glide", 1),
    "r": (4, "glide", 1),
    "S": (4, "fricative", 0),
    "Z": (4, "fricative", 1),
    "C": (4, "affricate", 0),
    "J": (4, "affricate", 1),
    "j": (4, "glide", 1),
    "k": (5, "stop", 0),
    "g": (5, "stop", 1),
    "N": (5, "nasal", 1),
    "h": (6, "fricative", 0),
}

_EXCEPTIONS = {
    "a": "@", "the": "D@", "of": "Qv", "off": "Qf", "on": "Qn", "to": "tu", "do": "du", "you": "ju", "my": "m2",
    "one": "wVn", "two": "tu", "four": "fOr", "eight": "1t", "eighteen": "1tin", "eighty": "1ti", "once": "wVns",
    "seven": "sev@n", "seventeen": "sev@ntin", "seventy": "sev@nti", "eleven": "Ilev@n", "hundred": "hVndr@d",
    "is": "Iz", "was": "wQz", "are": "Ar", "what": "wQt", "who": "hu", "have": "hav", "give": "gIv", "get": "get",
    "living": "lIvIN", "color": "kVl@r", "colour": "kVl@r", "water": "wOt@r", "door": "dOr", "floor": "flOr",
    "oven": "Vv@n", "orange": "QrInJ", "blue": "blu", "how": "h6", "now": "n6", "down": "d6n", "brown": "br6n",
    "shower": "S6@r", "tower": "t6@r", "towel": "t6@l", "hour": "6@r", "hours": "6@rz", "bread": "bred",
    "head": "hed", "great": "gr1t", "heart": "hArt", "minute": "mInIt", "minutes": "mInIts", "second": "sek@nd",
    "purple": "p3p@l", "table": "t1b@l", "half": "hAf", "all": "Ol", "small": "smOl", "hall": "hOl", "wall": "wOl",
    "some": "sVm", "come": "kVm", "love": "lVv", "stop": "stQp", "quiet": "kw2@t", "television": "telIvIZ@n",
    "espresso": "espres5", "latte": "lAt1", "mocha": "m5k@", "coffee": "kQfi", "ounce": "6ns", "iced": "2st",
    "red": "red", "bed": "bed", "shed": "Sed", "led": "led",
    "lounge": "l6nJ", "office": "QfIs", "bathroom": "baTrum", "machine": "m@Sin", "garage": "g@rAZ", "fan": "fan",
}  # fmt: skip

# Longest spelling first; "^" begins a word, "$" ends it.
_RULES = tuple(
    (re.compile(pattern), sounds)
    for pattern, sounds in (
        (r"tion$|sion$", "S@n"), (r"ture$", "C@"), (r"ough", "O"), (r"eigh|aigh", "1"), (r"igh", "2"),
        (r"tch", "C"), (r"dge", "J"), (r"(?<![a-z])kn", "n"), (r"(?<![a-z])wr", "r"), (r"(?<![a-z])ps", "s"),
        (r"sch", "sk"), (r"sh", "S"), (r"ch", "C"), (r"th", "T"), (r"ph", "f"), (r"wh", "w"), (r"qu", "kw"),
        (r"ck", "k"), (r"ng$|ng(?=[^aeiou])", "N"), (r"nk", "Nk"), (r"gh", "g"), (r"mb$", "m"),
        (r"ee|ea|ie(?=[a-z])", "i"), (r"oo(?=k)", "U"), (r"oo|ew|ui|ue$", "u"), (r"oa|ow$", "5"), (r"ou|ow", "6"),
        (r"oi|oy", "4"), (r"ai|ay|ei|ey(?=[a-z])", "1"), (r"ey$", "i"), (r"au|aw", "O"), (r"or|ore", "Or"),
        (r"ar", "Ar"), (r"er$|or$|ar$", "@"), (r"er|ir|ur", "3"),
        (r"a(?=[^aeiouywx]e(s|d)?$)", "1"), (r"i(?=[^aeiouyx]e(s|d)?$)", "2"), (r"y(?=[^aeiou]e$)", "2"),
        (r"o(?=[^aeiouywx]e(s|d)?$)", "5"), (r"u(?=[^aeiouyx]e(s|d)?$)", "u"), (r"e(?=[^aeiouywx]e$)", "i"),
        (r"(?<=[td])ed$", "Id"), (r"(?<=[a-z])ed$", "d"), (r"(?<=[sxz])es$|(?<=ch)es$|(?<=sh)es$", "Iz"),
        (r"(?<=[a-z])es$", "z"), (r"le$", "@l"), (r"(?<=[a-z])e$", ""), (r"c(?=[eiy])", "s"), (r"g(?=[eiy])", "J"),
        (r"(?<![a-z])y", "j"), (r"y$", "i"), (r"x", "ks"), (r"c", "k"), (r"j", "J"), (r"q", "k"),
        (r"(?<=[bdgvmnlr])s$", "z"), (r"o$", "5"), (r"a$", "@"), (r"i$", "i"), (r"a", "a"), (r"e", "e"), (r"i", "I"),
        (r"o", "Q"), (r"u", "V"), (r"y", "I"), (r"[bdfghklmnprstvwz]", ""),
    )
)  # fmt: skip


@lru_cache(maxsize=20_000)
def phonemes(word: str) -> str:
    """Phonemes of one English word, one sign each (the keys of the tables above)."""
    word = re.sub(r"[^a-z]", "", word.lower())
    if word in _EXCEPTIONS:
        return _EXCEPTIONS[word]
    if len(word) > 1 and not re.search(r"[aeiouy]", word):
        return "".join(phonemes_of_letter(letter) for letter in word)
    sounds = ""
    at = 0
    while at < len(word):
        for pattern, sound in _RULES:
            match = pattern.match(word, at)
            if match:
                literal = not sound and pattern.pattern.startswith("[")
                said = match[0] if literal else sound
                # A doubled letter is one sound.
                if not (sounds and said == sounds[-1] and word[at - 1] == word[at]):
                    sounds += said
                at = match.end()
                break
        else:
            at += 1
    return sounds


def phonemes_of_letter(letter: str) -> str:
    """How a letter is called, roughly: "b" is "bi"."""
    names = {"f": "ef", "h": "1C", "j": "J1", "k": "k1", "l": "el", "m": "em", "n": "en", "q": "kju", "r": "Ar"}
    names |= {"s": "es", "w": "dVblju", "x": "eks", "z": "zi"}
    return names.get(letter, letter + "i")


def alike(left: str, right: str) -> bool:
    """True if two words are easily taken for each other."""
    long = min(len(phonemes(left)), len(phonemes(right))) >= LONG_PHONEMES
    return distance(left, right) <= (ALIKE_LONG if long else ALIKE)


def distance(left: str, right: str) -> float:
    """Articulatory edit distance of two words; 0 for homophones."""
    return _distance(*sorted((phonemes(left), phonemes(right))))


@lru_cache(maxsize=200_000)
def _distance(left: str, right: str) -> float:
    row = [0.0]
    for sound in right:
        row.append(row[-1] + _lost(sound))
    for sound in left:
        above, row = row, [row[0] + _lost(sound)]
        for column, other in enumerate(right):
            substituted = above[column] + _swapped(sound, other)
            row.append(min(substituted, above[column + 1] + _lost(sound), row[-1] + _lost(other)))
    return row[-1]


@cache
def _swapped(left: str, right: str) -> float:
    if left == right:
        return 0.0
    if left in _VOWELS and right in _VOWELS:
        (open_a, back_a), (open_b, back_b) = _VOWELS[left], _VOWELS[right]
        return 0.1 + 0.5 * float(((open_a - open_b) ** 2 + (back_a - back_b) ** 2) ** 0.5)
    if left in _CONSONANTS and right in _CONSONANTS:
        (place_a, manner_a, voice_a), (place_b, manner_b, voice_b) = _CONSONANTS[left], _CONSONANTS[right]
        return 0.1 * abs(place_a - place_b) + 0.4 * (manner_a != manner_b) + 0.2 * (voice_a != voice_b)
    return UNLIKE


def _lost(sound: str) -> float:
    if sound in _VOWELS:
        return LOST_SCHWA if sound == "@" else LOST_VOWEL
    return LOST_CONSONANT
