"""Random tone curves."""

import torch

from overread.imaging import AugmentSpec
from overread.imaging.tones import draw_tones


def test_a_curve_changes_tones_but_not_shapes():
    """Equal pixels stay equal, values stay within 0 and 1, and black stays dark."""
    images = torch.tensor([0.0, 0.25, 0.6, 0.6]).reshape(1, 1, 2, 2).expand(64, 1, 2, 2)
    spec = AugmentSpec(curve_p=1.0, tone_p=0.0)

    bent = draw_tones(64, spec, torch.Generator().manual_seed(3)).applied(images)

    assert torch.equal(bent[..., 1, 0], bent[..., 1, 1])
    assert float(bent.min()) >= 0
    assert float(bent.max()) <= 1
    assert float(bent[..., 0, 0].max()) <= 0.2
    assert float((bent - images).abs().max()) > 0.2
    assert bool((bent[..., 1, 0] < bent[..., 0, 1]).any())
