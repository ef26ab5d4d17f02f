"""Cut the crop of one level, and trace one of its pixels back to the patient."""

from pathlib import Path

from overread.datasets import rsna2024_lumbar
from overread.imaging import StudyPixels, ViewSpec, cut, decode, study_stacks
from overread.phantoms import forge_lumbar


def main() -> None:
    """Forge, read, decode, cut."""
    forge_lumbar(Path("studies"), num_studies=1, seed=2, workers=1)
    dataset = rsna2024_lumbar.read(rsna2024_lumbar.Spec(), Path("studies"))
    study = dataset.studies[0]
    pixels = StudyPixels(study, tuple(decode(stack) for _, stack in study_stacks(study)))
    view = ViewSpec(
        series=("sagittal_t2",),
        around="discs",
        slices={"count": 5, "pick": "central"},
        size_mm=(40, 60),
        pixels=(64, 96),
    )
    keypoints = {"discs": dataset.keypoints["discs"][study.id]}
    crop = cut(view, pixels, keypoints, "L4/L5")
    middle = [(size - 1) / 2 for size in reversed(view.stored)]
    print("crops:", crop.pixels.shape, "offsets in mm:", crop.offsets_mm.round(1).tolist())
    print("their middle in the patient:", crop.planes.to_world([2], [middle]).round(1)[0])
    print("the disc:", keypoints["discs"].get("L4/L5").round(1))


if __name__ == "__main__":
    main()
