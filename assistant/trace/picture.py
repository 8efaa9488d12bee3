"""A decision as a picture: sound, voice activity, tokens where they were heard, scores, the meanings that competed.

header      what was said and what came of it
sound       the wave where it was kept, else how loud it was; the voiced stretch; the wait until the decision
voice       voice activity
tokens      each hypothesis' tokens at the instant where the recogniser's attention lay
bottom      how surely each token was heard ┆ the meanings, nats behind the best ┆ the chance that it was meant
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assistant.trace.explain import Pieces, calibration_of, meaning_of
from assistant.trace.record import HypothesisRecord, Record, levels_db, voice_probabilities
from assistant.trace.svg import Drawing, shortened, side_by_side, text_width
from assistant.types import FRAME_MS, SAMPLE_RATE_HZ

WIDTH = 1200
LEFT, RIGHT = 132.0, 1172.0
LEAD_S, TAIL_S = 0.35, 0.3
"""Shown before the voice begins and after the last thing that happened."""
ROWS = 3
"""Hypotheses drawn over time."""
MEANINGS = 5
CHIP = 11.5
BOLD = 1.1
"""So much wider is bold text."""
LOWEST_NATS = -12.0
LOUD_DB, QUIET_DB = 0.0, -70.0

INK, MUTED, GRID, FAINT = "#1f2933", "#6b7785", "#e6eaee", "#f5f7f9"
BLUE, TEAL, GREEN, AMBER, RED = "#2563eb", "#0f9d8a", "#15803d", "#c2700a", "#b42318"
OUTCOMES = {"accept": ("accepted", GREEN), "ask": ("asked back", AMBER), "refuse": ("refused", RED)}


@dataclass(frozen=True, slots=True)
class _Axis:
    """Seconds of the utterance to pixels."""

    begin_s: float
    end_s: float

    def x(self, at_s: float) -> float:
        share = (at_s - self.begin_s) / max(self.end_s - self.begin_s, 1e-6)
        return LEFT + min(max(share, 0.0), 1.0) * (RIGHT - LEFT)


def draw(record: Record, pcm: NDArray[np.int16] | None = None, pieces: Pieces | None = None) -> str:
    """The picture as an SVG document.

    pcm: the utterance's sound, int16 at 16 kHz, where it was kept. pieces: the recogniser's tokens in letters.
    """
    d = Drawing(WIDTH)
    y = _header(d, record)
    if record.utterance is not None:
        axis = _axis(record)
        y = _sound(d, record, pcm, axis, y)
        y = _voice(d, record, axis, y)
        y = _tokens(d, record, axis, y, _labels(pieces))
    y = _bottom(d, record, y, _labels(pieces))
    return d.document(y, f"decision {record.id}")


def _labels(pieces: Pieces | None) -> Callable[[HypothesisRecord], list[str]]:
    """How a hypothesis' tokens are written in the picture."""

    def labels(h: HypothesisRecord) -> list[str]:
        if pieces is None:
            return [str(token) for token in h.tokens]
        return [piece.strip() or ("·" if piece else "end") for piece in pieces(h.tokens)]

    return labels


# -- header ----------------------------------------------------------------------------------------------------------


def _header(d: Drawing, record: Record) -> float:
    final = record.final
    word, colour = OUTCOMES[final.outcome]
    width = text_width(word, 13) + 22
    d.box(28, 26, width, 26, colour, 13)
    d.text(28 + width / 2, 44, word, "#ffffff", 13, anchor="middle", weight=600)
    said = f"“{record.text or final.text}”" if record.text or final.text else "no words"
    d.text(28 + width + 14, 46, shortened(said, (RIGHT - width - 42) / BOLD, 19), INK, 19, weight=600)
    meaning = meaning_of(final.intent, final.slots) if final.outcome != "refuse" else final.reason
    d.text(28, 76, shortened(meaning, RIGHT - 28, 13), INK, 13)
    reply = final.question or record.reply
    when = time.strftime("%d %B %Y, %H:%M:%S", time.localtime(record.at))
    facts = [when, record.id, f"context {record.context}", f"{record.engine} {record.variant}"]
    if reply:
        facts.insert(0, f"{'asked' if final.question else 'answered'}: “{reply}”")
    d.text(28, 97, shortened("  ·  ".join(facts), RIGHT - 28, 12), MUTED, 12)
    return 124.0


# -- over time -------------------------------------------------------------------------------------------------------


def _axis(record: Record) -> _Axis:
    u = record.utterance
    assert u is not None
    if u.speech_end_s <= u.speech_start_s:
        return _Axis(0.0, max(u.duration_s, 0.1))
    end_s = u.speech_end_s + (0.0 if record.waited_ms is None else record.felt_ms or 0.0) / 1000
    return _Axis(max(u.speech_start_s - LEAD_S, 0.0), end_s + TAIL_S)


def _sound(d: Drawing, record: Record, pcm: NDArray[np.int16] | None, axis: _Axis, y: float) -> float:
    u = record.utterance
    assert u is not None
    height = 120.0
    _title(d, y, "Sound" if pcm is not None else "Loudness")
    d.box(LEFT, y, RIGHT - LEFT, height, FAINT, 4)
    if u.speech_end_s > u.speech_start_s:
        begin, end = axis.x(u.speech_start_s), axis.x(u.speech_end_s)
        d.box(begin, y, end - begin, height, "#e8f0fe")
    if pcm is None:
        d.text(LEFT - 12, y + 14, "0 dB", MUTED, 10, anchor="end")
        d.text(LEFT - 12, y + height, f"{QUIET_DB:.0f} dB", MUTED, 10, anchor="end")
        _loudness(d, levels_db(u), axis, y, height)
    else:
        _wave(d, pcm, axis, y, height)
    _waiting(d, record, axis, y, height)
    return y + height + 14


def _loudness(d: Drawing, level_db: NDArray[np.float32], axis: _Axis, y: float, height: float) -> None:
    share = np.clip((level_db - QUIET_DB) / (LOUD_DB - QUIET_DB), 0, 1)
    points = [(axis.x(t), y + height * (1 - float(v))) for t, v in _frames(share, axis)]
    if points:
        d.area([(points[0][0], y + height), *points, (points[-1][0], y + height)], BLUE, 0.35)
        d.path(points, BLUE, 1.2)


def _wave(d: Drawing, pcm: NDArray[np.int16], axis: _Axis, y: float, height: float) -> None:
    """Lowest and highest sample of each pixel, scaled to the loudest that is shown."""
    begin = max(int(axis.begin_s * SAMPLE_RATE_HZ), 0)
    shown = pcm[begin : int(axis.end_s * SAMPLE_RATE_HZ)].astype(np.float64)
    if not len(shown):
        return
    columns = np.array_split(shown, max(min(int(RIGHT - LEFT), len(shown)), 1))
    scale = (height / 2 - 4) / max(float(np.abs(shown).max()), 1.0)
    middle, at = y + height / 2, begin
    top, bottom = [], []
    for column in columns:
        x = axis.x((at + len(column) / 2) / SAMPLE_RATE_HZ)
        top.append((x, middle - scale * float(column.max()) - 0.3))
        bottom.append((x, middle - scale * float(column.min()) + 0.3))
        at += len(column)
    d.area([*top, *reversed(bottom)], BLUE, 0.8)


def _waiting(d: Drawing, record: Record, axis: _Axis, y: float, height: float) -> None:
    """From the last sound of speech to the decision."""
    u = record.utterance
    assert u is not None
    if u.speech_end_s <= u.speech_start_s or record.felt_ms is None or record.waited_ms is None:
        return
    begin, end = axis.x(u.speech_end_s), axis.x(u.speech_end_s + record.felt_ms / 1000)
    d.line(end, y, end, y + height, INK, 1.5)
    d.line(begin, y + height - 12, end, y + height - 12, INK, 1.0)
    label = f"decided after {record.felt_ms:.0f} ms"
    outside = end + 6 + text_width(label, 11) < RIGHT
    d.text(end + (6 if outside else -6), y + 16, label, INK, 11, anchor="start" if outside else "end", weight=600)


def _voice(d: Drawing, record: Record, axis: _Axis, y: float) -> float:
    u = record.utterance
    assert u is not None
    height = 46.0
    _title(d, y, "Voice")
    d.box(LEFT, y, RIGHT - LEFT, height, FAINT, 4)
    d.line(LEFT, y + height / 2, RIGHT, y + height / 2, GRID)
    points = [(axis.x(t), y + height * (1 - float(p))) for t, p in _frames(voice_probabilities(u), axis)]
    if points:
        d.area([(points[0][0], y + height), *points, (points[-1][0], y + height)], TEAL, 0.3)
        d.path(points, TEAL)
    d.text(LEFT - 12, y + 10, "100 %", MUTED, 10, anchor="end")
    d.text(LEFT - 12, y + height, "0", MUTED, 10, anchor="end")
    _seconds(d, axis, y + height)
    return y + height + 34


def _frames(values: NDArray[np.float32], axis: _Axis) -> Iterator[tuple[float, float]]:
    """Middle of each 20 ms frame that is shown, and its value."""
    for number, value in enumerate(values.tolist()):
        at_s = (number + 0.5) * FRAME_MS / 1000
        if axis.begin_s <= at_s <= axis.end_s:
            yield at_s, value


def _seconds(d: Drawing, axis: _Axis, y: float) -> None:
    span = axis.end_s - axis.begin_s
    step = next(s for s in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0) if span / s <= 14 or s == 60.0)
    number = int(np.ceil(axis.begin_s / step - 1e-9))
    while number * step <= axis.end_s + 1e-9:
        x = axis.x(number * step)
        d.line(x, y, x, y + 4, MUTED)
        d.text(
            x, y + 16, f"{number * step:.1f} s" if step < 1 else f"{number * step:.0f} s", MUTED, 10, anchor="middle"
        )
        number += 1


def _tokens(
    d: Drawing, record: Record, axis: _Axis, y: float, labels: Callable[[HypothesisRecord], list[str]]
) -> float:
    rows = [(h, *spoken) for h in record.hypotheses[:ROWS] if (spoken := _spoken(h, labels(h)))[0]]
    if not rows:
        return y
    top = record.hypotheses[0]
    _title(d, y, "Tokens")
    for h, texts, centres in rows:
        gap = h.rerank - top.rerank
        d.text(LEFT - 12, y + 27, "best" if h is top else f"{gap:+.1f} nats", MUTED, 11, anchor="end")
        _chips(d, axis, y, texts, centres, _different(h, top), _surenesses(h, len(texts)))
        y += 50
    return y + 14


def _spoken(h: HypothesisRecord, texts: list[str]) -> tuple[list[str], list[float]]:
    """What to write and where: tokens where the attention lay, else words in the middle of their time."""
    if h.centres_s:
        return texts, list(h.centres_s)
    return [word[0] for word in h.words], [(word[1] + word[2]) / 2 for word in h.words]


def _different(h: HypothesisRecord, top: HypothesisRecord) -> set[int]:
    """Places of the tokens of `h` that the best does not have."""
    if h is top or not h.tokens:
        return set()
    blocks = difflib.SequenceMatcher(None, top.tokens, h.tokens, autojunk=False).get_matching_blocks()
    return set(range(len(h.tokens))) - {block.b + i for block in blocks for i in range(block.size)}


def _surenesses(h: HypothesisRecord, count: int) -> list[float]:
    """Probability of each token or word."""
    if h.centres_s:
        return [float(np.exp(min(nats, 0.0))) for nats in h.log_p]
    return [word[3] for word in h.words][:count]


def _chips(
    d: Drawing, axis: _Axis, y: float, texts: list[str], centres: list[float], new: set[int], sure: list[float]
) -> None:
    """Tokens as chips, each tied to its instant; the paler, the less surely heard; what the best lacks in amber."""
    size = CHIP
    while sum(text_width(text, size) + 9 for text in texts) > RIGHT - LEFT and size > 6:
        size -= 0.5
    widths = [text_width(text, size) + 6 for text in texts]
    placed = side_by_side([axis.x(c) for c in centres], [w + 3 for w in widths], LEFT, RIGHT)
    d.line(LEFT, y, RIGHT, y, GRID)
    for i in range(len(texts)):
        x, at = placed[i], axis.x(centres[i])
        colour = AMBER if i in new else BLUE
        d.line(at, y - 3, at, y + 3, colour, 1.5)
        d.line(at, y + 3, x, y + 12, colour, 0.8)
        d.box(x - widths[i] / 2, y + 12, widths[i], 22, _tint(colour, 0.08 + 0.24 * sure[i]), 5)
        d.text(x, y + 27, texts[i], MUTED if texts[i] in ("end", "·") else INK, size, anchor="middle")


def _tint(colour: str, strength: float) -> str:
    """`colour` on white, 0 none of it, 1 all."""
    channels = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - channel) * strength):02x}" for channel in channels)


# -- scores ----------------------------------------------------------------------------------------------------------


def _bottom(d: Drawing, record: Record, y: float, labels: Callable[[HypothesisRecord], list[str]]) -> float:
    """Scores of the best hypothesis' tokens to the left, the meanings and the gauge to the right."""
    if not record.hypotheses:
        d.text(LEFT, y + 24, "No sentence of the context came near.", INK, 14)
        return y + 60
    best = record.hypotheses[0]
    split = LEFT + 0.6 * (RIGHT - LEFT)
    if len(best.tokens):
        _title(d, y - 6, "Scores")
        _scores(d, best, labels(best), (LEFT, split), y)
        meanings_end = _meanings(d, record, split + 60, y)
        return max(_gauge(d, record, split + 60, max(meanings_end, y + 150.0)), y + 270.0)
    return _gauge(d, record, LEFT, _meanings(d, record, LEFT, y))


def _scores(d: Drawing, best: HypothesisRecord, texts: list[str], span: tuple[float, float], y: float) -> None:
    """Each token's log-probability before listening (ring) and after (dot)."""
    height, (left, right) = 150.0, span
    d.text(left, y + 8, "How likely was each token?", INK, 12, weight=600)
    d.dot(left + 196, y + 4, 3.5, "#ffffff", MUTED)
    d.text(left + 206, y + 8, "from the words before alone", MUTED, 11)
    d.dot(left + 388, y + 4, 4, BLUE)
    d.text(left + 398, y + 8, "with the sound", MUTED, 11)
    top = y + 26
    lowest = max(min([-4.0, *best.log_p, *best.ilm]), LOWEST_NATS)

    def at(nats: float) -> float:
        return top + height * min(max(nats, lowest) / lowest, 1.0)

    for percent in (100.0, 10.0, 1.0, 0.1, 0.01, 0.001):
        nats = float(np.log(percent / 100))
        if nats >= lowest:
            d.line(left, at(nats), right, at(nats), GRID)
            d.text(left - 12, at(nats) + 4, f"{percent:g} %", MUTED, 10, anchor="end")
    slot = (right - left) / len(texts)
    for i, text in enumerate(texts):
        x = left + slot * (i + 0.5)
        heard, before = at(best.log_p[i]), at(best.ilm[i])
        colour = RED if best.log_p[i] < -1.0 else BLUE
        d.line(x, before, x, heard, _tint(colour, 0.45), 2.5)
        d.dot(x, before, 3.5, "#ffffff", MUTED)
        d.dot(x, heard, 4, colour)
        if slot > text_width(text, 10):
            d.text(x, top + height + 18, text, INK, 10, anchor="middle")
        else:
            d.text(x + 3, top + height + 14, text, INK, 10, anchor="end", turned=-50)


def _meanings(d: Drawing, record: Record, left: float, y: float) -> float:
    """Nats behind the best, with the zone in which it asks; returns where they end."""
    best = record.hypotheses[0]
    shown = record.hypotheses[:MEANINGS]
    gaps = [best.rerank - h.rerank for h in shown]
    margin = record.thresholds.ask_margin
    scale = (RIGHT - left) / max(gaps[-1] * 1.1, margin * 3, 1e-6)
    d.text(left, y + 8, "Meanings, nats behind the best", INK, 12, weight=600)
    if len(shown) == 1:
        d.text(left, y + 34, "nothing else came into question", MUTED, 11)
        return y + 50
    d.box(left, y + 22, margin * scale, 27 * len(shown) + 4, _tint(AMBER, 0.12))
    d.text(left + margin * scale + 5, y + 33, f"it asks below {margin:g}", AMBER, 10)
    for number, (h, gap) in enumerate(zip(shown, gaps, strict=True)):
        line_y = y + 42 + 27 * number
        colour = BLUE if number == 0 else AMBER if gap < margin else MUTED
        d.line(left, line_y + 4, left + gap * scale, line_y + 4, _tint(colour, 0.6), 2)
        d.dot(left + gap * scale, line_y + 4, 4, colour)
        if number:
            label = f"{gap:.1f}  {_in_short(h, best)}"
            d.text(left + 4, line_y - 2, shortened(label, RIGHT - left - 8, 11), INK, 11)
    return y + 30 + 27 * len(shown)


def _in_short(h: HypothesisRecord, best: HypothesisRecord) -> str:
    """What `h` means otherwise than `best`."""
    if h.intent != best.intent:
        return meaning_of(h.intent, h.slots)
    changed = [f"{name}={value}" for name, value in h.slots.items() if best.slots.get(name) != value]
    missing = [f"no {name}" for name in best.slots if name not in h.slots]
    return ", ".join([*changed, *missing]) or f"“{h.text}”"


def _gauge(d: Drawing, record: Record, left: float, y: float) -> float:
    """The chance that it was meant for the context, between refusing and doubting."""
    rule, heard = calibration_of(record), record.decided.heard
    width, top = RIGHT - left, y + 34
    d.text(left, y + 18, f"Was it meant for the context? {heard:.0%}", INK, 12, weight=600)
    for begin, end, colour in ((0.0, rule.refuse, RED), (rule.refuse, rule.doubt, AMBER), (rule.doubt, 1.0, GREEN)):
        d.box(left + begin * width, top, (end - begin) * width, 10, _tint(colour, 0.3))
    d.line(left + heard * width, top - 4, left + heard * width, top + 14, INK, 2.5)
    for at, word in ((0.0, "refuse"), (rule.refuse, "ask"), (rule.doubt, "accept")):
        d.text(left + at * width + 2, top + 25, word, MUTED, 10)
    return top + 48


def _title(d: Drawing, y: float, text: str) -> None:
    d.text(28, y + 14, text, INK, 12, weight=600)
