"""A folder of tables alone: grades, folds and answers of networks that nobody has here."""

from pathlib import Path

import numpy as np
import polars as pl
import yaml

from overread.shelf import take

LUMBAR = take("overread.datasets", "rsna2024_lumbar")
WORDS = ("Normal/Mild", "Moderate", "Severe")
STUDIES = tuple(str(100 + number) for number in range(24))


def write_tables(folder: Path, *, oof: dict[str, str], seed: int = 0) -> Path:
    """Write train.csv, folds.csv (3 folds) and oof/{name}.csv.

    Args:
        folder: new.
        oof: {name: words in the targets that it answers}; "" answers all.
        seed: of grades and answers; answers lean towards the truth.
    """
    rng = np.random.default_rng(seed)
    (folder / "oof").mkdir(parents=True)
    grades = {
        column: [WORDS[grade] for grade in rng.choice(3, len(STUDIES), p=[0.5, 0.3, 0.2])]
        for column in LUMBAR.lumbar_tables.COLUMNS
    }
    pl.DataFrame({"study_id": STUDIES, **grades}).write_csv(folder / "train.csv")
    split = pl.DataFrame({"study_id": STUDIES, "fold_id": [i % 3 for i in range(len(STUDIES))]})
    split.write_csv(folder / "folds.csv")
    for name, words in oof.items():
        rows = [
            (f"{study}_{column}", *_answer(WORDS.index(grade), rng))
            for column, told in grades.items()
            if words in column
            for study, grade in zip(STUDIES, told, strict=True)
        ]
        schema = ("row_id", "normal_mild", "moderate", "severe")
        pl.DataFrame(rows, schema=schema, orient="row").write_csv(folder / "oof" / f"{name}.csv")
    return folder


def _answer(grade: int, rng: np.random.Generator) -> list[float]:
    chances = rng.dirichlet(np.ones(3)) + 1.5 * np.eye(3)[grade] * rng.random()
    return [float(one) for one in chances / chances.sum()]


def write_recipe(
    folder: Path, names: tuple[str, ...], *, folds: str = "{table: folds.csv}"
) -> Path:
    """Write a recipe that joins tables by their mean and by a temperature."""
    about = dict.fromkeys(("source", "hardware", "expected", "command"), "-") | {"hours": 0}
    recipe = {
        "recipe": 1,
        "name": "joined tables",
        "about": about,
        "dataset": {"use": "rsna2024_lumbar"},
        "folds": yaml.safe_load(folds),
        "members": {name: {"table": f"oof/{name}.csv"} for name in names},
        "ensembles": {
            "mean": {"use": "mean", "of": list(names)},
            "warm": {"use": "temperature", "of": list(names)},
        },
        "final": "warm",
        "scores": [{"use": "rsna2024_lumbar"}],
    }
    path = folder / "join.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path
