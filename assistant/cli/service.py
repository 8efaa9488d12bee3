"""`assistant service install|remove|status|logs`: the assistant as a systemd service, the system's or a user's own."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.cli.output import add_json_option, examples, print_json
from assistant.errors import StorageError, UsageError

UNIT = "assistant.service"
SOCKET = "assistant.socket"
PATH_LINE = "Environment=PATH=/opt/assistant/bin:/usr/bin:/bin"
DROP_INS = ("lan", "gpio")
EXAMPLES = """examples:
  sudo assistant service install                 hear through ALSA, as a user of its own, without network
  sudo assistant service install --lan           for MQTT, Home Assistant or Wyoming
  assistant service install --user               hear through your PipeWire or PulseAudio, while you are logged in
"""


def register(subparsers: Any) -> None:
    """Add the verbs."""
    service = subparsers.add_parser(
        "service",
        help="start with the system: install, remove, look after",
        description="Start with the system, by systemd.",
        epilog=EXAMPLES,
    )
    verbs = service.add_subparsers(dest="service_verb", metavar="VERB", required=True)
    install = verbs.add_parser(
        "install",
        help="write the units, enable and start them",
        description="Write the units, enable and start them. Again after an update: it restarts what runs.",
        epilog=EXAMPLES,
    )
    install.add_argument(
        "--lan", action="store_true", help="let it use the local network (MQTT, Home Assistant, Wyoming)"
    )
    install.add_argument("--gpio", action="store_true", help="let it use the board's pins: GPIO, I2C, SPI")
    install.set_defaults(run=_install)
    remove = verbs.add_parser(
        "remove",
        help="stop it and remove the units",
        description="Stop it and remove the units. What it keeps (timers, lists, traces, models) stays.",
        epilog=examples("sudo assistant service remove", "assistant service remove --user"),
    )
    remove.set_defaults(run=_remove)
    for verb in (install, remove):
        verb.add_argument(
            "--root", metavar="DIR", type=Path, help="into this system's folder, e.g. an image; start nothing"
        )
    status = verbs.add_parser(
        "status",
        help="what systemd says about it",
        description="What systemd says about it.",
        epilog=examples("assistant service status", "assistant service status --user --json"),
    )
    add_json_option(status)
    status.set_defaults(run=_status)
    logs = verbs.add_parser(
        "logs", help="show its log", description="Show its log.", epilog=examples("assistant service logs --follow")
    )
    logs.add_argument("--follow", action="store_true", help="go on until Ctrl-C")
    logs.add_argument("--lines", metavar="N", type=int, default=50, help="the last so many (%(default)s)")
    logs.set_defaults(run=_logs)
    for verb in (install, remove, status, logs):
        verb.add_argument("--user", action="store_true", help="your own service instead of the system's")


@dataclass(frozen=True, slots=True)
class File:
    """One file of an installation."""

    path: Path
    text: str


def files(
    sources: Path, program: Path, *, user: bool, drop_ins: Sequence[str], home: Mapping[str, str] | None = None
) -> tuple[File, ...]:
    """What an installation consists of, with absolute paths.

    sources: the folder of the units. program: the `assistant` that they start. drop_ins: "lan", "gpio".
    """

    def unit(name: str) -> str:
        return (sources / name).read_text(encoding="utf-8").replace(PATH_LINE, path_line(program))

    if user:
        environment = os.environ if home is None else home
        config = Path(environment.get("XDG_CONFIG_HOME") or Path(environment["HOME"]) / ".config")
        return (File(config / "systemd/user" / UNIT, unit("user/assistant.service")),)
    system = Path("/etc/systemd/system")
    found = [
        File(system / UNIT, unit(UNIT)),
        File(system / SOCKET, unit(SOCKET)),
        File(Path("/etc/sysusers.d/assistant.conf"), unit("assistant.sysusers")),
        File(Path("/etc/tmpfiles.d/assistant.conf"), unit("assistant.tmpfiles")),
    ]
    found += [File(system / f"{UNIT}.d" / f"{name}.conf", unit(f"drop-ins/{name}.conf")) for name in drop_ins]
    return tuple(found)


def path_line(program: Path) -> str:
    """The line of a unit that says where the program is."""
    return f"Environment=PATH={program.parent}:/usr/bin:/bin"


def unit_sources() -> Path:
    """The folder of the units: beside the sources, or where an installed package keeps them. Raises StorageError."""
    beside = Path(__file__).resolve().parents[2] / "systemd"
    places = (beside, Path(sys.prefix) / "share/assistant/systemd")
    found = next((place for place in places if (place / UNIT).is_file()), None)
    if found is None:
        raise StorageError("the unit files are not there", where=str(places[-1]), remedy="install the package again")
    return found


def own_program() -> Path:
    """The `assistant` that this process is. Raises UsageError where there is no such file to start."""
    beside = Path(sys.executable).with_name("assistant")
    found = beside if beside.is_file() else shutil.which("assistant")
    if not found:
        raise UsageError(
            "there is no program `assistant` to start", remedy="install the package: pip install assistant-voice"
        )
    return Path(found)


def _install(args: argparse.Namespace) -> int:
    drop_ins = [name for name in DROP_INS if getattr(args, name)]
    if args.user and drop_ins:
        raise UsageError("a user's own service needs neither --lan nor --gpio", remedy="leave them out")
    program = own_program()
    if not args.user and args.root is None:
        _reachable(program)
    for file in files(unit_sources(), program, user=args.user, drop_ins=drop_ins):
        _write(_below(args.root, file.path), file.text)
    if args.root is not None:
        return 0
    if not args.user:
        _call("systemd-sysusers")
        _call("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/assistant.conf")
    _systemctl(args.user, "daemon-reload")
    units = (UNIT,) if args.user else (SOCKET, UNIT)
    _systemctl(args.user, "enable", *units)
    _systemctl(args.user, "restart", *units)
    print("It runs. `assistant status` says what it does; `assistant service logs` shows its log.")
    return 0


def _remove(args: argparse.Namespace) -> int:
    installed = files(unit_sources(), Path("/opt/assistant/bin/assistant"), user=args.user, drop_ins=DROP_INS)
    if args.root is None:
        units = (UNIT,) if args.user else (UNIT, SOCKET)
        _systemctl(args.user, "disable", "--now", *units, check=False)
    for file in installed:
        path = _below(args.root, file.path)
        if path.exists():
            _removed(path)
    if args.root is None:
        _systemctl(args.user, "daemon-reload")
    return 0


def _status(args: argparse.Namespace) -> int:
    if not args.json:
        return _systemctl(args.user, "status", "--no-pager", UNIT, check=False)
    names = ("LoadState", "ActiveState", "SubState", "StatusText", "MainPID", "NRestarts", "ActiveEnterTimestamp")
    shown = subprocess.run(
        ["systemctl", *_scope(args.user), "show", UNIT, *(f"--property={name}" for name in names)],
        capture_output=True,
        text=True,
        check=False,
    )
    values = dict(line.split("=", 1) for line in shown.stdout.splitlines() if "=" in line)
    print_json(values)
    return 0 if values.get("ActiveState") == "active" else 1


def _logs(args: argparse.Namespace) -> int:
    follow = ["--follow"] if args.follow else ["--no-pager"]
    return _call("journalctl", *_scope(args.user), f"--unit={UNIT}", f"--lines={args.lines}", *follow, check=False)


def _reachable(program: Path) -> None:
    """The service's user is nobody's friend: it must be able to read the program, which lies in no home."""
    for place in (*program.resolve().parents, *Path(sys.executable).resolve().parents):
        if place.is_relative_to("/home") or place.is_relative_to("/root"):
            raise UsageError(
                f"{program}, or its Python, lies in a home, which the service cannot read",
                remedy="install it in /opt/assistant (docs/install-pi.md), or use --user",
            )


def _below(root: Path | None, path: Path) -> Path:
    return path if root is None else root / path.relative_to("/")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot be written ({error.strerror})", where=str(path), remedy="use sudo") from None
    print(path)


def _removed(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise StorageError(f"cannot be removed ({error.strerror})", where=str(path), remedy="use sudo") from None
    print(f"removed {path}")


def _scope(user: bool) -> list[str]:  # noqa: FBT001  the flag of the command line, passed on
    return ["--user"] if user else []


def _systemctl(user: bool, *arguments: str, check: bool = True) -> int:  # noqa: FBT001  as above
    return _call("systemctl", *_scope(user), *arguments, check=check)


def _call(*command: str, check: bool = True) -> int:
    """Run one of systemd's programs; its own words are the message. Raises StorageError when it fails and `check`."""
    if shutil.which(command[0]) is None:
        raise UsageError(
            f"there is no {command[0]} here", remedy="start `assistant daemon` by what this system has instead"
        )
    code = subprocess.run(command, check=False).returncode
    if check and code:
        raise StorageError(f"`{' '.join(command)}` failed", remedy="use sudo, and see what it said above")
    return code
