"""Calls a URL of the user's choice, on this network or another: method, headers and JSON body from actions.yaml.

WaterGarden:
  skill: http
  parameters:
    url: http://192.168.1.9/api/valve/{zone}
    method: POST
    headers: {Authorization: "Bearer {env:GARDEN_TOKEN}"}
    json: {minutes: "{minutes}"}
    values: {state: result.state}       # what the reply may name, found in the JSON answer
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from assistant.act.command import read_parameters
from assistant.act.fill import fill_text, fill_value, plain
from assistant.act.skill import Request, Result, failed
from assistant.errors import ConfigError

TIMEOUT_S = 5.0
LONGEST_TIMEOUT_S = 30.0
MOST_ANSWER = 256 * 1024
"""Bytes; a longer answer is cut."""

MOST_SAID = 300
"""Characters of an answer that a reply may use."""


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What actions.yaml says. values: name → path in the JSON answer ("main.temp", "list.0.name")."""

    url: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: dict[str, str] = {}
    json: Any = None
    timeout_s: float = TIMEOUT_S
    defaults: dict[str, Any] = {}
    values: dict[str, str] = {}


class Http:
    """The skill."""

    name = "http"
    timeout_s = TIMEOUT_S + 2.0

    def handle(self, request: Request) -> Result:
        parameters = read_parameters(request, Parameters)
        call = prepared(parameters, request)
        host = urllib.parse.urlsplit(call.full_url).hostname or ""
        try:
            status, body = fetch(call, min(parameters.timeout_s, LONGEST_TIMEOUT_S))
        except urllib.error.HTTPError as error:
            return failed(f"{host} answered with error {error.code}.", "refused", status=error.code, host=host)
        except TimeoutError:
            return failed(f"{host} did not answer in time.", "timed_out", host=host)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(getattr(error, "reason", None), TimeoutError):
                return failed(f"{host} did not answer in time.", "timed_out", host=host)
            return failed(f"I can't reach {host}.", "unreachable", host=host)
        answer = _answer(body)
        values = {name: found_in(answer, path) for name, path in parameters.values.items()}
        text = " ".join(body.decode("utf-8", "replace").split())[:MOST_SAID]
        return Result({"status": status, "body": text or None, **values})


def prepared(parameters: Parameters, request: Request) -> urllib.request.Request:
    """The call; slots in the URL are escaped, in the body they keep their type. Raises ConfigError."""
    slots = {**parameters.defaults, **{name: value for name, value in request.slots.items() if value is not None}}
    url = fill_text(parameters.url, slots, lambda value: urllib.parse.quote(value, safe=""))
    where = f"actions.yaml, {request.intent}"
    if urllib.parse.urlsplit(url).scheme not in ("http", "https") or not urllib.parse.urlsplit(url).hostname:
        raise ConfigError(f"'{url}' is no http address", where=where, remedy="write http://host/path")
    headers = {name: fill_text(value, slots) for name, value in parameters.headers.items()}
    if any("\n" in text or "\r" in text for header in headers.items() for text in header):
        raise ConfigError("a header has a line break in it", where=where)
    body = None
    if parameters.json is not None:
        body = json.dumps(fill_value(parameters.json, slots)).encode()
        headers.setdefault("Content-Type", "application/json")
    return urllib.request.Request(url, body, headers, method=parameters.method)  # noqa: S310  the scheme is checked


def fetch(call: urllib.request.Request, timeout_s: float) -> tuple[int, bytes]:
    """Status and body within `timeout_s` altogether. Raises OSError, HTTPException, TimeoutError."""
    deadline = time.monotonic() + timeout_s
    # No proxy: what is called is a device in the house, and no variable shall send it elsewhere.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(call, timeout=timeout_s) as answer:
        body = bytearray()
        while len(body) < MOST_ANSWER and (piece := answer.read1(65_536)):
            body += piece
            if time.monotonic() > deadline:
                raise TimeoutError
        return answer.status, bytes(body)


def found_in(answer: Any, path: str) -> Any:
    """The value at a path of names and numbers in a JSON answer, None where there is none."""
    for step in path.split("."):
        if isinstance(answer, Mapping):
            answer = answer.get(step)
        elif isinstance(answer, list) and step.isdigit() and int(step) < len(answer):
            answer = answer[int(step)]
        else:
            return None
    if isinstance(answer, (Mapping, list)):
        return json.dumps(answer)
    return answer if isinstance(answer, (int, float)) or answer is None else plain(answer)


def create() -> Http:
    """The skill as its entry point makes it."""
    return Http()


def _answer(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
