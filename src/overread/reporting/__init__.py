"""What people read: a page for graded studies, a page for a run. Records in, HTML out."""

from overread.reporting.study_page import study_page

__all__ = ["study_page"]
