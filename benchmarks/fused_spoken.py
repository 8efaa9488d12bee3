"""Sentences of any context as labelled orders: spoken by two voices that trained no net, kept as files."""

from __future__ import annotations

from pathlib import Path

from assistant.grammar.tree import Context
from benchmarks.conditions import CLEAN, Room
from benchmarks.flite import FliteSpeaker
from benchmarks.recordings import Order, Recording
from benchmarks.sentences import known_sentences

VOICES = ("rms", "slt")
SENTENCES = 200
SEED = 7


def spoken_orders(context: Context, limit: int | None, folder: Path) -> list[Order]:
    """SENTENCES, or `limit`, of `context`, each by one of VOICES in turn. Raises PluginError without flite."""
    room, speakers = Room(), [FliteSpeaker(voice, folder) for voice in VOICES]
    orders = []
    for number, sentence in enumerate(known_sentences(context, limit or SENTENCES, SEED)):
        turn = number % len(VOICES)
        clip = speakers[turn].clip(sentence.text, CLEAN, room)
        clip.load()  # which keeps it as a file
        path = folder / f"flite-{VOICES[turn]}" / clip.name
        orders.append(Order(Recording(path, f"{context.name}, flite", sentence.text), sentence.intent, sentence.slots))
    return orders
