"""Shopping and to-do lists, kept in a file that outlives the process and the power.

What was answered "added" is on the disk before it is said. An item that is not there is asked about, never guessed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from assistant.act.database import Database
from assistant.act.keep import open_kept
from assistant.act.skill import Option, Question, Request, Result, Services, asked, confirm, failed, operation
from assistant.act.when import spoken_list

FILE = "lists.db"
SHOPPING = "shopping"
LONGEST_ITEM_WORDS = 30
LONGEST_ITEM = 200
"""Characters."""

MOST_ITEMS = 500
"""On one list; of those that are ticked off the oldest are forgotten first."""

MOST_READ = 20
"""More are counted, not read out."""

NEAR = 0.7
"""How alike (difflib's ratio, 0..1) an item must be to be asked about."""

MIGRATIONS = (
    """
    CREATE TABLE items (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        list TEXT NOT NULL,
        text TEXT NOT NULL,
        done INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX items_of_list ON items (list)
    """,
)

OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        "HassShoppingListAddItem": "add",
        "HassShoppingListCompleteItem": "complete",
        "HassShoppingListRemoveItem": "remove",
        "HassListAddItem": "add",
        "HassListCompleteItem": "complete",
        "HassListRemoveItem": "remove",
        "ShoppingListRead": "read",
        "ShoppingListClear": "clear",
        "ListRead": "read",
        "ListClear": "clear",
    }
)


@dataclass(frozen=True, slots=True)
class Item:
    """One entry; done: it was ticked off and is no longer read out."""

    id: int
    list: str
    text: str
    done: bool


class ListStore:
    """The items in a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def items(self, name: str) -> tuple[Item, ...]:
        """The items of one list, oldest first. Raises StorageError."""
        rows = self.database.rows("SELECT * FROM items WHERE list = ? ORDER BY id", (name,))
        return tuple(Item(row["id"], row["list"], row["text"], bool(row["done"])) for row in rows)

    def names(self) -> tuple[str, ...]:
        """The lists that have items."""
        return tuple(row[0] for row in self.database.rows("SELECT DISTINCT list FROM items ORDER BY list"))

    def add(self, name: str, text: str) -> Item:
        """A new item, at the end."""
        with self.database.transaction() as connection:
            row = connection.execute("INSERT INTO items (list, text) VALUES (?, ?)", (name, text))
            return Item(row.lastrowid or 0, name, text, done=False)

    def put(self, items: tuple[Item, ...]) -> None:
        """Items as they are given, each in its old place."""
        with self.database.transaction() as connection:
            rows = [(item.id, item.list, item.text, int(item.done)) for item in items]
            connection.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)", rows)

    def remove(self, items: tuple[Item, ...]) -> None:
        """Forget these."""
        with self.database.transaction() as connection:
            connection.executemany("DELETE FROM items WHERE id = ?", [(item.id,) for item in items])


class Lists:
    """The skill. The slot `name`, or the parameter `list`, says which list; without either it is the shopping list."""

    name = "lists"
    reversible = True

    def __init__(self) -> None:
        self._notice = ""

    def start(self, services: Services) -> None:
        """Open the file."""
        kept = open_kept(services.state, FILE, MIGRATIONS)
        self.store, self._notice = ListStore(kept.database), kept.notice

    def stop(self) -> None:
        """Close the file."""
        self.store.database.close()

    def handle(self, request: Request) -> Result:
        handlers: dict[str, Callable[[Request, str], Result]] = {
            "add": self._add,
            "complete": lambda request, name: self._with_item(request, name, self._complete),
            "remove": lambda request, name: self._with_item(request, name, self._remove),
            "read": self._read,
            "clear": self._clear,
        }
        handler = handlers.get(operation(request, OPERATIONS))
        if handler is None:
            return failed("I don't know what to do with lists then.", "unknown")
        return handler(request, list_name(request))

    def _add(self, request: Request, name: str) -> Result:
        text = " ".join(str(request.slots.get("item") or "").split())
        if not text:
            return asked("What shall I put on it?", Question("item"), "what")
        if len(text.split()) > LONGEST_ITEM_WORDS or len(text) > LONGEST_ITEM:
            return failed("That is too long for one item. Please say it in fewer words.", "too_long")
        items = self.store.items(name)
        if sum(not item.done for item in items) >= MOST_ITEMS:
            return failed(f"The {name} list is full: it has {MOST_ITEMS} items.", "full", list=name)
        values = {"item": text, "list": name}
        same = next((item for item in items if item.text.casefold() == text.casefold()), None)
        if same is not None and not same.done:
            return Result(values, "already", f"{_capital(text)} is on the {name} list already.")
        if same is not None:
            self.store.put((Item(same.id, name, text, done=False),))
            return self._said(values, lambda: self._undo((), (same,)))
        self.store.remove(tuple(item for item in items if item.done)[: max(len(items) - MOST_ITEMS, 0)])
        added = self.store.add(name, text)
        return self._said(values, lambda: self._undo((added,), ()))

    def _said(self, values: Mapping[str, str], undo: Callable[[], Result]) -> Result:
        if not self._notice:
            return Result(values, undo=undo)
        text = f"I put {values['item']} on the {values['list']} list. {self._notice}"
        return Result(values, "kept_in_memory", text, undo=undo)

    def _with_item(self, request: Request, name: str, change: Callable[[Item], Result]) -> Result:
        """Find the item that is meant; one that is only like it is asked about."""
        wanted = " ".join(str(request.slots.get("item") or "").split()).casefold()
        items = {item.text.casefold(): item for item in self.store.items(name) if not item.done}
        if wanted in items:
            return change(items[wanted])
        near = [items[text] for text in difflib.get_close_matches(wanted, items, n=3, cutoff=NEAR)]
        options = tuple(Option({**request.slots, "item": item.text}, item.text) for item in near)
        missing = f"I can't find {wanted} on the {name} list."
        if not options:
            return failed(missing, "no_such", list=name)
        names = spoken_list([option.text for option in options], "or")
        return asked(f"{missing} Do you mean {names}?", Question("item", options), "no_such_but", choices=names)

    def _complete(self, item: Item) -> Result:
        self.store.put((Item(item.id, item.list, item.text, done=True),))
        return Result({"item": item.text, "list": item.list}, undo=lambda: self._undo((), (item,)))

    def _remove(self, item: Item) -> Result:
        self.store.remove((item,))
        return Result({"item": item.text, "list": item.list}, undo=lambda: self._undo((), (item,)))

    def _read(self, _request: Request, name: str) -> Result:
        open_items = [item.text for item in self.store.items(name) if not item.done]
        count = len(open_items)
        if not open_items:
            return Result({"list": name, "count": 0}, "empty", f"The {name} list is empty.")
        read = spoken_list(open_items[:MOST_READ])
        more = f" and {count - MOST_READ} more" if count > MOST_READ else ""
        noun = "item" if count == 1 else "items"
        text = f"There {'is' if count == 1 else 'are'} {count} {noun} on the {name} list: {read}{more}."
        return Result({"list": name, "count": count, "items": f"{read}{more}"}, "read", text)

    def _clear(self, request: Request, name: str) -> Result:
        items = self.store.items(name)
        if not items:
            return Result({"list": name, "count": 0}, "empty", f"The {name} list is empty.")
        if not request.confirmed:
            what = "the only item" if len(items) == 1 else f"all {len(items)} items"
            text = f"Shall I take {what} off the {name} list?"
            return confirm(request, text, list=name, count=len(items))
        self.store.remove(items)
        text = f"The {name} list is empty now."
        return Result({"list": name, "count": len(items)}, "cleared", text, undo=lambda: self._undo((), items))

    def _undo(self, added: tuple[Item, ...], before: tuple[Item, ...]) -> Result:
        """Put the rows back as they were."""
        self.store.remove(added)
        self.store.put(before)
        return Result(response="undone", text="All right, I took that back.")


def list_name(request: Request) -> str:
    """Which list is meant."""
    name = str(request.slots.get("name") or request.parameters.get("list") or SHOPPING)
    return " ".join(name.casefold().split()).removesuffix(" list")


def create() -> Lists:
    """The skill as its entry point makes it."""
    return Lists()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
