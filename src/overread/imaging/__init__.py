"""How pixels become inputs: planes and levels, windows, crops, batches, augmentation."""

import typing

from overread import shelf

if typing.TYPE_CHECKING:
    from overread.imaging.augment_spec import PRESETS, AugmentSpec
    from overread.imaging.augmenting import augment, augment_image
    from overread.imaging.batches import (
        Arrays,
        Batch,
        Crops,
        centre,
        collate,
        mirror,
        normalise,
        tensors,
    )
    from overread.imaging.chains import ChainReport, ChainSpec, check_chain
    from overread.imaging.counting import CountedChain, CountSpec, count_chain
    from overread.imaging.curves import chain_direction, chain_spacing
    from overread.imaging.cutting import cut
    from overread.imaging.heatmaps import heatmap_radius, pixels_to_cells, render_heatmaps
    from overread.imaging.levels import assign_levels, crosses_segments, level_polyline
    from overread.imaging.orientation import in_plane_axes, plane_of, slice_offsets, slice_order
    from overread.imaging.peaks import cells_to_pixels, decode_heatmaps
    from overread.imaging.pixels import StudyPixels, study_stacks
    from overread.imaging.reading import (
        IMAGE_SUFFIXES,
        ROLE_PLANE,
        DecodeError,
        Parts,
        PhotoError,
        Progress,
        Reading,
        RoleError,
        decode,
        image_size,
        read_image,
        read_parts,
        read_studies,
    )
    from overread.imaging.scan_order import GEOMETRY, place_slices, scan_slices
    from overread.imaging.slices import SliceSpec, resample_slices
    from overread.imaging.views import CROPS, Cut, ViewSpec
    from overread.imaging.windows import WindowSpec, percentiles, stretch
else:
    __getattr__ = shelf.open_when_used(__name__)

__all__ = [
    "CROPS",
    "GEOMETRY",
    "IMAGE_SUFFIXES",
    "PRESETS",
    "ROLE_PLANE",
    "Arrays",
    "AugmentSpec",
    "Batch",
    "ChainReport",
    "ChainSpec",
    "CountSpec",
    "CountedChain",
    "Crops",
    "Cut",
    "DecodeError",
    "Parts",
    "PhotoError",
    "Progress",
    "Reading",
    "RoleError",
    "SliceSpec",
    "StudyPixels",
    "ViewSpec",
    "WindowSpec",
    "assign_levels",
    "augment",
    "augment_image",
    "cells_to_pixels",
    "centre",
    "chain_direction",
    "chain_spacing",
    "check_chain",
    "collate",
    "count_chain",
    "crosses_segments",
    "cut",
    "decode",
    "decode_heatmaps",
    "heatmap_radius",
    "image_size",
    "in_plane_axes",
    "level_polyline",
    "mirror",
    "normalise",
    "percentiles",
    "pixels_to_cells",
    "place_slices",
    "plane_of",
    "read_image",
    "read_parts",
    "read_studies",
    "render_heatmaps",
    "resample_slices",
    "scan_slices",
    "slice_offsets",
    "slice_order",
    "stretch",
    "study_stacks",
    "tensors",
]
