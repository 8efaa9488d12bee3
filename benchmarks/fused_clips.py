"""What the fused model is judged on: orders in noise, orders cut in half, orders talked into, and foreign speech."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assistant.grammar.tree import Context
from assistant.listen.vad import VoiceActivity
from benchmarks.clips import Clip, halved, recorded, talked_into
from benchmarks.conditions import BY_NAME, CLEAN, Room
from benchmarks.recordings import BABBLE_SET, Order, barista_orders, in_half_a, recordings_of
from benchmarks.sentences import belongs

ORDER_CONDITIONS = ("clean", "kitchen 12 dB", "kitchen 6 dB", "kitchen 3 dB", "kitchen 0 dB", "babble 6 dB")
HARD_CONDITIONS = ("clean", "kitchen 6 dB")
TAIL_DRAWS = 3
FOREIGN_SETS = ("so762", BABBLE_SET, "an4")
FOREIGN_COUNT = {"so762": 384, BABBLE_SET: 251, "an4": 948}
ORDERS, HALVES, TAILS, FOREIGN = "orders", "halves", "tails", "foreign"


@dataclass(frozen=True, slots=True)
class Case:
    """One clip to judge. kind: ORDERS, HALVES, TAILS or FOREIGN; group: as it is counted; order: its label."""

    clip: Clip
    kind: str
    group: str
    order: Order | None = None

    @property
    def fits(self) -> bool:
        """Whether it belongs to the half that is fitted on."""
        return in_half_a(self.clip.name)


def cases(
    context: Context, vad: VoiceActivity, limit: int | None, labelled: Sequence[Order] | None = None
) -> Iterator[Case]:
    """All of them. labelled: orders of `context`; the recorded ones of the context barista by default."""
    orders = barista_orders(limit) if labelled is None else labelled
    room, others = Room(), recordings_of(BABBLE_SET)
    for name, order in itertools.product(ORDER_CONDITIONS, orders):
        yield Case(recorded(order.recording, BY_NAME[name], room), ORDERS, name, order)
    for name, order in itertools.product(HARD_CONDITIONS, orders):
        condition = BY_NAME[name]
        yield Case(halved(order.recording, condition, room, vad), HALVES, name, order)
        for draw in range(TAIL_DRAWS):
            clip = talked_into(order.recording, condition, room, vad, others, draw)
            yield Case(clip, TAILS, f"{name}, voices {draw + 1}", order)
    for origin in FOREIGN_SETS:
        for recording in recordings_of(origin, limit):
            if not belongs(recording.text, context):
                yield Case(recorded(recording, CLEAN, room), FOREIGN, origin)


def count(limit: int | None, labelled: Sequence[Order] | None = None) -> int:
    """How many there are, at most; for a progress bar."""
    orders = (limit or 261) if labelled is None else len(labelled)
    foreign = sum(min(limit or n, n) for n in FOREIGN_COUNT.values())
    return orders * (len(ORDER_CONDITIONS) + len(HARD_CONDITIONS) * (1 + TAIL_DRAWS)) + foreign
