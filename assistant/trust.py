"""Whom an encrypted connection trusts: the system's authorities, or the one that a file names."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path

from assistant.errors import ConfigError


def trusting(key: str, ca_file: str | None) -> ssl.SSLContext:
    """A client's context that checks certificate and name. key: of the configuration. Raises ConfigError."""
    if ca_file is None:
        return ssl.create_default_context()
    with explained(key, ca_file):
        context = ssl.create_default_context(cafile=str(Path(ca_file).expanduser()))
    # From Python 3.13 on an authority must also say what its key is for (RFC 5280), which those made at home seldom do.
    # Chain, dates and name are checked as before.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


@contextlib.contextmanager
def explained(key: str, file: str) -> Iterator[None]:
    """What is wrong with a certificate's file as a ConfigError."""
    try:
        yield
    except ssl.SSLError as error:
        remedy = "it must hold a certificate in PEM form"
        raise ConfigError(f"{key} is no certificate ({error.reason})", where=file, remedy=remedy) from error
    except OSError as error:
        raise ConfigError(f"{key} cannot be read: {error.strerror}", where=file, remedy="check the path") from error
