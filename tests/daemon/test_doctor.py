"""Every fault that the doctor knows is made here, found, and named with its remedy."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.act.health import note_failing
from assistant.act.plugins import State, Status
from assistant.audio.queued import QueueSource
from assistant.audio.source import Nothing, Source
from assistant.cli import examine, examine_board, examine_sound
from assistant.cli.doctor import EXAMINATIONS, Examination, examined, wanted
from assistant.cli.examine import Check, Finding, Subject
from assistant.cli.faults import FAULTS, page
from assistant.cli.finding import open_context
from assistant.config import Config
from assistant.config.layers import load
from assistant.daemon.server import listen_on
from assistant.errors import DeviceError, DeviceInUse
from assistant.folders import Folders
from assistant.models.catalogue import find_model
from assistant.models.store import MANIFEST, FileEntry, Manifest
from assistant.testing import HeldClock
from assistant.types import FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioBlock
from tests.daemon.running import Running, running
from tests.sound_server import SoundServer, running_server, until

NOW = 1_800_000_000.0


def configured(*settings: str) -> Config:
    return load(settings=settings, environment={"HOME": "/nonexistent"}, system_folder=Path("/nonexistent")).config


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="doc-") as folder:  # short, for the socket in it
        yield Path(folder)


@pytest.fixture
def subject(home: Path, clock: HeldClock) -> Subject:
    """A healthy machine, as far as nothing is put in its place."""
    clock.set_wall(NOW)
    (home / "root").mkdir()
    folders = Folders(home / "data", home / "cache", home / "state", home / "run")
    return Subject(configured(), folders, lambda: microphone(room()), root=home / "root", clock=clock)


class Microphone(Source):
    """One that gives `pcm` over and over, at a pace of its own, on a held clock. pace: of what it should be."""

    name, channels = "test microphone", 1

    def __init__(self, pcm: NDArray[np.int16], clock: HeldClock, pace: float) -> None:
        self._pcm, self._clock, self._pace, self._at = pcm, clock, pace, 0

    def read(self, timeout_s: float) -> AudioBlock | Nothing:
        if not len(self._pcm):
            self._clock.advance(timeout_s)
            return Nothing.NOT_YET
        self._clock.advance(FRAME_SAMPLES / SAMPLE_RATE_HZ / self._pace)
        block = np.take(self._pcm, range(self._at, self._at + FRAME_SAMPLES), mode="wrap")
        self._at += FRAME_SAMPLES
        return AudioBlock(block.reshape(1, -1), self._clock.monotonic())

    def close(self) -> None:
        """Nothing to free."""


def microphone(pcm: NDArray[np.int16], pace: float = 1.0) -> Source:
    return Microphone(pcm, HELD, pace)


HELD = HeldClock()


def room(level: float = 300.0) -> NDArray[np.int16]:
    return np.clip(np.random.default_rng(1).normal(0, level, SAMPLE_RATE_HZ), -32_768, 32_767).astype(np.int16)


def found(check: Check, subject: Subject) -> list[Finding]:
    return list(check(subject))


def codes(check: Check, subject: Subject) -> list[str]:
    return [finding.code for finding in check(subject)]


def test_every_fault_has_a_name_a_sign_and_a_remedy() -> None:
    assert len(FAULTS) >= 20
    for fault in FAULTS.values():
        assert fault.title
        assert fault.notice.endswith(".")
        assert fault.remedy
        assert f"### {fault.title}\n\n`{fault.code}`. {fault.notice}" in page()


def test_a_healthy_machine_has_none(subject: Subject) -> None:
    subject = replace(subject, clock=HELD)
    HELD.set_wall(NOW)
    healthy = [each for each in EXAMINATIONS if each.name not in ("sound library", "loudspeaker")]
    assert [(report.name, report.findings) for report in examined(subject, healthy) if report.findings] == []


# -- what is installed -----------------------------------------------------------------------------------------------


def test_a_missing_library_is_named() -> None:
    script = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from pathlib import Path\n"
        "from assistant.cli import examine\n"
        "from assistant.config import Config\n"
        "from assistant.folders import folders\n"
        "print(*(f'{f.code} {f.says}' for f in examine.engine(examine.Subject(Config(), folders(), lambda: None))))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("library-missing onnxruntime: ")


@pytest.fixture
def vosk_model(subject: Subject, home: Path) -> tuple[Subject, Path]:
    """A fetched model of three files, for a recogniser that has none in a package."""
    model = find_model("vosk-small-en")
    folder = home / "data/models" / model.name
    folder.mkdir(parents=True)
    assert model.archive is not None
    entries = {}
    for name in ("am.mdl", "graph.fst"):
        (folder / name).write_bytes(name.encode() * 100)
        content = (folder / name).read_bytes()
        entries[name] = FileEntry(len(content), hashlib.sha256(content).hexdigest())
    manifest = Manifest(model.name, model.archive.sha256, entries)
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    return replace(subject, config=configured("recognize.engine=vosk")), folder


def test_a_model_that_was_never_fetched(subject: Subject) -> None:
    subject = replace(subject, config=configured("recognize.engine=vosk"))
    (finding,) = found(examine.model, subject)
    assert finding.code == "model-missing"
    assert "assistant models pull" in finding.says


def test_a_corrupt_model(vosk_model: tuple[Subject, Path]) -> None:
    subject, folder = vosk_model
    assert codes(examine.model, subject) == []
    content = bytearray((folder / "am.mdl").read_bytes())
    content[10] ^= 1
    (folder / "am.mdl").write_bytes(content)
    (finding,) = found(examine.model, subject)
    assert finding.code == "model-corrupt"
    assert "am.mdl" in finding.says


def test_a_voice_that_is_not_installed(subject: Subject) -> None:
    subject = replace(subject, config=configured("speak.voice=picovoice"))
    assert codes(examine.voice, subject) == ["voice-missing"]


def test_a_wake_word_that_nobody_knows(subject: Subject) -> None:
    subject = replace(subject, config=configured("listen.mode=wake", "wake.words=hey_julius"))
    (finding,) = found(examine.wake_words, subject)
    assert finding.code == "wake-word-unknown"
    assert "hey_julius" in finding.says


def test_a_skill_that_was_given_up(subject: Subject) -> None:
    subject.folders.state.mkdir()
    note_failing(subject.folders.state, Status("skills", "coffee", State.FAILING, "it raised 3 times"))
    assert [finding.says for finding in found(examine.plugins, subject)] == ["coffee: it raised 3 times"]


# -- configuration -----------------------------------------------------------------------------------------------------


def test_a_broken_configuration_is_a_finding_for_each_line_and_the_other_checks_go_on(home: Path) -> None:
    (home / "config.yaml").write_text("listen:\n  cap_s: never\n  modus: x\n")
    command = [
        sys.executable,
        "-m",
        "assistant",
        "doctor",
        "--no-sound",
        "--json",
        "--config",
        str(home / "config.yaml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    broken = [fault for fault in report["faults"] if fault["code"] == "config-broken"]
    assert (done.returncode, report["healthy"], len(broken)) == (1, False, 2)
    assert {line.partition(": ")[0][-1] for line in (fault["says"] for fault in broken)} == {"2", "3"}
    assert broken[0]["remedy"]
    assert "contexts and home" in report["checks"]


def test_a_broken_context(subject: Subject, home: Path) -> None:
    folder = Path(open_context(Config()).folder)
    shutil.copytree(folder, home / "mine")
    (home / "mine/sentences/broken.yaml").write_text(
        "language: en\nintents:\n  A:\n    data:\n    - sentences: ['{nothing}']\n"
    )
    subject = replace(subject, config=configured(f"context={home}/mine"))
    assert codes(examine.context, subject) == ["context-broken"]


def test_a_secret_that_others_can_read(subject: Subject, home: Path) -> None:
    secret = home / "password"
    secret.write_text("hunter2")
    secret.chmod(0o644)
    subject = replace(
        subject, config=configured("mqtt.host=localhost", "mqtt.username=me", f"mqtt.password_file={secret}")
    )
    (finding,) = found(examine.secrets, subject)
    assert finding.code == "secret-readable"
    assert "hunter2" not in finding.says
    secret.chmod(0o600)
    assert codes(examine.secrets, subject) == []


# -- the board -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_is_nearly_full(subject: Subject, home: Path) -> None:
    disk = home / "state"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        assert codes(examine_board.disk, subject) == []
        (disk / "filler").write_bytes(bytes(19_500_000))
        assert codes(examine_board.disk, subject) == ["disk-nearly-full"]
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_folder_that_cannot_be_written(subject: Subject) -> None:
    subject.folders.state.write_text("a file stands where the folder should be")
    (finding,) = found(examine_board.folders, subject)
    assert finding.code == "folder-not-writable"
    assert str(subject.folders.state) in finding.says


def written(subject: Subject, path: str, text: str) -> Subject:
    file = subject.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return subject


@pytest.mark.parametrize(
    ("check", "path", "healthy", "ill", "code"),
    [
        (examine_board.memory, "proc/meminfo", "MemAvailable: 900000 kB", "MemAvailable: 90000 kB", "memory-low"),
        (examine_board.power, examine_board.THROTTLED, "0", "50005", "under-voltage"),
        (examine_board.power, examine_board.THROTTLED, "40000", "50000", "under-voltage"),
        (examine_board.heat, "sys/class/thermal/thermal_zone0/temp", "61000", "84000", "too-hot"),
    ],
)
def test_what_the_board_says(subject: Subject, check: Check, path: str, healthy: str, ill: str, code: str) -> None:
    assert codes(check, subject) == []
    assert codes(check, written(subject, path, healthy)) == []
    assert codes(check, written(subject, path, ill)) == [code]


def test_a_clock_that_starts_in_the_past(subject: Subject, clock: HeldClock) -> None:
    assert codes(examine_board.clock, subject) == []
    clock.set_wall(86_400.0)
    (finding,) = found(examine_board.clock, subject)
    assert (finding.code, finding.says) == ("clock-wrong", "it shows 02 January 1970")


# -- the daemon and the house ------------------------------------------------------------------------------------------


def test_a_daemon_that_is_gone(subject: Subject, home: Path) -> None:
    listen_on(home / "run/assistant.sock").close()
    assert codes(examine.daemon, subject) == ["daemon-not-answering"]


@pytest.mark.real
def test_a_daemon_whose_microphone_is_gone(subject: Subject) -> None:
    silent = ("--set", "recognize.engine=text", "--set", "speak.voice=none", "--set", "audio.device=unplugged")
    with tempfile.TemporaryDirectory(prefix="dmn-", ignore_cleanup_errors=True) as folder:
        daemon = Running(Path(folder), arguments=silent)
        daemon.launch()
        until(lambda: daemon.socket.exists() and daemon.part("ear")["state"] == "waiting", "it misses its microphone")
        subject = replace(subject, config=configured(f"daemon.socket={daemon.socket}"))
        (finding,) = found(examine.daemon, subject)
        assert finding.code == "daemon-troubled"
        assert "unplugged: no microphone has this name" in finding.says
        assert daemon.end() == 0


@pytest.mark.real
def test_a_healthy_daemon(subject: Subject) -> None:
    with running() as daemon:
        subject = replace(subject, config=configured(f"daemon.socket={daemon.socket}"))
        assert codes(examine.daemon, subject) == []


def test_a_broker_that_is_not_there(subject: Subject) -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        port = there.getsockname()[1]
        settings = (f"mqtt.port={port}", "mqtt.host=127.0.0.1", "mqtt.tls=false")
        subject = replace(subject, config=configured(*settings))
        assert codes(examine.peers, subject) == []
    (finding,) = found(examine.peers, subject)
    assert (finding.code, finding.says) == ("broker-unreachable", f"mqtt.host: 127.0.0.1:{port}: Connection refused")


# -- sound -------------------------------------------------------------------------------------------------------------


def refusing(error: DeviceError) -> Callable[[], Source]:
    def open_source() -> Source:
        raise error

    return open_source


@pytest.mark.parametrize(
    ("device", "error", "code"),
    [
        ("default", DeviceError("there is no default microphone"), "no-microphone"),
        ("seeed", DeviceError("no microphone has this name", where="seeed"), "microphone-not-found"),
        ("default", DeviceInUse("another program holds it", where="seeed"), "microphone-busy"),
    ],
)
def test_a_microphone_that_does_not_open(subject: Subject, device: str, error: DeviceError, code: str) -> None:
    subject = replace(subject, config=configured(f"audio.device={device}"), open_source=refusing(error))
    assert [(f.code, f.says) for f in found(examine_sound.microphone, subject)] == [(code, str(error))]


@pytest.mark.parametrize(
    ("pcm", "pace", "expected"),
    [
        (room(), 1.0, []),
        (room(), 0.5, ["microphone-rate"]),
        (room(), 1.5, ["microphone-rate"]),
        (room(1.0), 1.0, ["level-low"]),
        (room(30_000), 1.0, ["level-high"]),
        (np.zeros(16_000, np.int16), 1.0, ["microphone-silent"]),
        (np.zeros(0, np.int16), 1.0, ["microphone-silent"]),
    ],
    ids=["healthy", "slow", "fast", "quiet", "loud", "zeros", "nothing"],
)
def test_what_is_heard_is_judged(subject: Subject, pcm: NDArray[np.int16], pace: float, expected: list[str]) -> None:
    subject = replace(subject, clock=HELD, open_source=lambda: microphone(pcm, pace))
    assert codes(examine_sound.microphone, subject) == expected


def test_no_microphone_wanted_is_none_missed(subject: Subject) -> None:
    subject = replace(subject, config=configured("audio.device=none"), open_source=refusing(DeviceError("gone")))
    assert codes(examine_sound.microphone, subject) == []


def test_a_microphone_that_ends_while_it_is_heard(subject: Subject) -> None:
    source = QueueSource(capacity=10)
    source.put(room()[:FRAME_SAMPLES])
    source.end()
    subject = replace(subject, open_source=lambda: source)
    assert codes(examine_sound.microphone, subject) == ["microphone-silent"]


def test_sound_devices_of_a_group_that_one_is_not_in(subject: Subject) -> None:
    device = subject.root / "dev/snd/pcmC0D0c"
    device.parent.mkdir(parents=True)
    device.touch(0o660)
    owner = device.stat()
    assert (
        codes(examine_sound.permission, replace(subject, uid=owner.st_uid + 1, groups=frozenset({owner.st_gid}))) == []
    )
    stranger = replace(subject, uid=owner.st_uid + 1, groups=frozenset({owner.st_gid + 1}))
    assert [f.code for f in found(examine_sound.permission, stranger)] == ["not-in-audio-group"]


@pytest.mark.real
@pytest.mark.skipif(bool(SoundServer.missing()), reason=f"to be installed: {SoundServer.missing()}")
def test_devices_of_a_real_sound_server(subject: Subject) -> None:
    with running_server():
        from assistant.cli.sources import open_source
        from assistant.clock import SystemClock

        def named(device: str, output: str) -> Subject:
            config = configured(f"audio.device={device}", f"audio.output={output}")
            return replace(subject, config=config, clock=SystemClock(), open_source=lambda: open_source(config, None))

        assert codes(examine_sound.microphone, named("mic7", "spk")) == ["microphone-not-found"]
        assert codes(examine_sound.microphone, named("mic1", "spk")) == ["microphone-silent"]  # nobody plays into it
        assert codes(examine_sound.loudspeaker, named("mic1", "spk")) == []
        assert codes(examine_sound.loudspeaker, named("mic1", "horn")) == ["loudspeaker-not-found"]
        assert codes(examine_sound.library, named("mic1", "spk")) == []


# -- the visit ---------------------------------------------------------------------------------------------------------


def test_a_check_that_breaks_is_a_finding_and_the_next_is_made(subject: Subject) -> None:
    def breaks(subject: Subject) -> Iterator[Finding]:
        if subject:
            raise ZeroDivisionError("what somebody said")
        yield Finding("clock-wrong", "never")

    reports = list(examined(subject, [Examination("breaks", breaks), Examination("clock", examine_board.clock)]))
    assert reports[0].findings[0].code == "check-failed"
    assert "somebody" not in reports[0].findings[0].says
    assert reports[1].findings == ()


def test_without_sound_the_microphone_is_left_alone() -> None:
    assert not any(each.sound for each in wanted(sound=False))
    assert len(wanted(sound=True)) == len(EXAMINATIONS)
