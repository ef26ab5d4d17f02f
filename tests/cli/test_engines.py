"""Commands about speed: a bundle for another engine, a tuned host, two bundles side by side."""

import json
from pathlib import Path

import pytest
from calling import call

from overread.inference import Bundle, locator_network, member_network
from overread.inference.engines import Way, tuning
from overread.phantoms import forge_lumbar
from overread.pipeline import read_recipe, shipped_recipes
from overread.pipeline.bundling import bundle_recipe
from overread.pipeline.recipe import rubric_of

pytest.importorskip("onnxruntime", reason="pip install overread[export]")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """One forged study with its labels beside it."""
    folder = tmp_path_factory.mktemp("engines") / "studies"
    forge_lumbar(folder, num_studies=1, seed=3, workers=1)
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    """A bundle of untrained networks of one fold."""
    recipe = read_recipe(shipped_recipes()["tiny/lumbar_two_stage"])
    content = bundle_recipe(recipe.model_copy(update={"final": "shared"}))
    rubric = rubric_of(recipe)
    folder = tmp_path_factory.mktemp("engines") / "bundle"
    Bundle(
        content,
        rubric,
        {
            name: {0: locator_network(spec, seed=0).state_dict()}
            for name, spec in content.locators.items()
        },
        {
            name: {0: member_network(spec, content.views, rubric, seed=0).state_dict()}
            for name, spec in content.members.items()
        },
    ).save(folder)
    return folder


def test_exported_bundle_grades_alike(bundle, study, tmp_path) -> None:
    """`export` writes a bundle that `grade` takes, and tells how far its grades lie."""
    code, stdout, stderr = call(
        "export", bundle, "-o", tmp_path / "fast", "--check", study,
        "--labels", study / "train.csv", "--json",
    )  # fmt: skip
    told = json.loads(stdout)
    first, second = (
        json.loads(call("grade", one, study, "--json")[1]) for one in (bundle, tmp_path / "fast")
    )

    assert code == 0, stderr
    assert (told["parity"]["answers"], told["parity"]["flips"], told["kept"]) == (25, 0, {})
    assert {"log_loss", "kappa"} == set(told["parity"]["scores"])
    assert _grades(first) == _grades(second)
    assert second["bundle"] == told["hash"] != first["bundle"]


def _grades(told: dict) -> dict[tuple[str, str], str]:
    return {
        (unit["unit"], target): answer["grade"]
        for study in told["studies"]
        for unit in study["units"]
        for target, answer in unit["targets"].items()
    }


def test_export_says_what_it_did(bundle, tmp_path) -> None:
    """For people there is a line with the new folder and its hash."""
    code, stdout, _ = call("export", bundle, "-o", tmp_path / "fast")

    assert code == 0
    assert stdout.startswith(f"bundle {tmp_path / 'fast'} (")


@pytest.mark.parametrize("words", [("eager", "fp32"), ("onnx", "bf16"), ("tensor", "fp32")])
def test_ways_that_are_no_graphs_are_wrong_usage(bundle, tmp_path, words) -> None:
    """Only engines that run graphs, in precisions that they know, can be exported to."""
    code, _, stderr = call(
        "export", bundle, "-o", tmp_path / "x", "--engine", words[0], "--precision", words[1]
    )

    assert (code, f"found {words[0]} {words[1]}" in stderr.replace("\n", " ")) == (2, True)


def test_tuned_host_grades_the_same_bundle(bundle, study, tmp_path, monkeypatch) -> None:
    """`tune` measures and keeps; `grade` goes on speaking for the bundle that was named."""
    monkeypatch.setenv("OVERREAD_CACHE", str(tmp_path))
    monkeypatch.setattr(tuning, "is_installed", lambda way: way == Way(engine="onnx"))
    code, stdout, stderr = call("tune", bundle, study, "--studies", 1, "--json")
    told = json.loads(stdout)
    auto, eager = (
        json.loads(call("grade", bundle, study, "--json", "--engine", engine)[1])
        for engine in ("auto", "eager")
    )

    assert code == 0, stderr
    assert {"eager fp32", "onnx fp32", "chosen"} == set(told["tried"])
    assert set(told["ways"]) == {"locator-discs", "locator-canal", "member-shared"}
    assert Path(told["folder"]).parent == tmp_path / "engines"
    assert auto["bundle"] == eager["bundle"]
    assert [one["study"] for one in auto["studies"]] == [one["study"] for one in eager["studies"]]


def test_two_bundles_side_by_side(bundle, study) -> None:
    """`compare` tells how far apart two bundles are, what they score and how fast they are."""
    code, stdout, stderr = call(
        "compare", bundle, bundle, study, "--labels", study / "train.csv", "--json"
    )
    told = json.loads(stdout)
    shown = call("compare", bundle, bundle, study)[1]

    assert code == 0, stderr
    assert (told["parity"]["largest"], told["parity"]["flips"]) == (0, 0)
    assert told["parity"]["scores"]["log_loss"]["difference"] == pytest.approx(0)
    assert told["first"]["study_s"] > 0
    assert "25 answers of 1 studies: a probability is off by 0 at most" in shown.replace("\n", " ")
