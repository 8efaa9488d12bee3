"""What may stand in a line of the control socket, and what comes back."""

from __future__ import annotations

import base64

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.daemon.protocol import (
    MAX_SOUND_S,
    REQUESTS,
    Answer,
    Say,
    line_of,
    page,
    raised,
    read_answer,
    read_request,
    refused,
    request_id,
    sound_of,
)
from assistant.errors import ConfigError, UsageError


def test_a_request_is_one_json_object() -> None:
    assert read_request(b'{"do": "say", "id": 7, "text": "hello"}') == Say(id=7, text="hello")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"no json",
        b"[]",
        b"null",
        b'{"do": "fly"}',
        b'{"do": "say"}',
        b'{"do": "say", "text": ""}',
        b'{"do": "say", "text": 7}',
        b'{"do": "say", "text": "x", "volume": 11}',
        b'{"do": "say", "text": "' + b"x" * 1001 + b'"}',
        b'{"do": "status", "protocol": 2}',
        b'{"do": "listen", "action": "forever"}',
        b'{"do": "status", "id": "' + b"x" * 65 + b'"}',
        b'{"do": "say", "text": "\xff\xfe"}',
        b"[" * 100_000,
    ],
)
def test_anything_else_is_refused_in_one_line(line: bytes) -> None:
    with pytest.raises(UsageError) as error:
        read_request(line)
    assert error.value.remedy
    assert "\n" not in str(error.value)


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(line: bytes) -> None:
    try:
        read_request(line)
    except UsageError:
        request_id(line)


def test_the_id_of_a_wrong_request_comes_back() -> None:
    assert request_id(b'{"do": "fly", "id": "a"}') == "a"
    assert request_id(b"fly") is None
    assert request_id(b'{"id": true}') is None


def test_an_error_crosses_the_socket_whole() -> None:
    error = ConfigError("audio.device is 7", where="config.yaml:3", remedy="it must be text")
    answer = read_answer(line_of(refused(error, 3)))
    assert isinstance(answer, Answer)
    assert answer.error is not None
    back = raised(answer.error)
    assert (type(back), str(back), answer.id) == (ConfigError, str(error), 3)


@given(st.lists(st.integers(-32_768, 32_767), min_size=1, max_size=1000))
def test_sound_crosses_as_base64(samples: list[int]) -> None:
    pcm = np.array(samples, "<i2")
    assert np.array_equal(sound_of(base64.b64encode(pcm.tobytes()).decode()), pcm)


@pytest.mark.parametrize("sound", ["", "no base64!", "AAAA", base64.b64encode(bytes(2)).decode()[:-1]])
def test_what_is_no_sound_is_refused(sound: str) -> None:
    with pytest.raises(UsageError):
        sound_of(sound)


def test_sound_has_a_longest_length() -> None:
    with pytest.raises(UsageError, match="no sound of up to 10 s"):
        sound_of(base64.b64encode(bytes(int(2 * 16_000 * MAX_SOUND_S) + 2)).decode())


def test_the_reference_names_every_request() -> None:
    lines = "\n".join(page())
    assert all(f"| `{kind.__struct_config__.tag}` |" in lines for kind in REQUESTS)


def test_answers_leave_out_what_is_empty() -> None:
    assert msgspec.json.decode(line_of(Answer(ok=True, id=1))) == {"ok": True, "id": 1}
