"""The configuration: layers, origins, and errors that name the place and the nearest key, all at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.config import Config
from assistant.config.keys import KEYS, SECTIONS, ConfigErrors, checked, value_of
from assistant.config.layers import Loaded, load, template
from assistant.errors import ConfigError


class Machine:
    """A machine's configuration folders, below a temporary one."""

    def __init__(self, root: Path) -> None:
        self.system = root / "etc/assistant"
        self.user = root / "home/.config/assistant/config.yaml"
        self.environment = {"HOME": str(root / "home")}

    def write(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def load(self, *settings: str, flags: Mapping[str, object] | None = None, **environment: str) -> Loaded:
        return load(
            settings=settings,
            flags=flags,
            environment={**self.environment, **environment},
            system_folder=self.system,
        )

    def faults(self, *settings: str, **environment: str) -> list[str]:
        with pytest.raises(ConfigErrors) as caught:
            self.load(*settings, flags=None, **environment)
        return str(caught.value).splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_any_layer_every_value_is_the_default(machine: Machine) -> None:
    loaded = machine.load()
    assert loaded.config == Config()
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.files == ()


def test_each_layer_wins_over_the_one_before_and_is_named_as_the_origin(machine: Machine) -> None:
    steps = []

    def step(origin: str, *settings: str, flags: Mapping[str, object] | None = None, **environment: str) -> None:
        loaded = machine.load(*settings, flags=flags, **environment)
        steps.append((loaded.config.listen.cap_s, loaded.origins["listen.cap_s"] == origin))

    config = machine.write(machine.system / "config.yaml", "context: barista\nlisten:\n  cap_s: 1\n")
    step(f"{config}:3")
    first = machine.write(machine.system / "conf.d/10-room.yaml", "listen: {cap_s: 2}\n")
    step(f"{first}:1")
    second = machine.write(machine.system / "conf.d/20-room.yaml", "listen: {cap_s: 3}\n")
    step(f"{second}:1")
    machine.write(machine.user, "# mine\n\nlisten:\n  cap_s: 4\n")
    step(f"{machine.user}:4")
    step("environment ASSISTANT__LISTEN__CAP_S", ASSISTANT__LISTEN__CAP_S="5")
    step("--set listen.cap_s=6", "listen.cap_s=6", ASSISTANT__LISTEN__CAP_S="5")
    step("--cap-s", "listen.cap_s=6", flags={"listen.cap_s": 7.0}, ASSISTANT__LISTEN__CAP_S="5")
    assert steps == [(float(value), True) for value in range(1, 8)]
    assert machine.load().config.context == "barista", "a stronger layer keeps what it does not mention"


def test_a_flag_that_was_not_given_changes_nothing(machine: Machine) -> None:
    loaded = machine.load(flags={"audio.device": None})
    assert loaded.origins["audio.device"] == "default"


def test_unknown_keys_name_the_nearest_and_the_line(machine: Machine) -> None:
    machine.write(machine.user, "audio:\n  devise: mic\nlissen:\n  cap_s: 3\ncap_s: 3\n")
    assert machine.faults() == [
        f"{machine.user}:2: there is no key 'audio.devise'; did you mean 'audio.device'?",
        f"{machine.user}:3: there is no key 'lissen'; did you mean 'listen'?",
        f"{machine.user}:5: there is no key 'cap_s'; did you mean 'listen.cap_s'?",
    ]


def test_a_key_like_no_other_points_to_the_list(machine: Machine) -> None:
    assert machine.faults("zzz=1") == [
        "--set zzz=1: there is no key 'zzz'; `assistant config show` lists all keys",
    ]


def test_all_errors_of_all_layers_are_listed(machine: Machine) -> None:
    machine.write(machine.user, "audio:\n  channels: nine\nrecognize: {beam: 0, threads: 1.5}\n")
    faults = machine.faults(
        "listen.mode=sometimes", "speak", ASSISTANT__LISTEN__CAP_S="long", ASSISTANT__LISTN__VAD="x"
    )
    assert sorted(faults) == sorted(
        [
            f"{machine.user}:2: audio.channels is 'nine'; it must be an integer from 1 to 8 or null",
            f"{machine.user}:3: recognize.beam is 0; it must be an integer from 1 to 64",
            f"{machine.user}:3: recognize.threads is 1.5; it must be an integer from 1 to 64",
            "environment ASSISTANT__LISTEN__CAP_S: listen.cap_s is 'long'; it must be a number above 0 and up to 60",
            "environment ASSISTANT__LISTN__VAD: there is no key 'listn.vad'; did you mean 'listen.vad'?",
            "--set listen.mode=sometimes: listen.mode is 'sometimes'; it must be always | push_to_talk | wake",
            "--set speak: has no value; write --set KEY=VALUE",
        ]
    )


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("audio: [\n", 2, "not valid YAML"),
        ("audio: loud\n", 1, "audio must hold `key: value` lines"),
        ("- audio\n", 1, "the file must hold `key: value` lines"),
        ("context: a\ncontext: b\n", 2, "context stands here a second time"),
        ("context:\n  a: b\n", 1, "context is {'a': 'b'}"),
    ],
)
def test_a_file_that_is_no_configuration_names_the_line(machine: Machine, text: str, line: int, what: str) -> None:
    machine.write(machine.user, text)
    (fault,) = machine.faults()
    assert fault.startswith(f"{machine.user}:{line}: {what}")


def test_a_file_that_is_no_text_is_named(machine: Machine) -> None:
    machine.user.parent.mkdir(parents=True)
    machine.user.write_bytes(b"\xff\xfe\x00context")
    (fault,) = machine.faults()
    assert fault.startswith(f"{machine.user}: not a YAML text")


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: there is no such file; give --config a file that exists"):
        load(file=tmp_path / "nowhere.yaml", environment={}, system_folder=tmp_path)


def test_a_named_file_replaces_the_users_own(machine: Machine, tmp_path: Path) -> None:
    machine.write(machine.user, "context: mine\n")
    other = machine.write(tmp_path / "other.yaml", "listen: {cap_s: 9}\n")
    loaded = load(file=other, environment=machine.environment, system_folder=machine.system)
    assert loaded.config.context == Config().context
    assert loaded.files == (other,)


def test_a_section_with_everything_commented_out_is_empty(machine: Machine) -> None:
    machine.write(machine.user, "audio:\n  # device: mic\n")
    assert machine.load().config == Config()


def test_silences_that_contradict_each_other_are_refused_where_they_were_set(machine: Machine) -> None:
    (fault,) = machine.faults("listen.endpoint_ms=250")
    assert fault.startswith("--set listen.endpoint_ms=250: listen.endpoint_complete_ms (300) is longer than")


def test_text_from_outside_becomes_the_keys_type(machine: Machine) -> None:
    config = machine.load(
        "audio.channels=4", "paths.cache=~/fast", "recognize.lambda=0.5", ASSISTANT__SPEAK__OUTPUT="null"
    ).config
    assert (config.audio.channels, config.paths.cache, config.recognize.lambda_) == (4, "~/fast", 0.5)
    assert config.speak.output is None
    assert machine.load("audio.device=12").config.audio.device == "12"


@given(st.sampled_from(sorted(KEYS)), st.text(st.characters(codec="utf-8"), max_size=12))
def test_whatever_a_key_is_set_to_is_loaded_as_a_valid_value_or_refused_by_name(name: str, value: str) -> None:
    nowhere = Path("/nonexistent")
    try:
        loaded = load(settings=[f"{name}={value}"], environment={"HOME": "/nonexistent"}, system_folder=nowhere)
    except ConfigErrors as errors:
        outcome = [error.where == f"--set {name}={value}" and name in error.what for error in errors.errors]
    else:
        set_by_flag = [key for key, origin in loaded.origins.items() if origin != "default"]
        outcome = [
            set_by_flag == [name],
            checked(KEYS[name], value_of(loaded.config, name), "", strict=True) == value_of(loaded.config, name),
        ]
    assert all(outcome)


def test_the_template_changes_nothing_and_uncommented_it_is_the_defaults(machine: Machine) -> None:
    machine.write(machine.user, template())
    assert machine.load().config == Config()
    keys = [line[1:] for line in template().splitlines() if re.match(r"#(  )?\w+:", line)]
    machine.write(machine.user, "\n".join(keys))
    loaded = machine.load()
    assert loaded.config == Config()
    assert "default" not in loaded.origins.values(), "every key stands in the template"


@pytest.mark.parametrize("name", sorted(KEYS))
def test_every_key_says_what_it_means_and_what_it_may_hold(name: str) -> None:
    key = KEYS[name]
    assert key.description
    assert key.allowed
    assert value_of(Config(), name) == key.default


def test_every_section_says_what_it_is_about() -> None:
    assert all((section.__doc__ or "").endswith(".") for section in SECTIONS.values())


def test_microphones_are_placed_by_name_or_one_by_one(machine: Machine) -> None:
    machine.write(machine.user, "audio: {array: [[0, 0, 0], [0.1, 0, 0]]}\n")
    assert machine.load().config.audio.array == ((0.0, 0.0, 0.0), (0.1, 0.0, 0.0))
    assert machine.load("audio.array=[[0, 0.05, 0]]").config.audio.array == ((0.0, 0.05, 0.0),)
    assert machine.load("audio.array=ps_eye").config.audio.array == "ps_eye"
    assert KEYS["audio.array"].allowed == (
        "respeaker_4_mic | ps_eye or a list of [a number, a number, a number] or null"
    )


@pytest.mark.parametrize("array", ["kinect", "[[1, 2]]", "[1, 2, 3]", "[[0, 0, x]]", "[["])
def test_microphones_in_no_place_are_refused(machine: Machine, array: str) -> None:
    (fault,) = machine.faults(f"audio.array={array}")
    assert "it must be respeaker_4_mic | ps_eye or a list of" in fault


def test_delay_and_sum_needs_to_know_where_the_microphones_are(machine: Machine) -> None:
    path = machine.write(machine.user, "audio:\n  frontend: delay_and_sum\n")
    (fault,) = machine.faults()
    assert fault == (
        f"{path}:2: audio.frontend is delay_and_sum, but audio.array is null; "
        "set audio.array to where the microphones are, or audio.frontend to mean"
    )
    assert machine.load("audio.array=ps_eye").config.audio.azimuth_deg == 90.0


def test_an_utterance_may_be_longer_than_the_silence_that_ends_it(machine: Machine) -> None:
    (fault,) = machine.faults("listen.endpoint_ms=20000")
    assert fault.startswith(
        "--set listen.endpoint_ms=20000: listen.endpoint_ms (20000) is not shorter than listen.cap_s (12 s)"
    )


def test_wake_words_are_named_listed_or_bound_to_contexts(machine: Machine) -> None:
    machine.write(machine.user, "wake: {words: {hey_jarvis: home, alexa: barista}, thresholds: {alexa: 0.8}}\n")
    wake = machine.load().config.wake
    assert wake.words == {"hey_jarvis": "home", "alexa": "barista"}
    assert wake.thresholds == {"alexa": 0.8}
    assert machine.load("wake.words=alexa").config.wake.words == "alexa"
    assert machine.load("wake.words=[alexa, okay_nabu]").config.wake.words == ("alexa", "okay_nabu")
    assert machine.load("wake.words={alexa: home}").config.wake.words == {"alexa": "home"}
    (fault,) = machine.faults("wake.thresholds={alexa: 2}")
    assert "a mapping of text to a number above 0 and up to 1" in fault
