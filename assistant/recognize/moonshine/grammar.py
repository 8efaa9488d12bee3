"""A context made ready for Moonshine: acceptor and table, compiled once, kept in a cache file, swapped in when done.

A compiled grammar loads from its cache in milliseconds. A new or edited one works at once through the lazy acceptor
while a process of its own compiles the whole (compiling.py); the swap is one assignment.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assistant.errors import AssistantError
from assistant.grammar.acceptor import Acceptor, LazyAcceptor, compile_acceptor
from assistant.grammar.meaning import Meaning, MeaningParser
from assistant.grammar.network import Network, build_network
from assistant.grammar.tokens import TokenNetwork
from assistant.grammar.tree import Context
from assistant.recognize.moonshine.apart import compile_apart
from assistant.recognize.moonshine.columns import columns_for
from assistant.recognize.moonshine.model import Encoded, Model
from assistant.recognize.moonshine.space import CompiledSpace, LazySpace, Space
from assistant.recognize.moonshine.table import Table, build_table

FORMAT = 5
"""Raised whenever acceptor or table are computed otherwise: older cache files are then not read."""

log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """The whole grammar: acceptor, expectations, and what the beam searches."""

    acceptor: Acceptor
    table: Table
    space: CompiledSpace


def cache_file(context: Context, model: Model, cache: Path) -> Path:
    """Where the compiled `context` is kept."""
    key = hashlib.sha256(f"{FORMAT}:{model.id}:{context.hash}".encode()).hexdigest()[:20]
    return cache / f"{context.name}-{key}.npz"


def compile_grammar(
    context: Context, model: Model, network: Network | None = None, progress: Progress | None = None
) -> Compiled:
    """Compile acceptor and table of `context`. Raises ContextError when it is too large."""
    acceptor = compile_acceptor(TokenNetwork(network or build_network(context), model.tokenizer))
    columns = columns_for(model, acceptor.tokens)
    table = build_table(acceptor, columns, model, *([progress] if progress else []))
    return Compiled(acceptor, table, CompiledSpace(acceptor, table, columns, model.marks))


def load_grammar(file: Path, model: Model) -> Compiled | None:
    """Read a compiled grammar; None when there is none or it is damaged."""
    try:
        with file.open("rb") as stream, np.load(stream) as data:
            a = {name: data[name] for name in data.files}
        acceptor = Acceptor(*(a[n] for n in ("offsets", "tokens", "to", "weights", "final", "wildcard", "terminal")))
        table = Table(a["ilm"], a["ilm_end"], a["ilm_free"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("compiled context %s is damaged (%s): compiling again", file.name, error)
        return None
    return Compiled(acceptor, table, CompiledSpace(acceptor, table, columns_for(model, acceptor.tokens), model.marks))


def save_grammar(compiled: Compiled, file: Path) -> None:
    """Write it beside and rename; a full or read-only disk costs only the cache."""
    a, table = compiled.acceptor, compiled.table
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=".compiled-", delete=False) as staging:
            np.savez(
                staging,
                offsets=a.offsets,
                tokens=a.tokens,
                to=a.to,
                weights=a.weights,
                final=a.final,
                wildcard=a.wildcard,
                terminal=a.terminal,
                ilm=table.arcs,
                ilm_end=table.ends,
                ilm_free=table.free,
            )
        try:
            Path(staging.name).replace(file)
        finally:
            Path(staging.name).unlink(missing_ok=True)
    except OSError as error:
        log.warning("the compiled context cannot be kept (%s)", error)


class MoonshineGrammar:
    """`Prepared` for Moonshine. `ready` is set when it is compiled; until then it searches lazily.

    failure: why compiling in the background failed, or None.
    """

    def __init__(self, context: Context, model: Model) -> None:
        self.context = context
        self.failure: AssistantError | None = None
        self.ready = threading.Event()
        self._model = model
        self._compiled: Compiled | None = None
        self._silence: Encoded | None = None
        self._network: TokenNetwork | None = None
        self._lazy: LazyAcceptor | None = None
        self._parser: MeaningParser | None = None
        self._lock = threading.Lock()

    @property
    def acceptor(self) -> Acceptor | None:
        """The compiled acceptor, None while it is lazy."""
        return self._compiled.acceptor if self._compiled else None

    def use(self, compiled: Compiled) -> None:
        """Swap in the compiled grammar; what reads its sentences is made meanwhile, nobody has spoken yet."""
        self._compiled = compiled
        self._lazy = None
        threading.Thread(target=self._make_tokens, name=f"read-{self.context.name}", daemon=True).start()
        self.ready.set()

    def _make_tokens(self) -> None:
        with self._lock:
            self._tokens()

    def compile(self, file: Path | None, progress: Progress | None = None) -> None:
        """Compile now and keep it in `file`. Raises ContextError."""
        compiled = compile_grammar(self.context, self._model, progress=progress)
        if file is not None:
            save_grammar(compiled, file)
        self.use(compiled)

    def compile_in_background(self, file: Path | None) -> threading.Thread:
        """Compile in a process of its own, or where that fails in a thread; errors end in `failure`."""

        def work() -> None:
            try:
                compiled = None
                if file is not None and compile_apart(self.context, self._model.files, file):
                    compiled = load_grammar(file, self._model)
                if compiled is not None:
                    self.use(compiled)
                else:
                    self.compile(file)
            except AssistantError as error:
                self.failure = error
                log.warning("%s", error)

        thread = threading.Thread(target=work, name=f"compile-{self.context.name}", daemon=True)
        thread.start()
        return thread

    def space(self, silence: Callable[[], Encoded]) -> Space:
        """What to search for one utterance."""
        if self._compiled is not None:
            return self._compiled.space
        if self._lazy is None:
            self._lazy = LazyAcceptor(self._tokens())
        return LazySpace(self._lazy, self._model, silence())

    def meanings(self, sequences: list[tuple[int, ...]]) -> list[list[Meaning]]:
        """Meanings of token sequences (without their end token)."""
        with self._lock:
            if self._parser is None:
                self._parser = MeaningParser(self._tokens(), self._model.tokenizer.decode)
            self._parser.forget()
            return [self._parser.parse(tokens) for tokens in sequences]

    def _tokens(self) -> TokenNetwork:
        if self._network is None:
            self._network = TokenNetwork(build_network(self.context), self._model.tokenizer)
        return self._network
