"""The catalogue that ships, and what it refuses."""

from pathlib import Path

import pytest

from assistant.errors import ModelError
from assistant.models.catalogue import catalogue, find_model, model_for, read_catalogue
from assistant.models.store import Store

ENTRY = """
- name: tiny
  engine: vosk
  language: en
  about: small
  licence: MIT
  home: https://example.org
"""


def test_the_shipped_models_have_a_licence_an_origin_and_hashes() -> None:
    assert {"moonshine-tiny-en", "vosk-small-en"} <= set(catalogue())
    for name, model in catalogue().items():
        assert model.name == name
        assert model.licence
        assert model.home.startswith("https://")
        assert (model.archive is None) != (model.package is None)
        if model.archive is not None:
            assert model.archive.url.startswith("https://")


def test_an_unknown_name_brings_the_nearest() -> None:
    with pytest.raises(ModelError, match=r"no model is called 'vosk-smal-en'; did you mean 'vosk-small-en'\?"):
        find_model("vosk-smal-en")
    with pytest.raises(ModelError, match="see `assistant models list`"):
        find_model("qqqqqq")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ENTRY, "give an archive or a package"),
        (ENTRY + "  size: 3\n", "unknown field `size`"),
        (ENTRY.replace("tiny", "../tiny"), "matching regex"),
        ("- name: [", "while parsing"),
        ("just text", "Expected `array`"),
    ],
)
def test_a_wrong_catalogue_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(ModelError, match="model catalogue: cannot be read") as caught:
        read_catalogue(text)
    assert reason in str(caught.value)


def test_the_default_model_is_sound_in_this_installation(tmp_path: Path) -> None:
    model = find_model("moonshine-tiny-en")
    store = Store(tmp_path)
    assert store.verify(model) == ()
    assert (store.require(model) / "encoder_model.ort").is_file()


def test_a_model_is_found_by_engine_and_language() -> None:
    assert model_for("vosk", "en-US").name == "vosk-small-en"
    assert model_for("vosk", "ko").name == "vosk-small-ko"
    with pytest.raises(ModelError, match=r"vosk has no model for language 'fi'; languages with one: en, ko"):
        model_for("vosk", "fi")
