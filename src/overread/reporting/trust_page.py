"""The part of a run's page that says how far its answers can be trusted."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from overread.records import Rubric
from overread.reporting.pages import svg_uri
from overread.reporting.trust_figures import (
    draw_costs,
    draw_coverage,
    draw_effects,
    draw_readers,
    draw_referral,
    measure,
    words,
)
from overread.reporting.trust_report import TrustReport

__all__ = ["trust_content"]


def trust_content(trust: TrustReport | None, rubric: Rubric) -> dict[str, Any]:
    """Return what the template shows: sets, referral, effects, verdicts ...; empty = left out."""
    trust = trust or TrustReport()
    return {
        "sets": _sets(trust, rubric),
        "referral": _referral(trust),
        "costs": _costs(trust),
        "effects": _effects(trust),
        "verdicts": _verdicts(trust),
        "readers": _readers(trust),
    }


def _sets(trust: TrustReport, rubric: Rubric) -> dict[str, Any]:
    table = trust.coverage
    if table is None or trust.nominal is None or not len(table):
        return {}
    return {
        "nominal": f"{trust.nominal:.0%}",
        "drawing": svg_uri(draw_coverage(table, rubric, trust.nominal)),
        "rows": [
            {
                "condition": words(row["condition"]),
                "grade": words(row["grade"]) if row["grade"] else "All",
                "all": row["grade"] is None,
                "n": row["n"],
                "coverage": _percent(row["coverage"]),
                "range": _range(row, "", _percent),
                "wilson": _range(row, "wilson_", _percent),
                "size": f"{row['size']:.2f}",
                "single": f"{row['single']:.0%}",
            }
            for row in table.filter(
                pl.col("site").is_null(), pl.col("coverage").is_not_null()
            ).iter_rows(named=True)
        ],
    }


def _referral(trust: TrustReport) -> dict[str, Any]:
    if trust.areas is None or trust.curves is None or not len(trust.areas):
        return {}
    return {
        "drawing": svg_uri(draw_referral(trust.curves, trust.areas)),
        "rows": [
            {
                "condition": words(row["condition"]),
                "by": row["by"],
                "risk": _percent(row["risk"]),
                "area": _percent(row["area"]),
                "range": _range(row, "", _percent),
                "best": _percent(row["best"]),
                "fifth": _percent(_risk_at(trust.curves, row, 0.2)),
            }
            for row in trust.areas.iter_rows(named=True)
        ],
    }


def _risk_at(curves: pl.DataFrame, row: Mapping[str, Any], share: float) -> float:
    part = curves.filter(pl.col("condition") == row["condition"], pl.col("by") == row["by"])
    return float(part["risk"][int((part["referred"] - share).abs().arg_min() or 0)])


def _costs(trust: TrustReport) -> dict[str, Any]:
    if trust.costs is None or not len(trust.costs):
        return {}
    return {
        "drawing": svg_uri(draw_costs(trust.costs)),
        "rows": [
            {
                "condition": words(row["condition"]) if row["condition"] else "All",
                "rule": row["rule"],
                "n": row["n"],
                "cost": _number(row["cost"]),
                "range": _range(row, "", _number),
                "saved": _number(row["saved"]),
                "saved_range": _range(row, "saved_", _number),
            }
            for row in trust.costs.iter_rows(named=True)
        ],
    }


def _effects(trust: TrustReport) -> dict[str, Any]:
    if trust.effects is None or not len(trust.effects):
        return {}
    whole = trust.effects.filter(
        pl.col("target").is_null(), pl.col("slice").is_null(), pl.col("value").is_not_null()
    )
    better = trust.better or {}
    drawings = [
        {
            "title": measure(metric),
            "drawing": svg_uri(draw_effects(whole, metric, better.get(metric, "lower"))),
        }
        for metric in whole["metric"].unique(maintain_order=True)
    ]
    return {"drawings": drawings} if drawings else {}


def _verdicts(trust: TrustReport) -> dict[str, Any]:
    if trust.verdicts is None or not len(trust.verdicts):
        return {}
    numbers = ("temperature", "loss_before", "loss_after", "loss_prior")
    return {
        "rows": [
            {
                **row,
                "condition": words(row["condition"]),
                **{name: "none" if row[name] is None else f"{row[name]:.3f}" for name in numbers},
            }
            for row in trust.verdicts.iter_rows(named=True)
        ]
    }


def _readers(trust: TrustReport) -> dict[str, Any]:
    bands = [band for band in trust.readers if band.ours]
    if not bands:
        return {}
    return {
        "drawing": svg_uri(draw_readers(bands)),
        "sources": [
            {
                "words": f"{measure(band.metric)} {band.low:.2f} to {band.high:.2f}"
                if band.low < band.high
                else f"{measure(band.metric)} {band.low:.2f}",
                "targets": ", ".join(words(one["target"]) for one in band.ours),
                "who": band.who,
                "source": band.source,
            }
            for band in bands
        ],
    }


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _number(value: float) -> str:
    return f"{value:.3f}"


def _range(row: Mapping[str, Any], prefix: str, show: Any) -> str:
    low, high = row[f"{prefix}low"], row[f"{prefix}high"]
    return "" if low is None or high is None else f"{show(low)} to {show(high)}"
