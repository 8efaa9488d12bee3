"""A bundle built by a real cluster of two machines, one of which dies in the middle, is the one that is built alone."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

NO_RAY = "the extra `cluster` is not here (Ray): pip install -r requirements/cluster.txt"

MACHINES = """
import sys
from ray.cluster_utils import Cluster

args = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 200_000_000}
cluster = Cluster(True, head_node_args=args | {"env_vars": {"XDG_CACHE_HOME": sys.argv[1]}})
second = cluster.add_node(num_cpus=1, object_store_memory=200_000_000, env_vars={"XDG_CACHE_HOME": sys.argv[2]})
print(cluster.address, flush=True)
for word in sys.stdin:
    cluster.remove_node(second, allow_graceful=False)
    print("killed", flush=True)
cluster.shutdown()
"""
"""Two machines with a cache each; the second one's processes are killed when a line comes."""

BUILD = """
import sys
from pathlib import Path
from convert import build, stages
from convert.bundle import write_bundle
from convert.files import Places
from convert.sources import data_folder
from convert.train import Schedule

out, work, models = map(Path, sys.argv[1:4])
short = Schedule(epochs=1)
places = Places(data_folder(), work / "sounds", work, models)
amounts = stages.Amounts(context=24, text=1, reading=0.01)
costs, cluster = ("full", "lite"), sys.argv[4]
order = build.Order("made", "barista", places, amounts, short, short, 3, 1, "", costs=costs, cluster=cluster)
built = build.build(order, lambda stage, done, total: print(stage, done, total, flush=True), print)
write_bundle(out, built.origin, built.projection, built.candidates, built.seconds)
"""


@pytest.fixture
def environment(repository: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(repository), "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def machines(tmp_path: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """See MACHINES; its first line is the cluster's address. They share no folder, but recordings."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip(NO_RAY)
    command = [sys.executable, "-c", MACHINES, str(tmp_path / "first"), str(tmp_path / "second")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, text=True, stdin=pipe, stdout=pipe) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)


@pytest.mark.real
def test_a_machine_dies_in_the_middle_and_the_bundle_is_the_same(
    data: Path, tmp_path: Path, cache: Path, environment: dict[str, str], machines: subprocess.Popen[str]
) -> None:
    assert data.is_dir()

    def build(name: str, address: str) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            "-c",
            BUILD,
            str(tmp_path / name / "made"),
            str(tmp_path / f"{name} work"),
            str(cache),
        ]
        return subprocess.Popen([*command, address], env=environment, stdout=subprocess.PIPE, text=True)

    with build("alone", "") as alone:
        alone.communicate()
    for machine in ("first", "second"):  # the prepared recogniser: what machines keep from earlier builds
        shutil.copytree(cache, tmp_path / machine / "assistant")
    assert machines.stdout is not None
    assert machines.stdin is not None
    heard = total = 0
    with build("cluster", machines.stdout.readline().strip()) as many:
        assert many.stdout is not None
        for line in many.stdout:
            stage, *numbers = line.split()
            if stage == "hear":
                heard, total = map(int, numbers)
            if stage == "hear" and heard and (tmp_path / "second" / "assistant" / "convert" / "sounds").is_dir():
                machines.stdin.write("kill\n")
                machines.stdin.flush()
                assert machines.stdout.readline() == "killed\n"
                break
        assert 0 < heard < total
        many.communicate()
    assert (alone.returncode, many.returncode) == (0, 0)
    one, other = ({f.name: f.read_bytes() for f in (tmp_path / n / "made").iterdir()} for n in ("alone", "cluster"))
    assert one.pop("build.json") != other.pop("build.json")
    assert one == other
    shards = (
        {f.name: f.read_bytes() for f in (tmp_path / f"{n} work" / "heard").iterdir()} for n in ("alone", "cluster")
    )
    assert next(shards) == next(shards)
