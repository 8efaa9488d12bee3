"""Tasks that belong together: when one fails or ends, the others are ended, and none is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

TIDY_UP_S = 0.3


class Tasks:
    """The tasks of an integration, from `begin` until `end`."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []

    def begin(self, *work: Coroutine[Any, Any, Any]) -> None:
        """Run each beside the others."""
        self._tasks += [asyncio.create_task(one) for one in work]

    async def wait(self) -> None:
        """Return when one has ended; raise what it raised."""
        if not self._tasks:
            return
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task

    async def end(self) -> None:
        """Cancel all and wait until they are gone. What they raised was told by `wait`, or comes too late to matter.

        Who tidies up for too long, or takes a cancellation for something else that went wrong, is cancelled again.
        """
        tasks, self._tasks = self._tasks, []
        pending = {task for task in tasks if not task.done()}
        while pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=TIDY_UP_S)
        for task in tasks:
            if not task.cancelled():
                task.exception()


async def first_to_end(*work: Coroutine[Any, Any, Any]) -> None:
    """Run all at once until one ends or raises; the others are cancelled. Raises what that one raised."""
    tasks = Tasks()
    tasks.begin(*work)
    try:
        await tasks.wait()
    finally:
        await tasks.end()
