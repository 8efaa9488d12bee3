"""Data is made in stages that go on where they were stopped, and say before they begin what they will take."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from assistant.errors import StorageError
from assistant.types import Hypothesis
from assistant.understand.fused.source import Sound
from convert.dataset import labels
from convert.files import Places
from convert.recognise import Heard, keep, read_shard, shard_file, shards_of
from convert.stages import check_room
from convert.synthesize import ALIEN, CUT, FOREIGN, FULL, LATTICE, LEAD, TAIL, Line, Take

SAID = {"size": "large", "drink": "latte"}


def take(kind: str, grammar: str = "barista", **more: object) -> Take:
    meant = kind not in (ALIEN, FOREIGN)
    values: dict[str, object] = {
        "key": f"k-{kind}",
        "kind": kind,
        "grammar": grammar,
        "grammar_text": "",
        "said": "a large latte" if meant else "",
        "intent": "order" if meant else "",
        "slots": SAID if meant else {},
        "line": Line("a large latte"),
        "other": Line("hello", file="x.flac") if kind in (TAIL, LEAD) else None,
        "cut_at": 0.5 if kind == CUT else 1.0,
        "split": "train",
    }
    return Take(**(values | more))  # type: ignore[arg-type]


def hypothesis(slots: dict[str, str], intent: str = "order", tokens: int = 3) -> Hypothesis:
    n = np.arange(tokens, dtype=np.int32) + 300
    zeros = np.zeros(tokens, np.float32)
    attention = np.full((tokens, 5), 0.2, np.float32)
    return Hypothesis(intent, slots, "", 1.0, 2.0, n, zeros - 1, zeros - 2, attention=attention)


def heard(of: Take, *hypotheses: Hypothesis) -> Heard:
    sound = Sound(np.ones((5, 288), np.float32), 0.25, np.ones(9, np.float32), np.full(9, -30, np.float32))
    return Heard(of, of.slots, "babble", 6.5, sound, hypotheses)


@pytest.mark.parametrize(
    ("kind", "slots", "expected"),
    [
        (FULL, SAID, (1, 1, 1)),
        (FULL, {"drink": "latte"}, (0, 0, 1)),
        (TAIL, SAID, (1, 0, 1)),
        (LEAD, SAID, (1, 0, 1)),
        (CUT, SAID, (0, 0, 1)),
        (CUT, {"drink": "latte"}, (0, 0, 0)),
        (CUT, {"drink": "mocha"}, (0, 0, 1)),
        (ALIEN, SAID, (0, 0, 1)),
        (FOREIGN, {}, (0, 0, 1)),
    ],
)
def test_a_hypothesis_is_labelled_by_what_was_said(
    kind: str, slots: dict[str, str], expected: tuple[float, float, float]
) -> None:
    h = hypothesis(slots)
    assert labels(heard(take(kind), h), h) == expected


def test_another_intent_with_the_same_slots_is_wrong() -> None:
    h = hypothesis(SAID, intent="cancel")
    assert labels(heard(take(FULL), h), h) == (0, 0, 1)


def test_what_was_heard_is_read_back_as_it_was(tmp_path: Path) -> None:
    made = [heard(take(kind), hypothesis(SAID), hypothesis({}, tokens=7)) for kind in (FULL, TAIL)]
    keep(tmp_path / "shard.npz", made)
    again = list(read_shard(tmp_path / "shard.npz"))
    assert [h.take for h in again] == [h.take for h in made]
    assert [len(y.tokens) for y in again[1].hypotheses] == [3, 7]
    assert again[0].sound.start_s == 0.25
    assert np.allclose(again[0].sound.states, made[0].sound.states)
    first, other = again[0].hypotheses[1].attention, made[0].hypotheses[1].attention
    assert first is not None
    assert other is not None
    assert np.allclose(first, other, atol=1e-3)


def test_only_hypotheses_that_the_net_looks_at_keep_their_attention(tmp_path: Path) -> None:
    keep(tmp_path / "shard.npz", [heard(take(FULL), *(hypothesis({"n": str(i)}) for i in range(11)))])
    (again,) = read_shard(tmp_path / "shard.npz")
    assert [y.attention is not None for y in again.hypotheses] == [True] * 8 + [False] * 3


def test_a_shard_holds_takes_under_one_grammar() -> None:
    takes = [take(FULL, key=f"k{i}", grammar=("barista", LATTICE)[i % 2]) for i in range(100)]
    shards = shards_of(takes)
    assert sum(map(len, shards)) == 100
    assert all(len({t.grammar for t in shard}) == 1 for shard in shards)


def test_a_changed_sentence_or_grammar_changes_only_its_own_shard(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path, tmp_path, tmp_path)
    one, other = [take(FULL, key="a")], [take(FULL, key="b")]
    assert shard_file(one, "h", places) == shard_file([take(FULL, key="a")], "h", places)
    assert shard_file(one, "h", places) != shard_file(other, "h", places)
    assert shard_file(one, "h", places) != shard_file(one, "i", places)
    assert shard_file(one, "h", places) != shard_file([take(FULL, key="a", said="a small latte")], "h", places)


def test_too_little_disk_is_said_before_anything_begins(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="GB are free"):
        check_room(1e18, 0, tmp_path)


def test_too_little_memory_is_said_before_anything_begins(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="of memory"):
        check_room(0, 1e16, tmp_path)


HEAR = """
import sys
from pathlib import Path
from convert import stages
from convert.files import Places
from convert.workers import Alone
places = Places(*map(Path, sys.argv[1:5]))
draws = stages.plan("barista", places, {"barista": "barista"}, stages.Amounts(90, 1, 0), 5)
takes = [take for draw in draws for take in draw]
takes = [take for take in takes if take.line.speaker.startswith(("flite", "espeak")) and take.other is None]
shards = stages.shard_files([takes], places, {"barista": "barista"})
crew = Alone(places)
stages.speak_all(takes, places, crew, lambda *_: None)
print("hear", len(shards), flush=True)
stages.hear_all(shards, places, {"barista": "barista"}, crew, lambda stage, done, n: print(done, flush=True))
print(*sorted(file.name for file in shards), flush=True)
"""


@pytest.mark.real
def test_a_stage_that_is_killed_goes_on_and_makes_the_same_files(data: Path, tmp_path: Path, cache: Path) -> None:
    """The process is killed after its first shard; what follows keeps that one and equals an undisturbed run."""

    def run(folder: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HEAR, str(data), str(tmp_path / "sounds"), str(folder), str(cache)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    with run(tmp_path / "one") as killed:
        assert killed.stdout is not None
        for line in killed.stdout:
            if line.strip() == "1":
                break
        killed.send_signal(signal.SIGKILL)
    kept = {f.name: f.stat().st_mtime_ns for f in (tmp_path / "one" / "heard").glob("*.npz")}
    assert kept
    for folder in ("one", "two"):
        with run(tmp_path / folder) as again:
            again.communicate()
        assert again.returncode == 0
    one, two = ({f.name: f for f in (tmp_path / name / "heard").glob("*.npz")} for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert all(one[name].stat().st_mtime_ns == at for name, at in kept.items())
    assert all(one[name].read_bytes() == two[name].read_bytes() for name in one)
