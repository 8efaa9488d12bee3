"""Lines of `sentence;intent` as a draft context; `[words](slot)` marks a slot, a heading may stand above.

turn on the [desk lamp](name);SwitchOn
what time is it;GetTime
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

from assistant.errors import InputError
from assistant.grammar.draft import Draft, escape

_MARKED_SLOT = re.compile(r"\[([^\]]+)\]\(([\w.]+)\)")


def read_csv(path: Path) -> Draft:
    """Read lines `sentence;intent`, separated by semicolon, comma or tab; `[words](slot)` marks a slot."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path), remedy="save it as UTF-8") from None
    lines = text.splitlines()
    separator = max(";\t,", key=lambda sign: sum(line.count(sign) == 1 for line in lines))
    draft = Draft(path.stem)
    for number, row in enumerate(csv.reader(io.StringIO(text), delimiter=separator), start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or (number == 1 and cells[1:2] == ["intent"]):
            continue
        if len(cells) < 2 or not cells[0] or not cells[1]:
            raise InputError(
                "needs a sentence and an intent", where=f"{path}:{number}", remedy=f"sentence{separator}intent"
            )
        _csv_sentence(draft, cells[0], cells[1])
    if not draft.intents:
        raise InputError("has no sentences", where=str(path))
    return draft


def _csv_sentence(draft: Draft, sentence: str, intent: str) -> None:
    slots: dict[str, Any] = {}
    template = ""
    at = 0
    for mark in _MARKED_SLOT.finditer(sentence):
        words, slot = mark[1].strip(), mark[2]
        slots[slot] = words
        values = draft.lists.setdefault(slot, {"values": []})["values"]
        if escape(words) not in values:
            values.append(escape(words))
        template += escape(sentence[at : mark.start()]) + f"{{{slot}}}"
        at = mark.end()
    template = " ".join((template + escape(sentence[at:])).rstrip(" .?!").split())
    group = draft.intents.setdefault(intent, [{"sentences": []}])[0]
    if template not in group["sentences"]:
        group["sentences"].append(template)
    spoken = _MARKED_SLOT.sub(lambda match: match[1], sentence).rstrip(" .?!")
    draft.tests.append({"text": spoken, "intent": intent, **({"slots": slots} if slots else {})})
