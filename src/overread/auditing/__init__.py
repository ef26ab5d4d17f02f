"""Is the data, the split, the label to be trusted? Checks of tables and pictures, as one review.

Every check gives its evidence in nats and its reason in words; what forbids any use of the tables
is refused. Reads records; knows no networks, no store and no pages.
"""

from overread.auditing.answers import Answers, lay_out_answers
from overread.auditing.arrangement import (
    shift_evidence,
    shift_suspicions,
    swap_evidence,
    swap_suspicions,
)
from overread.auditing.audit import Tables, audit
from overread.auditing.chains import chain_evidence, chain_suspicions
from overread.auditing.columns import (
    compare_columns,
    compare_sets,
    seeing_columns,
    seeing_suspicions,
)
from overread.auditing.duplicates import (
    Copy,
    Picture,
    copied_pictures,
    find_copies,
    fingerprint,
    picture_of,
)
from overread.auditing.injecting import (
    flip_grades,
    move_points,
    shift_chain,
    shift_sites,
    swap_sides,
)
from overread.auditing.leaks import (
    NeverWrong,
    SiblingLeak,
    copy_suspicions,
    never_wrong,
    sibling_leak,
    sibling_suspicions,
)
from overread.auditing.noise import (
    confident_joint,
    label_evidence,
    label_suspicions,
    noise_table,
)
from overread.auditing.points import point_evidence, point_suspicions
from overread.auditing.ranking import rank_studies
from overread.auditing.review import Review, Suspicion, Verdict
from overread.auditing.shape import Shape, learn_shape
from overread.auditing.spec import AuditSpec
from overread.auditing.splits import fold_suspicions, subject_folds

__all__ = [
    "Answers",
    "AuditSpec",
    "Copy",
    "NeverWrong",
    "Picture",
    "Review",
    "Shape",
    "SiblingLeak",
    "Suspicion",
    "Tables",
    "Verdict",
    "audit",
    "chain_evidence",
    "chain_suspicions",
    "compare_columns",
    "compare_sets",
    "confident_joint",
    "copied_pictures",
    "copy_suspicions",
    "find_copies",
    "fingerprint",
    "flip_grades",
    "fold_suspicions",
    "label_evidence",
    "label_suspicions",
    "lay_out_answers",
    "learn_shape",
    "move_points",
    "never_wrong",
    "noise_table",
    "picture_of",
    "point_evidence",
    "point_suspicions",
    "rank_studies",
    "seeing_columns",
    "seeing_suspicions",
    "shift_chain",
    "shift_evidence",
    "shift_sites",
    "shift_suspicions",
    "sibling_leak",
    "sibling_suspicions",
    "subject_folds",
    "swap_evidence",
    "swap_sides",
    "swap_suspicions",
]
