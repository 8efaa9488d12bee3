"""A real Home Assistant for tests, with the devices of its own demo, a user and a token.

`Hass(folder, executable)` starts and stops one as often as the test likes; `find()` says where an executable is.
`python -m tests.integrations.install_home_assistant` installs one.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import websockets.asyncio.client

from tests.integrations.broker import free_port

VARIABLE = "ASSISTANT_HASS"
DEFAULT = Path(__file__).resolve().parents[2] / "build/home-assistant"
PATIENCE_S = 120.0
LOOK_EVERY_S = 0.1

CONFIGURATION = """
homeassistant: {{name: Home, unit_system: metric, time_zone: UTC}}
http: {{server_host: 127.0.0.1, server_port: {port}}}
api:
websocket_api:
config:
conversation:
intent:
demo:
intent_script:
  Ventilate:
    speech: {{text: "Airing the {{{{ room }}}}"}}
scene:
  - {{name: Movie Night, entities: {{light.bed_light: "on", light.ceiling_lights: "off"}}}}
"""


def find() -> Path | None:
    """The executable: $ASSISTANT_HASS, else that of build/home-assistant; None where there is none."""
    named = os.environ.get(VARIABLE)
    path = Path(named) if named else DEFAULT / "bin/hass"
    return path if path.is_file() else None


@dataclass
class Hass:
    """One Home Assistant. port: of its API. token_file: its key, which only this user may read."""

    folder: Path
    executable: Path
    patience_s: float = PATIENCE_S
    port: int = field(default_factory=free_port)
    token: str = ""
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token_file(self) -> Path:
        return self.folder / "token"

    def start(self) -> None:
        """Start it and wait until it is running; at the first start a user and a token are made."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "configuration.yaml").write_text(CONFIGURATION.format(port=self.port))
        with (self.folder / "console.log").open("ab") as log:
            command = [str(self.executable), "--config", str(self.folder)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        if not self.token:
            self.wait(lambda: self.post("/api/onboarding/users", {}) is not None)
            self.token = self._first_token()
            self.token_file.write_text(self.token)
            self.token_file.chmod(0o600)
        self.wait(lambda: (self.get("/api/config") or {}).get("state") == "RUNNING")

    def stop(self) -> None:
        """End it in order: it writes down its registries."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(self.patience_s)
            self._process = None

    def pause(self) -> None:
        """Let it answer nothing, without closing a connection."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def get(self, path: str) -> Any:
        """A JSON answer, None where there is none."""
        return self._call(path, None, "")

    def post(self, path: str, body: Any, *, form: bool = False) -> Any:
        """A JSON answer to JSON or a form; {} for a refusal, None where nobody answers."""
        data = urllib.parse.urlencode(body).encode() if form else json.dumps(body).encode()
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        return self._call(path, data, kind)

    def state(self, entity_id: str) -> str:
        """The state of an entity."""
        return str((self.get(f"/api/states/{entity_id}") or {}).get("state"))

    def add(self, integration: str, settings: dict[str, Any]) -> None:
        """Set an integration up, as its page of settings does."""
        flow = self.post("/api/config/config_entries/flow", {"handler": integration})
        done = self.post(f"/api/config/config_entries/flow/{flow['flow_id']}", settings)
        assert done.get("type") == "create_entry", done

    def edit(self, *commands: dict[str, Any]) -> list[Any]:
        """Commands over the WebSocket API, as its pages of settings send them; their results."""

        async def send() -> list[Any]:
            url = f"ws://127.0.0.1:{self.port}/api/websocket"
            async with websockets.asyncio.client.connect(url, max_size=None, proxy=None) as socket:
                await socket.recv()
                await socket.send(json.dumps({"type": "auth", "access_token": self.token}))
                await socket.recv()
                results = []
                for number, command in enumerate(commands, 1):
                    await socket.send(json.dumps({"id": number, **command}))
                    answer = json.loads(await socket.recv())
                    assert answer.get("success"), answer
                    results.append(answer["result"])
                return results

        return asyncio.run(send())

    def _first_token(self) -> str:
        user = {"client_id": f"{self.url}/", "name": "T", "username": "t", "password": "secret", "language": "en"}
        code = self.post("/api/onboarding/users", user)["auth_code"]
        grant = {"grant_type": "authorization_code", "code": code, "client_id": f"{self.url}/"}
        self.token = self.post("/auth/token", grant, form=True)["access_token"]
        (token,) = self.edit({"type": "auth/long_lived_access_token", "client_name": "assistant", "lifespan": 365})
        return str(token)

    def _call(self, path: str, data: bytes | None, kind: str) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if data is not None:
            headers["Content-Type"] = kind
        return self.send(urllib.request.Request(self.url + path, data, headers))  # noqa: S310  our own http address

    def send(self, request: urllib.request.Request) -> Any:
        """A JSON answer; {} for a refusal, None where nobody answers."""
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return {}
        except OSError:
            return None

    def wait(self, what: Callable[[], bool]) -> None:
        """Wait for a state; the console's last lines are the error where it does not come."""
        deadline = time.monotonic() + self.patience_s
        while not what():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.folder / "console.log").read_text()[-4_000:])
            time.sleep(LOOK_EVERY_S)
