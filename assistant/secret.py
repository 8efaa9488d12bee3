"""Secrets from files: passwords and tokens that nobody else on the machine may read, and that appear in no log.

A name without a folder is looked for among the credentials that systemd lends a service (`LoadCredential=`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from assistant.errors import ConfigError

CREDENTIALS = "CREDENTIALS_DIRECTORY"
LONGEST_BYTES = 16 * 1024
"""A longer file is no password but the wrong file."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def secret_path(file: str, environment: Mapping[str, str] | None = None) -> Path:
    """Where the file is: `~` expanded; a bare name among systemd's credentials where there are any."""
    lent = (os.environ if environment is None else environment).get(CREDENTIALS, "")
    if lent and os.sep not in file and (Path(lent) / file).is_file():
        return Path(lent) / file
    return Path(file).expanduser()


def check_secret(path: Path, key: str) -> None:
    """Raise ConfigError unless `path` is a file that only this user (or root, who lends it) can read.

    key: the configuration's, for the message.
    """
    try:
        found = path.stat()
    except OSError as error:
        what = f"{key} cannot be read: {error.strerror}"
        raise ConfigError(what, where=str(path), remedy="write the secret into that file") from error
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"{key} is no file", where=str(path), remedy="write the secret into a file")
    if found.st_uid not in (os.geteuid(), 0):
        raise ConfigError(f"{key} belongs to another user", where=str(path), remedy=f"chown it, then chmod 600 {path}")
    # systemd gives a credential to the service's user by an access list, which shows as the group's bits: 0440.
    if found.st_mode & _OTHERS and not _is_lent(path):
        raise ConfigError(f"{key} can be read by other users", where=str(path), remedy=f"chmod 600 {path}")


def read_secret(file: str, key: str, environment: Mapping[str, str] | None = None) -> str:
    """The secret in `file`, without the line break at its end. Raises ConfigError; no message quotes the content."""
    path = secret_path(file, environment)
    check_secret(path, key)
    try:
        with path.open("rb") as opened:
            content = opened.read(LONGEST_BYTES + 1)
        text = content.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        what = f"{key} cannot be read: {error.strerror}"
        raise ConfigError(what, where=str(path), remedy="check its permissions") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{key} is not UTF-8 text", where=str(path), remedy="write it as text") from None
    if not text or len(content) > LONGEST_BYTES or "\n" in text or "\0" in text:
        raise ConfigError(f"{key} must hold one line", where=str(path), remedy="write only the secret into it")
    return text


def _is_lent(path: Path) -> bool:
    lent = os.environ.get(CREDENTIALS, "")
    return bool(lent) and path.parent == Path(lent)
