"""`assistant doctor`: looks for everything that commonly goes wrong on a board, and says what to do about it."""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assistant.cli import examine, examine_board
from assistant.cli.examine import Check, Finding, Subject
from assistant.cli.faults import FAULTS
from assistant.cli.output import add_json_option, examples, print_json, styled
from assistant.errors import ConfigError

if TYPE_CHECKING:
    from assistant.audio.source import Source
    from assistant.config import Config

EXIT_FOUND = 1


@dataclass(frozen=True, slots=True)
class Examination:
    """One check and its line in the report. sound: it needs the sound system."""

    name: str
    check: Check
    sound: bool = False


def _sound(name: str) -> Check:
    """A check of `examine_sound`, which is imported when it is needed."""

    def check(subject: Subject) -> Iterator[Finding]:
        from assistant.cli import examine_sound

        found: Iterator[Finding] = getattr(examine_sound, name)(subject)
        yield from found

    return check


EXAMINATIONS = (
    Examination("contexts and home", examine.context),
    Examination("recogniser and model", examine.engine),
    Examination("voice", examine.voice),
    Examination("wake words", examine.wake_words),
    Examination("skills", examine.plugins),
    Examination("secrets", examine.secrets),
    Examination("room on the disk", examine_board.disk),
    Examination("folders", examine_board.folders),
    Examination("memory", examine_board.memory),
    Examination("power supply", examine_board.power),
    Examination("temperature", examine_board.heat),
    Examination("clock", examine_board.clock),
    Examination("daemon", examine.daemon),
    Examination("broker and Home Assistant", examine.peers),
    Examination("sound library", _sound("library"), sound=True),
    Examination("permission for the sound card", _sound("permission"), sound=True),
    Examination("loudspeaker", _sound("loudspeaker"), sound=True),
    Examination("microphone", _sound("microphone"), sound=True),
)


@dataclass(frozen=True, slots=True)
class Report:
    """What one examination found."""

    name: str
    findings: tuple[Finding, ...]


def register(subparsers: Any) -> None:
    """Add `doctor`."""
    doctor = subparsers.add_parser(
        "doctor",
        help="find what is wrong, and say what to do",
        description="Find what is wrong, and say what to do. The exit code is 1 if something is.",
        epilog=examples("assistant doctor", "assistant doctor --no-sound --json"),
    )
    doctor.add_argument("--no-sound", action="store_true", help="do not open the microphone")
    add_json_option(doctor)
    doctor.set_defaults(run=_doctor)


def examined(subject: Subject, examinations: Iterable[Examination] = EXAMINATIONS) -> Iterator[Report]:
    """Make the examinations, one after another; one that fails is a finding, not an end."""
    for each in examinations:
        try:
            findings = tuple(each.check(subject))
        except Exception as error:  # noqa: BLE001  a doctor must not be what breaks
            place = traceback.extract_tb(error.__traceback__)[-1]
            says = f"{each.name}: {type(error).__name__} in {place.filename}:{place.lineno}"
            findings = (Finding("check-failed", says),)
        yield Report(each.name, findings)


def wanted(*, sound: bool) -> tuple[Examination, ...]:
    """The examinations of one visit."""
    return tuple(each for each in EXAMINATIONS if sound or not each.sound)


def _doctor(args: argparse.Namespace) -> int:
    config, broken = _config(args)
    subject = _subject(config, args)
    reports = []
    if not args.json:
        _show(broken)
    for report in examined(subject, wanted(sound=not args.no_sound and not _heard_by_daemon(subject))):
        reports.append(report)
        if not args.json:
            _show(report)
    findings = [*broken.findings, *(finding for report in reports for finding in report.findings)]
    if args.json:
        print_json(
            {"healthy": not findings, "checks": [broken.name, *(r.name for r in reports)], "faults": _rows(findings)}
        )
    elif not findings:
        print(styled("Nothing is wrong.", "green bold"))
    return EXIT_FOUND if findings else 0


def _config(args: argparse.Namespace) -> tuple[Config, Report]:
    """The configuration, or the defaults where it is wrong, and what is."""
    from assistant.cli.settings import load_settings
    from assistant.config import Config

    try:
        return load_settings(args).config, Report("configuration", ())
    except ConfigError as error:
        findings = tuple(Finding("config-broken", line) for line in str(error).splitlines())
        return Config(), Report("configuration", findings)


def _subject(config: Config, args: argparse.Namespace) -> Subject:
    from assistant.cli.sources import open_source
    from assistant.folders import folders

    del args

    def open_microphone() -> Source:
        return open_source(config, None)

    return Subject(config, folders(config.paths), open_microphone)


def _heard_by_daemon(subject: Subject) -> bool:
    """A daemon that runs has the microphone; how it fares is the daemon's report."""
    from assistant.cli.daemon_client import running_daemon
    from assistant.errors import AssistantError

    try:
        daemon = running_daemon(subject.config)
    except AssistantError:
        return True
    if daemon is not None:
        daemon.close()
    return daemon is not None


def _show(report: Report) -> None:
    if not report.findings:
        print(f"{styled('ok', 'green')}    {report.name}")
    for finding in report.findings:
        fault = FAULTS[finding.code]
        mark = styled("warn", "yellow") if fault.warns else styled("fault", "red")
        print(f"{mark}  {styled(fault.title, 'bold')} ({fault.code})")
        print(f"      {finding.says}")
        for step in fault.remedy:
            print(f"      {styled('→', 'cyan')} {step}")


def _rows(findings: Iterable[Finding]) -> list[dict[str, object]]:
    return [
        {
            "code": finding.code,
            "title": FAULTS[finding.code].title,
            "says": finding.says,
            "remedy": list(FAULTS[finding.code].remedy),
            "warning": FAULTS[finding.code].warns,
        }
        for finding in findings
    ]
