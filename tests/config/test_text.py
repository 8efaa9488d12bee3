"""One value is set in a configuration file; what its owner wrote stays."""

from __future__ import annotations

import pytest
import yaml

from assistant.config.text import with_value

KEY = "understand.fused"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "understand:\n  fused: home/tiny\n"),
        ("context: home\n", "context: home\nunderstand:\n  fused: home/tiny\n"),
        ("understand:\n  fused: on  # why\ncontext: home\n", "understand:\n  fused: home/tiny  # why\ncontext: home\n"),
        ("understand: {fused: 'on'}\n", "understand: {fused: home/tiny}\n"),
        ("understand: {}\n", "understand: {fused: home/tiny}\n"),
        ("understand:\ncontext: home\n", "understand:\n  fused: home/tiny\ncontext: home\n"),
        ("understand:\n    other: 1\n", "understand:\n    fused: home/tiny\n    other: 1\n"),
        ("# mine\n", "# mine\nunderstand:\n  fused: home/tiny\n"),
    ],
)
def test_the_rest_of_the_text_stays(before: str, after: str) -> None:
    assert with_value(before, KEY, "home/tiny") == after
    assert yaml.safe_load(after)["understand"]["fused"] == "home/tiny"


def test_a_value_that_yaml_would_read_otherwise_is_quoted() -> None:
    assert yaml.safe_load(with_value("", KEY, "on")) == {"understand": {"fused": "on"}}
