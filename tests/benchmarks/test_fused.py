"""Fitting and judging a net's answers: numbers on known answers, halves kept apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assistant.grammar.load import load_context
from assistant.grammar.tree import Context
from assistant.types import Fusion, Hypothesis, Transcript
from benchmarks import fused, fused_fit, fused_tables
from benchmarks.clips import Clip
from benchmarks.fused import ALONE, Judged
from benchmarks.fused_clips import FOREIGN, HALVES, ORDERS, TAILS, Case, count
from benchmarks.recordings import Order, Recording, in_half_a

NET = "net/full"
LABEL = {"size": "small", "coffeeDrink": "latte"}
INVENTED = LABEL | {"milkAmount": "soy milk"}
CONDITIONS = ("clean", "kitchen 6 dB", "babble 6 dB")


@pytest.fixture(scope="module")
def barista() -> Context:
    """The context of the orders."""
    return load_context("barista")


def transcript(rng: np.random.Generator, *, wrong_first: bool, per_token: float = 1.4) -> Transcript:
    """Two meanings, the strictly right one and one with an invented slot, in this order or the other."""
    meanings = [LABEL, INVENTED] if not wrong_first else [INVENTED, LABEL]
    score = per_token * 6 + float(rng.normal(scale=0.3))
    hypotheses = tuple(
        Hypothesis(
            intent="orderDrink",
            slots=slots,
            text="a small latte" + (" with soy milk" if slots is INVENTED else ""),
            score=score - rank,
            rerank=score - rank,
            tokens=np.arange(6, dtype=np.int32),
            log_p=np.full(6, -0.3, np.float32),
            ilm=np.full(6, -3.0, np.float32),
        )
        for rank, slots in enumerate(meanings)
    )
    return Transcript(hypotheses, hypotheses[0].text, "moonshine", "test")


def judged(seed: int = 0, each: int = 60) -> list[Judged]:
    """Orders half of which the recogniser gets wrong in noise, and a net that knows; cut and talked into ones too."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(each):
        name = f"order {i}.flac"
        order = Order(Recording(Path(name), "barista", ""), "orderDrink", LABEL)
        for group in CONDITIONS:
            wrong = group != "clean" and i % 2 == 0
            right = [3.0, -3.0] if not wrong else [-3.0, 3.0]
            found = transcript(rng, wrong_first=wrong)
            logits = (np.array(right) + rng.normal(scale=0.5, size=2)).tolist()
            whole = [4.0 if group != "babble 6 dB" else -4.0] * 2
            rows.append(Judged(Case(_clip(name), ORDERS, group, order), found, {NET: (logits, whole)}))
        for kind in (HALVES, TAILS):
            found = transcript(rng, wrong_first=kind == HALVES)
            logits = [-1.0, -1.0] if kind == HALVES else [3.0, -3.0]
            rows.append(Judged(Case(_clip(name), kind, "kitchen 6 dB", order), found, {NET: (logits, [-4.0, -4.0])}))
        foreign = transcript(rng, wrong_first=False, per_token=-1.0)
        rows.append(Judged(Case(_clip(name), FOREIGN, "an4"), foreign, {NET: ([-4.0, -4.0], [-4.0, -4.0])}))
    return rows


def _clip(name: str) -> Clip:
    return Clip(name, "test", lambda: np.zeros(0, np.int16))


def test_a_net_that_knows_repairs_every_order_and_offers_what_is_talked_into(barista: Context) -> None:
    rows = judged()
    fusion = fused_fit.fit(rows, NET, barista)
    assert fusion.weight > 0
    results = fused.measure(rows, barista, {NET: fusion})
    alone, with_net = results["systems"][ALONE], results["systems"][NET]
    group = "kitchen 6 dB"
    assert alone["orders"][group]["heard_strict"]["count"] < alone["orders"][group]["heard_strict"]["n"]
    assert with_net["orders"][group]["heard_strict"]["rate"] == 1.0
    assert results["paired"][NET]["heard"][group]["only_theirs"] == 0
    assert with_net["tails"][group]["acted_on"]["count"] == 0
    assert with_net["tails"][group]["offered"]["rate"] == 1.0
    assert with_net["halves"][group]["invented"]["count"] == 0
    assert with_net["foreign"]["an4"]["accepted"]["count"] == 0
    assert with_net["orders"]["babble 6 dB"]["true_refused"]["count"] == 0
    assert with_net["confidence_with_foreign"]["auc"] > alone["confidence_with_foreign"]["auc"]
    assert results["best_of_list"][group]["rate"] == 1.0


def test_a_net_made_for_another_context_keeps_its_ranking_and_learns_how_to_doubt(barista: Context) -> None:
    rows, own = judged(), Fusion(weight=0.5, right_cap=2.0, offer=1.0)
    fusion = fused_fit.fit(rows, NET, barista, own)
    assert (fusion.weight, fusion.right_cap, fusion.offer) == (own.weight, own.right_cap, own.offer)
    assert fusion.whole
    assert fusion.confidence
    assert fused_fit.fit(rows, NET, barista).offer != own.offer


def test_nothing_that_is_reported_was_fitted_on(barista: Context) -> None:
    rows = judged()
    spoilt = [row if row.case.fits else replace(row, logits={NET: ([-9.0, 9.0], [9.0, 9.0])}) for row in rows]
    assert fused_fit.fit(rows, NET, barista) == fused_fit.fit(spoilt, NET, barista)
    kept = [row for row in rows if not in_half_a(row.case.clip.name)]
    assert fused.measure(rows, barista, {NET: Fusion()}) == fused.measure(kept, barista, {NET: Fusion()})


def test_a_net_that_knows_nothing_gets_no_weight() -> None:
    rows = [replace(row, logits={NET: ([0.0, 0.0], [0.0, 0.0])}) for row in judged() if row.case.kind == ORDERS]
    assert fused_fit.fit_weight(rows, NET).weight == 0.0


def test_a_net_for_sound_alone_that_knows_repairs_what_the_other_does_not(barista: Context) -> None:
    unknowing = [replace(row, logits={NET: ([0.0, 0.0], row.logits[NET][1])}) for row in judged()]
    rows = [replace(row, sound={NET: _said(row)}) for row in unknowing]
    fusion = fused_fit.fit(rows, NET, barista)
    assert fusion.sound_weight > 0
    assert {"sound", "faintest"} <= set(fusion.confidence)
    assert fused_fit.fit(unknowing, NET, barista).sound_weight == 0
    results = fused.measure(rows, barista, {NET: fusion})
    assert results["systems"][NET]["orders"]["kitchen 6 dB"]["heard_strict"]["rate"] == 1.0


def _said(row: Judged) -> list[tuple[float, float]]:
    return [(-0.5, 0.0) if h.slots == LABEL else (-11.0, -7.0) for h in row.transcript.hypotheses]


def test_where_the_net_could_not_look_the_recogniser_decides() -> None:
    row = replace(judged(each=1)[0], logits={})
    assert row.with_net(NET, Fusion(weight=9.0)) is row.transcript


def test_the_table_shows_every_system(barista: Context, capsys: pytest.CaptureFixture[str]) -> None:
    results = fused.measure(judged(), barista, {NET: Fusion(weight=2.0)})
    percentiles = {"n": 1, "p50": 1.0, "p95": 2.0, "mean": 1.0}
    cost = {"features_ms": percentiles, "net_ms": percentiles, "both_ms": percentiles, "hypotheses": 2.0}
    fused_tables.show({"results": results | {"cost": {NET: cost}}})
    shown = capsys.readouterr().out
    assert ALONE in shown
    assert NET in shown
    assert "kitchen 6 dB" in shown
    page = fused_tables.section(results | {"cost": {NET: cost}})
    assert f"| {NET} | talked into, kitchen 6 dB |" in page
    assert len({line.count("|") for line in page.split("\n") if line.startswith(f"| {NET} | clean")}) == 1
    assert count(None) == 261 * 14 + 384 + 251 + 948
