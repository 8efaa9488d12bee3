"""Jobs run one after another, in line or in a thread, and their results are polled in order."""

from __future__ import annotations

import threading

import pytest

from assistant.work import Done, InlineWorker, ThreadWorker, Worker

PATIENCE_S = 20.0


def drained(worker: Worker) -> list[Done]:
    done = []
    while worker.busy:
        if (result := worker.poll(PATIENCE_S)) is not None:
            done.append(result)
    return done


@pytest.mark.parametrize("make", [InlineWorker, ThreadWorker])
def test_results_come_in_the_order_of_their_jobs(make: type[InlineWorker | ThreadWorker]) -> None:
    worker = make()
    assert worker.poll() is None
    for number in range(5):
        worker.submit(number, lambda number=number: number * number)  # type: ignore[misc]
    assert worker.busy
    assert [(done.number, done.result) for done in drained(worker)] == [(n, n * n) for n in range(5)]
    assert worker.poll() is None
    worker.close()


def test_in_line_a_job_runs_at_once_and_its_error_is_the_callers() -> None:
    worker, here = InlineWorker(), threading.get_ident()
    worker.submit(1, threading.get_ident)
    assert worker.poll() == Done(1, here)
    with pytest.raises(ZeroDivisionError):
        worker.submit(2, lambda: 1 // 0)
    assert not worker.busy


def test_in_a_thread_the_caller_goes_on_and_gets_errors_when_polling() -> None:
    worker, go = ThreadWorker("decoder"), threading.Event()
    worker.submit(1, lambda: (go.wait(PATIENCE_S), threading.current_thread().name)[1])
    worker.submit(2, lambda: 1 // 0)
    assert worker.poll() is None
    assert worker.poll(0.001) is None
    assert worker.busy
    go.set()
    first, second = drained(worker)
    assert (first.result, first.error) == ("decoder", None)
    assert second.result is None
    assert isinstance(second.error, ZeroDivisionError)
    worker.close()


def test_closing_lets_the_job_under_way_finish() -> None:
    worker, begun, go = ThreadWorker(), threading.Event(), threading.Event()

    def job() -> str:
        begun.set()
        go.wait(PATIENCE_S)
        return "finished"

    worker.submit(1, job)
    assert begun.wait(PATIENCE_S)
    go.set()
    worker.close(PATIENCE_S)
    assert not worker._thread.is_alive()
    assert worker.poll() == Done(1, "finished")
