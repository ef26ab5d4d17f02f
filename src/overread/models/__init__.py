"""The shelf of networks: one a file, each with `Spec` and `build`.

Shelf: `slice_attention` (grades), `heatmap` (points). The other files are the workshop.
"""

from overread.models.backbones import is_spelled
from overread.models.encoder import Encoder, EncoderSpec, Pyramid, build_encoder, build_pyramid
from overread.models.numerics import flush_denormals, keep_memory, use_threads
from overread.models.shapes import ImageNetwork, ViewShape
from overread.models.vision_ops import declare_vision_operators
from overread.models.weights import WeightsError

__all__ = [
    "Encoder",
    "EncoderSpec",
    "ImageNetwork",
    "Pyramid",
    "ViewShape",
    "WeightsError",
    "build_encoder",
    "build_pyramid",
    "declare_vision_operators",
    "flush_denormals",
    "is_spelled",
    "keep_memory",
    "use_threads",
]
