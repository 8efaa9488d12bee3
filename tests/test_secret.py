"""Secrets from files: read only where nobody else can, and quoted in no message."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assistant.errors import ConfigError
from assistant.secret import CREDENTIALS, read_secret, secret_path

KEY = "mqtt.password_file"


def secret(folder: Path, content: bytes = b"correct horse\n", mode: int = 0o600) -> str:
    file = folder / "secret"
    file.write_bytes(content)
    file.chmod(mode)
    return str(file)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_secret_of_ones_own_is_read_without_its_line_break(tmp_path: Path, mode: int) -> None:
    assert read_secret(secret(tmp_path, mode=mode), KEY) == "correct horse"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o610])
def test_one_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="mqtt.password_file can be read by other users; chmod 600") as raised:
        read_secret(secret(tmp_path, mode=mode), KEY)
    assert "horse" not in str(raised.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_one_that_belongs_to_somebody_else_is_refused(tmp_path: Path) -> None:
    file = secret(tmp_path)
    os.chown(file, 12345, 12345)
    with pytest.raises(ConfigError, match="belongs to another user"):
        read_secret(file, KEY)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "must hold one line"),
        (b"\n", "must hold one line"),
        (b"one\ntwo\n", "must hold one line"),
        (b"x" * 20_000, "must hold one line"),
        (b"\xff\xfe", "is not UTF-8 text"),
    ],
)
def test_what_is_no_secret_is_refused(tmp_path: Path, content: bytes, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        read_secret(secret(tmp_path, content), KEY)


def test_a_file_that_is_not_there_or_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_secret(str(tmp_path / "absent"), KEY)
    with pytest.raises(ConfigError, match="is no file"):
        read_secret(str(tmp_path), KEY)


def test_a_bare_name_is_what_systemd_lends(tmp_path: Path) -> None:
    secret(tmp_path)
    assert secret_path("secret", {CREDENTIALS: str(tmp_path)}) == tmp_path / "secret"
    assert secret_path("other", {CREDENTIALS: str(tmp_path)}) == Path("other")
    assert secret_path("secret", {}) == Path("secret")
