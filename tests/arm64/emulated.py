"""Two Debians for arm64 on this machine: a root each, the locked packages for its Python, our wheel, and QEMU.

    mmdebstrap ─► root (kept) ◄─ wheels for aarch64, as locked ◄─ this program's
    QEMU of trixie, unpacked; bookworm's own crashes at `import onnxruntime`

Nothing is compiled and nothing emulated until a command is run: a root takes seconds.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MIRROR = os.environ.get("ASSISTANT_BOARD_MIRROR", "http://deb.debian.org/debian")
PACKAGES = (
    "base-files",
    "dash",
    "coreutils",
    "libc-bin",
    "usr-is-merged",
    "python3",
    "ca-certificates",
    "libportaudio2",
    "libgomp1",
    "libstdc++6",
    "libatomic1",
)
LOCKS = ("device", "tflite", "wake", "openwakeword", "mqtt", "wyoming", "home-assistant")
PLACE = Path("opt/assistant")
NEEDED = ("mmdebstrap", "dpkg")
SOURCES = ("assistant", "convert", "models", "systemd", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
"""What the program's wheel is made of."""
LIMIT_S = 900.0


@dataclass(frozen=True, slots=True)
class Suite:
    """A release of Debian: its Python, its C library as wheels name it, and the processor below it as QEMU names it."""

    name: str
    python: str
    manylinux: str
    processor: str


# Those of a Raspberry Pi 4 and 5. Not QEMU's own, which has matrix extensions that no such board has, and with which
# numpy 2.5.5 multiplies float32 matrices wrongly (NaN).
SUITES = (
    Suite("bookworm", "3.11", "2_36", "cortex-a72"),
    Suite("trixie", "3.13", "2_40", "cortex-a76"),
)


@dataclass(frozen=True, slots=True)
class Board:
    """A root with the program in it. run: a command in it, by QEMU; its output. contexts: where compiled ones are."""

    suite: Suite
    root: Path
    qemu: Path

    @property
    def contexts(self) -> Path:
        return self.root / "root/.cache/assistant/contexts"

    def run(self, *command: str, limit_s: float = LIMIT_S) -> str:
        """What it printed. Raises AssertionError with what it complained of."""
        # A crash under emulation can hang for ever.
        bounded = ["timeout", "-s", "KILL", str(limit_s), sys.executable, "-I"]
        chroot = [str(Path(__file__).with_name("chroot.py")), str(self.qemu), str(self.root)]
        done = subprocess.run(
            [*bounded, *chroot, *command],
            env={
                **os.environ,
                "PYTHONPATH": f"/{PLACE}/lib",
                "OMP_NUM_THREADS": "1",
                "QEMU_CPU": self.suite.processor,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-3000:]}"
        return done.stdout


def missing() -> str:
    """What has to be there first; "" when all is."""
    if os.getuid() != 0:
        return "root"
    kernel = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
    if kernel < (6, 7):
        return "Linux 6.7 (binfmt_misc in a user namespace)"
    return ", ".join(name for name in NEEDED if not shutil.which(name))


def made(suite: Suite, kept: Path) -> Board:
    """A board of that release below `kept`: what takes long is made there the first time."""
    kept.mkdir(parents=True, exist_ok=True)
    board = Board(suite, _root(suite, kept), _qemu(kept))
    _install(suite, board.root)
    _install_ours(suite, board.root, kept)
    return board


def _root(suite: Suite, kept: Path) -> Path:
    root = kept / f"{suite.name}-arm64"
    done = root / "etc/made"
    if not done.exists():
        shutil.rmtree(root, ignore_errors=True)
        command = ["mmdebstrap", "--mode=root", "--variant=extract", "--architectures=arm64", "--skip=check/empty"]
        command += [f"--include={','.join(PACKAGES)}", suite.name, str(root), MIRROR]
        subprocess.run(command, check=True, capture_output=True)
        board = Board(suite, root, _qemu(kept))
        board.run("/sbin/ldconfig")  # or PortAudio is not found
        done.touch()
    return root


def _install(suite: Suite, root: Path) -> None:
    """The locked packages, as a Raspberry Pi of this release would get them."""
    lib = root / PLACE / "lib"
    locks = [ROOT / "requirements" / f"{name}.txt" for name in LOCKS]
    stamp, wanted = lib / "installed", "\n".join(lock.read_text(encoding="utf-8") for lock in locks)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(lib, ignore_errors=True)
    _uv_install(suite, lib, "--require-hashes", *(part for lock in locks for part in ("-r", str(lock))))
    stamp.write_text(wanted, encoding="utf-8")


def _install_ours(suite: Suite, root: Path, kept: Path) -> None:
    """The program as its wheel, which is made of a copy: a build leaves its traces beside the sources."""
    copy, wheels = kept / "source", kept / "wheels"
    for made_before in (copy, wheels):
        shutil.rmtree(made_before, ignore_errors=True)
    copy.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--wheel-dir", str(wheels), str(copy)], check=True)
    _uv_install(suite, root / PLACE / "lib", "--reinstall", *map(str, wheels.iterdir()))


def _uv_install(suite: Suite, lib: Path, *what: str) -> None:
    command = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--target", str(lib)]
    command += ["--python-version", suite.python, "--python-platform", f"aarch64-manylinux_{suite.manylinux}"]
    subprocess.run([*command, "--only-binary", ":all:", "--no-deps", *what], check=True)


def _qemu(kept: Path) -> Path:
    """QEMU 10 of Debian trixie for this machine."""
    qemu = kept / "qemu/usr/bin/qemu-aarch64"
    if not qemu.exists():
        with urllib.request.urlopen(f"{MIRROR}/dists/trixie/main/binary-amd64/Packages.xz") as answer:  # noqa: S310
            index = lzma.decompress(answer.read()).decode()
        entry = next(text for text in index.split("\n\n") if text.startswith("Package: qemu-user\n"))
        name = next(line.partition(": ")[2] for line in entry.splitlines() if line.startswith("Filename: "))
        package, _ = urllib.request.urlretrieve(f"{MIRROR}/{name}", kept / "qemu.deb")  # noqa: S310
        subprocess.run(["dpkg", "-x", str(package), str(kept / "qemu")], check=True)
    return qemu
