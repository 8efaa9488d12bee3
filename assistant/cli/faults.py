"""What `assistant doctor` can find: each fault's name, what one notices of it, and what to do.

docs/troubleshooting.md is made from these texts, so that the doctor and the page never say different things.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault. code: for programs. title: what is wrong. notice: what one sees or hears of it.

    remedy: what to do, one step a line. warns: True where the assistant works in spite of it.
    """

    code: str
    title: str
    notice: str
    remedy: tuple[str, ...]
    warns: bool = False


@dataclass(frozen=True, slots=True)
class Area:
    """Faults that belong together on the page."""

    title: str
    faults: tuple[Fault, ...]


AREAS = (
    Area(
        "Microphone and loudspeaker",
        (
            Fault(
                "no-microphone",
                "No microphone is there",
                "`assistant run` falls back to the demo; the daemon waits for one and says so in `assistant status`.",
                (
                    "connect one; `arecord -l` lists what the kernel sees",
                    "a HAT needs its overlay in /boot/firmware/config.txt, and its driver for this kernel",
                    "where sound goes through PipeWire, run as who is logged in: `assistant service install --user`",
                ),
            ),
            Fault(
                "microphone-not-found",
                "The configured microphone is not there",
                "Another microphone may be there, but not the one that `audio.device` names.",
                (
                    "`assistant devices` lists the names; a part of one is enough",
                    "name it by its own name, never by a number: numbers change with each boot",
                ),
            ),
            Fault(
                "microphone-busy",
                "Another program holds the microphone",
                "The microphone is listed, but cannot be opened.",
                (
                    "`fuser -v /dev/snd/*` names the program",
                    "end it, or let both go through PipeWire or PulseAudio",
                ),
            ),
            Fault(
                "microphone-silent",
                "The microphone gives pure silence",
                "It opens, and nothing is ever heard.",
                (
                    "unmute it: `alsamixer`, F4, then M; many have a switch of their own",
                    "choose the right input of the card: `amixer scontents`",
                    "a laptop's privacy switch, or a HAT that sits loosely, give the same picture",
                ),
            ),
            Fault(
                "level-low",
                "The microphone is far too quiet",
                "Speech is hardly noticed, or only from very near.",
                (
                    "raise the capture level: `alsamixer`, F4; then `alsactl store`",
                    "`assistant record test.wav` shows the level: speech should peak between −30 and −6 dBFS",
                ),
                warns=True,
            ),
            Fault(
                "level-high",
                "The microphone is overdriven",
                "Words are misheard although they are loud.",
                ("lower the capture level: `alsamixer`, F4; then `alsactl store`",),
                warns=True,
            ),
            Fault(
                "microphone-rate",
                "Sound comes at another rate than the microphone says",
                "Voices sound too high or too low; nothing is understood.",
                (
                    "`assistant record test.wav && assistant play test.wav`: is the pitch right?",
                    "update the driver or firmware of the device; another rate: `arecord --dump-hw-params -D hw:…`",
                    "on a busy board sound may be lost instead: `assistant status` counts it",
                ),
            ),
            Fault(
                "loudspeaker-not-found",
                "The loudspeaker is not there",
                "Replies are printed or in the trace, but not heard.",
                (
                    "`assistant devices` lists the names; set `audio.output`",
                    "without one, set `speak.voice` to none: then nobody waits for it",
                ),
            ),
            Fault(
                "not-in-audio-group",
                "This user may not use the sound card",
                "The kernel has sound cards, but `assistant devices` lists none.",
                (
                    "`sudo adduser $USER audio`, then log in again",
                    "the system service is in that group already",
                ),
            ),
        ),
    ),
    Area(
        "What is installed",
        (
            Fault(
                "library-missing",
                "A library is missing",
                "It does not start, or says that a part does not load.",
                (
                    "`sudo apt install libportaudio2 libasound2-plugins`",
                    "for Vosk on 64-bit ARM also `libatomic1`",
                    "otherwise install the package that is named, with the extra that brings it",
                ),
            ),
            Fault(
                "model-missing",
                "The recogniser's model is not installed",
                "It ends at the start with exit code 6.",
                ("`assistant models pull NAME`; `assistant models` lists them",),
            ),
            Fault(
                "model-corrupt",
                "A model's files are not what they should be",
                "It ends at the start, or understands nothing. A power cut or a worn SD card does this.",
                (
                    "fetch it again: `assistant models pull NAME`; one that came with a package: reinstall that",
                    "if it happens again, replace the card",
                ),
            ),
            Fault(
                "voice-missing",
                "The voice is not installed",
                "Replies are printed, never spoken.",
                ("`sudo apt install espeak-ng`, or `pip install hibari-tts`", "or set `speak.voice` to none"),
            ),
            Fault(
                "wake-word-unknown",
                "The wake word is not known, or its engine not installed",
                "It ends at the start.",
                (
                    "`assistant wake list` names those that are known",
                    "the engines need glibc 2.35 or newer (Debian 12, Ubuntu 22.04)",
                ),
            ),
            Fault(
                "plugin-failing",
                "A skill was given up because it failed again and again",
                "Its commands are answered with an apology.",
                ("`assistant plugins` says why; it is tried again when the daemon is restarted",),
                warns=True,
            ),
        ),
    ),
    Area(
        "Configuration",
        (
            Fault(
                "config-broken",
                "The configuration is wrong",
                "It ends at the start with exit code 5; a running daemon keeps the old one and says why.",
                (
                    "mend what is named; `assistant config check` lists all of it",
                    "`assistant config show --origin` says who set what",
                ),
            ),
            Fault(
                "context-broken",
                "A context, or home.yaml, does not load",
                "It ends at the start with exit code 4; a running daemon keeps the old one.",
                ("mend the line that is named; `assistant context lint`", "`assistant home check` for home.yaml"),
            ),
            Fault(
                "secret-readable",
                "A secret can be read by other users, or not at all",
                "An integration does not start.",
                (
                    "`chmod 600 FILE`, and let it belong to the user that the assistant runs as",
                    "better: systemd's LoadCredential= (docs/security.md)",
                ),
            ),
        ),
    ),
    Area(
        "The board",
        (
            Fault(
                "disk-nearly-full",
                "The disk is nearly full",
                "Timers and lists are refused (“that could not be saved”); decisions are not recorded.",
                (
                    "`journalctl --vacuum-size=100M`, `apt clean`",
                    "lower `trace.max_mb`; `assistant forget --all` removes all records",
                ),
            ),
            Fault(
                "folder-not-writable",
                "A folder cannot be written",
                "Timers and lists are refused, or models are prepared anew at each start.",
                (
                    "`chown -R` it to the user that the assistant runs as",
                    "or name another with `paths.state`, `paths.cache`",
                ),
            ),
            Fault(
                "memory-low",
                "Memory is nearly used up",
                "The recogniser is started again and again (the kernel ends it).",
                (
                    "end what is not needed; `ps aux --sort=-rss | head`",
                    "enlarge swap or zram: 512 MB of it are enough",
                ),
                warns=True,
            ),
            Fault(
                "under-voltage",
                "The power supply is too weak",
                "It is slow at times, the microphone is lost now and then, the card is damaged in the end.",
                (
                    "use the board's own power supply and a short cable",
                    "power USB microphones through a hub of their own",
                ),
                warns=True,
            ),
            Fault(
                "too-hot",
                "The board is too hot and slows itself down",
                "Answers are late after a while.",
                ("a heat sink or fan; air around the case",),
                warns=True,
            ),
            Fault(
                "clock-wrong",
                "The clock is wrong",
                "Alarms ring at the wrong time. A board without a battery starts in the past.",
                ("let it set its clock: `timedatectl set-ntp true`", "without a network, add a clock module (RTC)"),
                warns=True,
            ),
        ),
    ),
    Area(
        "The daemon and the house",
        (
            Fault(
                "daemon-not-answering",
                "The daemon does not answer",
                "A control socket is there, but nobody answers on it.",
                (
                    "`assistant service status`, `assistant service logs`",
                    "a socket that a crash left behind is replaced at the next start",
                ),
            ),
            Fault(
                "daemon-troubled",
                "The daemon runs, but a part of it does not",
                "`assistant status` shows which, and why.",
                ("what it says about that part is the place to look", "`assistant service logs`"),
            ),
            Fault(
                "broker-unreachable",
                "The MQTT broker, or Home Assistant, cannot be reached",
                "Commands for the house are answered with an apology; it is tried again all the time.",
                (
                    "is it on? is `mqtt.host` or `home_assistant.url` right?",
                    "the system service has no network until `assistant service install --lan`",
                ),
            ),
            Fault(
                "check-failed",
                "The doctor itself failed at a check",
                "The message names the place.",
                ("please report it",),
            ),
        ),
    ),
)

FAULTS: Mapping[str, Fault] = {fault.code: fault for area in AREAS for fault in area.faults}


def page() -> str:
    """docs/troubleshooting.md."""
    lines = ["# Troubleshooting", "", "Made from the program by `make docs`.", ""]
    lines += [
        "`assistant doctor` looks for all of this and names what it finds, with what to do; `--json` for programs. Its",
        "exit code is 1 when something is wrong. It listens to the microphone for two seconds; `--no-sound` does not.",
        "What it cannot see, `assistant why last` may: what was heard, what competed, and where the time went.",
    ]
    for area in AREAS:
        lines += ["", f"## {area.title}"]
        for fault in area.faults:
            lines += ["", f"### {fault.title}", "", f"`{fault.code}`. {fault.notice}", ""]
            lines += list(_steps(fault))
    return "\n".join(lines) + "\n"


def _steps(fault: Fault) -> Iterator[str]:
    for step in fault.remedy:
        yield f"- {step[0].upper() if not step.startswith('`') else step[0]}{step[1:]}"
