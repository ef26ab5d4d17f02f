"""The official hemorrhage score equals the published code on every golden table."""

import json
from pathlib import Path

import polars as pl
import pytest
from golden_files import golden_files

from overread.datasets import rsna2019_head_ct as heads
from overread.datasets.head_ct_tables import labels_of
from overread.scoring import score
from overread.shelf import Named

SPEC = heads.Spec()


@pytest.mark.parametrize("path", golden_files("ich_metric"))
def test_score(path: Path) -> None:
    """Total and terms, read through a submission, agree to 1e-9."""
    golden = json.loads(path.read_text())
    names = golden["labels"]
    cells = [
        (f"ID_{row:04}_{name}", int(y[k]), float(p[k]))
        for row, (y, p) in enumerate(zip(golden["inputs"]["y"], golden["inputs"]["p"], strict=True))
        for k, name in enumerate(names)
    ]
    frame = pl.DataFrame(cells, schema=["ID", "truth", "Label"], orient="row")
    said = heads.read_submission(SPEC, frame.select("ID", "Label"), "golden")
    parts = frame.select(
        unit=pl.col("ID").str.extract(r"^(.*)_"),
        target=pl.col("ID").str.extract(r"_([a-z]+)$"),
        value="truth",
    )
    values = score(Named(use="rsna2019_head_ct"), labels_of(parts), said, heads.rubric(SPEC))
    found = {one.target: one.value for one in values}
    tolerance = golden["tolerance"]["score"]

    assert found[None] == pytest.approx(golden["outputs"]["score"], abs=tolerance, rel=0)
    for name, value in golden["outputs"]["per_label"].items():
        assert found[name] == pytest.approx(value, abs=tolerance, rel=0)
