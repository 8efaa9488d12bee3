"""A real broker for tests: mosquitto with TLS, a password file and certificates that openssl makes on the spot.

`Broker.missing()` says what to install. Everything lies in the test's folder; several may run on one machine.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE_S = 20.0
USER, PASSWORD = "assistant", "correct horse"
FALLBACK = "/usr/sbin/"


def program(name: str) -> str | None:
    """The path of a program, also where only root's PATH leads to it."""
    return shutil.which(name) or shutil.which(FALLBACK + name)


@dataclass
class Broker:
    """One mosquitto. `start` and `kill` it as often as the test likes; retained messages outlive that."""

    folder: Path
    port: int
    tls: bool = False
    password: bool = False
    _server: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @staticmethod
    def missing() -> str:
        """What to install, "" where all is there."""
        return " ".join(name for name in ("mosquitto", "mosquitto_passwd", "openssl") if not program(name))

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        lines = [f"listener {self.port} 127.0.0.1", "persistence true", f"persistence_location {self.folder}/"]
        if self.tls:
            lines += [f"certfile {self.folder}/server.pem", f"keyfile {self.folder}/server.key"]
        if self.password:
            lines += [f"password_file {self.folder}/passwords"]
        lines += [f"allow_anonymous {'false' if self.password else 'true'}", "user root"]
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        command = [str(program("mosquitto")), "-c", str(self.folder / "mosquitto.conf")]
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._server = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self._server.poll() is not None:
                break
        raise AssertionError((self.folder / "mosquitto.log").read_text())

    def stop(self) -> None:
        """End it in order: it writes down what it keeps."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(PATIENCE_S)
            self._server = None

    def make_password(self) -> Path:
        """Let only USER in, with PASSWORD; the file that holds it, for the client."""
        self.password = True
        passwords = self.folder / "passwords"
        passwords.touch()
        passwords.chmod(0o600)
        run("mosquitto_passwd", "-b", str(passwords), USER, PASSWORD)
        secret = self.folder / "secret"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o600)
        return secret

    def make_certificate(self, name: str = "localhost") -> None:
        """Encrypt, with a certificate for `name` and an authority of its own."""
        self.tls = True
        make_certificate(self.folder, name)


def make_certificate(folder: Path, name: str) -> None:
    """server.pem and server.key for the host `name`, signed by ca.pem."""
    authority = make_authority(folder, "ca")
    key, request = folder / "server.key", folder / "server.csr"
    run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}")
    extensions = folder / "server.ext"
    extensions.write_text(f"subjectAltName=DNS:{name}\n")
    run(
        *("openssl", "x509", "-req", "-in", request, "-CA", authority, "-CAkey", folder / "ca.key"),
        *("-CAcreateserial", "-out", folder / "server.pem", "-days", "2", "-extfile", extensions),
    )


def make_authority(folder: Path, name: str) -> Path:
    """A certificate that signs others, and its key beside it."""
    certificate = folder / f"{name}.pem"
    run(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
        *("-keyout", folder / f"{name}.key", "-out", certificate),
    )
    return certificate


def run(name: str, *arguments: str | Path) -> None:
    """Run a program that must succeed."""
    done = subprocess.run([str(program(name)), *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    """A broker that is not started yet; ended at the end."""
    made = Broker(folder, free_port())
    try:
        yield made
    finally:
        made.stop()
