"""Datasets, one a file: a folder becomes studies, labels, true points and a rubric.

A dataset is a module with `Spec`, `rubric`, `read`, `open_studies`, `sites` and `forge`.
One whose studies may be too many to be held at once also has `open_parts`.
"""

from overread.datasets.dataset import Dataset, DatasetError, NotForgeableError, read_table

__all__ = ["Dataset", "DatasetError", "NotForgeableError", "read_table"]
