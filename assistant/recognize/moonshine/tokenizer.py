"""Moonshine's tokenizer: byte-pair pieces in order of merge rank, "▁" for a leading space, byte fallback.

File format (as shipped in the wheel): for each token its length (one byte, two with the high bit set) and its bytes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from assistant.errors import ModelError

SPACE = "\u2581"
START = 1
END = 2
FIRST_BYTE = 3
BYTES = 256


class Tokenizer:
    """Text to token ids and back; ids are merge ranks, so the lowest id merges first."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces
        self._ids: dict[str, int] = {}
        for index in range(FIRST_BYTE + BYTES, len(pieces)):
            self._ids.setdefault(pieces[index].decode("utf-8", "replace"), index)
        self.encode_word = lru_cache(maxsize=20_000)(self._encode_word)

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read tokenizer.bin. Raises ModelError."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError("tokenizer cannot be read", where=str(path), remedy="reinstall the model") from error
        pieces, at = [], 0
        while at < len(data):
            length = data[at]
            at += 1
            if length >= 128:
                length = (data[at] << 7) + (length - 128)
                at += 1
            pieces.append(data[at : at + length])
            at += length
        return cls(pieces)

    def __len__(self) -> int:
        return len(self._pieces)

    def _encode_word(self, word: str, *, glued: bool = False) -> tuple[int, ...]:
        """Canonical tokens of one word; `glued` leaves out the leading space."""
        symbols = list(word if glued else SPACE + word)
        while len(symbols) > 1:
            ranked = [
                (self._ids.get(left + right, len(self._pieces)), index)
                for index, (left, right) in enumerate(itertools.pairwise(symbols))
            ]
            rank, index = min(ranked)
            if rank == len(self._pieces):
                break
            symbols[index : index + 2] = [symbols[index] + symbols[index + 1]]
        ids: list[int] = []
        for symbol in symbols:
            if symbol in self._ids:
                ids.append(self._ids[symbol])
            else:
                ids.extend(FIRST_BYTE + byte for byte in symbol.encode())
        return tuple(ids)

    def can_spell(self, word: str) -> bool:
        """True if `word` needs no byte fallback (letters the recogniser never learnt to write)."""
        return all(token >= FIRST_BYTE + BYTES for token in self.encode_word(word))

    def decode(self, ids: Iterable[int]) -> str:
        """Text of `ids`, without start, end and the leading space."""
        data = b"".join(self._pieces[i] for i in ids if i > END)
        return data.decode("utf-8", "replace").replace(SPACE, " ").strip()

    def begins_word(self, token: int) -> bool:
        """True if `token` starts with a space."""
        return self._pieces[token].startswith(SPACE.encode())

    def is_text(self, token: int) -> bool:
        """True for pieces of words (letters, digits, apostrophe), as a wildcard may hold."""
        if token < FIRST_BYTE + BYTES:
            return False
        text = self._pieces[token].decode("utf-8", "replace").replace(SPACE, "")
        return text.isascii() and all(c.isalnum() or c == "'" for c in text)

    def is_word_piece(self, token: int) -> bool:
        """True for pieces of plain words in lower case."""
        text = self._pieces[token].decode("utf-8", "replace").replace(SPACE, "")
        return self.is_text(token) and text.isalpha() and text.islower()
