"""Read a folder of DICOM files: what is in it, in which order, and what is wrong with it."""

from pathlib import Path

import overread
from overread.phantoms import forge_lumbar


def main() -> None:
    """Forge one study with the dirt of a hospital archive, and read it."""
    folder = Path("studies")
    forge_lumbar(folder, num_studies=1, seed=7, style="hospital", workers=1)
    reading = overread.read_studies(folder)
    for series in reading.studies[0].series:
        slices = [len(stack.frames) for stack in series.stacks]
        print(f"{series.role} ({series.role_confidence:.2f}: {series.role_reason}): {slices}")
    for finding in reading.findings:
        print(finding.severity, finding.code, finding.message)


if __name__ == "__main__":
    main()
