"""Networks with the originals' weights give the originals' answers, on every golden file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_files import GOLDEN, golden_files, inputs, record
from torch import Tensor, nn

from overread.models import ViewShape, heatmap, slice_attention
from overread.models.published_lumbar import PLANES, grading_weights, keypoint_weights

GRADING = [
    case
    for kind in ("moyashii", "tkmn", "suguuuuu", "strong")
    for case in golden_files(kind)
    if "keypoint" not in str(case.id)
]
KEYPOINTS = [case for kind in ("keypoint", "strong_keypoint") for case in golden_files(kind)]
SLICES = golden_files("model")
TOLERANCE = 1e-3
pytestmark = pytest.mark.slow


def base_of(golden: dict[str, Any]) -> dict[str, Any]:
    """Return the record that has names and shapes: the file itself or the one it names."""
    if "base" not in golden:
        return golden
    path = GOLDEN / golden["base"]
    return record(path) if path.is_file() else pytest.skip(f"{path} is absent")


def state_of(golden: dict[str, Any], base: dict[str, Any]) -> dict[str, Tensor]:
    filled = inputs().fill(base["entries"], golden.get("gain", 1.0))
    return {name: torch.tensor(np.asarray(value)) for name, value in filled.items()}


def conditions_of(entries: dict[str, list[int]]) -> list[str]:
    """Return names of conditions; numbers where the checkpoint has one layer for all."""
    named = [name.split(".")[1] for name in entries if name.startswith("fcs.")]
    if named:
        return list(dict.fromkeys(named))
    return [str(index) for index in range(entries["fc.weight"][0] // 3)]


def grading_network(base: dict[str, Any], golden: dict[str, Any], size: int) -> nn.Module:
    entries = base["entries"]
    conditions = conditions_of(entries)
    gated = any(name.startswith("slice_attentions.") for name in entries)
    spec = slice_attention.Spec(
        backbone=base["meta"]["encoder"],
        final_norm=False,
        head="gated" if gated else "mean",
        slice_heads=any(name.startswith("slice_fcs.") for name in entries),
        levels=entries["level_fc.weight"][0] if "level_fc.weight" in entries else 0,
    )
    network = slice_attention.build(
        spec,
        inputs={plane: ViewShape(3, 1, size, size) for plane in PLANES},
        heads=dict.fromkeys(conditions, 3),
        seed=0,
    )
    weights = grading_weights(state_of(golden, base), network, conditions)
    network.load_state_dict(weights)
    return network.eval()


def answer(network: nn.Module, images: dict[str, Any]) -> dict[str, np.ndarray]:
    batch: dict[str, Tensor] = {}
    for plane in PLANES:
        source = images[f"{plane}_images"]
        pixels = torch.tensor(inputs().images(source["seed"], tuple(source["shape"])))
        batch[plane] = pixels[:, :, None]
        batch[f"{plane}.mask"] = torch.ones(pixels.shape[:2], dtype=torch.bool)
    with torch.no_grad():
        outputs = network(batch)
    found = {"logits": torch.stack([outputs[f"logits.{n}"] for n in network.targets], 1)}
    if "level" in outputs:
        found["level_logits"] = outputs["level"]
    if network.slice_heads:
        found["slice_logits"] = torch.stack([outputs[f"slices.{n}"] for n in network.targets], 2)
    return {name: value.numpy() for name, value in found.items()}


def assert_near(expected: Any, found: np.ndarray, tolerance: float) -> None:
    if isinstance(expected, dict):
        flat = found.reshape(-1)[expected["sample_indices"]]
        np.testing.assert_allclose(flat, expected["sample"], atol=tolerance)
    else:
        np.testing.assert_allclose(found.reshape(-1), np.ravel(expected), atol=tolerance)


@pytest.mark.parametrize("path", GRADING)
def test_grading_networks(path: Path) -> None:
    """Logits and level logits of architectures A, B and C."""
    golden = record(path)
    base = base_of(golden)
    size = golden["inputs"]["axial_t2_images"]["shape"][-1]

    found = answer(grading_network(base, golden, size), golden["inputs"])

    tolerance = golden.get("tolerance", {}).get("abs", TOLERANCE)
    for name, expected in golden["outputs"].items():
        assert_near(expected, found[name], tolerance)


@pytest.mark.parametrize("path", SLICES)
def test_slice_heads(path: Path) -> None:
    """Logits of each slice of architecture C."""
    golden = record(path)
    name = next(word for word in golden["weights"].split() if word.endswith(".json"))
    base = base_of({"base": name})
    size = golden["inputs"]["images"]["axial_t2_images"]["shape"][-1]

    found = answer(grading_network(base, {}, size), golden["inputs"]["images"])

    for output in ("logits", "level_logits", "slice_logits"):
        assert_near(golden["outputs"][output], found[output], golden["tolerance"]["logits"])


@pytest.mark.parametrize("path", KEYPOINTS)
def test_keypoint_networks(path: Path) -> None:
    """Maps of both key-point networks."""
    golden = record(path)
    base = base_of(golden)
    settings = base["meta"]["model"]
    source = golden["inputs"]["images"]
    spec = heatmap.Spec(
        backbone=settings["timm_model"]["model_name"],
        levels=tuple(settings["timm_model"].get("out_indices", (0, 1, 2, 3, 4))),
    )
    network = heatmap.build(
        spec, channels=source["shape"][1], points=base["entries"]["head.2.weight"][0], seed=0
    )
    network.load_state_dict(keypoint_weights(state_of(golden, base)))
    image = torch.tensor(inputs().images(source["seed"], tuple(source["shape"])))

    with torch.no_grad():
        found = network.eval()(image).numpy()

    tolerance = golden.get("tolerance", {}).get("abs", TOLERANCE)
    assert_near(golden["outputs"]["logits"], found, tolerance)
