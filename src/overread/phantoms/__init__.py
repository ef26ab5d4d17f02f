"""Imitation studies with exactly known truth, written as valid DICOM."""

from overread.phantoms.head_ct import forge_head_ct
from overread.phantoms.lumbar import forge_lumbar

__all__ = ["forge_head_ct", "forge_lumbar"]
