"""Boosted trees as plain arrays: they apply without the library that grew them.

A tree is a table of nodes: feature (-1 = leaf), threshold, left, right, value. A unit goes left
where its feature is at most the threshold.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["answer", "plant"]

Floats = NDArray[np.float64]
LEAF = -1


def plant(trees: Sequence[Any]) -> Floats:
    """Return (trees, nodes, 5) tables of LightGBM's trees, filled up with leaves of value 0."""
    tables = [_nodes(tree["tree_structure"]) for tree in trees]
    longest = max((len(table) for table in tables), default=1)
    planted = np.zeros((len(tables), longest, 5))
    planted[:, :, 0] = LEAF
    for tree, table in zip(planted, tables, strict=True):
        tree[: len(table)] = table
    return planted


def _nodes(root: Any) -> list[tuple[float, ...]]:
    """Return the rows of a tree, the root first, children after their parents."""
    rows: list[tuple[float, ...]] = []
    waiting = [root]
    while len(rows) < len(waiting):
        node = waiting[len(rows)]
        if "split_feature" in node:
            left = len(waiting)
            waiting += [node["left_child"], node["right_child"]]
            rows.append((node["split_feature"], node["threshold"], left, left + 1, 0.0))
        else:
            rows.append((LEAF, 0.0, 0.0, 0.0, node["leaf_value"]))
    return rows


def answer(trees: Floats, features: Floats, grades: int) -> Floats:
    """Return (n, grades) sums of the leaves that the units fall into; trees go grade by grade."""
    units = np.arange(len(features))
    sums = np.zeros((len(features), grades))
    for place, tree in enumerate(trees):
        node = np.zeros(len(features), np.int64)
        inside = tree[node, 0] != LEAF
        while inside.any():
            rows = tree[node]
            value = features[units, np.maximum(rows[:, 0], 0).astype(np.int64)]
            below = np.where(value <= rows[:, 1], rows[:, 2], rows[:, 3]).astype(np.int64)
            node = np.where(inside, below, node)
            inside = tree[node, 0] != LEAF
        sums[:, place % grades] += tree[node, 4]
    return sums
