"""What is asked of a face photograph, and its answers from the names of files and folders.

The code of a class is never written down: it follows from the order of targets and grades.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from overread.datasets.faces_layout import Photo
from overread.records import Derived, Labels, Rubric, Target

__all__ = ["CLASS", "RUBRIC", "age_grade", "photo_labels", "repaired"]

YOUNG, MIDDLE, OLD = "young", "middle", "old"
MASKS = ("worn", "incorrect", "not_worn")
# The last target changes fastest: class = 6 * mask + 3 * gender + age, as in the challenge.
CLASS = Derived("class", ("mask", "gender", "age"), "joint")
RUBRIC = Rubric(
    "mask_faces",
    "photo",
    (
        Target("mask", MASKS, (1.0,) * 3, "nominal", title="Mask"),
        Target("gender", ("male", "female"), (1.0,) * 2, "nominal", title="Gender"),
        Target("age", (YOUNG, MIDDLE, OLD), (1.0,) * 3, title="Age"),
    ),
    derived=(CLASS,),
)
OF_LOOK = {"incorrect_mask": "incorrect", "normal": "not_worn"}
ADULT = 30

# The label repairs of the published system (its notebook of wrong folder names).
SWAPPED = frozenset({"000020", "004418", "005227"})  # incorrect_mask and normal exchanged
OTHER_GENDER = frozenset(
    {
        *("000225", "000664", "000767", "001498-1", "001509", "003113", "003223", "004281"),
        *("004432", "005223", "006359", "006360", "006361", "006362", "006363", "006364"),
        *("006424", "001720"),
    }
)
TRUE_AGE: Mapping[str, int] = {
    **dict.fromkeys(("001009", "001064", "001637", "001666", "001852"), 20),
    "004348": 60,
}


def repaired(photo: Photo) -> Photo:
    """Return the photograph with the published correction of its labels, if there is one."""
    exchange = {"incorrect_mask": "normal", "normal": "incorrect_mask"}
    other = {"male": "female", "female": "male"}
    look, gender = photo.look, photo.gender
    return replace(
        photo,
        look=exchange.get(look, look) if look and photo.person in SWAPPED else look,
        gender=other[gender] if gender and photo.person in OTHER_GENDER else gender,
        age=TRUE_AGE.get(photo.person, photo.age) if photo.age is not None else None,
    )


def age_grade(age: int, *, old_from: int) -> str:
    """Return the band of an age in years.

    Example:
        >>> [age_grade(age, old_from=60) for age in (29, 30, 59, 60)]
        ['young', 'middle', 'middle', 'old']
    """
    if age < ADULT:
        return YOUNG
    return OLD if age >= old_from else MIDDLE


def photo_labels(photos: Sequence[Photo], *, old_from: int) -> Labels:
    """Return the labels of the photographs whose names tell them; a row a target."""
    rows = [row for photo in photos if photo.look for row in _rows(photo, old_from)]
    return Labels(pl.DataFrame(rows, schema=Labels.schema))


def _rows(photo: Photo, old_from: int) -> Iterator[dict[str, object]]:
    found = {
        "mask": OF_LOOK.get(photo.look or "", "worn"),
        "gender": photo.gender,
        "age": None if photo.age is None else age_grade(photo.age, old_from=old_from),
    }
    for target in RUBRIC.targets:
        grade = found[target.name]
        certain = np.eye(len(target.grades))
        yield {
            "unit": RUBRIC.unit_id(photo.study),
            "study": photo.study,
            "subject": photo.person,
            "site": None,
            "target": target.name,
            "probabilities": certain[target.grades.index(grade)].tolist() if grade else None,
            "weight": 1.0,
            "origin": "truth",
        }
