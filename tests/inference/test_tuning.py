"""Engines are chosen by measuring on this host, among those whose grades stay what they are."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from overread.inference import Bundle, grade
from overread.inference.engines import (
    TuneSpec,
    Way,
    cached_bundle,
    compare_grades,
    race,
    tune,
    tuning_folder,
)
from overread.inference.engines import cache as cache_module
from overread.inference.engines import tuning as tuning_module

pytest.importorskip("onnxruntime", reason="pip install overread[export]")
ONNX, INT8 = Way(engine="onnx"), Way(engine="onnx", precision="int8")
EAGER = Way()


@pytest.fixture(scope="module")
def saved(lumbar_bundle, tmp_path_factory) -> Path:
    """The bundle's folder."""
    folder = tmp_path_factory.mktemp("tuned") / "bundle"
    lumbar_bundle.save(folder)
    return folder


def slowed(monkeypatch, engine: str, seconds: float) -> None:
    """Let all races of an engine, and of the parts in it, seem to take so long."""
    real = tuning_module.race

    def one(bundle, path, **options):
        found = real(bundle, path, **options)
        parts = found.networks_s
        spent = {
            part: seconds if _engine(bundle, part) == engine else 10 * seconds for part in parts
        }
        return replace(found, load_s=0.0, first_s=sum(spent.values()), study_s=sum(spent.values()),
                       networks_s=spent)  # fmt: skip

    monkeypatch.setattr(tuning_module, "race", one)


def _engine(bundle: Bundle, part: str) -> str:
    graphs = bundle.graphs.get(part)
    return next(iter(graphs.values())).way.engine if graphs else "eager"


def test_fastest_is_kept_and_found_again(saved, two_studies, tmp_path, monkeypatch):
    """What was fastest is used by the next grading of the same bundle on the same host."""
    slowed(monkeypatch, "onnx", 0.01)
    bundle = Bundle.load(saved)
    found = tune(bundle, two_studies, spec=TuneSpec(studies=1), ways=(ONNX,), cache=tmp_path)
    tuned = cached_bundle(saved, cache=tmp_path)

    assert {ONNX} == set(found.ways.values())
    assert tuned is not None
    assert bundle.hash == tuned.hash
    assert {"locator-discs", "locator-canal", "member-wide", "member-stacked"} == set(tuned.graphs)
    parity = compare_grades(grade(bundle, two_studies), grade(tuned, two_studies))
    assert (parity.apart, parity.flips) == (0, 0)
    noted = json.loads((tuning_folder(bundle.hash, tmp_path) / "tuning.json").read_text())
    assert {"eager fp32", "onnx fp32", "chosen"} == set(noted["tried"])
    assert noted["host"]["processor"]


def test_slower_engines_change_nothing(saved, two_studies, tmp_path, monkeypatch):
    """Where torch was fastest, grading goes on as before and nothing is kept but the figures."""
    slowed(monkeypatch, "eager", 0.01)
    found = tune(
        Bundle.load(saved), two_studies, spec=TuneSpec(studies=1), ways=(ONNX,), cache=tmp_path
    )

    assert {EAGER} == set(found.ways.values())
    assert cached_bundle(saved, cache=tmp_path) is None
    assert (found.folder / "tuning.json").is_file()


def test_other_grades_are_never_chosen(saved, two_studies, tmp_path, monkeypatch):
    """A way that is fast and says something else is refused, with the reason."""
    slowed(monkeypatch, "onnx", 0.01)
    spec = TuneSpec(studies=1, tolerance=1e-7)
    found = tune(Bundle.load(saved), two_studies, spec=spec, ways=(INT8,), cache=tmp_path)

    assert {EAGER} == set(found.ways.values())
    assert "a probability is off by" in found.tried["onnx int8"].refused


def test_engine_that_fails_is_no_error(saved, two_studies, tmp_path, monkeypatch):
    """An engine that cannot run the networks is told and passed over."""
    real = tuning_module.in_ways

    def broken(bundle, ways, place, samples):
        if any(way.written for way in ways.values()):
            raise RuntimeError("no such instruction")
        return real(bundle, ways, place, samples)

    monkeypatch.setattr(tuning_module, "in_ways", broken)
    found = tune(
        Bundle.load(saved), two_studies, spec=TuneSpec(studies=1), ways=(ONNX,), cache=tmp_path
    )

    assert found.tried["onnx fp32"].refused == "it failed: no such instruction"
    assert {EAGER} == set(found.ways.values())


def test_result_holds_for_its_host_alone(saved, tmp_path, monkeypatch):
    """Another processor, or another version of an engine, finds no result."""
    digest = Bundle.load(saved).hash
    here = tuning_folder(digest, tmp_path)
    monkeypatch.setattr(cache_module, "_version", lambda _: "another")

    assert here != tuning_folder(digest, tmp_path)
    assert here.parent == tuning_folder(digest, tmp_path).parent


def test_cache_lies_where_the_user_wants_it(monkeypatch, tmp_path):
    """OVERREAD_CACHE comes before the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    user = tuning_folder("0" * 64)
    monkeypatch.setenv("OVERREAD_CACHE", str(tmp_path / "own"))

    assert user.parent == tmp_path / "user" / "overread" / "engines"
    assert tuning_folder("0" * 64).parent == tmp_path / "own" / "engines"


def test_ways_of_torch_survive_the_disk(lumbar_bundle, two_studies, tmp_path):
    """A part that torch runs in bf16 is noted in the bundle, and answers nearly the same."""
    ways = {"member-wide": Way(precision="bf16")}
    replace(lumbar_bundle, ways=ways, hash="").save(tmp_path / "bf16")
    loaded = Bundle.load(tmp_path / "bf16")
    parity = compare_grades(grade(lumbar_bundle, two_studies), grade(loaded, two_studies))

    assert ways == loaded.ways
    assert 0 < parity.largest < 0.05


def test_race_times_each_part(lumbar_bundle, two_studies):
    """The time of the networks is part of the time of a study."""
    found = race(lumbar_bundle, two_studies, repeats=2)

    assert len(found.grades.studies) == 2
    assert set(found.networks_s) == set(lumbar_bundle.networks())
    assert 0 < sum(found.networks_s.values()) <= found.study_s * 1.5
