"""What people read: a page for graded studies, a page for a run. Records in, HTML out."""

import typing

from overread import shelf

if typing.TYPE_CHECKING:
    from overread.reporting.audit_page import Marked, audit_page
    from overread.reporting.photo_page import photo_page
    from overread.reporting.run_page import run_page
    from overread.reporting.run_report import Case, Curve, RunReport
    from overread.reporting.scan_page import scan_page
    from overread.reporting.study_page import study_page
    from overread.reporting.tallies import worst_cases
    from overread.reporting.trust_report import ReaderBand, TrustReport
else:
    __getattr__ = shelf.open_when_used(__name__)

__all__ = [
    "Case",
    "Curve",
    "Marked",
    "ReaderBand",
    "RunReport",
    "TrustReport",
    "audit_page",
    "photo_page",
    "run_page",
    "scan_page",
    "study_page",
    "worst_cases",
]
