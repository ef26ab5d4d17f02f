"""Imitation studies with exactly known truth, written as valid DICOM or as pictures."""

from overread.phantoms.faces import forge_faces
from overread.phantoms.head_ct import forge_head_ct
from overread.phantoms.lumbar import forge_lumbar

__all__ = ["forge_faces", "forge_head_ct", "forge_lumbar"]
