"""The shelf of networks: one a file, each with `Spec` and `build`.

Shelf: `slice_attention`, `stack_channels` and `view_encoders` (grade), `heatmap` (points). A file
of the shelf holds settings and opens its network when that is built, so that plans need no torch.
The other files are the workshop.
"""

import typing

from overread import shelf

if typing.TYPE_CHECKING:
    from overread.models.backbones import is_spelled
    from overread.models.encoder import Encoder, Pyramid, build_encoder, build_pyramid
    from overread.models.encoder_spec import EncoderSpec, WeightsError, check_own
    from overread.models.image_network import ImageNetwork
    from overread.models.numerics import flush_denormals, keep_memory, num_threads, use_threads
    from overread.models.shapes import StudyUnits, ViewShape
    from overread.models.vision_ops import declare_vision_operators
else:
    __getattr__ = shelf.open_when_used(__name__)

__all__ = [
    "Encoder",
    "EncoderSpec",
    "ImageNetwork",
    "Pyramid",
    "StudyUnits",
    "ViewShape",
    "WeightsError",
    "build_encoder",
    "build_pyramid",
    "check_own",
    "declare_vision_operators",
    "flush_denormals",
    "is_spelled",
    "keep_memory",
    "num_threads",
    "use_threads",
]
