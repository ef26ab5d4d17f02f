"""From several predictors one: joiners, one a file, fitted outside the fold that they predict.

A joiner is a module with `Spec`, `fit` and `apply`. What it learns is a dict of arrays. Beside the
shelf: sets of grades that hold the true one as often as was asked for.
"""

import typing

from overread import shelf

if typing.TYPE_CHECKING:
    from overread.ensembling.conformal import (
        ConformalSpec,
        SetThresholds,
        apply_sets,
        fit_sets,
        sets_out_of_fold,
    )
    from overread.ensembling.decisions import (
        DecisionSpec,
        apply_decisions,
        decided_targets,
        decisions_out_of_fold,
        fit_decisions,
    )
    from overread.ensembling.effects import member_effects
    from overread.ensembling.joining import apply_joiner, fit_joiner, join, join_new, joiner_of
    from overread.ensembling.sheets import (
        Book,
        JoinError,
        Parameters,
        Sheet,
        Truths,
        lay_out,
        truth_of,
        truths_of,
    )
    from overread.ensembling.verdicts import Doubt, member_verdicts
else:
    __getattr__ = shelf.open_when_used(__name__)

__all__ = [
    "Book",
    "ConformalSpec",
    "DecisionSpec",
    "Doubt",
    "JoinError",
    "Parameters",
    "SetThresholds",
    "Sheet",
    "Truths",
    "apply_decisions",
    "apply_joiner",
    "apply_sets",
    "decided_targets",
    "decisions_out_of_fold",
    "fit_decisions",
    "fit_joiner",
    "fit_sets",
    "join",
    "join_new",
    "joiner_of",
    "lay_out",
    "member_effects",
    "member_verdicts",
    "sets_out_of_fold",
    "truth_of",
    "truths_of",
]
