"""A sound server of its own for tests: PulseAudio with virtual microphones and a loudspeaker, opened by name.

`SoundServer.start()` makes a private folder, writes the server's and ALSA's configuration into it and sets the process
environment so that PortAudio sees only these devices. A microphone is a null sink whose monitor ALSA calls by name:

    play(MIC4, pcm, rate) ─► paplay ─► null sink "mic4" ─► its monitor ─► ALSA "mic4" ─► PortAudio

Nothing outside the folder is touched; several may run on one machine. `SoundServer.missing()` says what to install.
"""

from __future__ import annotations

import ctypes.util
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from assistant.audio.portaudio import PORTAUDIO

PATIENCE_S = 20.0
LOOK_EVERY_S = 0.02
ENVIRONMENT = ("XDG_RUNTIME_DIR", "PULSE_SERVER", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH", "ALSA_CONFIG_PATH")
PROGRAMS = ("pulseaudio", "pactl", "paplay", "parec")
# aux0..aux3 would be silent through ALSA's plug-in: channels need the names of loudspeakers.
FOUR_CHANNELS = "front-left,front-right,rear-left,rear-right"


@dataclass(frozen=True)
class Sink:
    """A null sink: a virtual microphone (listen to its monitor) or a virtual loudspeaker."""

    name: str
    rate_hz: int
    channel_map: str
    monitor: bool

    @property
    def channels(self) -> int:
        return len(self.channel_map.split(","))

    @property
    def module(self) -> str:
        return (
            f"module-null-sink sink_name={self.name} rate={self.rate_hz} channels={self.channels} "
            f"channel_map={self.channel_map}"
        )

    @property
    def alsa(self) -> str:
        device = f"{self.name}.monitor" if self.monitor else self.name
        hint = f'hint {{ show on description "{self.name}" }}'
        return f"pcm.{self.name} {{ type pulse device {device} {hint} }}\n"


MIC1 = Sink("mic1", 48_000, "mono", monitor=True)
MIC1_CD = Sink("mic1cd", 44_100, "mono", monitor=True)
MIC4 = Sink("mic4", 48_000, FOUR_CHANNELS, monitor=True)
MIC4_CD = Sink("mic4cd", 44_100, FOUR_CHANNELS, monitor=True)
SPEAKER = Sink("spk", 48_000, "front-left,front-right", monitor=False)
SINKS = (SPEAKER, MIC1, MIC1_CD, MIC4, MIC4_CD)


@dataclass
class SoundServer:
    """One running server. `kill` and `start` it as often as the test likes; `stop` ends it and removes its folder."""

    folder: Path
    _server: subprocess.Popen[bytes] | None = None
    _listeners: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @staticmethod
    def missing() -> str:
        """What has to be installed before it can run; "" when all is there."""
        lacking = [name for name in PROGRAMS if shutil.which(name) is None]
        if ctypes.util.find_library("portaudio") is None:
            lacking.append("libportaudio2")
        if not any(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
            lacking.append("libasound2-plugins")
        return ", ".join(lacking)

    @classmethod
    def create(cls) -> SoundServer:
        """Prepare folder, configuration and environment; the server itself is not running yet."""
        folder = Path(tempfile.mkdtemp(prefix="sound-"))  # short: a socket's path has at most 107 characters
        server = cls(folder)
        server._runtime.mkdir(mode=0o700)
        lines = [f"load-module module-native-protocol-unix auth-anonymous=1 socket={server._socket}"]
        lines += [f"load-module {sink.module}" for sink in SINKS]
        (folder / "pulse.pa").write_text("\n".join(lines) + "\n")
        (folder / "asoundrc").write_text("</usr/share/alsa/alsa.conf>\n" + "".join(sink.alsa for sink in SINKS))
        os.environ.update(server.environment)
        return server

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to see this server and no other."""
        return {
            "XDG_RUNTIME_DIR": str(self._runtime),
            "PULSE_SERVER": f"unix:{self._socket}",
            "PULSE_RUNTIME_PATH": str(self._runtime),
            "PULSE_STATE_PATH": str(self._runtime),
            "ALSA_CONFIG_PATH": str(self.folder / "asoundrc"),
        }

    def start(self) -> None:
        """Start it and wait until every sink exists and its monitor runs."""
        self._server = subprocess.Popen(
            [
                "pulseaudio",
                "-n",
                "-F",
                str(self.folder / "pulse.pa"),
                "--daemonize=no",
                "--exit-idle-time=-1",
                "--realtime=no",
                "--high-priority=no",
                "--use-pid-file=no",
                f"--log-target=file:{self.folder}/pulse.log",
                "--log-level=error",
            ],
            stderr=subprocess.DEVNULL,
        )
        until(lambda: self.pactl("list", "short", "sinks").count("\n") == len(SINKS), "the sound server is up")
        # The monitor of an idle null sink begins up to 2 s late unless somebody listens already.
        self._listeners = [
            subprocess.Popen(
                ["parec", "-d", f"{sink.name}.monitor", "--latency-msec=20", "--raw"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            for sink in SINKS
        ]
        for listener in self._listeners:
            _first_bytes(listener)

    def kill(self) -> None:
        """End the server at once, as a crash would, and wait until it is gone."""
        for process in (self._server, *self._listeners):
            if process is not None:
                process.send_signal(signal.SIGKILL)
                process.wait()
                if process.stdout is not None:
                    process.stdout.close()
        self._server, self._listeners = None, []
        self._socket.unlink(missing_ok=True)

    def stop(self) -> None:
        """End it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pactl(self, *arguments: str) -> str:
        """Output of `pactl`, "" while the server does not answer."""
        done = subprocess.run(["pactl", *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE_S)
        return done.stdout if done.returncode == 0 else ""

    def play(self, sink: Sink, frames: NDArray[np.float32], rate_hz: int) -> None:
        """Play frames [n, channels] into `sink` and return when they have been played."""
        path = self.folder / f"play-{sink.name}.wav"
        soundfile.write(path, frames, rate_hz, subtype="PCM_16")
        subprocess.run(
            ["paplay", "-d", sink.name, f"--channel-map={sink.channel_map}", str(path)], check=True, timeout=120
        )

    def unplug(self, sink: Sink) -> None:
        """Take one device away while the server runs on, as when a plug is pulled."""
        for line in self.pactl("list", "short", "modules").splitlines():
            if f"sink_name={sink.name} " in line:
                self.pactl("unload-module", line.split()[0])

    def plug_in(self, sink: Sink) -> None:
        """Bring it back."""
        self.pactl("load-module", *sink.module.split())

    @contextmanager
    def recording(self, sink: Sink) -> Iterator[subprocess.Popen[bytes]]:
        """What `sink` hears, as raw mono s16le at 48 kHz on the process's standard output, running already."""
        process = subprocess.Popen(
            ["parec", "-d", f"{sink.name}.monitor", "--raw", "--rate=48000", "--channels=1", "--latency-msec=20"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            _first_bytes(process)
            yield process
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    @contextmanager
    def playing_over_and_over(self, sink: Sink, frames: NDArray[np.float32], rate_hz: int) -> Iterator[None]:
        """Keep playing while the block runs, for tests that wait for sound to come back; survives the server."""
        path = self.folder / f"loop-{sink.name}.wav"
        soundfile.write(path, frames, rate_hz, subtype="PCM_16")
        once = f"paplay -d {sink.name} --channel-map={sink.channel_map} {path} 2>/dev/null"
        command = f"while :; do {once} || sleep 0.1; done"
        loop = subprocess.Popen(["sh", "-c", command], start_new_session=True)
        try:
            yield
        finally:
            os.killpg(loop.pid, signal.SIGKILL)
            loop.wait()

    @property
    def _runtime(self) -> Path:
        return self.folder / "run"

    @property
    def _socket(self) -> Path:
        return self._runtime / "pulse.sock"


@contextmanager
def running_server() -> Iterator[SoundServer]:
    """A started server that this process sees; afterwards the environment is as before and the server is gone."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    server = SoundServer.create()
    try:
        server.start()
        PORTAUDIO.refresh()
        yield server
    finally:
        server.stop()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        PORTAUDIO.refresh()


def until(condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for a state of another process; fail with `what` when it does not come."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s in vain until {what}"
        time.sleep(LOOK_EVERY_S)


def _first_bytes(listener: subprocess.Popen[bytes]) -> None:
    assert listener.stdout is not None
    readable, _, _ = select.select([listener.stdout], [], [], PATIENCE_S)
    assert readable, "the monitor of a null sink gives no sound"
