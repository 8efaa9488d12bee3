"""Reads the configuration's layers, remembers who set each value and lists everything that is wrong at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from assistant.config.keys import KEYS, SECTIONS, ConfigErrors, assemble, checked, contradictions, unknown_key
from assistant.config.tree import Config
from assistant.errors import ConfigError
from assistant.folders import user_config_folder

ENVIRONMENT_PREFIX = "ASSISTANT__"
SYSTEM_FOLDER = Path("/etc/assistant")
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and where it came from.

    origins: dotted key → "default", "FILE:LINE", "environment ASSISTANT__…" or "--flag".
    files: the files that were read, in order.
    """

    config: Config
    origins: Mapping[str, str]
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Setting:
    """One value as a layer gave it: not yet checked."""

    name: str
    value: Any
    where: str
    text: bool


def load(
    *,
    file: Path | None = None,
    settings: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    system_folder: Path = SYSTEM_FOLDER,
) -> Loaded:
    """Read all layers. Raises ConfigErrors (a ConfigError) that lists every fault with its place.

    file: replaces the user's own file (`--config`); it must exist.
    settings: "listen.cap_s=8" strings (`--set`).
    flags: dotted key → value of a verb's own flags, already typed; None means the flag was not given.
    """
    environment = os.environ if environment is None else environment
    errors: list[ConfigError] = []
    files = _files(file, environment, system_folder)
    layers = [setting for path in files for setting in _from_file(path, errors)]
    layers += _from_environment(environment, errors)
    layers += _from_settings(settings, errors)
    layers += [
        _Setting(name, value, f"--{name.rpartition('.')[2]}".replace("_", "-"), text=False)
        for name, value in (flags or {}).items()
        if value is not None
    ]
    values: dict[str, Any] = {}
    origins = dict.fromkeys(KEYS, DEFAULT)
    for setting in layers:
        try:
            values[setting.name] = _value(setting)
            origins[setting.name] = setting.where
        except ConfigError as error:
            errors.append(error)
    config = assemble(values)
    errors += contradictions(config, origins)
    if errors:
        raise ConfigErrors(errors)
    return Loaded(config, origins, tuple(files))


def user_file(environment: Mapping[str, str] | None = None) -> Path:
    """The user's own configuration file, whether it is there or not."""
    return user_config_folder(os.environ if environment is None else environment) / "config.yaml"


def template() -> str:
    """A configuration file with every key, its meaning and its default, all commented out."""
    lines = ["# Configuration of the assistant. Every key is optional; what stands here is its default.", ""]
    section = ""
    for key in KEYS.values():
        head, _, name = key.name.rpartition(".")
        if head != section:
            section = head
            lines += ["", f"# {SECTIONS[head].__doc__}", f"#{head}:"]
        indent = "  " if head else ""
        lines += [f"#{indent}{'# ' if indent else ' '}{key.description} ({key.allowed})"]
        lines += [f"#{indent}{name}: {_yaml_scalar(key.default)}"]
    return "\n".join(lines) + "\n"


def _files(file: Path | None, environment: Mapping[str, str], system_folder: Path) -> list[Path]:
    """The files that exist, weakest first."""
    system = [system_folder / "config.yaml", *sorted((system_folder / "conf.d").glob("*.yaml"))]
    if file is not None and not file.is_file():
        raise ConfigError("there is no such file", where=str(file), remedy="give --config a file that exists")
    user = file if file is not None else user_file(environment)
    return [path for path in [*system, user] if path.is_file()]


def _from_file(path: Path, errors: list[ConfigError]) -> Iterator[_Setting]:
    """The settings in one YAML file; what cannot be read is added to `errors`."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        errors.append(ConfigError(f"not valid YAML: {error.problem}", where=f"{path}:{line}", remedy="mend the line"))
        return
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        errors.append(ConfigError(f"not a YAML text: {error}", where=str(path), remedy="write it as UTF-8 text"))
        return
    except OSError as error:
        errors.append(ConfigError(f"cannot be read: {error.strerror}", where=str(path), remedy="check its permissions"))
        return
    if root is not None:
        yield from _from_mapping(root, "", path, errors)


def _from_mapping(node: yaml.Node, prefix: str, path: Path, errors: list[ConfigError]) -> Iterator[_Setting]:
    """The settings below one mapping, with the line of each key."""
    where = f"{path}:{node.start_mark.line + 1}"
    if not isinstance(node, yaml.MappingNode):
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
            return  # `audio:` with everything below it commented out
        what = prefix.rstrip(".") or "the file"
        errors.append(
            ConfigError(f"{what} must hold `key: value` lines", where=where, remedy="see `assistant config edit`")
        )
        return
    seen: set[str] = set()
    for key_node, value_node in node.value:
        name = f"{prefix}{key_node.value}"
        where = f"{path}:{key_node.start_mark.line + 1}"
        if name in seen:
            errors.append(ConfigError(f"{name} stands here a second time", where=where, remedy="keep one"))
        seen.add(name)
        if not prefix and name in SECTIONS:
            yield from _from_mapping(value_node, f"{name}.", path, errors)
        elif name in KEYS:
            yield _Setting(name, _constructed(value_node), where, text=False)
        else:
            errors.append(unknown_key(name, where))


def _constructed(node: yaml.Node) -> Any:
    """The plain value of a YAML node."""
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    finally:
        loader.dispose()


def _from_environment(environment: Mapping[str, str], errors: list[ConfigError]) -> Iterator[_Setting]:
    """ASSISTANT__LISTEN__CAP_S=8 and its like."""
    for variable in sorted(environment):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
        where = f"environment {variable}"
        if name in KEYS:
            yield _Setting(name, environment[variable], where, text=True)
        else:
            errors.append(unknown_key(name, where))


def _from_settings(settings: Sequence[str], errors: list[ConfigError]) -> Iterator[_Setting]:
    """`--set listen.cap_s=8`."""
    for setting in settings:
        name, equals, value = setting.partition("=")
        where = f"--set {setting}"
        if not equals:
            errors.append(ConfigError("has no value", where=where, remedy="write --set KEY=VALUE"))
        elif name in KEYS:
            yield _Setting(name, value, where, text=True)
        else:
            errors.append(unknown_key(name, where))


def _value(setting: _Setting) -> Any:
    """The checked value; text from outside becomes the key's type, and `null` none where that is allowed."""
    key = KEYS[setting.name]
    if setting.text and setting.value == "null" and key.default is None:
        return None
    value = setting.value
    if setting.text and value.startswith(("[", "{")):
        value = _structured(value)
    return checked(key, value, setting.where, strict=not setting.text)


def _structured(text: str) -> Any:
    """A list or mapping as it would stand in a file; text that only begins like one stays text."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _yaml_scalar(value: Any) -> str:
    """A default as it would be written on the right of a colon."""
    return str(yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip())
