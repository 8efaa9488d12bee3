"""What a benchmark leaves behind: figures together with the machine, the date, the versions and the commit."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("assistant-voice", "moonshine-voice", "onnxruntime", "numpy", "pocketsphinx")
ROOT = Path(__file__).resolve().parents[1]


def document(benchmark: str, command: str, results: Mapping[str, Any], limited: str = "") -> dict[str, Any]:
    """The figures of one run. limited: what was left out of a quick run, "" for a whole one."""
    return {
        "benchmark": benchmark,
        "command": command,
        "limited": limited,
        "date": dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
        "versions": versions(),
        "commit": commit(),
        "results": dict(results),
    }


def write(doc: Mapping[str, Any], folder: Path) -> Path:
    """Write `doc` as bench-NAME.json; a limited run gets a name of its own, so that it replaces no whole one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"bench-{doc['benchmark']}{'-limited' if doc['limited'] else ''}.json"
    path.write_text(json.dumps(doc, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system, and the load of the last minute: other work makes times longer."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(pages / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(os.getloadavg()[0], 1),
    }


def versions() -> dict[str, str]:
    """Python and the packages that the figures depend on, where they are installed."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The commit of the source, with "+" where files were changed since; "" outside a repository."""
    try:
        head = _git("rev-parse", "--short=10", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*args: str) -> str:
    return subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _processor() -> str:
    """The processor's name as the system gives it; on a board, the board's."""
    board = Path("/proc/device-tree/model")
    if board.is_file():
        return board.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
