"""The doctor's checks of what is installed and configured; sound and board have modules of their own."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from assistant.clock import Clock, SystemClock
from assistant.errors import AssistantError, ConfigError, ContextError, ModelError, PluginError

if TYPE_CHECKING:
    from assistant.audio.source import Source
    from assistant.config import Config
    from assistant.folders import Folders

REACH_WITHIN_S = 3.0
SECRETS = ("password_file", "token_file", "key_file")
"""The last part of the keys that name a file with a secret."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault that was found. code: of `faults.FAULTS`. says: what exactly, and where."""

    code: str
    says: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined: this machine, or what a test puts in its place.

    root: where /proc, /sys and /dev are looked for. open_source: opens the configured microphone.
    uid, groups: who the assistant runs as.
    """

    config: Config
    folders: Folders
    open_source: Callable[[], Source]
    root: Path = Path("/")
    clock: Clock = field(default_factory=SystemClock)
    uid: int = field(default_factory=os.getuid)
    groups: frozenset[int] = field(default_factory=lambda: frozenset((os.getgid(), *os.getgroups())))


Check = Callable[[Subject], Iterator[Finding]]


def context(subject: Subject) -> Iterator[Finding]:
    """The configured contexts and home load."""
    from assistant.cli.assembly import bound_contexts
    from assistant.cli.finding import open_context

    config = subject.config
    bound = bound_contexts(config).values() if config.listen.mode == "wake" else ()
    for name in dict.fromkeys(("", *bound)):
        try:
            open_context(config, name)
        except ContextError as error:
            yield from (Finding("context-broken", line) for line in str(error).splitlines())


def engine(subject: Subject) -> Iterator[Finding]:
    """The recogniser's libraries load, and its model is whole."""
    import importlib
    import importlib.metadata

    name = subject.config.recognize.engine
    entries = {entry.name: entry for entry in importlib.metadata.entry_points(group="assistant.recognizers")}
    if name not in entries:
        yield Finding("config-broken", f"recognize.engine: there is no recogniser '{name}'")
        return
    modules = {"moonshine": ("onnxruntime", "moonshine_voice"), "vosk": ("vosk",)}.get(name, ())
    for module in modules:
        try:
            importlib.import_module(module)
        except (ImportError, OSError) as error:
            yield Finding("library-missing", f"{module}: {error}")
            return
    yield from model(subject)


def model(subject: Subject) -> Iterator[Finding]:
    """Every file of the recogniser's model is as it was published."""
    from assistant.cli.configured import language_of
    from assistant.models.catalogue import model_for
    from assistant.models.store import Store

    try:
        wanted = model_for(subject.config.recognize.engine, language_of(subject.config))
    except AssistantError:
        return  # an engine without models, or a context that is reported elsewhere
    store = Store(subject.folders.data / "models")
    try:
        faults = store.verify(wanted)
    except ModelError as error:
        code = "model-missing" if store.path(wanted) is None else "model-corrupt"
        yield Finding(code, str(error))
        return
    yield from (Finding("model-corrupt", f"model {wanted.name}: {fault.path} {fault.what}") for fault in faults)


def voice(subject: Subject) -> Iterator[Finding]:
    """The configured voice is installed."""
    from assistant.cli.assembly import installed_voices
    from assistant.speak.voice import AUTO, NONE, choose_voice

    wanted = subject.config.speak.voice
    try:
        with _quiet("assistant.speak.voice"):
            chosen = choose_voice(wanted, voices=installed_voices(subject.config))
    except (PluginError, ConfigError) as error:
        yield Finding("voice-missing", str(error))
        return
    if wanted == AUTO and chosen.name == NONE:
        yield Finding("voice-missing", "no voice is installed")


def wake_words(subject: Subject) -> Iterator[Finding]:
    """The wake words are known, and their engines installed."""
    from assistant.cli.assembly import bound_contexts, switched_off
    from assistant.listen.wake import installed_engines, open_wake_words

    config = subject.config
    if config.listen.mode != "wake":
        return
    try:
        engines = installed_engines(switched_off(config, "wakewords"))
        open_wake_words(list(bound_contexts(config)), config.wake.thresholds, engines)
    except AssistantError as error:
        yield Finding("wake-word-unknown", str(error))


def plugins(subject: Subject) -> Iterator[Finding]:
    """No skill was given up by the assistant that runs."""
    from assistant.act.health import read_failing

    for name, reason in read_failing(subject.folders.state).items():
        yield Finding("plugin-failing", f"{name}: {reason}")


def secrets(subject: Subject) -> Iterator[Finding]:
    """Files with secrets are there, and only for this user."""
    from assistant.config.keys import KEYS, value_of
    from assistant.secret import check_secret, secret_path

    for name in KEYS:
        file = value_of(subject.config, name) if name.rpartition(".")[2] in SECRETS else None
        if file:
            try:
                check_secret(secret_path(file), name)
            except ConfigError as error:
                yield Finding("secret-readable", str(error))


def peers(subject: Subject) -> Iterator[Finding]:
    """The broker and Home Assistant answer, where they are configured."""
    config = subject.config
    wanted: list[tuple[str, str, int]] = []
    if config.mqtt.host:
        wanted.append(("mqtt.host", config.mqtt.host, config.mqtt.port or (8883 if config.mqtt.tls else 1883)))
    if config.home_assistant.url:
        url = urlsplit(config.home_assistant.url)
        port = url.port or (443 if url.scheme in ("https", "wss") else 80)
        wanted.append(("home_assistant.url", url.hostname or "", port))
    for key, host, port in wanted:
        try:
            socket.create_connection((host, port), REACH_WITHIN_S).close()
        except OSError as error:
            yield Finding("broker-unreachable", f"{key}: {host}:{port}: {error.strerror or error}")


def daemon(subject: Subject) -> Iterator[Finding]:
    """The daemon, where one seems to run, answers, and all its parts run."""
    from assistant.daemon.client import Client, NoDaemon, find_socket

    place = find_socket(subject.config.daemon.socket, subject.folders.runtime)
    if place is None:
        return
    try:
        with Client.connect(place) as client:
            status = client.ask("status")
    except NoDaemon as error:
        yield Finding("daemon-not-answering", str(error))
        return
    except AssistantError:  # this user may not ask: that is no fault of the daemon
        return
    for part in status["parts"]:
        if part["state"] != "running":
            yield Finding("daemon-troubled", f"{part['name']}: {part['why'] or part['state']}")


@contextlib.contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Without the warnings of one logger: what they say is found anyway."""
    import logging

    logger = logging.getLogger(name)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
