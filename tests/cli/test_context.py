"""`assistant context …` as a person or a script uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in ("context", *argv)])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def kitchen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = tmp_path / "kitchen"
    code, out, _ = run(capsys, "new", folder)
    assert code == 0
    assert f"assistant context test {folder}" in out
    return folder


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_new_context_is_clean_and_passes_its_own_tests(kitchen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "lint", kitchen, "--strict")[:2] == (0, "kitchen: 0 errors, 0 warnings\n")
    assert run(capsys, "test", kitchen)[:2] == (0, "kitchen: 5 of 5 sentences as expected\n")


def test_a_new_context_never_overwrites(kitchen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "new", kitchen)
    assert (code, err) == (8, f"assistant: {kitchen}: is there already; choose a new folder\n")


def test_faults_go_to_standard_error_with_line_and_exit_code_4(
    kitchen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(kitchen / "sentences/kettle.yaml", "{extra}", "{extras}")
    code, out, err = run(capsys, "lint", kitchen)
    assert (code, out) == (4, "")
    where = f"{kitchen}/sentences/kettle.yaml:8"
    assert err == f"assistant: {where}: list 'extras' is not defined (did you mean 'extra'?)\n"


def test_lint_fails_on_errors_and_with_strict_on_warnings(kitchen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(kitchen / "actions.yaml", "BoilWater: {skill: say}\n", "")
    code, out, _ = run(capsys, "lint", kitchen)
    assert code == 0
    assert "sentences/kettle.yaml:12: warning: intent 'BoilWater' has no action; write one in actions.yaml" in out
    assert run(capsys, "lint", kitchen, "--strict")[0] == 1
    edit(kitchen / "sentences/kettle.yaml", "- black", "- {in: green, out: black}")
    code, out, err = run(capsys, "lint", kitchen)
    assert code == 4
    assert "'green' in list 'tea' means both 'green' and 'black'" in err


def test_lint_finds_words_that_the_recogniser_cannot_write(kitchen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(kitchen / "sentences/kettle.yaml", "honey]", "苺]")
    code, out, _ = run(capsys, "lint", kitchen)
    assert code == 1
    assert "error: the recognizer cannot write '苺'" in out


def test_lint_prints_json(kitchen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(kitchen / "actions.yaml", "BoilWater: {skill: say}\n", "")
    code, out, _ = run(capsys, "lint", kitchen, "--json")
    (finding,) = json.loads(out)["findings"]
    assert code == 0
    assert finding["severity"] == "warning"
    assert finding["place"] == {"file": "sentences/kettle.yaml", "line": 12}


def test_failed_sentences_are_shown_with_place_and_what_they_mean_instead(
    kitchen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(kitchen / "tests.yaml", "cups: 2", "cups: 3")
    code, out, _ = run(capsys, "test", kitchen)
    assert code == 1
    assert out.splitlines() == [
        f'{kitchen}/tests.yaml:4: "boil two cups of water" should mean BoilWater(cups: 3) and means BoilWater(cups: 2)',
        "kitchen: 4 of 5 sentences as expected",
    ]


def test_a_file_of_sentences_may_be_named_and_is_checked_itself(
    kitchen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("- {text: brew black tea, intent: MakeTea, slots: {tea: black}}\n")
    assert run(capsys, "test", kitchen, own)[0] == 0
    own.write_text("- {text: brew black tea, intend: MakeTea}\n")
    code, _, err = run(capsys, "test", kitchen, own)
    assert code == 4
    assert "own.yaml:1: unknown key 'intend' in a sentence (did you mean 'intent'?)" in err
    code, _, err = run(capsys, "test", kitchen, tmp_path / "none.yaml")
    assert code == 3
    assert "there is no such file" in err


@pytest.mark.parametrize("name", ["barista", "home"])
def test_the_contexts_that_ship_pass_their_own_tests(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "test", name, "--json")
    assert code == 0
    assert json.loads(out)["passed"] >= 5


def test_samples_are_printed_one_json_document_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "sample", "barista", "-n", "7", "--seed", "1", "--json")
    drawn = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [item["intent"] for item in drawn] == ["orderDrink"] * 7
    assert all(item["slots"]["coffeeDrink"] in item["text"] for item in drawn)


def test_stats_count_sentences_and_the_acceptor(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "stats", "barista", "--json")
    stats = json.loads(out)
    assert code == 0
    assert stats["sentences"] == 120_130_920
    assert stats["because_of"]["rule 'extras'"] == 1350
    assert 50 < stats["acceptor"]["states"] < 1000
    assert run(capsys, "stats", "barista")[1].startswith("barista: 1 template of 1 intent\n")


def test_a_csv_is_imported_and_works_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "quiz.csv"
    source.write_text("next question;Next\n")
    code, out, _ = run(capsys, "import", source, "--out", tmp_path / "quiz")
    assert code == 0
    assert out.startswith(f"{tmp_path / 'quiz'}: 1 template of 1 intent, from CSV\n")
    assert run(capsys, "test", tmp_path / "quiz")[0] == 0
    assert run(capsys, "lint", tmp_path / "quiz", "--strict")[0] == 0


def test_known_contexts_are_listed_with_their_folders(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "list", "--json")
    assert code == 0
    assert {"barista", "home"} <= set(json.loads(out))


@pytest.mark.parametrize("argv", [("sample", "home", "-n", "0"), ("import", "x.csv"), ("lint",), ("knit",)])
def test_wrong_command_lines_end_with_exit_code_2(argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *argv)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1


def test_contexts_of_yours_are_known_by_name_wherever_the_data_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configured = ("--set", f"paths.data={tmp_path / 'mine'}")
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "service"))
    for folder in (tmp_path / "mine/contexts/kitchen", tmp_path / "service/data/contexts/garage"):
        assert run(capsys, "new", folder)[0] == 0
    assert set(json.loads(run(capsys, "list", "--json", *configured)[1])) == {"kitchen", "barista", "home"}
    assert set(json.loads(run(capsys, "list", "--json")[1])) == {"garage", "barista", "home"}
    assert run(capsys, "test", "kitchen", *configured)[:2] == (0, "kitchen: 5 of 5 sentences as expected\n")
    assert run(capsys, "test", "garage")[0] == 0
