"""One net trained by several processes, here or on several machines: MultiWorkerMirroredStrategy.

    assistant-convert build … --workers 2            two processes here, each with its half of every batch
    TF_CONFIG=… python -m convert.together FOLDER    one of them, on a machine of its own

Every process has all rows and takes its part of each batch; losses are divided by the weights of the whole batch, so
that gradients add up to those of one process. Noise and dropout are drawn by each: the weights differ from those of
one process, and are the same for the same number of them.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from assistant.errors import AssistantError, PluginError
from assistant.understand.fused.projection import FeatureSpec
from convert.dataset import Rows, read_rows
from convert.files import write_arrays, write_whole
from convert.model import Regularisation, Shape, build, tensorflow
from convert.pace import optimizer_of
from convert.train import (
    DISTURBED,
    Floats,
    Schedule,
    Trained,
    Trial,
    batch_of,
    learn,
    packed_net,
    parted,
    read_trained,
    settle,
    step_of,
    steps_of,
    utterances,
)

PLAN_FILE, START_FILE, TRAINED_FILE = "plan.json", "start.npz", "trained.npz"
CONFIG = "TF_CONFIG"
LAST_WORDS = 400
"""So much of what a process said is shown when it ends badly, characters."""

Told = Callable[[int, int, Mapping[str, float]], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is trained. regular: noise and dropout, None for neither."""

    spec: FeatureSpec
    shape: Shape
    schedule: Schedule
    seed: int
    regular: Regularisation | None = DISTURBED


@dataclass(frozen=True, slots=True)
class Given:
    """What a process has to know. files: of the rows."""

    plan: Plan
    files: tuple[str, ...]


def train_together(
    folder: Path, plan: Plan, files: Sequence[Path], workers: int, advance: Told, start: list[Floats] | None = None
) -> Trained:
    """Train a net with `workers` processes on this machine. folder: for what they are given and make; files: of rows.

    Raises PluginError when one of them ends badly; the others are ended then.
    """
    prepare(folder, plan, files, start)
    with _crew(folder, workers) as crew:
        chief = crew[0].stdout
        assert chief is not None
        for line in chief:
            advance(*json.loads(line))
        # Whoever is left waits for ever for one that is gone: `_watch` ends them all then.
        ended = [worker.wait() for worker in crew]
    if any(ended):
        raise PluginError(
            f"a process that trained ended badly ({_last_words(folder, ended)})",
            where="--workers",
            remedy="fewer --workers if memory was short; the same command trains the net again",
        )
    return read_trained(folder / TRAINED_FILE, plan.shape)


def prepare(folder: Path, plan: Plan, files: Sequence[Path], start: list[Floats] | None) -> None:
    """Write what every process has to know. Raises StorageError."""
    given = Given(plan, tuple(str(file.resolve()) for file in files))
    write_whole(folder / PLAN_FILE, msgspec.json.format(msgspec.json.encode(given)))
    for old in (START_FILE, TRAINED_FILE):
        (folder / old).unlink(missing_ok=True)
    if start is not None:
        write_arrays(folder / START_FILE, {f"w{i:03d}": weights for i, weights in enumerate(start)})


def train_as_member(rows: Rows, plan: Plan, advance: Told, start: list[Floats] | None = None) -> tuple[Trained, bool]:
    """This process's part, and whether it is the first, which writes; TF_CONFIG says who the others are.

    All return the same net. Raises as `train.train`.
    """
    fit, check = parted(rows)
    tf, keras = tensorflow()
    settle(tf, keras, plan.seed)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    number, count = int(strategy.cluster_resolver.task_id), int(strategy.num_replicas_in_sync)
    table = utterances(fit)
    with strategy.scope():
        net = build(plan.spec, plan.shape, plan.regular)
        optimizer = optimizer_of(keras, plan.schedule, steps_of(plan.schedule, len(table)))
    if start is not None:
        net.set_weights(start)
    average = [tf.Variable(v.numpy(), trainable=False) for v in net.weights]
    step, mean = _steps(tf, strategy, net, optimizer, average, plan.schedule, batch_of(fit, table[:1]))

    def learnt(chosen: NDArray[np.int64]) -> float:
        return float(step(batch_of(fit, table[np.array_split(chosen, count)[number]])))

    trial = Trial(plan.shape, build(plan.spec, plan.shape), check, lambda loss: float(mean(tf.constant(loss))))
    return learn(learnt, average, trial, plan.schedule, len(table), plan.seed, advance), number == 0


def _steps(
    tf: Any, strategy: Any, net: Any, optimizer: Any, average: list[Any], schedule: Schedule, example: Mapping[str, Any]
) -> tuple[Any, Any]:
    """Graphs: one step on this process's part of a batch; the mean of a number of all processes."""
    # One graph for batches of every size: each process has to trace it equally often, or they wait for each other.
    signature = {name: tf.TensorSpec([None, *array.shape[1:]], array.dtype, name) for name, array in example.items()}
    operation = tf.distribute.ReduceOp

    def total(value: Any) -> Any:
        return tf.distribute.get_replica_context().all_reduce(operation.SUM, value)

    member = step_of(tf, net, optimizer, average, schedule, total)

    @tf.function(input_signature=[signature])  # type: ignore[untyped-decorator]
    def step(batch: dict[str, Any]) -> Any:
        return strategy.reduce(operation.SUM, strategy.run(member, args=(batch,)), axis=None)

    @tf.function  # type: ignore[untyped-decorator]
    def mean(value: Any) -> Any:
        return strategy.reduce(operation.MEAN, strategy.run(tf.identity, args=(value,)), axis=None)

    return step, mean


@contextmanager
def _crew(folder: Path, workers: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that know each other; they are gone at the end."""
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(workers)]
    crew: list[subprocess.Popen[str]] = []
    try:
        for number in range(workers):
            config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
            with (folder / f"worker{number}.log").open("wb") as log:
                crew.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "convert.together", str(folder)],
                        env=os.environ | {CONFIG: json.dumps(config)},
                        stdout=subprocess.PIPE if number == 0 else subprocess.DEVNULL,
                        stderr=log,
                        text=True,
                    )
                )
        for worker in crew:
            threading.Thread(target=_watch, args=(worker, crew), daemon=True).start()
        yield crew
    finally:
        for worker in crew:
            worker.kill()
            worker.wait()
            if worker.stdout is not None:
                worker.stdout.close()


def _watch(worker: subprocess.Popen[str], crew: Sequence[subprocess.Popen[str]]) -> None:
    """When a process ends badly, end all."""
    if worker.wait() != 0:
        for other in crew:
            other.kill()


def _last_words(folder: Path, ended: Sequence[int]) -> str:
    """What the process said that ended first, as far as can be known: it was not killed by us."""
    number = next((i for i, code in enumerate(ended) if code > 0), 0)
    said = (folder / f"worker{number}.log").read_text(encoding="utf-8", errors="replace").strip()
    return said[-LAST_WORDS:].splitlines()[-1] if said else "it was killed"


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(server.getsockname()[1]) for server in held]
    for server in held:
        server.close()
    return ports


def main(argv: Sequence[str] | None = None) -> int:
    """One process of several: TF_CONFIG says which. The first prints a line an epoch, and writes the net."""
    parser = argparse.ArgumentParser(prog="python -m convert.together", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="what `build --workers` has written below trained/")
    folder = parser.parse_args(argv).folder
    given = msgspec.json.decode((folder / PLAN_FILE).read_bytes(), type=Given)
    start = None
    if (folder / START_FILE).is_file():
        with np.load(folder / START_FILE) as kept:
            start = [kept[name] for name in kept.files]

    def told(epoch: int, epochs: int, figures: Mapping[str, float]) -> None:
        print(json.dumps([epoch, epochs, dict(figures)]), flush=True)

    try:
        trained, first = train_as_member(read_rows(map(Path, given.files)), given.plan, told, start)
    except AssistantError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if first:
        write_whole(folder / TRAINED_FILE, packed_net(trained))
    return 0


if __name__ == "__main__":
    sys.exit(main())
