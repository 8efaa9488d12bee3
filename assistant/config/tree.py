"""The configuration as one tree: what keys there are, what they mean and what they may hold.

Every value comes from the last layer that sets it; `assistant.config.layers` reads them and remembers who set what:

    defaults < /etc/assistant/config.yaml < /etc/assistant/conf.d/*.yaml < the user's config.yaml
             < ASSISTANT__SECTION__KEY < --set SECTION.KEY=VALUE and the verbs' own flags
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from assistant.config.integrations import HomeAssistant, Mqtt, Wyoming

Milliseconds = Annotated[int, Meta(ge=0, le=60_000)]
Threads = Annotated[int, Meta(ge=1, le=64)]
WakeScore = Annotated[float, Meta(gt=0, le=1)]
PlaceM = tuple[float, float, float]
HOURS = r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$"


class Audio(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Microphone and loudspeaker."""

    device: Annotated[str, Meta(description="microphone, by name or part of one, or none: `assistant devices`")] = (
        "default"
    )
    channels: Annotated[
        Annotated[int, Meta(ge=1, le=8)] | None,
        Meta(description="microphone channels to open, 1 to 8; null asks the device"),
    ] = None
    frontend: Annotated[
        Literal["pick", "mean", "delay_and_sum"],
        Meta(description="how channels become one: the first, their mean, or aligned and then their mean"),
    ] = "mean"
    array: Annotated[
        Literal["respeaker_4_mic", "ps_eye"] | tuple[PlaceM, ...] | None,
        Meta(
            description="for delay_and_sum, where the microphones are: a known array, or x (right), y (ahead) and "
            "z (up) of each in metres"
        ),
    ] = None
    azimuth_deg: Annotated[
        float,
        Meta(ge=-360, le=360, description="where delay_and_sum listens, degrees: 0 is right, 90 is ahead, 180 is left"),
    ] = 90.0
    output: Annotated[str, Meta(description="loudspeaker, by name or part of one")] = "default"


class Listen(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where an utterance begins and ends."""

    mode: Annotated[
        Literal["always", "push_to_talk", "wake"],
        Meta(description="listen all the time, only while a key is held, or after a wake word"),
    ] = "always"
    vad: Annotated[
        Literal["auto", "silero", "webrtc"],
        Meta(description="voice activity: silero hears better in noise, webrtc costs a tenth; auto takes silero"),
    ] = "auto"
    endpoint_terminal_ms: Annotated[
        Milliseconds, Meta(description="silence that ends a sentence to which nothing can be added, milliseconds")
    ] = 200
    endpoint_complete_ms: Annotated[
        Milliseconds, Meta(description="silence that ends a complete sentence of the context, milliseconds")
    ] = 300
    endpoint_ms: Annotated[Milliseconds, Meta(description="silence that ends anything else, milliseconds")] = 700
    speculate_ms: Annotated[
        Annotated[int, Meta(ge=20, le=60_000)],
        Meta(description="silence after which recognition starts on what is there, milliseconds"),
    ] = 150
    cap_s: Annotated[float, Meta(gt=0, le=60, description="longest utterance, seconds")] = 12.0
    pre_roll_s: Annotated[
        float, Meta(ge=0, le=5, description="sound kept from before the voice was noticed, seconds")
    ] = 1.5


class Wake(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Wake words, where listen.mode is wake."""

    words: Annotated[
        dict[str, str] | tuple[str, ...] | str,
        Meta(
            description="the words, or each word with the context that it is for ({alexa: home}); "
            "`assistant wake list` names them"
        ),
    ] = "hey_jarvis"
    thresholds: Annotated[
        dict[str, WakeScore] | None,
        Meta(description="by word, the score that wakes, instead of the shipped one; lower hears more, also wrongly"),
    ] = None
    awake_s: Annotated[
        float, Meta(ge=0.65, le=60, description="from the wake word until a command must have begun, seconds")
    ] = 5.0
    follow_up_s: Annotated[
        float, Meta(ge=0, le=60, description="from a question until its answer must have begun, seconds")
    ] = 8.0
    earcons: Annotated[bool, Meta(description="play a short sound when it waits for a command after the word")] = True


class Recognize(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The engine that turns sound into meanings, and how wide it searches."""

    engine: Annotated[str, Meta(min_length=1, description="moonshine, vosk, or the name of a plug-in")] = "moonshine"
    threads: Annotated[Threads, Meta(description="threads that recognition may use")] = 1
    beam: Annotated[int, Meta(ge=1, le=64, description="hypotheses kept at each step, at most")] = 16
    prune: Annotated[
        float,
        Meta(gt=0, description="nats below the best at which a hypothesis is given up; a context may set its own"),
    ] = 10.0
    lambda_: Annotated[
        float,
        Meta(ge=0, le=1, description="weight of the internal language model taken off; a context may set its own"),
    ] = msgspec.field(name="lambda", default=0.4)
    again: Annotated[
        bool, Meta(description="score doubtful meanings once more, on the sound played slower and faster (moonshine)")
    ] = True


class Understand(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How what was heard is decided about."""

    fused: Annotated[
        str,
        Meta(
            min_length=1,
            description="compare meanings with the sound by the fused net that fits the context: on, off, "
            "a variant (full, lite, tiny), a bundle's name, or NAME/VARIANT",
        ),
    ] = "on"


class Speak(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How it answers."""

    voice: Annotated[
        str, Meta(description="hibari, espeak, the name of a plug-in, or none; auto takes the best that is installed")
    ] = "auto"
    output: Annotated[
        str | None, Meta(description="folder to write replies to as WAV files; null plays them on audio.output")
    ] = None


class Trace(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is written down about each decision, on this machine only: see docs/trace.md."""

    enabled: Annotated[bool, Meta(description="keep a record of every decision, for `assistant why`")] = True
    sound: Annotated[bool, Meta(description="keep the sound of what was said, too")] = False
    max_mb: Annotated[
        int, Meta(ge=1, le=100_000, description="disk space for records, megabytes; the oldest make room")
    ] = 20
    max_days: Annotated[float, Meta(gt=0, le=36_500, description="records older than so many days are dropped")] = 14


class Schedule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How hard it tries, so that answers stay in time on a busy board: see docs/scheduler.md."""

    enabled: Annotated[
        bool,
        Meta(description="choose a plan for each utterance while it listens; otherwise recognize.beam always holds"),
    ] = True
    policy: Annotated[
        str, Meta(min_length=1, description="who chooses: slo, greedy, fixed, or the name of a plug-in")
    ] = "slo"
    plan: Annotated[
        str | None, Meta(description="the plan that the policy fixed always takes; null takes the most accurate")
    ] = None
    p95_ms: Annotated[
        int,
        Meta(
            ge=50, le=60_000, description="from the end of speech, 95 of 100 decisions fall within so many milliseconds"
        ),
    ] = 400
    energy_weight: Annotated[
        float, Meta(ge=0, le=1, description="share of accuracy (0 to 1) that it gives up to save a joule")
    ] = 0.0
    max_temperature_c: Annotated[
        float, Meta(ge=30, le=120, description="from this temperature of the board on it only tries a little, °C")
    ] = 80.0
    quiet_hours: Annotated[
        Annotated[str, Meta(pattern=HOURS)] | None,
        Meta(description="when it only tries a little, so that no fan starts: 22:00-07:00, for example"),
    ] = None
    max_resident_mb: Annotated[
        float, Meta(ge=0, le=100_000, description="memory, MB, for variants of the fused net beside the first one")
    ] = 16.0
    ambient: Annotated[
        bool,
        Meta(
            description="under lasting load or heat, listen with the quick voice activity and speak with a quick voice"
        ),
    ] = True
    rest_after_min: Annotated[
        float, Meta(ge=0, le=100_000, description="minutes without speech after which the recogniser may be unloaded")
    ] = 30.0
    rest_below_mb: Annotated[
        float, Meta(ge=0, le=1_000_000, description="free memory, MB, below which it is; 0 never unloads it")
    ] = 150.0


class Home(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Your home."""

    file: Annotated[
        str | None,
        Meta(description="your areas, devices, scenes and lists; null looks for home.yaml beside your config.yaml"),
    ] = None


class Plugins(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Recognisers, voices, skills and wake words that are installed."""

    disabled: Annotated[
        tuple[str, ...],
        Meta(description="those not to use, each by its name or as GROUP.NAME; `assistant plugins` lists them"),
    ] = ()


class Daemon(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`assistant daemon`: the assistant that runs all the time."""

    socket: Annotated[
        str | None, Meta(description="the control socket; null is assistant.sock in the runtime folder")
    ] = None
    group: Annotated[
        str, Meta(description="members of this group may use the control socket, beside root and its own user")
    ] = "assistant"
    log_words: Annotated[bool, Meta(description="write what was said and answered into the log")] = False
    metrics_file: Annotated[
        str | None,
        Meta(description="write the metrics there every 15 s, for node_exporter's textfile collector (NAME.prom)"),
    ] = None
    deadline_s: Annotated[
        float,
        Meta(ge=1, le=60, description="longest recognition of one utterance, seconds; then it is given up"),
    ] = 10.0


class Paths(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where files are kept; null follows the XDG folders, or systemd's when it runs as a service."""

    data: Annotated[str | None, Meta(description="your contexts (in contexts/) and fetched models")] = None
    cache: Annotated[str | None, Meta(description="compiled contexts and prepared models; safe to delete")] = None
    state: Annotated[str | None, Meta(description="timers, lists and traces")] = None


class Config(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that can be configured."""

    context: Annotated[str, Meta(min_length=1, description="what can be said: a context's name or folder")] = "home"
    audio: Audio = Audio()
    listen: Listen = Listen()
    wake: Wake = Wake()
    recognize: Recognize = Recognize()
    understand: Understand = Understand()
    speak: Speak = Speak()
    trace: Trace = Trace()
    schedule: Schedule = Schedule()
    home: Home = Home()
    mqtt: Mqtt = Mqtt()
    wyoming: Wyoming = Wyoming()
    home_assistant: HomeAssistant = HomeAssistant()
    plugins: Plugins = Plugins()
    daemon: Daemon = Daemon()
    paths: Paths = Paths()
