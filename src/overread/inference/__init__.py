"""One study in, grades out: locate, cut, predict, join; and the bundle that holds all of it.

Training uses the same functions; where results are kept is not known here.
"""

import typing

from overread import shelf

if typing.TYPE_CHECKING:
    from overread.inference.asking import Network, look_together
    from overread.inference.bundle import Bundle, BundleRecipe, rubric_from_json, rubric_to_json
    from overread.inference.bundle_files import BundleError
    from overread.inference.cuts import (
        StudyCuts,
        UnitCrops,
        cut_study,
        load_cuts,
        save_cuts,
        study_units,
        units_of,
    )
    from overread.inference.embedding import embed_units, learn_bases
    from overread.inference.ensemble import EnsembleSpec
    from overread.inference.examples import MemberExamples, member_examples
    from overread.inference.grade import (
        GradeSpec,
        StudyRefusedError,
        grade,
        grade_each,
        grade_parts,
        grade_study,
    )
    from overread.inference.grades import GradedStudy, Grades, Marked, Picture, Seen
    from overread.inference.locate import LocatorImages, locate, location_findings, locator_images
    from overread.inference.locator import LocatorSpec, order_locators
    from overread.inference.locator_examples import (
        LocatorExamples,
        locator_examples,
        locator_loss,
        trusted_points,
    )
    from overread.inference.locator_networks import locator_network
    from overread.inference.member import (
        EmbedSpec,
        MemberSpec,
        asked_targets,
        member_heads,
        member_loss,
        member_network,
        units_at_once,
        view_shapes,
    )
    from overread.inference.opening import decode_study, open_studies
    from overread.inference.picturing import crop_pictures
    from overread.inference.predict import member_predictions, predict_member
    from overread.inference.ranges import measure_ranges, range_findings
    from overread.inference.study_examples import AsRead, StudyExamples, as_read
    from overread.inference.table_spec import TableSpec
    from overread.inference.tables import join_tables, read_member_table, tables_by_member
else:
    __getattr__ = shelf.open_when_used(__name__)

__all__ = [
    "AsRead",
    "Bundle",
    "BundleError",
    "BundleRecipe",
    "EmbedSpec",
    "EnsembleSpec",
    "GradeSpec",
    "GradedStudy",
    "Grades",
    "LocatorExamples",
    "LocatorImages",
    "LocatorSpec",
    "Marked",
    "MemberExamples",
    "MemberSpec",
    "Network",
    "Picture",
    "Seen",
    "StudyCuts",
    "StudyExamples",
    "StudyRefusedError",
    "TableSpec",
    "UnitCrops",
    "as_read",
    "asked_targets",
    "crop_pictures",
    "cut_study",
    "decode_study",
    "embed_units",
    "grade",
    "grade_each",
    "grade_parts",
    "grade_study",
    "join_tables",
    "learn_bases",
    "load_cuts",
    "locate",
    "location_findings",
    "locator_examples",
    "locator_images",
    "locator_loss",
    "locator_network",
    "look_together",
    "measure_ranges",
    "member_examples",
    "member_heads",
    "member_loss",
    "member_network",
    "member_predictions",
    "open_studies",
    "order_locators",
    "predict_member",
    "range_findings",
    "read_member_table",
    "rubric_from_json",
    "rubric_to_json",
    "save_cuts",
    "study_units",
    "tables_by_member",
    "trusted_points",
    "units_at_once",
    "units_of",
    "view_shapes",
]
