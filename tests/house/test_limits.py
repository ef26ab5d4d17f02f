"""The limits that keep the house small (architecture, section 9)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for folder in ("src", "tests", "examples", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)
EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "base", "misc", "shared", "core"}
HEAVY = {
    "pydicom": {"imaging", "phantoms"},
    "gdcm": {"imaging"},
    "timm": {"models"},
    "torchvision": {"models", "imaging"},
    "lightgbm": {"ensembling"},
    "lightning_fabric": {"learning"},
    "sklearn": {"scoring", "learning", "ensembling"},
    "matplotlib": {"reporting"},
    "onnxruntime": {"inference"},
    "openvino": {"inference"},
    "jinja2": {"reporting"},
    "yaml": {"pipeline"},
    "ray": {"pipeline"},
    "fsspec": {"pipeline"},
    "typer": {"cli"},
    "rich": {"cli"},
}


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def statements(path: Path) -> int:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {
        id(node.body[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and ast.get_docstring(node, clean=False) is not None
    }
    return sum(isinstance(node, ast.stmt) and id(node) not in docs for node in ast.walk(tree))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_and_function_sizes(path: Path) -> None:
    """No file is over 400 lines, no function over 60, no name says nothing."""
    long = [
        f"{node.name}: {(node.end_lineno or 0) - node.lineno + 1} lines"
        for node in functions(path)
        if (node.end_lineno or 0) - node.lineno + 1 > 60
    ]

    assert long == []
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    assert EMPTY_NAMES.isdisjoint({path.stem, path.parent.name})


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.is_relative_to(ROOT / "src")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_one_heavy_library_one_room(path: Path) -> None:
    """A heavy library is imported in its own room only."""
    room = path.relative_to(ROOT / "src" / "overread").parts[0].removesuffix(".py")
    strays = {name for name in imported(path) if name in HEAVY and room not in HEAVY[name]}

    assert strays == set()


def test_every_test_is_a_sentence() -> None:
    """Each test says in its docstring what it shows."""
    silent = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in FILES
        if path.is_relative_to(ROOT / "tests")
        for node in functions(path)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]

    assert silent == []


def test_tests_weigh_at_least_six_tenths_of_the_source() -> None:
    """There is enough test code for the code that it holds, counted in statements (aim: 0.8)."""
    lines = {
        folder: sum(statements(path) for path in FILES if path.is_relative_to(ROOT / folder))
        for folder in ("src", "tests")
    }

    assert lines["tests"] >= 0.6 * lines["src"]
