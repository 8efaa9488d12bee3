"""URLs that a sentence calls: a real server on this machine."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from assistant.act.http import Http, found_in
from assistant.act.skill import Result

Run = Callable[..., Any]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked; /status/N with that code, /slow never."""

    let_go = threading.Event()

    def _answer(self) -> None:
        if self.path.startswith("/slow"):
            self.let_go.wait(30)
            return
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length).decode()
        code = int(self.path.rpartition("/")[2]) if self.path.startswith("/status/") else 200
        told = {
            "method": self.command,
            "path": self.path,
            "token": self.headers.get("Authorization"),
            "json": json.loads(body) if body else None,
            "list": [{"name": "first"}],
            "temperature": 21.5,
        }
        text = json.dumps(told).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a running server."""
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_address[1]}"
    Handler.let_go.set()
    running.shutdown()
    thread.join()
    running.server_close()
    Handler.let_go.clear()


def call(run: Run, parameters: dict[str, Any], **slots: Any) -> Result:
    result: Result = run(Http(), parameters={"Do": parameters}).ask("http", "Do", **slots)
    return result


def test_a_url_is_called_and_its_answer_can_be_said(run: Run, server: str) -> None:
    values = {"temperature": "temperature", "who": "list.0.name", "nothing": "a.b"}
    result = call(run, {"url": f"{server}/weather", "values": values})
    assert result.ok
    assert (result.values["status"], result.values["temperature"], result.values["who"]) == (200, 21.5, "first")
    assert result.values["nothing"] is None


def test_slots_are_escaped_in_the_url_and_keep_their_type_in_the_body(
    run: Run, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GARDEN_TOKEN", "secret")
    parameters = {
        "url": f"{server}/valve/{{zone}}?q={{zone}}",
        "method": "POST",
        "headers": {"Authorization": "Bearer {env:GARDEN_TOKEN}"},
        "json": {"minutes": "{minutes}", "text": "for {minutes} min", "where": ["{zone}"], "x": "{depth}"},
        "defaults": {"depth": 3},
        "values": {"path": "path", "method": "method", "token": "token", "json": "json"},
    }
    values = call(run, parameters, zone='../a b"&c', minutes=20.0).values
    assert values["path"] == "/valve/..%2Fa%20b%22%26c?q=..%2Fa%20b%22%26c"
    assert (values["method"], values["token"]) == ("POST", "Bearer secret")
    assert json.loads(values["json"]) == {"minutes": 20.0, "text": "for 20 min", "where": ['../a b"&c'], "x": 3}


def test_an_error_of_the_server_is_said(run: Run, server: str) -> None:
    result = call(run, {"url": f"{server}/status/503"})
    assert (result.ok, result.text) == (False, "127.0.0.1 answered with error 503.")


def test_a_dead_host_is_said_and_others_go_on(run: Run, server: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assistant = run(Http(), parameters={"Dead": {"url": f"http://127.0.0.1:{port}/"}, "Alive": {"url": server}})
    dead = assistant.ask("http", "Dead")
    assert (dead.ok, dead.text) == (False, "I can't reach 127.0.0.1.")
    assert assistant.ask("http", "Alive").ok


def test_a_name_that_no_host_has_is_said(run: Run) -> None:
    result = call(run, {"url": "http://no-such-host.invalid/"})
    assert (result.ok, result.text) == (False, "I can't reach no-such-host.invalid.")


def test_a_host_that_never_answers_is_not_waited_for(run: Run, server: str) -> None:
    result = call(run, {"url": f"{server}/slow", "timeout_s": 0.2})
    assert (result.ok, result.text) == (False, "127.0.0.1 did not answer in time.")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"url": "file:///etc/passwd"}, "is no http address"),
        ({"url": "{where}/x"}, "no slot where"),
        ({"url": "http://h/", "headers": {"A": "{line}"}}, "line break"),
        ({"url": "http://h/", "methd": "GET"}, "methd"),
        ({"url": "http://h/", "method": "STEAL"}, "STEAL"),
    ],
)
def test_what_is_wrong_in_actions_yaml_is_named(run: Run, parameters: dict[str, Any], words: str) -> None:
    result = call(run, parameters, line="a\r\nB: c")
    assert not result.ok
    assert words in result.text


def test_a_slot_cannot_change_the_host(run: Run, server: str) -> None:
    result = call(run, {"url": f"{server}/{{path}}", "values": {"path": "path"}}, path="@evil.example/x")
    assert result.values["path"] == "/%40evil.example%2Fx"


@pytest.mark.parametrize(
    ("path", "expected"), [("a.b", 1), ("l.1", "y"), ("l.9", None), ("a", '{"b": 1}'), ("t", True), ("", None)]
)
def test_values_are_found_by_their_path(path: str, expected: Any) -> None:
    assert found_in({"a": {"b": 1}, "l": ["x", "y"], "t": True}, path) == expected
