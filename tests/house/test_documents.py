"""Documents and examples say what is true, and run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from overread.cli import app
from overread.shelf import names_on_shelf

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SHELVES = ("datasets", "models", "scoring", "ensembling")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)


def words_of_all_pages() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page points at a file of the repository."""
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_blocks_run(page: Path, tmp_path: Path) -> None:
    """The Python of a page runs from top to bottom, as a reader would paste it."""
    code = "\n".join(blocks(page, "python"))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page_exist(page: Path) -> None:
    """Every `overread` command and option that a page shows is known to the program."""
    commands = get_command(app).commands
    for block in blocks(page, "(?:bash|console|sh)"):
        for line in block.replace("\\\n", " ").splitlines():
            words = line.removeprefix("$ ").split()
            if not words or words[0] != "overread" or len(words) < 2 or words[1].startswith("-"):
                continue
            command = commands.get(words[1])
            assert command is not None, line
            if hasattr(command, "commands"):
                command = command.commands[words[2]]
            known = {option for one in command.params for option in one.opts}
            used = {word for word in words[2:] if re.fullmatch(r"--?[a-z][a-z-]*", word)}

            assert used - known - {"--help"} == set(), line


def test_every_command_is_documented() -> None:
    """Each command of the program stands in a document."""
    text = words_of_all_pages()

    assert [name for name in get_command(app).commands if f"overread {name}" not in text] == []


@pytest.mark.parametrize("shelf", SHELVES)
def test_every_shelf_entry_is_documented(shelf: str) -> None:
    """Each dataset, model, metric and joiner stands in a document by its name."""
    text = words_of_all_pages()

    assert [name for name in names_on_shelf(f"overread.{shelf}") if f"`{name}`" not in text] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_run_and_are_short(example: Path, tmp_path: Path) -> None:
    """Each example is under 40 lines and ends well in an empty folder."""
    done = subprocess.run(
        [sys.executable, str(example)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )

    assert done.returncode == 0, done.stderr
    assert len(example.read_text(encoding="utf-8").splitlines()) < 40
