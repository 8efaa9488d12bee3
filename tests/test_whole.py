"""A file is written whole or stays as it was, and nothing is left beside it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

from assistant.whole import PRIVATE, write_whole


def test_what_was_there_is_replaced_and_nothing_lies_beside(tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        write_whole(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_mode_is_asked_for_and_the_umask_holds(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "open", b"")
        write_whole(tmp_path / "private", b"", PRIVATE)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"open": 0o640, "private": 0o600}


FULL = """
import resource, signal, sys
from pathlib import Path
from assistant.whole import write_whole
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_whole(Path(sys.argv[1]), bytes(5000))
except OSError as error:
    print(error.errno)
"""


def test_a_disk_that_is_full_leaves_the_old_file_and_no_rest(tmp_path: Path, repository: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(file)], capture_output=True, text=True, check=True, cwd=repository
    )
    assert done.stdout.strip()
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
