"""Work over studies leaves whole parts and nothing else."""

from fake_stages import Patient, parts

from overread.pipeline.parts import map_parts
from overread.pipeline.step import Context, Task


def test_torn_parts_are_swept_away(tmp_path) -> None:
    """What workers began who were killed, before or meanwhile, is no part of the finished step."""
    torn = [tmp_path / "parts" / name for name in (".a.host-1-1", ".b.host-2-2")]
    torn[0].mkdir(parents=True)

    def spread(items, work):
        torn[1].mkdir()
        assert not torn[0].exists()
        yield from [(item, work(item)) for item in items]

    def work(patient: Patient, folder) -> None:
        (folder / "id.txt").write_text(patient.id)

    task = Task(parts("a", "b"), tmp_path, {}, {}, Context(spread=spread))
    outcome = map_parts(task, [Patient("a"), Patient("b")], work)

    assert outcome.broken == {}
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["a", "b"]
