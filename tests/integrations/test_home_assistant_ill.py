"""A Home Assistant that answers everything with an error: waited for, asked again, said, and used when it is well."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from assistant.act.home_assistant import HomeAssistant
from assistant.config import Config, Paths
from assistant.config.integrations import HomeAssistant as Settings
from assistant.errors import AssistantError
from tests.integrations.house import House, bus_of, until

pytest.importorskip("websockets", reason="the extra home-assistant is not installed")

from assistant.integrations.configured import create_home_assistant
from assistant.integrations.connecting import LONGEST_BACK_OFF_S, State

ILL = (500, 502, 503)


@contextmanager
def ill(code: int) -> Iterator[tuple[str, list[str]]]:
    """A server that answers with `code`; its address, and what it was asked."""
    asked: list[str] = []

    class Ill(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            self.close_connection = True
            self.send_error(code)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ill) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


@pytest.mark.parametrize("code", ILL)
def test_errors_of_its_socket_are_waited_out_and_it_is_asked_again_soon(
    code: int, typed: House, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    token.chmod(0o600)

    async def work(url: str, asked: list[str]) -> None:
        settings = Settings(url=url, token_file=str(token))
        integration = create_home_assistant(Config(home_assistant=settings, paths=Paths(state=str(tmp_path))), tmp_path)
        assert integration is not None
        bus, reloads = bus_of(typed), typed.reloads
        await integration.start(bus)
        try:
            await until(lambda: integration.link.state is State.WAITING and len(asked) > 1, "it is not asked again")
            assert str(code) in integration.status()
            assert integration.link.retry_at - integration.link.since <= LONGEST_BACK_OFF_S
            assert typed.reloads == reloads
        finally:
            await integration.stop()
            bus.close()

    with ill(code) as (url, asked):
        asyncio.run(work(url, asked))


@pytest.mark.parametrize("code", ILL)
def test_an_action_that_it_fails_over_is_said(code: int) -> None:
    with ill(code) as (url, _), pytest.raises(AssistantError, match="Home Assistant"):
        HomeAssistant(url, "secret").states()
