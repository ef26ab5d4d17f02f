"""Pictures of a study for people: where the points lie, and what the networks saw.

How they are laid out on a page is not known here.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from overread.imaging import Cut, StudyPixels, ViewSpec, plane_of, study_stacks
from overread.inference.bundle import BundleRecipe
from overread.inference.canvas import Canvas, draw
from overread.inference.cuts import StudyCuts
from overread.inference.grades import Marked, Picture
from overread.records import Keypoints, Planes, Volume

__all__ = ["crop_pictures", "picture_study"]

OVERVIEW_PX = (640, 640)
SLICE_PX = (320, 320)
PHOTO_PX = 400  # the longer side, at most
PERCENTILES = (0.5, 99.5)


def picture_study(
    recipe: BundleRecipe,
    pixels: StudyPixels,
    keypoints: Mapping[str, Keypoints],
    sites: Sequence[str | None],
    crops: Mapping[str, tuple[Cut, ...]],
) -> tuple[Picture, ...]:
    """Return pictures of a study.

    An overview for each locator that looks at whole slices; for each unit the slice nearest to its
    point in each view, as it was cut, and on axial views whole, with the outline of the crop.

    Args:
        recipe: names roles and views.
        pixels: the decoded study.
        keypoints: {locator: points}.
        sites: of the units.
        crops: {view: one a unit}.
    """
    overviews = [
        picture
        for name, locator in recipe.locators.items()
        if locator.around is None and name in keypoints
        for picture in _overview(locator.series, _upright(pixels, keypoints[name]), keypoints[name])
    ]
    return (*overviews, *_crops(recipe.views, sites, crops, pixels))


def _upright(pixels: StudyPixels, points: Keypoints) -> StudyPixels:
    return pixels.turned() if points.turned else pixels


def _overview(roles: tuple[str, ...], pixels: StudyPixels, points: Keypoints) -> Iterator[Picture]:
    """Yield the slice of the first series that lies nearest to the points, with the points."""
    for role in roles:
        stacks = pixels.with_role(role)
        if not stacks:
            continue
        series, stack, volume = max(stacks, key=lambda part: len(part[2]))
        index = _nearest(volume.planes, points)
        canvas = Canvas(plane_of(role), OVERVIEW_PX, None, PERCENTILES)
        image, plane = draw(pixels, volume, index, canvas)
        shown, corner = _trimmed(_grey(image))
        yield Picture(
            f"{series.description or role}, slice {index + 1} of {len(volume)}",
            shown,
            stack.frames[index].sop_instance_uid,
            marks=_marks(plane, points, corner),
        )
        return


def _nearest(planes: Planes, points: Keypoints) -> int:
    if not len(points.points):
        return len(planes) // 2
    distances = [
        np.abs(planes.to_pixels(np.full(len(points.points), index), points.points)[1]).mean()
        for index in range(len(planes))
    ]
    return int(np.argmin(distances))


def _marks(plane: Planes, points: Keypoints, corner: tuple[int, int]) -> tuple[Marked, ...]:
    places, _ = plane.to_pixels(np.zeros(len(points.names), np.int64), points.points)
    return tuple(
        Marked(name, float(x) - corner[1], float(y) - corner[0], float(confidence))
        for name, (x, y), confidence in zip(points.names, places, points.confidence, strict=True)
    )


def _trimmed(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Return the image without black borders, and the row and column where it starts."""
    rows = np.flatnonzero(image.max(1) > 4)
    columns = np.flatnonzero(image.max(0) > 4)
    if not len(rows) or not len(columns):
        return image, (0, 0)
    top, left = int(rows[0]), int(columns[0])
    return image[top : rows[-1] + 1, left : columns[-1] + 1], (top, left)


def _crops(
    views: Mapping[str, ViewSpec],
    sites: Sequence[str | None],
    crops: Mapping[str, tuple[Cut, ...]],
    pixels: StudyPixels,
) -> Iterator[Picture]:
    """Yield the slice nearest to the point of each view and unit; none twice.

    What is cut once for a study of several units is shown once.
    """
    slices = _slices(pixels)
    shown: set[tuple[str, str | None]] = set()
    for name, cuts in crops.items():
        whole = not views[name].by_unit and len(sites) > 1
        for site, cut in [(None, cuts[0])] if whole else zip(sites, cuts, strict=True):
            present = np.flatnonzero(cut.mask)
            if not len(present):
                continue
            middle = int(present[np.abs(cut.offsets_mm[present]).argmin()])
            frame = cut.frames[middle]
            if frame is None or (frame.sop_instance_uid, site) in shown:
                continue
            shown.add((frame.sop_instance_uid, site))
            uid = frame.sop_instance_uid
            if views[name].plane == "photo":
                yield Picture(name, _photograph(*slices[uid]), uid, site, kind="photo")
                continue
            if views[name].plane == "axial" and not whole:
                outline = _outline(views[name], cut.planes.take([middle]))
                yield _whole(pixels, slices[uid], (name, uid, site), outline)
            image = _grey(_window(views[name], cut.pixels[middle]))
            yield Picture(name, image, uid, site, kind="overview" if whole else "crop")


def crop_pictures(
    views: Mapping[str, ViewSpec], cuts: Mapping[str, StudyCuts], unit: str
) -> tuple[Picture, ...]:
    """Return what the networks saw of one unit, the slice nearest to its point in each view.

    Args:
        views: of the recipe.
        cuts: {view: crops of the unit's study}, such as `load_cuts` reads.
        unit: id.
    """
    pictures = []
    for name, one in cuts.items():
        index = one.units.index(unit)
        crops = one.of(index)
        present = np.flatnonzero(crops.mask)
        if len(present):
            middle = int(present[np.abs(crops.offsets_mm[present]).argmin()])
            image = _grey(_window(views[name], crops.pixels[middle]))
            pictures.append(Picture(name, image, "", one.sites[index], kind="crop"))
    return tuple(pictures)


def _photograph(volume: Volume, index: int) -> NDArray[np.uint8]:
    """Return a whole photograph in its colours, made smaller in whole steps."""
    rows, columns = (int(size) for size in volume.planes.size[index])
    step = max(1, -(-max(rows, columns) // PHOTO_PX))
    kept = np.asarray(volume.array[index, : rows // step * step, : columns // step * step])
    parts = kept.reshape(rows // step, step, columns // step, step, *kept.shape[2:])
    return np.asarray(np.round(parts.mean(axis=(1, 3)).clip(0, 255)), np.uint8)


def _slices(pixels: StudyPixels) -> dict[str, tuple[Volume, int]]:
    """Return {SOP instance UID: volume and slice}."""
    return {
        frame.sop_instance_uid: (volume, index)
        for (_, stack), volume in zip(study_stacks(pixels.study), pixels.volumes, strict=True)
        for index, frame in enumerate(stack.frames)
    }


def _outline(view: ViewSpec, plane: Planes) -> NDArray[np.float64]:
    """Return the corners (4, 3) in world mm of what the networks see of a stored crop."""
    _, rows, columns = view.window
    top, bottom, left, right = rows.start, rows.stop, columns.start, columns.stop
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]]) - 0.5
    return plane.to_world(np.zeros(4, np.int64), corners)


def _whole(
    pixels: StudyPixels,
    place: tuple[Volume, int],
    names: tuple[str, str, str | None],
    outline: NDArray[np.float64],
) -> Picture:
    volume, index = place
    name, uid, site = names
    canvas = Canvas("axial", SLICE_PX, None, PERCENTILES)
    image, plane = draw(pixels, volume, index, canvas)
    shown, corner = _trimmed(_grey(image))
    places, _ = plane.to_pixels(np.zeros(len(outline), np.int64), outline)
    corners = tuple((float(x) - corner[1], float(y) - corner[0]) for x, y in places)
    return Picture(f"{name}, whole slice", shown, uid, site, outline=corners, kind="slice")


def _window(view: ViewSpec, pixels: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return the middle of a stored crop, as the networks see it; first window, in its colours."""
    _, rows, columns = view.window
    middle = pixels[:, rows, columns].astype(np.float32)
    return np.moveaxis(middle[:3], 0, -1) if view.plane == "photo" else middle[0]


def _grey(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.round(image.clip(0, 1) * 255), np.uint8)
