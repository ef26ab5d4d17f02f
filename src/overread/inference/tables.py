"""Members that are tables: answers that other networks gave, read instead of computed.

How a table is laid out is the business of the dataset; how answers are joined, of the ensembles.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import polars as pl
from pydantic import ValidationError

from overread.datasets import DatasetError
from overread.inference.bundle import Bundle
from overread.inference.bundle_files import BundleError
from overread.inference.joining import final_decisions, final_sets, join_final
from overread.inference.table_spec import TableSpec
from overread.records import Predictions
from overread.shelf import Named, nearest, settings_of

__all__ = ["join_tables", "read_member_table", "tables_by_member"]

KEY = ("study", "site", "target")


def read_member_table(dataset: Named, table: TableSpec, path: Path, name: str) -> Predictions:
    """Read the answers of a member that is a table, as predictions of that name.

    Raises:
        DatasetError: if the table is not as it should be, or the dataset has no such rows.
    """
    module, spec = settings_of("overread.datasets", dataset)
    said: Predictions
    if isinstance(table.rows, str):
        said = module.read_submission(spec, path, name)
        return said
    if not hasattr(module, "read_levels"):
        raise DatasetError(
            f"{path}: dataset {dataset.use} reads tables in the layout of its submissions only, "
            f"found rows: {table.rows}; leave `rows` out"
        )
    try:
        how = module.LevelTable.model_validate(table.rows)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DatasetError(f"{path}: rows.{where}: {first['msg']}") from None
    said = module.read_levels(how, path, name)
    return said


def join_tables(bundle: Bundle, tables: Mapping[str, Path]) -> pl.DataFrame:
    """Join tables of new studies as a bundle of tables says.

    Args:
        bundle: made of a recipe whose members are tables.
        tables: {member: file in the layout of the dataset's submission}.

    Returns:
        The joined answers, in the same layout. Of a bundle that was asked about trust also "set"
        (grades that are not ruled out, joined by " | ") and "decision" (the option that costs
        least), where the layout has a row an answer or names study, site and target.

    Raises:
        BundleError: if the bundle needs images, or a member has no table.
    """
    recipe = bundle.recipe
    if recipe.members or not recipe.tables:
        raise BundleError(
            f"bundle {recipe.name} holds networks, which grade images; use `overread grade`"
        )
    if missing := [name for name in recipe.tables if name not in tables]:
        raise BundleError(
            f"bundle {recipe.name}: found no table of {', '.join(missing)}, expected one of each "
            f"member; name it as {missing[0]}=FILE"
        )
    module, spec = settings_of("overread.datasets", recipe.dataset)
    said = {
        name: _new(read_member_table(recipe.dataset, table, tables[name], name))
        for name, table in recipe.tables.items()
    }
    final = join_final(bundle, said)
    joined: pl.DataFrame = module.submission(spec, final, complete=False)
    told = _told(bundle, final)
    if len(told.columns) == len(KEY):
        return joined
    if set(KEY) <= set(joined.columns):
        return joined.join(told, on=KEY, how="left", nulls_equal=True, maintain_order="left")
    rows = module.read_submission(spec, joined, "joined").frame.select(KEY)
    if len(rows) != len(joined):
        return joined
    beside = rows.join(told, on=KEY, how="left", nulls_equal=True, maintain_order="left")
    return joined.hstack(beside.drop(KEY))


def _told(bundle: Bundle, final: Predictions) -> pl.DataFrame:
    """Return study, site, target and, where the bundle can tell, set and decision."""
    told = final.frame.select("unit", *KEY)
    sets, decided = final_sets(bundle, final).frame, final_decisions(bundle, final)
    if len(sets):
        names = [
            " | ".join(
                name
                for name, held in zip(bundle.rubric.target(target).grades, holds, strict=True)
                if held
            )
            for target, holds in sets.select("target", "holds").iter_rows()
        ]
        sets = sets.select("unit", "target", set=pl.Series(names, dtype=pl.String))
        told = told.join(sets, on=("unit", "target"), how="left")
    if len(decided):
        decided = decided.rename({"option": "decision"})
        told = told.join(decided, on=("unit", "target"), how="left")
    return told.drop("unit")


def tables_by_member(bundle: Bundle, named: Sequence[str]) -> dict[str, Path]:
    """Return {member: file} of files that are given as NAME=FILE, or are called like a member.

    Raises:
        BundleError: if a file belongs to no member, or to one that has a file already.
    """
    own = {plain_name(table.table): name for name, table in bundle.recipe.tables.items()}
    found: dict[str, Path] = {}
    for text in named:
        name, _, path = text.rpartition("=")
        member = name or own.get(plain_name(path), plain_name(path))
        if member not in bundle.recipe.tables:
            raise BundleError(
                f'{path}: belongs to no member of bundle {bundle.recipe.name}, found "{member}"; '
                f"{nearest(member, bundle.recipe.tables)}; name it as MEMBER=FILE"
            )
        if member in found:
            raise BundleError(
                f"{path}: is a second table of {member}, after {found[member]}; leave one out"
            )
        found[member] = Path(path)
    return found


def plain_name(path: str) -> str:
    """Return the name of a file without its endings.

    Example:
        >>> plain_name("oof/swin_t.csv.gz")
        'swin_t'
    """
    return PurePosixPath(path).name.partition(".")[0]


def _new(predictions: Predictions) -> Predictions:
    return Predictions(predictions.frame.with_columns(role=pl.lit("new")))
