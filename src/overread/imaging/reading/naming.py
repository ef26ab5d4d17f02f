"""What studies and series are called: by the folders of a dataset, or by UID.

Public datasets name studies and series by folder (`4003253/702807833/1.dcm`), and their tables use
these names. A folder name is taken only when it names one thing and cannot be a person's name.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = ["series_names", "study_names"]

IDENTIFIER = re.compile(r"[A-Za-z_.-]{0,12}\d[\w.-]*")
Key = tuple[str, str]  # StudyInstanceUID, SeriesInstanceUID


def series_names(folders: Mapping[Key, Iterable[Path]], root: Path) -> dict[Key, str]:
    """Return the id of each series: its folder's name, else its UID.

    Args:
        folders: of the files of each series.
        root: the folder that is read; never names a series itself.
    """
    holders: dict[Path, set[Key]] = defaultdict(set)
    for key, places in folders.items():
        for place in places:
            holders[place].add(key)
    names: dict[Key, str] = {}
    for key, given in folders.items():
        places = set(given)
        place = next(iter(places))
        alone = len(places) == 1 and len(holders[place]) == 1 and place != root
        names[key] = place.name if alone and IDENTIFIER.fullmatch(place.name) else key[1]
    return _unique(names)


def study_names(folders: Mapping[Key, Iterable[Path]], root: Path) -> dict[str, str]:
    """Return the id of each study by UID: the folder that holds its series' folders, else the UID.

    Args:
        folders: of the files of each series.
        root: the folder that is read; it may name a study when it holds that study alone.
    """
    parents: dict[str, set[Path]] = defaultdict(set)
    for (study, _), places in folders.items():
        parents[study].update(place.parent for place in places if place != root)
        parents[study].update(place for place in places if place == root)
    owners: dict[Path, set[str]] = defaultdict(set)
    for study, places in parents.items():
        for place in places:
            owners[place].add(study)
    names = {}
    for study, places in parents.items():
        place = next(iter(places))
        alone = len(places) == 1 and len(owners[place]) == 1 and _below(place, root)
        names[study] = place.name if alone and IDENTIFIER.fullmatch(place.name) else study
    taken = list(names.values())
    return {study: name if taken.count(name) == 1 else study for study, name in names.items()}


def _below(place: Path, root: Path) -> bool:
    return place == root or root in place.parents


def _unique(names: dict[Key, str]) -> dict[Key, str]:
    """Fall back to UIDs within a study where two series would share a name."""
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for (study, _), name in names.items():
        counted[study, name] += 1
    return {key: name if counted[key[0], name] == 1 else key[1] for key, name in names.items()}
