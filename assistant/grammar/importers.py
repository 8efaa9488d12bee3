"""Grammars of other systems turned into context folders: Rhino YAML, Home Assistant custom_sentences, CSV.

What has no counterpart here is left out and said in the report's notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assistant.errors import InputError
from assistant.grammar.draft import write_draft
from assistant.grammar.import_csv import read_csv
from assistant.grammar.import_home_assistant import read_home_assistant
from assistant.grammar.import_rhino import read_rhino
from assistant.grammar.load import load_context


@dataclass(frozen=True, slots=True)
class Report:
    """What an import made. notes: what could not be taken over, for the author to look at."""

    folder: str
    format: str
    intents: tuple[str, ...]
    templates: int
    notes: tuple[str, ...]


def import_context(source: Path, out: Path) -> Report:
    """Read `source` (a Rhino .yaml, a folder of Home Assistant sentences, or a .csv) and write the context `out`.

    Raises InputError if the source is none of these, StorageError if `out` holds something already or cannot be
    written, ContextFaults if what was written does not load (the files stay, to be mended).
    """
    if not source.exists():
        raise InputError("there is no such file or folder", where=str(source))
    if source.is_dir():
        kind, draft = "Home Assistant", read_home_assistant(source)
    elif source.suffix.lower() in (".csv", ".tsv", ".txt"):
        kind, draft = "CSV", read_csv(source)
    elif source.suffix.lower() in (".yaml", ".yml"):
        kind, draft = "Rhino", read_rhino(source)
    else:
        raise InputError("is no grammar that can be imported", where=str(source), remedy="give a .yaml, .csv or folder")
    write_draft(draft, out)
    context = load_context(out)
    return Report(str(out), kind, context.intents, len(context.templates), tuple(draft.notes))
