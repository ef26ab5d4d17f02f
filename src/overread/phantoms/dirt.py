"""Soils a clean study the way real exports are soiled, and says how."""

from overread.phantoms.forged_study import ForgedStudy


def soil_study(study: ForgedStudy) -> ForgedStudy:
    """Return the study with dirt."""
    return study
