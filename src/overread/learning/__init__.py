"""How networks learn: folds, losses, the loop that can be killed, and prediction."""

import typing

from overread import shelf

if typing.TYPE_CHECKING:
    from overread.learning.doubt import drop_doubtful
    from overread.learning.examples import Batch, Examples, Loss, Measure, Outputs, Progress
    from overread.learning.fold_tables import folds_of_table
    from overread.learning.folds import FoldSpec, make_folds
    from overread.learning.log import read_log
    from overread.learning.loop import fit
    from overread.learning.loss_spec import LossSpec
    from overread.learning.losses import grading_loss
    from overread.learning.map_losses import (
        coordinate_loss,
        map_focal_loss,
        map_mse_loss,
        soft_argmax,
    )
    from overread.learning.mixup import blend, mixup
    from overread.learning.predict import predict
    from overread.learning.pseudo import PseudoSource, PseudoSpec, fill_labels, label_strangers
    from overread.learning.spec import FitSpec
    from overread.learning.training import FitError
else:
    __getattr__ = shelf.open_when_used(__name__)

__all__ = [
    "Batch",
    "Examples",
    "FitError",
    "FitSpec",
    "FoldSpec",
    "Loss",
    "LossSpec",
    "Measure",
    "Outputs",
    "Progress",
    "PseudoSource",
    "PseudoSpec",
    "blend",
    "coordinate_loss",
    "drop_doubtful",
    "fill_labels",
    "fit",
    "folds_of_table",
    "grading_loss",
    "label_strangers",
    "make_folds",
    "map_focal_loss",
    "map_mse_loss",
    "mixup",
    "predict",
    "read_log",
    "soft_argmax",
]
