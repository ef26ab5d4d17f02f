"""A bundle in another engine says what it said, or is not written."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from overread.inference import Bundle, BundleError, grade
from overread.inference.engines import (
    EngineError,
    ExportError,
    ExportSpec,
    Way,
    compare_grades,
    export,
)
from overread.inference.engines.graph import Form
from overread.inference.engines.graph_network import GraphNetwork

pytest.importorskip("onnxruntime", reason="pip install overread[export]")
ONNX = Way(engine="onnx")


@pytest.fixture(scope="module")
def written(lumbar_bundle, two_studies, tmp_path_factory):
    """The bundle for ONNX Runtime, checked on the studies: what was said of it, and its folder."""
    folder = tmp_path_factory.mktemp("exports") / "onnx"
    return export(lumbar_bundle, folder, ONNX, two_studies), folder


def test_grades_are_the_same(lumbar_bundle, written, two_studies):
    """A written bundle grades studies as the one that it came from, points included."""
    done, folder = written
    found = grade(Bundle.load(folder), two_studies)
    parity = compare_grades(grade(lumbar_bundle, two_studies), found)

    assert (parity.studies, parity.answers, parity.apart, parity.flips) == (2, 30, 0, 0)
    assert parity.largest < 1e-4
    assert parity.points_mm < 0.01
    assert done.kept == {}


def test_record_goes_with_the_bundle(written, lumbar_bundle):
    """The card says where the bundle comes from, how far off it is and how long it took."""
    done, folder = written
    loaded = Bundle.load(folder)
    record = loaded.card["exported"]

    assert (lumbar_bundle.hash, "onnx fp32") == (record["from"], record["way"])
    assert done.parity.largest == record["parity"]["largest"]
    assert {"load_s", "first_s", "study_s", "networks_s"} == set(record["after"])
    assert done.hash == loaded.hash != lumbar_bundle.hash


def test_torch_is_not_opened(written, two_studies):
    """Grading with graphs opens no torch, which takes longer to open than a study to be graded.

    What is said is what a process says that has opened it.
    """
    code = (
        "import json, sys; from pathlib import Path; from overread.inference import Bundle, grade\n"
        "grades = grade(Bundle.load(Path(sys.argv[1])), Path(sys.argv[2]))\n"
        "print(json.dumps(['torch' in sys.modules, grades.to_json()]))"
    )
    command = [sys.executable, "-c", code, str(written[1]), str(two_studies)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    opened, said = json.loads(told)

    assert not opened
    here = grade(Bundle.load(written[1]), two_studies).to_json()
    assert said["studies"] == json.loads(json.dumps(here["studies"]))


def test_graph_looks_at_the_channels_in_the_middle():
    """A locator's graph takes the images of a whole that sees more neighbouring slices."""
    seen = []
    form = Form(kind="image", inputs=("image",), outputs=("maps",))

    def ask(inputs):
        seen.append(inputs["image"])
        return {"maps": inputs["image"]}

    images = np.arange(5, dtype=np.float32).reshape(1, 5, 1, 1)
    GraphNetwork(form, ask, channels=3)(images)

    assert seen[0].flatten().tolist() == [1, 2, 3]


def test_graph_takes_any_number_of_units(written, lumbar_bundle):
    """A graph answers one unit as it answers many, with slices missing, shared or all missing."""
    network = lumbar_bundle.member_networks("wide")[0]
    graph = Bundle.load(written[1]).member_networks("wide")[0]
    generator = torch.Generator().manual_seed(1)
    for count in (1, 5):
        batch = {}
        for view, slots, height, width in (("side", 5, 24, 32), ("top", 3, 32, 32)):
            batch[view] = torch.rand(count, slots, 1, height, width, generator=generator)
            batch[f"{view}.mask"] = torch.rand(count, slots, generator=generator) < 0.5
            batch[f"{view}.offsets"] = torch.randn(count, slots, generator=generator)
        batch["side.mask"][0] = False
        batch["top"][-1] = batch["top"][0]
        with torch.inference_mode():
            expected = network(batch)
        said = graph({key: value.numpy() for key, value in batch.items()})
        for name, value in said.items():
            np.testing.assert_allclose(expected[name], value, atol=1e-4)


def test_openvino_says_the_same(lumbar_bundle, two_studies, tmp_path):
    """OpenVINO runs the same graphs."""
    pytest.importorskip("openvino", reason="pip install overread[export]")
    way = Way(engine="openvino")
    done = export(lumbar_bundle, tmp_path / "openvino", way, two_studies)

    assert done.parity.largest < 1e-3
    assert done.parity.flips == 0


def test_openvino_reports_to_nobody(tmp_path):
    """What OpenVINO reports with when its converters are imported is never imported."""
    pytest.importorskip("openvino", reason="pip install overread[export]")
    (tmp_path / "openvino_telemetry").mkdir()
    (tmp_path / "openvino_telemetry" / "__init__.py").write_text("raise SystemExit('reported')")
    code = (
        "import sys\n"
        "from overread.inference.engines.openvino_engine import _without_converters\n"
        "with _without_converters():\n"
        "    import openvino\n"
        "openvino.Core()\n"
        "sys.stdout.write(str('openvino_telemetry' in sys.modules))\n"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "False"), done.stderr


def test_int8_is_calibrated_on_studies(lumbar_bundle, two_studies, tmp_path):
    """With int8 grades differ, by little; without studies it is refused."""
    way = Way(engine="onnx", precision="int8")
    spec = ExportSpec(tolerance=0.5, flips=1.0)
    done = export(lumbar_bundle, tmp_path / "int8", way, two_studies, spec=spec)

    assert 0 < done.parity.largest < 0.2
    with pytest.raises(EngineError, match="--check PATH"):
        export(lumbar_bundle, tmp_path / "other", way)


def test_other_grades_are_not_written(lumbar_bundle, two_studies, tmp_path):
    """A bundle whose grades lie too far apart is refused, and nothing is left behind."""
    way = Way(engine="onnx", precision="int8")
    with pytest.raises(ExportError, match=r"not written as onnx int8: a probability is off by"):
        export(lumbar_bundle, tmp_path / "int8", way, two_studies, spec=ExportSpec(tolerance=1e-6))

    assert list(tmp_path.iterdir()) == []


def test_exported_bundle_is_not_exported_again(written, tmp_path):
    """Only torch's networks can be written."""
    with pytest.raises(EngineError, match="was exported already"):
        export(Bundle.load(written[1]), tmp_path / "again", ONNX)


def test_changed_graph_is_refused(written, tmp_path):
    """A graph has its hash in the bundle as weights have."""
    copy = tmp_path / "copy"
    shutil.copytree(written[1], copy)
    path = copy / "networks" / "member-wide-0.onnx"
    path.write_bytes(path.read_bytes() + b"0")

    with pytest.raises(BundleError, match=r"member-wide-0\.onnx was changed"):
        Bundle.load(copy)


def test_what_cannot_be_written_stays(lumbar_bundle, tmp_path):
    """A part without a graph is still run by torch, and the record says why."""
    member = lumbar_bundle.recipe.members["stacked"]
    odd = member.model_copy(update={"reads": "study"})
    recipe = lumbar_bundle.recipe.model_copy(
        update={"members": {**lumbar_bundle.recipe.members, "stacked": odd}}
    )
    network = lumbar_bundle.networks()
    bundle = replace(lumbar_bundle, recipe=recipe, stand_ins=network)
    done = export(bundle, tmp_path / "mixed", ONNX)
    noted = json.loads((tmp_path / "mixed" / "bundle.json").read_text())["content"]

    assert done.kept == {
        "member-stacked": "it reads whole studies, for which there is no graph yet"
    }
    assert {"locator-discs", "locator-canal", "member-wide"} == set(noted["engines"])
    assert (tmp_path / "mixed" / "networks" / "member-stacked-0.safetensors").is_file()


@pytest.mark.parametrize(("engine", "precision"), [("onnx", "bf16"), ("eager", "int8")])
def test_ways_that_do_not_exist_are_refused(engine, precision):
    """An engine that cannot run a precision says which it can."""
    with pytest.raises(
        ValueError, match=f"engine {engine} cannot run {precision} on a CPU; expect"
    ):
        Way(engine=engine, precision=precision)


def test_missing_library_is_named(written, monkeypatch):
    """Without the engine's library a bundle says what to install."""
    from overread.inference.engines import ways

    monkeypatch.setitem(ways.NEEDS, "onnx", "no_such_library")
    with pytest.raises(EngineError, match=r"no_such_library.*pip install overread\[export\]"):
        Bundle.load(written[1]).member_networks("wide")
