"""Grades to a file, study by study: what was said of a study need not be held, nor be lost."""

import json
from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from typing import Any, Protocol, Self, TextIO

import polars as pl

from overread.inference import Grades

__all__ = ["KINDS", "GradesFile", "JsonText"]


class _Kind(Protocol):
    def add(self, grades: Grades) -> None: ...

    def end(self) -> None: ...


class GradesFile:
    """A file of grades: .json, .csv, .parquet or .html, as its name ends.

    It is called {name}.part until all is in; where a run breaks off, that holds what was said
    until then (Parquet: {name}.rows, lines of JSON, where the process was killed). Pages are held
    until the end, the others are not.

    Attributes:
        path: of the file.
        part: of the file until all is in.
        num_studies: that are in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = path.with_name(f"{path.name}.part")
        self.num_studies = 0
        self._kind: _Kind | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def add(self, grades: Grades) -> None:
        """Write what is said of the next studies."""
        self._kind = self._kind or KINDS[self.path.suffix](self.part)
        self._kind.add(grades)
        self.num_studies += len(grades.studies)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Finish the file; without any study there is none."""
        if self._kind is None:
            return
        self._kind.end()
        if not self.num_studies:
            self.part.unlink(missing_ok=True)
        elif kind is None:
            self.part.replace(self.path)


class JsonText:
    """The JSON of `Grades.to_json`, indented, written to an open text."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._begun = False
        self._num_studies = 0
        self._findings: list[dict[str, Any]] = []

    def add(self, grades: Grades) -> None:
        """Write what is said of the next studies."""
        content = grades.to_json()
        studies, findings = content.pop("studies"), content.pop("findings")
        self._findings += findings
        if not self._begun:
            self._text.write(f'{_dumped(content)[:-2]},\n "studies": [')
            self._begun = True
        for study in studies:
            text = indent(_dumped(study), "  ")
            self._text.write(f",\n{text}" if self._num_studies else f"\n{text}")
            self._num_studies += 1

    def end(self) -> None:
        """Write what is wrong with files of no study, and close the brackets."""
        findings = _dumped(self._findings).replace("\n", "\n ")
        self._text.write("\n ]" if self._num_studies else "]")
        self._text.write(f',\n "findings": {findings}\n}}\n')
        self._text.flush()


def _dumped(content: Any) -> str:
    return json.dumps(content, indent=1, allow_nan=False)


class _Json:
    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._json = JsonText(self._file)

    def add(self, grades: Grades) -> None:
        self._json.add(grades)
        self._file.flush()

    def end(self) -> None:
        self._json.end()
        self._file.close()


class _Csv:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._begun = False

    def add(self, grades: Grades) -> None:
        with self._path.open("ab" if self._begun else "wb") as file:
            grades.to_frame().write_csv(file, include_header=not self._begun)
        self._begun = True

    def end(self) -> None:
        """Nothing is open."""


class _Parquet:
    """Rows lie in a file beside it until the end: small tables take ten times their content."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = path.with_suffix(".rows")
        self._schema: pl.Schema | None = None

    def add(self, grades: Grades) -> None:
        frame = grades.to_frame()
        with self._rows.open("wb" if self._schema is None else "ab") as file:
            frame.write_ndjson(file)
        self._schema = frame.schema

    def end(self) -> None:
        found = pl.DataFrame(schema=self._schema)
        if self._rows.stat().st_size:
            found = pl.read_ndjson(self._rows, schema=self._schema)
        found.write_parquet(self._path)
        self._rows.unlink()


class _Html:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._parts: list[Grades] = []

    def add(self, grades: Grades) -> None:
        self._parts.append(grades)

    def end(self) -> None:
        from overread.pipeline.pages import write_grades_page  # most write none

        write_grades_page(Grades.join(self._parts), self._path)


KINDS: dict[str, Callable[[Path], _Kind]] = {
    ".json": _Json,
    ".csv": _Csv,
    ".parquet": _Parquet,
    ".html": _Html,
}
