"""The few SVG shapes that a picture of a decision needs, and how wide its texts are. No drawing package is loaded."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

FONT = "Inter, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif"

_NARROW, _WIDE = frozenset("iljtfrI.,;:!'| ()[]·"), frozenset("mwMW@%—")


class Drawing:
    """Shapes in drawing order; `text` gives the document. Coordinates in pixels, y downwards."""

    def __init__(self, width: float) -> None:
        self._width = width
        self._shapes: list[str] = []

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1.0, dash: str = "") -> None:
        """A straight line. dash: lengths of dashes and gaps, e.g. "3 3"."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._shapes.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width:g}" stroke-linecap="round"{dashed}/>'
        )

    def box(
        self, x: float, y: float, width: float, height: float, fill: str, radius: float = 0.0, edge: str = "none"
    ) -> None:
        """A filled rectangle."""
        self._shapes.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}" '
            f'rx="{radius:g}" fill="{fill}" stroke="{edge}"/>'
        )

    def dot(self, x: float, y: float, radius: float, fill: str, edge: str = "none") -> None:
        """A filled circle."""
        self._shapes.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{fill}" stroke="{edge}" stroke-width="1.5"/>'
        )

    def area(self, points: Sequence[tuple[float, float]], fill: str, opacity: float = 1.0) -> None:
        """A filled outline."""
        if points:
            self._shapes.append(f'<polygon points="{_listed(points)}" fill="{fill}" fill-opacity="{opacity:g}"/>')

    def path(self, points: Sequence[tuple[float, float]], colour: str, width: float = 1.5) -> None:
        """A line through `points`."""
        if points:
            self._shapes.append(
                f'<polyline points="{_listed(points)}" fill="none" stroke="{colour}" stroke-width="{width:g}" '
                'stroke-linejoin="round"/>'
            )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        colour: str,
        size: float = 12.0,
        *,
        anchor: str = "start",
        weight: int = 400,
        turned: float = 0.0,
    ) -> None:
        """Words with their baseline at y. anchor: start, middle or end. turned: degrees, clockwise."""
        turn = f' transform="rotate({turned:g} {x:.1f} {y:.1f})"' if turned else ""
        self._shapes.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" font-weight="{weight}" fill="{colour}" '
            f'text-anchor="{anchor}"{turn}>{escape(_visible(text))}</text>'
        )

    def document(self, height: float, title: str) -> str:
        """The whole picture as SVG on white."""
        size = f'width="{self._width:g}" height="{height:g}" viewBox="0 0 {self._width:g} {height:g}"'
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family={quoteattr(FONT)} role="img">',
                f"<title>{escape(_visible(title))}</title>",
                '<rect width="100%" height="100%" fill="#ffffff"/>',
                *self._shapes,
                "</svg>\n",
            ]
        )


def text_width(text: str, size: float) -> float:
    """About how wide `text` is at `size`, pixels: a little more than in any of FONT's faces."""
    units = sum(0.34 if c in _NARROW else 0.95 if c in _WIDE else 0.72 if c.isupper() else 0.61 for c in text)
    return units * size


def shortened(text: str, width: float, size: float) -> str:
    """`text`, cut with an ellipsis where it is wider than `width`."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(f"{text}…", size) > width:
        text = text[:-1]
    return f"{text.rstrip()}…"


def side_by_side(centres: Sequence[float], widths: Sequence[float], low: float, high: float) -> list[float]:
    """Centres as near as can be (least squares) to `centres`, in order, without overlap, between `low` and `high`.

    Pool adjacent violators: boxes that would overlap become one block around their mean wish. Where all do not fit,
    they overlap evenly.
    """
    if not centres:
        return []
    room = min(1.0, (high - low) / max(sum(widths), 1e-9))
    widths = [width * room for width in widths]
    # Seen from its own left edge, each box wants to begin where the first of its block begins.
    offsets = [0.0]
    for before, after in itertools.pairwise(widths):
        offsets.append(offsets[-1] + (before + after) / 2)
    blocks: list[tuple[float, int]] = []
    for wish, offset in zip(centres, offsets, strict=True):
        mean, count = wish - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, more = blocks.pop()
            mean, count = (mean * count + other * more) / (count + more), count + more
        blocks.append((mean, count))
    starts = [mean for mean, count in blocks for _ in range(count)]
    first, last = low + widths[0] / 2, high - widths[-1] / 2 - offsets[-1]
    return [min(max(start, first), max(last, first)) + offset for start, offset in zip(starts, offsets, strict=True)]


def _listed(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _visible(text: str) -> str:
    """Without control characters, which XML does not allow."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
