"""Tasks that belong together: none is left behind."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from assistant.integrations.tasks import Tasks, first_to_end
from tests.integrations.house import patiently


async def forever() -> None:
    await asyncio.Event().wait()


def test_a_task_that_takes_a_cancellation_for_something_else_is_cancelled_again() -> None:
    ended: list[str] = []

    async def stubborn() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await forever()
        ended.append("the first")
        await forever()

    async def work() -> None:
        tasks = Tasks()
        tasks.begin(stubborn())
        await asyncio.sleep(0)
        await patiently(tasks.end())
        assert ended == ["the first"]
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(work())


def test_what_one_raises_is_raised_and_the_others_are_ended() -> None:
    async def fails() -> None:
        raise ValueError("broken")

    async def work() -> None:
        with pytest.raises(ValueError, match="broken"):
            await patiently(first_to_end(forever(), fails()))
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(work())


def test_waiting_for_nothing_returns_at_once() -> None:
    asyncio.run(patiently(Tasks().wait()))
