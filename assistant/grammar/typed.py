"""Typed text as the matcher reads it: folded words, where compounds may be joined or split, and likely typing slips.

Case, punctuation, hyphens and apostrophes carry no meaning: "To-Do", "to do" and "todo" are the same two words, "12oz"
is "12" and "oz", "30%" is "30 percent".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from assistant.grammar.spelling import VALUES

SHORT_WORD = 4
"""Words of up to so many letters may be one slip away from what was meant, longer ones MAX_SLIPS."""

MAX_SLIPS = 2

SYMBOLS = {"%": "percent", "&": "and", "+": "plus", "°": "degrees"}
NUMBER_WORDS = frozenset(VALUES) | {"hundred", "thousand", "half", "minus"}

_ATOM = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*|[%&+°]")


@dataclass(frozen=True, slots=True)
class Atom:
    """One folded word and where it stood (start, end: characters of the normalised text)."""

    word: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Typed:
    """A typed text as a small lattice of words.

    text: the text, normalised (NFKC). atoms: its words; position i stands before atom i, len(atoms) is the end.
    edges: from each position, (word, position after it); positions beyond the end lie inside a split compound.
    atom_at: how many atoms are used up at a position, a started one included. words_left: most words that can follow.
    """

    text: str
    atoms: tuple[Atom, ...]
    edges: tuple[tuple[tuple[str, int], ...], ...]
    atom_at: tuple[int, ...]
    words_left: tuple[int, ...]

    @property
    def end(self) -> int:
        """The position after the last word."""
        return len(self.atoms)

    def span(self, start: int, end: int) -> str:
        """The words from position `start` to position `end` as they were typed, punctuation between them included."""
        return self.text[self.atoms[start].start : self.atoms[end - 1].end]


@lru_cache(maxsize=20_000)
def folded(word: str) -> tuple[str, ...]:
    """`word` (of a grammar) as typed words are folded: "To-do" is ("to", "do"); () if it is only punctuation."""
    return tuple(atom.word for atom in _atoms(unicodedata.normalize("NFKC", word)))


def read_typed(text: str, vocabulary: Collection[str], suffixes: Collection[str] = ()) -> Typed:
    """Read `text` over a vocabulary of folded words.

    Neighbours that form a known word are joined ("dish washer"), unknown words that are two known ones are split
    ("livingroom"), and so are words that end in one of `suffixes`, what a grammar writes right behind a list's value.
    """
    text = unicodedata.normalize("NFKC", text)
    atoms = _atoms(text)
    edges: list[list[tuple[str, int]]] = [[(atom.word, at + 1)] for at, atom in enumerate(atoms)] + [[]]
    atom_at = list(range(len(atoms) + 1))
    for at, atom in enumerate(atoms):
        if at + 1 < len(atoms) and atom.word + atoms[at + 1].word in vocabulary:
            edges[at].append((atom.word + atoms[at + 1].word, at + 2))
        for stem, rest in _splits(atom.word, vocabulary, suffixes):
            edges[at].append((stem, len(edges)))
            edges.append([(rest, at + 1)])
            atom_at.append(at + 1)
    left = [0] * len(edges)
    for at in (*reversed(range(len(atoms))), *range(len(atoms) + 1, len(edges))):
        left[at] = max(1 + left[to] if to <= len(atoms) else 2 + left[at + 1] for _, to in edges[at])
    return Typed(text, atoms, tuple(map(tuple, edges)), tuple(atom_at), tuple(left))


def is_number(word: str) -> bool:
    """True for digits and for words that numbers are made of."""
    return word[:1].isdigit() or word in NUMBER_WORDS


class Slips:
    """Words of a vocabulary that a typed word may have been meant for."""

    def __init__(self, vocabulary: Collection[str]) -> None:
        self._vocabulary = frozenset(vocabulary)
        self._by_length: dict[int, list[tuple[int, str]]] = {}
        for word in sorted(self._vocabulary):
            self._by_length.setdefault(len(word), []).append((_letters(word), word))
        self._known: dict[str, tuple[tuple[str, int], ...]] = {}

    def near(self, word: str) -> tuple[tuple[str, int], ...]:
        """Other words within reach and how many slips away each is (letters left out, added, wrong or swapped).

        A number stays the number that was typed. A word that the vocabulary has is at most one slip away from another,
        and never from a number.
        """
        if word not in self._known:
            if len(self._known) > 1000:
                self._known.clear()
            self._known[word] = tuple(self._near(word))
        return self._known[word]

    def _near(self, word: str) -> list[tuple[str, int]]:
        known = word in self._vocabulary
        reach = min(1, _reach(word)) if known else _reach(word)
        letters = _letters(word)
        found = []
        for length in range(max(2, len(word) - reach), len(word) + reach + 1) if reach else ():
            for theirs, other in self._by_length.get(length, ()):
                if (letters ^ theirs).bit_count() > 2 * reach or other == word or (known and is_number(other)):
                    continue
                slips = damerau(word, other)
                if slips <= min(reach, _reach(other)) or (slips == 1 and is_number(other) and other[0].isalpha()):
                    found.append((other, slips))
        return found


def damerau(a: str, b: str) -> int:
    """Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours, 1 each."""
    before, row = list[int](), list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, last, row = row, before, [i]
        for j, y in enumerate(b, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, last[j - 2] + 1)
            row.append(best)
    return row[-1]


def _atoms(text: str) -> tuple[Atom, ...]:
    return tuple(Atom(_fold(found[0]), found.start(), found.end()) for found in _ATOM.finditer(text))


def _fold(piece: str) -> str:
    if piece[0].isdigit():
        return re.sub(r",(?=\d{3}(?!\d))", "", piece)
    return SYMBOLS.get(piece) or piece.casefold().replace("'", "").replace("’", "")


def _splits(word: str, vocabulary: Collection[str], suffixes: Collection[str]) -> list[tuple[str, str]]:
    cuts = [(word[:at], word[at:]) for at in range(1, len(word))]
    known = word in vocabulary
    return [
        (stem, rest)
        for stem, rest in cuts
        if stem in vocabulary
        and (rest in suffixes or (not known and len(stem) > 1 and len(rest) > 1 and rest in vocabulary))
    ]


def _reach(word: str) -> int:
    if len(word) < 2 or is_number(word):
        return 0
    return 1 if len(word) <= SHORT_WORD else MAX_SLIPS


def _letters(word: str) -> int:
    """Which letters a word has, as bits: one slip changes at most two of them."""
    bits = 0
    for letter in word:
        bits |= 1 << (ord(letter) & 63)
    return bits
