"""A Debian with systemd and the assistant as its service, booted in a container, and what its own checks said.

    mmdebstrap ─► root (kept) ─► units, program, checks ─► systemd-nspawn --boot ─► results.json

The program and its packages are bound in read-only from where they are. A unit in the container runs
`tests/board/inside.py` and switches off. The container has cgroups of its own (version 2 only) and no network; without
the three capabilities IPAddressDeny= would silently not be enforced.
"""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from assistant.cli.service import files, unit_sources

ROOT = Path(__file__).resolve().parents[2]
SUITE = "bookworm"
MIRROR = os.environ.get("ASSISTANT_BOARD_MIRROR", "http://deb.debian.org/debian")
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "python3",
    "libportaudio2",
    "libasound2-plugins",
    "libgomp1",
    "libatomic1",
    "procps",
    "iproute2",
    "libnss-systemd",
)
NEEDED = ("mmdebstrap", "systemd-nspawn", "unshare")
PROGRAM = Path("/opt/assistant/bin/assistant")
START = """#!/bin/sh
PYTHONPATH=/opt/assistant/src:/opt/assistant/lib exec /usr/bin/python3 -m assistant "$@"
"""
CHECK_UNIT = """[Unit]
Description=Checks
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 /check/inside.py
ExecStopPost=/bin/systemctl poweroff --no-block
TimeoutStartSec=infinity
StandardOutput=file:/check/log
StandardError=file:/check/log
[Install]
WantedBy=multi-user.target
"""
# Its own view of cgroups, then the boot. /run is fresh, as nspawn wants to lock something there.
INNER = """
umount -R /sys/fs/cgroup 2>/dev/null || umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
exec timeout -s KILL {limit_s} systemd-nspawn --quiet --directory={root} --boot --register=no --keep-unit \
    --private-network --console=pipe --capability=CAP_BPF,CAP_PERFMON,CAP_NET_ADMIN --system-call-filter=bpf \
    {binds} </dev/null
"""


def missing() -> str:
    """What has to be there before anything boots; "" when all is."""
    if os.getuid() != 0:
        return "root"
    if sys.version_info[:2] != (3, 11):
        return f"Python 3.11, which is {SUITE}'s"
    return ", ".join(name for name in NEEDED if not shutil.which(name))


def made_root(kept: Path) -> Path:
    """A root of Debian below `kept`, made there the first time (a minute or two)."""
    root = kept / f"{SUITE}-root"
    if not (root / "usr/bin/python3").exists():
        shutil.rmtree(root, ignore_errors=True)
        kept.mkdir(parents=True, exist_ok=True)
        command = ["mmdebstrap", "--mode=root", "--variant=essential", f"--include={','.join(PACKAGES)}", SUITE]
        subprocess.run([*command, str(root), MIRROR], check=True, capture_output=True)
    return root


def furnish(root: Path, config: str) -> None:
    """Put units, program, configuration and checks into `root`; nothing of an earlier run stays."""
    for state in ("var/lib/private", "var/lib/assistant", "var/cache/private", "var/log/journal", "check"):
        path = root / state
        path.unlink() if path.is_symlink() else shutil.rmtree(path, ignore_errors=True)
    for file in files(unit_sources(), PROGRAM, user=False, drop_ins=()):
        _write(root / file.path.relative_to("/"), file.text)
    _write(root / PROGRAM.relative_to("/"), START).chmod(0o755)
    _write(root / "etc/assistant/config.yaml", config)
    _write(root / "etc/systemd/system/check.service", CHECK_UNIT)
    for target, unit in (
        ("multi-user.target", "check.service"),
        ("multi-user.target", "assistant.service"),
        ("sockets.target", "assistant.socket"),
    ):
        link = root / "etc/systemd/system" / f"{target}.wants" / unit
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(f"/etc/systemd/system/{unit}")
    (root / "etc/machine-id").write_text("")
    # As an installation does; compiling anew would be half of each start.
    compileall.compile_dir(str(ROOT / "assistant"), quiet=2)
    shutil.copy(ROOT / "tests/board/inside.py", root / "check/inside.py") if _made(root / "check") else None
    for folder in ("src/assistant", "src/models", "lib"):
        (root / "opt/assistant" / folder).mkdir(parents=True, exist_ok=True)


def booted(root: Path, limit_s: int) -> dict[str, Any]:
    """Boot, let the checks run and switch off; what they wrote."""
    binds = {
        ROOT / "assistant": "/opt/assistant/src/assistant",
        ROOT / "models": "/opt/assistant/src/models",
        Path(sysconfig.get_path("purelib")): "/opt/assistant/lib",
    }
    script = INNER.format(
        limit_s=limit_s, root=root, binds=" ".join(f"--bind-ro={here}:{there}" for here, there in binds.items())
    )
    group = _group()
    enter = f'echo $$ > {group}/cgroup.procs; exec unshare --mount --cgroup --pid --fork --mount-proc sh -euc "$SCRIPT"'
    done = subprocess.run(
        ["sh", "-euc", enter], env={**os.environ, "SCRIPT": script}, capture_output=True, text=True, check=False
    )
    results = root / "check/results.json"
    if not results.exists():
        log = root / "check/log"
        raise AssertionError(
            f"the board said nothing: {done.stderr[-2000:]}\n{log.read_text() if log.exists() else ''}"
        )
    found: dict[str, Any] = json.loads(results.read_text())
    return found


def _group() -> Path:
    """A group of its own in the tree of cgroup version 2, wherever that is mounted."""
    unified = Path("/sys/fs/cgroup/unified")
    group = (unified if unified.is_dir() else Path("/sys/fs/cgroup")) / f"assistant-board-{os.getpid()}"
    group.mkdir(exist_ok=True)
    return group


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _made(folder: Path) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    return True
