"""Two bundles side by side: sizes, work, figures, and what they were made from."""

from __future__ import annotations

from pathlib import Path

from assistant.understand.fused.manifest import Manifest, Variant, read_manifest
from assistant.understand.fused.net import read_file
from convert.inspect import aligned
from convert.race import drawn, race


def compare(one: Path, other: Path) -> str:
    """A table of both; all nets are timed beside each other. Raises ModelError for what is no bundle."""
    left, right = read_manifest(one), read_manifest(other)
    times = [_times(folder, manifest) for folder, manifest in ((one, left), (other, right))]
    rows = [("", str(one), str(other)), ("context", *(m.context or "every" for m in (left, right)))]
    rows += [("built by", left.command, right.command)]
    for cost in dict.fromkeys(v.cost for m in (left, right) for v in m.variants):
        pair = [_variant(m, cost) for m in (left, right)]
        rows.append((f"{cost}: KiB", *(f"{v.bytes / 1024:.0f}" if v else "–" for v in pair)))
        rows.append((f"{cost}: parameters", *(f"{v.parameters:,}" if v else "–" for v in pair)))
        rows.append((f"{cost}: multiplications", *(f"{v.operations:,}" if v else "–" for v in pair)))
        rows.append((f"{cost}: µs a hypothesis, times as fast as the dearest", *(t.get(cost, "–") for t in times)))
        groups = dict.fromkeys(g for v in pair if v for g in v.figures.get("orders", {}))
        rows += [(f"{cost}: {group}", *(_strict(v, group) for v in pair)) for group in groups]
        for key in ("halves_invented", "tails", "foreign"):
            rows.append((f"{cost}: {key.replace('_', ' ')} accepted", *(_count(v, key) for v in pair)))
    differ = sorted(set(left.licences.items()) ^ set(right.licences.items()))
    return "\n".join([*aligned(rows), *(f"only one was trained on {name} ({licence})" for name, licence in differ)])


def _times(folder: Path, manifest: Manifest) -> dict[str, str]:
    """Of each variant: microseconds, and how many times as fast as the dearest one, by turns in one run."""
    found = race({v.cost: read_file(folder / v.file) for v in manifest.variants}, drawn(manifest.features))
    dearest = found[manifest.variants[0].cost]["median"]
    return {cost: f"{1000 * t['median']:.0f}, {dearest / t['median']:.2f}" for cost, t in found.items()}


def _variant(manifest: Manifest, cost: str) -> Variant | None:
    return next((v for v in manifest.variants if v.cost == cost), None)


def _strict(variant: Variant | None, group: str) -> str:
    row = variant.figures.get("orders", {}).get(group) if variant else None
    return f"{row['decoder_strict']} → {row['strict']} of {row['n']}" if row else "–"


def _count(variant: Variant | None, key: str) -> str:
    counted = variant.figures.get(key) if variant else None
    return f"{counted['count']} of {counted['n']}" if counted else "–"
