"""What each way of moving a voice adds on real recordings: the net for sound alone learns from the same, each way.

    python -m convert.diversity --context barista --takes 1500

A way says which pace and pitch the engine speaks at, how far the sound is resampled (pitch, rate and formants
together), and how far the WORLD vocoder moves pitch and formants, each by itself (Morise et al. 2016; package
`pyworld-prebuilt`, needed for these ways only). Counted are all labelled orders, strictly right, refused or not:
nothing is chosen on them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from assistant.errors import AssistantError, PluginError
from assistant.folders import folders
from assistant.grammar.load import load_context
from assistant.grammar.tree import Context
from assistant.types import SAMPLE_RATE_HZ, Gate
from assistant.understand.fused.heads import heads_of, labels_of
from assistant.understand.fused.manifest import SoundNet
from benchmarks.fused_clips import FOREIGN, ORDERS
from convert import heads_train as t
from convert.files import Places, write_whole
from convert.heads import SENTENCES, answers, exported
from convert.heads_data import Listened, Listener, packed, read_listened, sound_takes, voices
from convert.heads_judge import Recorded, recorded
from convert.heads_model import SoundShape
from convert.progress import Bars
from convert.quantize import runner
from convert.sources import data_folder
from convert.stages import company_of, speak_all
from convert.synthesize import Line, Studio, Take
from convert.workers import Alone

Floats = NDArray[np.float64]

TAKES, EPOCHS = 1500, 14
PART = 100
FRAME_MS = 5.0
"""Of the vocoder."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a voice is moved. engine: by its own pace and pitch; resampled: pitch, rate and formants together; pitch,
    formants: by the vocoder, the widest step up or down as a share.
    """

    name: str
    engine: bool = False
    resampled: bool = False
    pitch: float = 0.0
    formants: float = 0.0


WAYS = (
    Way("as the engines speak"),
    Way("engines' pace and pitch", engine=True),
    Way("resampled", resampled=True),
    Way("vocoder: pitch", pitch=0.3),
    Way("vocoder: formants", formants=0.15),
    Way("vocoder: pitch and formants", pitch=0.3, formants=0.15),
    Way("engines' pace and pitch, resampled", engine=True, resampled=True),
    Way("all of it", engine=True, resampled=True, pitch=0.3, formants=0.15),
)


class Moved(Studio):
    """A studio whose voices a vocoder moves, each sentence by a step of its own."""

    def __init__(self, places: Places, way: Way) -> None:
        super().__init__(places.sounds, places.data, voices())
        self._way = way

    def _sound(self, line: Line) -> Floats:
        sound = super()._sound(line)
        if not self._way.pitch and not self._way.formants:
            return sound
        rng = np.random.default_rng(crc32(f"{line.text}|{line.speaker}|{line.factor}".encode()))
        steps = rng.uniform(-1, 1, 2)
        return vocoded(sound, 1 + self._way.pitch * steps[0], 1 + self._way.formants * steps[1])


def vocoded(pcm: Floats, pitch: float, formants: float) -> Floats:
    """`pcm` (16 kHz) with its pitch and its formants so many times as high, at the same rate. Raises PluginError."""
    try:
        import pyworld
    except ImportError as error:
        raise PluginError(
            "the vocoder is not installed", where="diversity", remedy="pip install pyworld-prebuilt"
        ) from error
    sound = np.ascontiguousarray(pcm)
    f0, at = pyworld.dio(sound, SAMPLE_RATE_HZ, frame_period=FRAME_MS)
    f0 = pyworld.stonemask(sound, f0, at, SAMPLE_RATE_HZ)
    envelope = pyworld.cheaptrick(sound, f0, at, SAMPLE_RATE_HZ)
    noise = pyworld.d4c(sound, f0, at, SAMPLE_RATE_HZ)
    bins = np.arange(envelope.shape[1], dtype=np.float64)
    moved = np.array([np.exp(np.interp(bins / formants, bins, np.log(row))) for row in envelope])
    return np.asarray(pyworld.synthesize(f0 * pitch, moved, noise, SAMPLE_RATE_HZ, FRAME_MS), np.float64)


def takes_of(way: Way, context: Context, places: Places, count: int, seed: int) -> list[Take]:
    """The same sentences by the same voices in the same noise, each way."""
    found = []
    for take in sound_takes(context, company_of(places.data), SENTENCES, seed)[:count]:
        speaker = take.line.speaker if way.engine else take.line.speaker.split("@")[0]
        factor = take.line.factor if way.resampled else 1.0
        found.append(replace(take, line=replace(take.line, speaker=speaker, factor=factor)))
    return found


def listened(way: Way, takes: Sequence[Take], places: Places, advance: Any) -> list[Listened]:
    """Every take encoded; what was heard before is read again."""
    ear: Listener | None = None
    found: list[Listened] = []
    for start in range(0, len(takes), PART):
        part = takes[start : start + PART]
        content = json.dumps([asdict(way), [asdict(take) for take in part]], sort_keys=True, default=str)
        file = places.work / "listened" / f"way-{hashlib.sha256(content.encode()).hexdigest()[:24]}.npz"
        if not file.is_file():
            ear = ear or Listener(places, Moved(places, way))
            write_whole(file, packed([one for take in part if (one := ear.listen(take)) is not None]))
        found += read_listened(file)
        advance(way.name, len(found), len(takes))
    return found


def counted(
    heard: Sequence[Listened], judged: Sequence[Recorded], context: Context, epochs: int, seed: int, advance: Any
) -> dict[str, int]:
    """Train on what was heard; orders strictly right by condition."""
    heads = labels_of(context)
    if heads is None:
        raise AssistantError("its slots are no closed lists", where=context.name, remedy="another --context")
    basis = t.fit(heard, seed)
    rows = t.rows_of(heard, heads, context.name, basis)
    trained = t.train(
        rows, heads, SoundShape(), t.SoundSchedule(epochs=epochs), seed, lambda i, n, _: advance("train", i, n)
    )
    data, _, _ = exported(trained, rows, heads, seed)
    net = SoundNet(
        file="",
        sha256="",
        bytes=len(data),
        basis_file="",
        basis_sha256="",
        frames=t.FRAMES,
        pool=t.POOL,
        audio_dim=len(basis.mean),
        state_dim=t.STATE_DIM,
        precision="int8",
        parameters=0,
        operations=0,
        gate=Gate(1.0, 1.0),
    )
    found = answers(heads_of(net, heads, basis, runner(data), context, Path("net.tflite")), judged)
    right: dict[str, int] = {}
    for one in found:
        if one.kind == ORDERS:
            right[one.group] = right.get(one.group, 0) + one.strict
    return right


def table(found: Mapping[str, Mapping[str, int]]) -> str:
    """Orders strictly right, by way and condition, as Markdown."""
    conditions = list(next(iter(found.values())))
    lines = [f"| way | {' | '.join(conditions)} | together |", "|---" * (len(conditions) + 2) + "|"]
    for name, right in found.items():
        lines.append(f"| {name} | {' | '.join(str(right[c]) for c in conditions)} | {sum(right.values())} |")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    """Hear, train and judge every way."""
    parser = argparse.ArgumentParser(prog="python -m convert.diversity", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--context", default="barista")
    parser.add_argument("--takes", type=int, default=TAKES, help=f"utterances to learn from, each way ({TAKES})")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"of training ({EPOCHS})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="where stages keep what they made (the cache folder)")
    parser.add_argument("--out", type=Path, default=Path("out/diversity.json"), help="figures (out/diversity.json)")
    arguments = parser.parse_args(argv)
    work = arguments.work or folders().cache / "convert"
    places = Places(data_folder(), work / "sounds", work, folders().cache)
    context = load_context(arguments.context)
    found: dict[str, dict[str, int]] = {}
    with Bars().shown() as bars:
        advance = bars.advance
        judged = recorded(places, arguments.context, lambda i, n: advance("recordings", i, n))
        judged = [one for one in judged if one.kind != FOREIGN]
        for way in WAYS:
            takes = takes_of(way, context, places, arguments.takes, arguments.seed)
            speak_all(takes, places, Alone(places), advance, voices())
            heard = listened(way, takes, places, advance)
            found[way.name] = counted(heard, judged, context, arguments.epochs, arguments.seed, advance)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(arguments.out, json.dumps({"takes": arguments.takes, "right": found}, indent=1).encode())
    print(table(found))


if __name__ == "__main__":
    main()
