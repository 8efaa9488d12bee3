"""What the ears cost and how well they cut: `python -m benchmarks.vad [SET…] [--limit N] [--vad NAME] [--json]`.

Recordings with quiet before and after them run through the segmenter as one stream, clean and in kitchen noise. Where
speech truly begins and ends is taken from each clean recording heard alone. Two listeners answer the pauses: one that
never finds a complete sentence, and one that finds one exactly when everything has been said.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from assistant.listen.clip import cut_clip
from assistant.listen.segment import Began, Ended, Paused, Segmenter
from assistant.listen.vad import DETECTORS, VoiceActivity, open_vad
from assistant.types import FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioFrame, Utterance
from benchmarks.mixing import as_int16, mix, mixing_key
from benchmarks.recordings import KITCHEN, data_folder, recordings_of, spread

BEFORE_S, AFTER_S = 3.0, 3.0
QUIET_LEVEL = 2 / 32768
"""A microphone's own noise, root mean square: nothing real is digitally silent."""
CONDITIONS: tuple[float | None, ...] = (None, 12.0, 6.0, 3.0)
PEAK = 0.5
KITCHEN_GAINS = (0.3, 1.0, 3.0)

Pcm = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A recording in its quiet. start_s, end_s: where its speech begins and ends, seconds from pcm[0]."""

    pcm: Pcm
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Row:
    """One detector, set and condition. Percentiles are of 5, 50, 95; milliseconds unless said.

    missed: recordings in which nothing was heard; cut: ended before everything was said; false_per_min: utterances
    without speech, per minute of quiet. start: found minus true beginning. trim_end: found minus true end. wait,
    wait_complete: true end to End for the two listeners. discarded: speculations thrown away per recording.
    """

    detector: str
    origin: str
    condition: str
    recordings: int
    missed: int
    cut: int
    false_per_min: float
    start_ms: tuple[int, ...]
    trim_end_ms: tuple[int, ...]
    wait_ms: tuple[int, ...]
    wait_complete_ms: tuple[int, ...]
    discarded: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What the segmenter made of one recording: utterances, each with the time of its End; speculations discarded."""

    utterances: tuple[tuple[Utterance, float], ...]
    discarded: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", default=["an4", "so762", "librispeech_notext"], metavar="SET")
    parser.add_argument("--limit", type=int, default=60, help="recordings of each set (default %(default)s)")
    parser.add_argument("--vad", action="append", choices=sorted(DETECTORS), help="detector (default: each)")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    options = parser.parse_args(arguments)
    kitchen, _ = soundfile.read(data_folder() / KITCHEN)
    for name in options.vad or sorted(DETECTORS):
        vad = open_vad(name)
        show({"detector": name, "cpu_percent": cpu_percent(vad, as_int16(kitchen))}, as_json=options.json)
        for gain in KITCHEN_GAINS:
            starts = false_starts_per_min(vad, as_int16(kitchen * gain))
            show({"detector": name, "kitchen_gain": gain, "false_starts_per_min": starts}, as_json=options.json)
        for origin in options.sets:
            for snr_db in CONDITIONS:
                show(asdict(measure(vad, origin, snr_db, kitchen, options.limit)), as_json=options.json)


def show(row: dict[str, object], *, as_json: bool) -> None:
    """Print one result as it comes."""
    print(json.dumps(row) if as_json else "  ".join(f"{key} {value}" for key, value in row.items()), flush=True)


def cpu_percent(vad: VoiceActivity, pcm: Pcm) -> float:
    """Share of one core that the detector takes in real time, percent."""
    frames = list(frames_of(pcm))
    vad.reset()
    begin_s = time.process_time()
    for frame in frames:
        vad.probability(frame)
    return round(100 * (time.process_time() - begin_s) / (len(pcm) / SAMPLE_RATE_HZ), 3)


def false_starts_per_min(vad: VoiceActivity, noise: Pcm) -> float:
    """Utterances that begin where nobody speaks."""
    segmenter = Segmenter(vad)
    starts = sum(isinstance(event, Began) for frame in frames_of(noise) for event in segmenter.feed(frame))
    return round(starts / (len(noise) / SAMPLE_RATE_HZ / 60), 2)


def measure(vad: VoiceActivity, origin: str, snr_db: float | None, kitchen: NDArray[np.float64], limit: int) -> Row:
    """One set in one condition."""
    spoken = list(stream(origin, snr_db, kitchen, limit))
    patient = listen(vad, spoken, knows=False)
    quick = listen(vad, spoken, knows=True)
    missed = cut = false = 0
    starts, ends, waits, waits_complete = [list[float]() for _ in range(4)]
    for true, slow, fast in zip(spoken, patient, quick, strict=True):
        found = [
            (utterance, end_s)
            for utterance, end_s in slow.utterances
            if utterance.at + utterance.speech_start_s < true.end_s
            and utterance.at + utterance.speech_end_s > true.start_s
        ]
        false += len(slow.utterances) - len(found)
        if not found:
            missed += 1
            continue
        cut += found[0][1] < true.end_s
        starts.append(found[0][0].at + found[0][0].speech_start_s - true.start_s)
        ends.append(found[-1][0].at + found[-1][0].speech_end_s - true.end_s)
        waits += [min((end_s for _, end_s in slow.utterances if end_s > true.end_s), default=np.inf) - true.end_s]
        waits_complete += [
            min((end_s for _, end_s in fast.utterances if end_s > true.end_s), default=np.inf) - true.end_s
        ]
    quiet_s = sum(len(one.pcm) / SAMPLE_RATE_HZ - (one.end_s - one.start_s) for one in spoken)
    return Row(
        detector=vad.name,
        origin=origin,
        condition="clean" if snr_db is None else f"{snr_db:g} dB",
        recordings=len(spoken),
        missed=missed,
        cut=cut,
        false_per_min=round(false / quiet_s * 60, 2),
        start_ms=percentiles_ms(starts),
        trim_end_ms=percentiles_ms(ends),
        wait_ms=percentiles_ms(waits),
        wait_complete_ms=percentiles_ms(waits_complete),
        discarded=round(float(np.mean([one.discarded for one in patient])), 2),
    )


def stream(origin: str, snr_db: float | None, kitchen: NDArray[np.float64], limit: int) -> Iterator[Spoken]:
    """Recordings of a set, each in its quiet or in noise."""
    reference = open_vad("silero")
    quiet = np.random.default_rng(0)
    for recording in recordings_in(origin, limit):
        sound, _ = soundfile.read(recording)
        alone = cut_clip(as_int16(sound), reference)
        if alone.speech_end_s <= alone.speech_start_s:
            continue
        around = np.concatenate(
            [np.zeros(int(BEFORE_S * SAMPLE_RATE_HZ)), sound, np.zeros(int(AFTER_S * SAMPLE_RATE_HZ))]
        )
        if snr_db is None:
            around = around / np.abs(around).max() * PEAK + quiet.normal(0, QUIET_LEVEL, len(around))
        else:
            around = mix(around, kitchen, snr_db, mixing_key(recording.name, "kitchen.flac", snr_db))
        pcm = as_int16(around[: len(around) // FRAME_SAMPLES * FRAME_SAMPLES])
        yield Spoken(pcm, BEFORE_S + alone.speech_start_s, BEFORE_S + alone.speech_end_s)


def recordings_in(origin: str, limit: int) -> list[Path]:
    """Files of a set; the coffee orders have a folder and no line in the manifest."""
    found = [recording.path for recording in recordings_of(origin, limit)]
    return found or spread(sorted(data_folder(origin).rglob("*.flac")), limit)


def listen(vad: VoiceActivity, spoken: Sequence[Spoken], *, knows: bool) -> list[Heard]:
    """Run all recordings through one segmenter as one stream; times are relative to each recording."""
    segmenter = Segmenter(vad)
    heard = []
    begin_s = 0.0
    for one in spoken:
        utterances: list[tuple[Utterance, float]] = []
        pauses = kept = 0
        for frame in frames_of(one.pcm, begin_s):
            now_s = frame.at - begin_s + FRAME_SAMPLES / SAMPLE_RATE_HZ
            for event in segmenter.feed(frame):
                if isinstance(event, Paused):
                    pauses += 1
                    segmenter.speculation(complete=knows and now_s >= one.end_s, terminal=False, cut=event.cut)
                elif isinstance(event, Ended):
                    kept += event.cut is not None
                    utterances.append((replace(event.utterance, at=event.utterance.at - begin_s), now_s))
        begin_s += len(one.pcm) / SAMPLE_RATE_HZ
        heard.append(Heard(tuple(utterances), pauses - kept))
    return heard


def frames_of(pcm: Pcm, at: float = 0.0) -> Iterator[AudioFrame]:
    """Whole frames of a recording that begins at `at`."""
    for begin in range(0, len(pcm) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        yield AudioFrame(pcm[begin : begin + FRAME_SAMPLES], at + begin / SAMPLE_RATE_HZ)


def percentiles_ms(seconds: Sequence[float]) -> tuple[int, ...]:
    """5, 50, 95 percent, milliseconds; what never came counts as the quiet after the recording."""
    if not seconds:
        return ()
    bounded = np.minimum(seconds, AFTER_S)
    return tuple(round(float(value) * 1000) for value in np.percentile(bounded, [5, 50, 95]))


if __name__ == "__main__":
    main()
