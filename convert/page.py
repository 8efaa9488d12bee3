"""One HTML page with everything in it, plots too: it can be sent to anybody as one file."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from convert.files import write_whole

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:62em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .8em;border-bottom:1px solid #ddd;text-align:right}
td:first-child,th:first-child{text-align:left}img{max-width:100%}code{background:#f4f4f4;padding:.1em .3em}"""


def write_page(file: Path, title: str, parts: Sequence[str]) -> None:
    """Write a page of `parts`, each HTML. Raises StorageError."""
    head = f"<!doctype html><meta charset=utf-8><title>{html.escape(title)}</title><style>{STYLE}</style>"
    write_whole(file, (head + "\n".join(parts) + "\n").encode())


def figure(columns: int) -> tuple[Any, Sequence[Any]]:
    """A figure with so many plots in a row, and those."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(4.2 * columns, 3.2), layout="constrained")
    return made, [made.add_subplot(1, columns, i + 1) for i in range(columns)]


def png(drawn: Any) -> bytes:
    """A figure as a picture, the same for the same figure."""
    out = io.BytesIO()
    drawn.savefig(out, format="png", dpi=110, metadata={"Software": None})
    return out.getvalue()


def picture(data: bytes, words: str) -> str:
    """A PNG on the page; words: instead of it."""
    return f'<p><img alt="{html.escape(words)}" src="data:image/png;base64,{base64.b64encode(data).decode()}"></p>'


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows under a head."""
    cells = "".join(f"<th>{html.escape(str(cell))}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{body}</table>"
