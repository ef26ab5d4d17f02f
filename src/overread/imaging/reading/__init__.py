"""Reading: a folder of any files becomes studies, stacks and findings; stacks become pixels."""

import typing

from overread import shelf

if typing.TYPE_CHECKING:
    from overread.imaging.reading.decode import DecodeError, decode
    from overread.imaging.reading.parts import Parts
    from overread.imaging.reading.photos import IMAGE_SUFFIXES, PhotoError, image_size, read_image
    from overread.imaging.reading.report import Reading, spacing_along_normal, tilt_degrees
    from overread.imaging.reading.roles import ROLE_PLANE, RoleError
    from overread.imaging.reading.studies import Progress, read_parts, read_studies
else:
    __getattr__ = shelf.open_when_used(__name__)

__all__ = [
    "IMAGE_SUFFIXES",
    "ROLE_PLANE",
    "DecodeError",
    "Parts",
    "PhotoError",
    "Progress",
    "Reading",
    "RoleError",
    "decode",
    "image_size",
    "read_image",
    "read_parts",
    "read_studies",
    "spacing_along_normal",
    "tilt_degrees",
]
