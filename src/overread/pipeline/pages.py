"""Pages for people, written to files; what stands on them is the business of `reporting`."""

from pathlib import Path

from overread.inference import Grades
from overread.reporting import photo_page, scan_page, study_page

__all__ = ["write_grades_page"]


def write_grades_page(grades: Grades, path: Path, *, title: str = "") -> Path:
    """Write the page of graded studies and return its place."""
    page = {"photo": photo_page, "slice": scan_page}.get(grades.rubric.unit, study_page)
    path.write_text(page(grades, title=title), encoding="utf-8")
    return path
