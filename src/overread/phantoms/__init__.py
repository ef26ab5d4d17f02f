"""Imitation studies with exactly known truth, written as valid DICOM."""

from overread.phantoms.lumbar import forge_lumbar

__all__ = ["forge_lumbar"]
