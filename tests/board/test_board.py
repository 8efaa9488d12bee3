"""The unit on a real Debian with a real systemd: ready, killed, hung, confined (`make test-board`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.board.boot import booted, furnish, made_root, missing
from tests.board.conftest import VARIABLE

CONFIG = "audio: {device: none}\nspeak: {voice: none}\n"
LIMIT_S = 540
BACK_S = 3.0
KILLS = 50


@pytest.fixture(scope="module")
def board() -> dict[str, Any]:
    lacking = missing()
    if lacking:
        pytest.skip(f"a board cannot be booted here without {lacking}")
    root = made_root(Path(os.environ[VARIABLE]))
    furnish(root, CONFIG)
    return booted(root, LIMIT_S)


def test_it_is_ready_and_says_what_it_does(board: dict[str, Any]) -> None:
    assert board["ready"]["status"] == "no microphone configured; commands come by the control socket"
    assert board["ready"]["watchdog_us"] == "15s"
    assert {part["state"] for part in board["ready"]["parts"]} == {"running"}


def test_it_understands_and_keeps_a_timer(board: dict[str, Any]) -> None:
    assert board["say_timer"]["reply"]["intent"] == "HassStartTimer"
    assert [timer["title"] for timer in board["say_timer"]["timers"]] == ["2 hour timer"]


def test_killed_fifty_times_it_is_back_each_time_with_its_timers(board: dict[str, Any]) -> None:
    back_s = board["killed"]["back_s"]
    assert len(back_s) == KILLS
    assert max(back_s) <= BACK_S, sorted(back_s)[-5:]
    assert [timer["title"] for timer in board["killed"]["timers"]] == ["2 hour timer"]


def test_a_daemon_that_hangs_is_ended_by_the_watchdog(board: dict[str, Any]) -> None:
    assert "Watchdog timeout" in board["hangs"]["journal"]
    assert board["hangs"]["back_s"] < 30


def test_its_user_may_do_nothing(board: dict[str, Any]) -> None:
    confined = board["confined"]
    assert int(confined["uid"]) >= 61_184  # a dynamic one
    assert (confined["no_new_privileges"], confined["seccomp"]) == ("1", "2")
    assert int(confined["capabilities"], 16) == 0


def test_it_writes_only_below_its_state_and_cache(board: dict[str, Any]) -> None:
    allowed = ("/var/lib/private/assistant", "/var/cache/private/assistant", "/dev/")
    outside = [path for path in board["confined"]["written"] if not path.startswith(allowed)]
    assert outside == []


def test_with_its_confinement_nothing_else_can_be_written_read_or_reached(board: dict[str, Any]) -> None:
    tried = board["confined"]["tried"]
    assert len(tried) == 13
    assert {name: outcome for name, outcome in tried.items() if outcome == "done"} == {}


def test_it_has_no_network(board: dict[str, Any]) -> None:
    assert board["confined"]["interfaces"] in ([], ["lo"])
    assert board["confined"]["tcp"] == []
    assert board["confined"]["tried"]["inet"] == "Address family not supported by protocol"


def test_the_socket_outlives_it_and_asking_starts_it(board: dict[str, Any]) -> None:
    assert board["stopped_and_started"]["socket_stays"]


def test_members_of_the_group_are_answered_and_others_do_not_reach_the_socket(board: dict[str, Any]) -> None:
    assert '"protocol":1' in board["members"]["member"]
    assert "PermissionError" in board["members"]["stranger"][0]


def test_the_program_shows_its_service_and_its_logs(board: dict[str, Any]) -> None:
    assert "assistant.service" in board["own_verbs"]["status"]
    assert "ready: " in board["own_verbs"]["logs --lines 50"]


def test_it_ends_within_two_seconds(board: dict[str, Any]) -> None:
    assert board["stop_time"]["seconds"] <= 2.0
    assert board["stop_time"]["result"] == "success"


def test_nothing_that_was_said_is_in_the_journal(board: dict[str, Any]) -> None:
    assert "ready" in board["journal"]
    assert "timer" not in board["journal"]
