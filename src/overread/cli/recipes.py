"""Commands about recipes: show, plan, run, bundle, report."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from overread.cli.options import (
    Data,
    Jobs,
    Json,
    RecipeName,
    StoreFolder,
    Workers,
    default_jobs,
    default_workers,
    write_json,
)
from overread.cli.progress import watching
from overread.cli.tables import show_scores, table

if TYPE_CHECKING:
    from overread.pipeline import Plan, Ran, Recipe

__all__ = ["COMMANDS"]

STORE = "store"


def show(
    recipe: Annotated[
        str | None, typer.Argument(metavar="RECIPE", help="A recipe; none lists those that ship.")
    ] = None,
    *,
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="NAME", help="One member, view, locator or ensemble."),
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="The JSON schema, for editors.")] = False,
    json: Json = False,
) -> None:
    """Print a recipe, or one thing in it, with all its settings, defaults included."""
    from overread.pipeline import recipe_schema, resolved_part, resolved_recipe, shipped_recipes

    if schema:
        write_json(recipe_schema())
    elif recipe is None:
        table(("recipe", "file"), [(name, str(path)) for name, path in shipped_recipes().items()])
    elif only is not None:
        typer.echo(resolved_part(_read(recipe), only), nl=False)
    elif json:
        write_json(_read(recipe).model_dump(mode="json"))
    else:
        typer.echo(resolved_recipe(_read(recipe)), nl=False)


def plan(
    recipe: RecipeName, *, data: Data = None, store: StoreFolder = STORE, json: Json = False
) -> None:
    """Print the steps of a recipe, done or to do, and what they add up to. Opens no image."""
    from overread.pipeline import plan as make_plan

    made = make_plan(_read(recipe), data, store)
    if json:
        write_json(made.to_json())
        return
    _show_plan(made)


def _show_plan(made: "Plan") -> None:
    rows = [(p.state, p.step.stage.name, p.step.name, p.step.key) for p in made.steps]
    table(("", "stage", "name", "key"), rows, title=made.graph.recipe.name)
    table(("totals", ""), [(name, str(count)) for name, count in made.totals.items()])
    content = made.to_json()
    typer.echo(f"{content['done']} done, {content['to_do']} to do")


def run(
    recipe: RecipeName,
    *,
    data: Data = None,
    store: StoreFolder = STORE,
    workers: Workers = 0,
    jobs: Jobs = 0,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="ADDRESS",
            help="Make the steps on this Ray cluster, such as 10.0.0.5:6379 or auto.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make what a recipe lacks; finished steps are kept. Interrupted, it goes on where it was."""
    ran = _run(recipe, (data, store), workers=workers, jobs=jobs, ray=ray)
    for study, why in ran.broken.items():
        typer.echo(f"set aside: study {study}: {why}", err=True)
    if json:
        write_json(ran.to_json())
        return
    show_scores(ran.scores, json=False)
    if ran.broken:
        typer.echo(f"{len(ran.broken)} studies were broken and set aside; see above")
    typer.echo(f"report: {ran.report}")


def _run(
    recipe: str, place: tuple[Path | None, str], *, workers: int, jobs: int, ray: str | None
) -> "Ran":
    from overread.pipeline import run as run_recipe

    read = _read(recipe)
    with watching() as watch:
        return run_recipe(
            read,
            *place,
            workers=default_workers(workers),
            jobs=default_jobs(jobs),
            ray=ray,
            listen=watch,
        )


def _read(recipe: str) -> "Recipe":
    from overread.pipeline import find_recipe, read_recipe

    return read_recipe(find_recipe(recipe))


def bundle(
    recipe: RecipeName,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder.")],
    predictor: Annotated[
        str | None,
        typer.Option(help="Whose answers it gives, such as a student's; else the final one's."),
    ] = None,
    data: Data = None,
    store: StoreFolder = STORE,
    json: Json = False,
) -> None:
    """Collect the networks of a finished run into one folder that grades new studies."""
    from overread.pipeline import make_bundle

    digest = make_bundle(_read(recipe), data, store, output, predictor=predictor)
    if json:
        write_json({"bundle": str(output), "hash": digest})
    else:
        typer.echo(f"bundle {output} ({digest[:12]})")


def report(
    recipe: RecipeName,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Copy the report to this new folder.")
    ] = None,
    data: Data = None,
    store: StoreFolder = STORE,
    json: Json = False,
) -> None:
    """Show the scores of a finished run, and where its page is."""
    from overread.pipeline import finished

    ran = finished(_read(recipe), data, store)
    place = ran.copy_report(output) if output else ran.report
    if json:
        content: dict[str, Any] = {**ran.to_json(), "report": str(place)}
        write_json(content)
        return
    show_scores(ran.scores, json=False)
    typer.echo(f"report: {place}")


COMMANDS: dict[str, Callable[..., None]] = {
    "show": show,
    "plan": plan,
    "run": run,
    "bundle": bundle,
    "report": report,
}
