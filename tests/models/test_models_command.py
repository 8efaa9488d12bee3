"""`assistant models` as a user calls it."""

import json
from pathlib import Path

import pytest

from assistant.cli.main import main
from assistant.models.catalogue import catalogue
from assistant.understand.fused.projection import FeatureSpec
from tests.understand.fused.linear_net import linear_net, write_bundle


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "STATE_DIRECTORY"):
        monkeypatch.delenv(variable, raising=False)


def test_list_shows_every_model_and_its_state(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert {name for name, row in rows.items() if row["engine"] != "fused"} == set(catalogue())
    assert rows["moonshine-tiny-en"]["state"] == "installed"
    assert rows["vosk-small-en"]["state"] == "absent"
    assert main(["models", "list"]) == 0
    assert "41 MB" in capsys.readouterr().out


def test_info_prints_licence_origin_and_hash(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "info", "vosk-small-en"]) == 0
    text = capsys.readouterr().out
    assert "Apache-2.0" in text
    assert "https://alphacephei.com/vosk/models/vosk-model-small-en-us-0.15.zip" in text
    assert main(["models", "info", "moonshine-tiny-en", "--json"]) == 0
    assert "encoder_model.ort" in json.loads(capsys.readouterr().out)["sha256"]


def test_path_prints_the_folder_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "path", "moonshine-tiny-en"]) == 0
    assert Path(capsys.readouterr().out.strip()).is_dir()


def test_an_absent_model_is_exit_code_6_with_the_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "path", "vosk-small-en"]) == 6
    assert "assistant models pull vosk-small-en" in capsys.readouterr().err


def test_verify_hashes_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", "moonshine-tiny-en", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"name": "moonshine-tiny-en", "sound": True, "faults": []}]


def test_remove_of_a_packaged_model_names_pip(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "remove", "moonshine-tiny-en"]) == 6
    assert "pip uninstall moonshine-voice" in capsys.readouterr().err
    assert main(["models", "remove", "vosk-small-en"]) == 0
    assert "was not installed" in capsys.readouterr().out


def test_pull_checks_all_names_before_it_fetches(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["models", "pull", "vosk-small-en", "nonsense"]) == 6
    assert "no model is called 'nonsense'" in capsys.readouterr().err
    assert not (tmp_path / ".local/share/assistant/models").exists()


def test_pull_of_a_packaged_model_says_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "pull", "moonshine-tiny-en"]) == 0
    assert "licence MIT" in capsys.readouterr().out


@pytest.fixture
def own_bundle(tmp_path: Path) -> Path:
    """A bundle in the user's data folder."""
    net = linear_net(FeatureSpec(), {})
    return write_bundle(tmp_path / ".local/share/assistant/bundles/mine", net, licences={"an4": "BSD-like"})


def test_a_bundle_is_listed_described_and_verified(own_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["mine"]["path"] == str(own_bundle)
    assert (rows["mine"]["engine"], rows["mine"]["state"], rows["mine"]["licence"]) == (
        "fused",
        "installed",
        "BSD-like",
    )
    assert main(["models", "info", "mine"]) == 0
    assert "every one" in capsys.readouterr().out
    assert main(["models", "verify", "mine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"name": "mine", "sound": True, "faults": []}]


def test_a_spoilt_bundle_is_damaged(own_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_bundle / "full.tflite").write_bytes(b"spoilt")
    assert main(["models", "verify", "mine"]) == 6
    assert "full.tflite is not the file" in capsys.readouterr().out
    (own_bundle / "manifest.json").write_text("{")
    assert main(["models", "verify"]) == 6
    assert "manifest.json is not a manifest" in capsys.readouterr().out
    assert main(["models", "list", "--json"]) == 0
    assert '"damaged"' in capsys.readouterr().out


@pytest.mark.parametrize("choice", ["mine", "mine/full", "full", "off", "on"])
def test_a_choice_is_kept_in_the_users_configuration(
    own_bundle: Path, choice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert own_bundle.is_dir()
    assert main(["models", "use", choice]) == 0
    capsys.readouterr()
    assert main(["config", "show", "understand.fused", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"understand.fused": choice}


@pytest.mark.parametrize("choice", ["yours", "mine/huge", "huge"])
def test_what_is_not_there_cannot_be_chosen(own_bundle: Path, choice: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert own_bundle.is_dir()
    assert main(["models", "use", choice]) == 6
    assert choice.rpartition("/")[2] in capsys.readouterr().err
    assert main(["config", "show", "understand.fused", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"understand.fused": "on"}
