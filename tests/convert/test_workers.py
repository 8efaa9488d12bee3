"""Whoever does the work writes the same files; what fails says why, and nobody goes on when a build is stopped."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from assistant.errors import InputError, PluginError
from convert.cluster import Passport, own_places, passport
from convert.crew import open_crew
from convert.files import Places
from convert.workers import Alone, Done, Pool, located, missing

NO_RAY = "the extra `cluster` is not here (Ray): pip install -r requirements/cluster.txt"
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason=NO_RAY)


@dataclass(frozen=True, slots=True)
class Counting:
    """A task that writes a number; number 7 fails, and below 0 its process is killed."""

    number: int
    stays: bool = False
    memory: int = 1_000_000
    limit_s: float = 60.0

    @property
    def makes(self) -> tuple[str, ...]:
        return (f"made/{self.number}", f"sounds/{self.number}")

    @property
    def needs(self) -> tuple[str, ...]:
        return ()

    def run(self, places: Places) -> list[bytes]:
        del places
        if self.number == 7:
            raise InputError("is seven", where="here", remedy="take another")
        if self.number < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return [str(self.number).encode(), b"sound"]


def quiet(done: Done) -> None:
    assert done.busy_s >= 0


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "data", tmp_path / "said", tmp_path / "work", tmp_path / "models")


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_file_is_where_its_name_says_before_anybody_hears_of_it(places: Places, jobs: int) -> None:
    tasks = [Counting(i) for i in range(5)]
    heard: list[Done] = []

    def told(done: Done) -> None:
        assert all(located(places, name).is_file() for name in done.task.makes)
        heard.append(done)

    with open_crew(places, jobs) as crew:
        crew.run(tasks, told)
    assert {done.task for done in heard} == set(tasks)
    assert [(places.work / "made" / str(i)).read_bytes() for i in range(5)] == [str(i).encode() for i in range(5)]
    assert (places.sounds / "3").read_bytes() == b"sound"
    assert missing(tasks, places) == []


def test_a_task_is_missing_until_all_its_files_are_there(places: Places) -> None:
    task = Counting(1)
    Alone(places).run([task], quiet)
    (places.sounds / "1").unlink()
    assert missing([task, Counting(2)], places) == [task, Counting(2)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_comes_back_as_it_was(places: Places, jobs: int) -> None:
    with open_crew(places, jobs) as crew, pytest.raises(InputError) as found:
        crew.run([Counting(i) for i in (7, 8, 9)], quiet)
    assert (found.value.what, found.value.where, found.value.remedy) == ("is seven", "here", "take another")


def test_a_killed_process_is_named_with_what_to_do(places: Places) -> None:
    with pytest.raises(PluginError, match="fewer --jobs"):
        Pool(places, 2).run([Counting(-1)], quiet)


def test_a_missing_ray_is_named_with_what_to_install(repository: Path) -> None:
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "from convert.cluster import joined; joined(None, 'local', 1).__enter__()"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=False)
    assert "requirements/cluster.txt" in ran.stderr.splitlines()[-1]


def test_ray_is_not_imported_unless_a_cluster_is_asked_for(repository: Path) -> None:
    code = "import sys, convert.stages, convert.cluster; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=repository, check=False).returncode == 0


def test_a_machine_that_would_make_other_bytes_is_refused(data: Path) -> None:
    same = passport(data)
    packages = tuple((name, "0.1" if name == "numpy" else version) for name, version in same.packages)
    with pytest.raises(PluginError, match=r"it has numpy \d.*, here it is 0\.1"):
        own_places(Passport(packages, same.recordings))
    with pytest.raises(PluginError, match="its recordings are others"):
        own_places(Passport(same.packages, "others"))
    assert own_places(same).data == data


SLOW = """
import sys, time
from dataclasses import dataclass
from pathlib import Path
from convert.files import Places
from convert.crew import open_crew

@dataclass(frozen=True)
class Slow:
    number: int
    stays: bool = False
    memory: int = 1_000_000
    limit_s: float = 60.0
    needs: tuple = ()
    @property
    def makes(self):
        return (f"made/{self.number}",)
    def run(self, places):
        if self.number:
            (places.work / "begun").touch()
            time.sleep(600)
        return [b""]

if __name__ == "__main__":
    work = Path(sys.argv[1])
    try:
        with open_crew(Places(work, work, work, work), 2, sys.argv[2]) as crew:
            crew.run([Slow(i) for i in range(4)], lambda done: print("one", flush=True))
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.real
@pytest.mark.parametrize("cluster", ["", pytest.param("local", marks=needs_ray)])
def test_an_interrupt_leaves_nothing_running(tmp_path: Path, repository: Path, cluster: str) -> None:
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    environment = os.environ | {"PYTHONPATH": str(repository)}
    command = [sys.executable, str(script), str(tmp_path), cluster]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True) as build:
        assert build.stdout is not None
        assert build.stdout.readline() == "one\n"
        children = psutil.Process(build.pid).children(recursive=True)
        assert children
        os.killpg(build.pid, signal.SIGINT)
        assert build.wait(60) == 130
    gone, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    assert len(gone) == len(children)


SMALL = (
    SLOW.partition("if __name__")[0]
    + """
from assistant.errors import AssistantError, InputError
from convert.cluster import joined

class Wrong(Slow):
    def run(self, places):
        raise InputError("is wrong", where="here", remedy="take another")

work = Path(sys.argv[1])
with joined(Places(work, work, work, work), "local", 1) as crew:
    for tasks in ([Slow(0, memory=10**15)], [Wrong(1)], [Slow(0), Slow(0, stays=True)]):
        try:
            crew.run(tasks, lambda done: print("did", done.task.stays))
        except AssistantError as error:
            print(error)
"""
)


@needs_ray
@pytest.mark.real
def test_a_cluster_says_what_is_wrong_and_keeps_here_what_may_not_leave(tmp_path: Path, repository: Path) -> None:
    script = tmp_path / "small.py"
    script.write_text(SMALL)
    environment = os.environ | {"PYTHONPATH": str(repository)}
    command = [sys.executable, str(script), str(tmp_path)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    too_large, wrong, *did = ran.stdout.splitlines()
    assert "none of its 1 machines has a processor and 1000000.0 GB of memory" in too_large
    assert wrong == "here: is wrong; take another"
    assert did == ["did False", "did True"]
