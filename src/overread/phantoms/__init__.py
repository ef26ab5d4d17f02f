"""Imitation studies with exactly known truth, written as valid DICOM or as pictures."""

import typing

from overread import shelf

if typing.TYPE_CHECKING:
    from overread.phantoms.faces import forge_faces
    from overread.phantoms.head_ct import forge_head_ct
    from overread.phantoms.lumbar import forge_lumbar
else:
    __getattr__ = shelf.open_when_used(__name__)

__all__ = ["forge_faces", "forge_head_ct", "forge_lumbar"]
