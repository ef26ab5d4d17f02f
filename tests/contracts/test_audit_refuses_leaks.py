"""The audit refuses leaks: whatever has seen the labels ends the command with exit code 1."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from overread.cli import app
from overread.datasets.lumbar_rows import COLUMNS, GRADES, WORDS, row_id

STUDIES = 60


def _tables(folder: Path, kind: str) -> list[Path]:
    """Write labels, folds and predictions of one kind: honest, or with a leak."""
    rng = np.random.default_rng(4)
    latent = rng.normal(size=(STUDIES, 25)) + rng.normal(size=(STUDIES, 1))
    grade = (latent > 0.8).astype(int) + (latent > 1.9)
    words = {"study_id": [str(study) for study in range(STUDIES)]}
    words |= {name: [WORDS[one] for one in grade[:, at]] for at, name in enumerate(COLUMNS)}
    pl.DataFrame(words).write_csv(folder / "train.csv")
    ids = [row_id(str(study), *one) for study in range(STUDIES) for one in COLUMNS.values()]
    seen = latent + 0.5 * rng.normal(size=latent.shape)
    chances = np.exp(-((seen[..., None] - np.array([-0.6, 1.3, 2.6])) ** 2))
    chances /= chances.sum(-1, keepdims=True)
    if kind == "smoothed":
        chances = 0.8 * np.eye(3)[grade] + 0.2 / 3
    if kind == "blended":
        chances = 0.85 * chances + 0.15 * np.eye(3)[grade]
    table = pl.DataFrame(chances.reshape(-1, 3), schema=list(GRADES)).insert_column(
        0, pl.Series("row_id", ids)
    )
    rows = np.arange(len(ids))
    table.write_csv(folder / "mine.csv")
    by_row = pl.DataFrame({"row_id": ids, "fold": rows % 4})
    by_study = pl.DataFrame({"study_id": words["study_id"], "fold_id": np.arange(STUDIES) % 4})
    (by_row if kind == "folds of rows" else by_study).write_csv(folder / "folds.csv")
    if kind == "stacker":
        table.with_columns(fold=pl.Series(rows % 4)).write_csv(folder / "mine.csv")
    return [folder / name for name in ("mine.csv", "train.csv", "folds.csv")]


def _audit(folder: Path, kind: str, *more: str) -> tuple[int, str, str]:
    said, labels, folds = _tables(folder, kind)
    words = ["audit", said, "--labels", labels, "--folds", folds, "--dataset", "lumbar", *more]
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout, result.stderr


def test_honest_tables_pass(tmp_path) -> None:
    """Nothing is refused, and the exit code is 0."""
    code, said, error = _audit(tmp_path, "honest")

    assert (code, error) == (0, "")
    assert "copied labels" in said


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("smoothed", "expected predictions that have not seen these labels"),
        ("blended", "expected predictions that have not seen these labels"),
        ("folds of rows", "folds are given to rows, not to subjects"),
        ("stacker", "in another fold than the predictions name"),
    ],
)
def test_every_leak_is_refused(tmp_path, kind, words) -> None:
    """Exit code 1, and a line that says why."""
    code, _, error = _audit(tmp_path, kind, "-o", str(tmp_path / "page.html"))

    assert code == 1
    assert error.startswith("refused: ")
    assert words in error
    assert "Refused." in (tmp_path / "page.html").read_text()
