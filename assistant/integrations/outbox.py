"""What waits for a broker: which messages are kept, superseded, too old, or in the way; and the file that keeps them.

A retained message is a state: only the newest of its topic is kept, however long it waits. Any other is an event: late
ones would turn a lamp on that nobody wants any more, so that they are dropped once they have waited for `keep_s`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from assistant.act.database import Database
from assistant.act.keep import open_kept

FILE = "outbox.db"
MOST_WAITING = 1_000
"""More are not kept: the oldest events make room, then the oldest states."""

MIGRATIONS = (
    """
    CREATE TABLE outbox (
        number INTEGER PRIMARY KEY,
        topic TEXT NOT NULL,
        payload BLOB NOT NULL,
        retain INTEGER NOT NULL,
        at REAL NOT NULL
    ) STRICT
    """,
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message to publish. retain: it is a state, which the broker gives to whoever comes later."""

    topic: str
    payload: bytes
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that was not acknowledged yet. number: its place in the order. at: wall clock, seconds."""

    number: int
    message: Message
    at: float


Queue = tuple[Waiting, ...]


def admitted(queue: Queue, new: Waiting, keep_s: float, most: int = MOST_WAITING) -> Queue:
    """The queue with `new` at its end, without what that makes needless."""
    kept = (waiting for waiting in queue if not _superseded(waiting.message, new.message))
    return shortened(fresh((*kept, new), new.at, keep_s), most)


def fresh(queue: Queue, now: float, keep_s: float) -> Queue:
    """The queue without events that waited too long, or that a clock set back makes look as if they were to come."""
    return tuple(waiting for waiting in queue if waiting.message.retain or 0 <= now - waiting.at <= keep_s)


def shortened(queue: Queue, most: int) -> Queue:
    """At most `most` of the queue, in order: states before events, newer before older."""
    if len(queue) <= most:
        return queue
    ranked = sorted(queue, key=lambda waiting: (waiting.message.retain, waiting.number), reverse=True)
    best = {waiting.number for waiting in ranked[:most]}
    return tuple(waiting for waiting in queue if waiting.number in best)


def without(queue: Queue, numbers: Iterable[int]) -> Queue:
    """The queue after these were acknowledged."""
    gone = frozenset(numbers)
    return tuple(waiting for waiting in queue if waiting.number not in gone)


class OutboxFile:
    """The queue on the disk, so that it outlives the process.

    folder: made if need be; None, or one that cannot be written: only in memory. Raises StorageError for a damaged one.
    """

    def __init__(self, folder: Path | None) -> None:
        self._database: Database = open_kept(folder, FILE, MIGRATIONS).database
        self._written: dict[int, Waiting] = {waiting.number: waiting for waiting in self.load()}

    def load(self) -> Queue:
        """What the file holds, in order."""
        rows = self._database.rows("SELECT number, topic, payload, retain, at FROM outbox ORDER BY number")
        return tuple(
            Waiting(row["number"], Message(row["topic"], bytes(row["payload"]), bool(row["retain"])), row["at"])
            for row in rows
        )

    def save(self, queue: Queue) -> None:
        """Make the file hold exactly `queue`; nothing is written where it does already. Raises StorageError."""
        wanted = {waiting.number: waiting for waiting in queue}
        gone = [number for number in self._written if self._written[number] != wanted.get(number)]
        new = [waiting for number, waiting in wanted.items() if self._written.get(number) != waiting]
        if not gone and not new:
            return
        with self._database.transaction() as connection:
            connection.executemany("DELETE FROM outbox WHERE number = ?", [(number,) for number in gone])
            connection.executemany(
                "INSERT INTO outbox VALUES (?, ?, ?, ?, ?)",
                [(w.number, w.message.topic, w.message.payload, int(w.message.retain), w.at) for w in new],
            )
        self._written = wanted

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _superseded(old: Message, new: Message) -> bool:
    return old.retain and new.retain and old.topic == new.topic
