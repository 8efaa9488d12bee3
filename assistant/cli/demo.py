"""The demo: a voice speaks a dozen commands, some in noise, into the very pipeline that listens to a microphone."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from assistant.cli.assembly import build_segmenter, build_speech, build_understander
from assistant.cli.output import print_json_line, styled
from assistant.cli.spoken import spoken, write_wav

if TYPE_CHECKING:
    from assistant.config import Config


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence to be spoken; snr_db: kitchen-like noise under it, None for a quiet room; note: what to watch for."""

    text: str
    snr_db: float | None = None
    note: str = ""


SCRIPTS: dict[str, tuple[Line, ...]] = {
    "barista": (
        Line("Can I have a large latte?"),
        Line("I'd like a twelve ounce dark roast double shot americano with a bit of soy milk and brown sugar"),
        Line("Make me an iced mocha with cream", 12, "12 dB of kitchen noise"),
        Line("Give me a medium light roast coffee with lots of whole milk and some sweetener", 6, "6 dB of noise"),
        Line("Get me a triple shot espresso", 3, "3 dB of noise"),
        Line("I want a small house coffee with sugar and skim milk"),
        Line("Brew a sixteen ounce drip coffee"),
        Line("May I have a single shot cappuccino with almond milk", 9, "9 dB of noise"),
        Line("What will the weather be like tomorrow in Paris?", None, "outside the context"),
        Line("Can I have a large tea with lemon?", None, "nearly right: tea is not on the menu"),
        Line("Get me an eight ounce iced coffee with a little bit of milk"),
        Line("The train to the airport leaves every twenty minutes.", 9, "outside the context, in noise"),
    ),
    "home": (
        Line("Turn on the kitchen lights"),
        Line("Set a timer for five minutes"),
        Line("Turn off the bedside lamp", 12, "12 dB of kitchen noise"),
        Line("Add oat milk to my shopping list"),
        Line("What time is it?"),
        Line("Set the bedroom lights to fifty percent", 6, "6 dB of noise"),
        Line("Set the desk lamp to red", 9, "9 dB of noise"),
        Line("The train to the airport leaves every twenty minutes.", None, "outside the context"),
        Line("Turn on the garden sprinkler", None, "nearly right: there is no sprinkler"),
        Line("How much time is left on my timer?"),
        Line("Cancel the timer", 3, "3 dB of noise"),
        Line("Never mind"),
    ),
}


def demo_source(config: Config, out: Path, *, as_json: bool) -> int:
    """Speak the script of the configured context (other contexts: sampled sentences) and print what is understood."""
    with tempfile.TemporaryDirectory(prefix="assistant-demo-") as folder:
        _perform(config, out, Path(folder), as_json=as_json)
    if not as_json:
        print(
            f"\nThe replies are in {out}/reply-*.wav. Type to it with {styled('assistant repl', 'bold')}; "
            f"{styled('assistant why list', 'bold')} explains what it decided."
        )
    return 0


def _perform(config: Config, out: Path, folder: Path, *, as_json: bool) -> None:
    """Speak and understand every line; in `folder` skills keep what they do, so that nothing real is changed."""
    from assistant.audio.files import FileSource
    from assistant.audio.frontend import Mean
    from assistant.audio.playback import WavSink
    from assistant.cli.printer import Printer
    from assistant.cli.tracing import open_trace
    from assistant.folders import folders, usable_cache
    from assistant.pipeline import Conversation
    from assistant.work import InlineWorker

    own = msgspec.structs.replace(config, paths=msgspec.structs.replace(config.paths, state=str(folder)))
    understander = build_understander(own, acts=True)
    speech = build_speech(config, usable_cache(folders(config.paths).cache) / "phrases")
    lines = SCRIPTS.get(understander.context.name) or sampled(understander.context)
    printer = Printer(as_json=as_json)
    out.mkdir(parents=True, exist_ok=True)
    if not as_json:
        _introduce(understander.context.name, speech.voice.name, out)
    with contextlib.closing(understander.skills), open_trace(config) as trace:
        for number, line in enumerate(lines, 1):
            path = folder / f"command-{number:02d}.wav"
            write_wav(path, spoken(speech, line.text, line.snr_db))
            if as_json:
                print_json_line({"spoken": line.text, "snr_db": line.snr_db})
            else:
                note = f"  ({line.note})" if line.note else ""
                print(f"\n{styled(f'{number:2d}', 'bold')} {styled('said', 'cyan')} “{line.text}”{styled(note, 'dim')}")
            with FileSource(path) as source:
                segmenter = build_segmenter(config)
                conversation = Conversation(source, Mean(source.channels), segmenter, understander, InlineWorker())
                for decision in conversation.decisions():
                    printer.show(decision)
                    trace.note(decision)
                    if decision.reply.text and config.speak.voice != "none":
                        sink = WavSink(out / f"reply-{number:02d}.wav", speech.sample_rate)
                        for chunk in speech.stream(decision.reply.text):
                            sink.play(chunk, speech.sample_rate)
                        sink.close()


def _introduce(context: str, voice: str, out: Path) -> None:
    print(
        f"Demo: the voice {voice} speaks to the context {context}; "
        f"what is understood is printed, replies go to {out}/ as WAV."
    )


def sampled(context: Any) -> tuple[Line, ...]:
    """A dozen sentences of any context, every third in noise, one from outside."""
    from assistant.grammar.sample import sample

    inside = [
        Line(s.text, 9.0 if i % 3 == 2 else None, "9 dB of noise" if i % 3 == 2 else "")
        for i, s in enumerate(sample(context, 11, seed=1))
    ]
    return (*inside, Line("The train to the airport leaves every twenty minutes.", None, "outside the context"))
