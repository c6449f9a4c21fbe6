"""`eftvideo eval`: options, one call, a table and JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from eftvideo.cli.screen import one_line_errors, output
from eftvideo.errors import ConfigError, VideoWriteError

if TYPE_CHECKING:
    from eftvideo.evaluate.bodies import Bodies
    from eftvideo.evaluate.score import Evaluation
    from eftvideo.evaluate.truth import Truth
    from eftvideo.results.result import Result

_HELP = """
Score a result against the truth: how far joints, mesh, picture and motion are off.

\b
[bold]Examples[/bold]
  eftvideo eval out/clip.npz --truth truth.npz
  eftvideo eval out/clip.npz --truth truth.npz --json -      figures as JSON
  eftvideo eval a.npz --truth b.npz                          how far two results are apart
  eftvideo eval out/seq.npz --truth 3DPW/sequenceFiles/test/seq.pkl
"""
_Truth = Annotated[
    Path, typer.Option("--truth", metavar="FILE", help="npz with the truth, or a 3DPW pkl.")
]
_Joints = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        show_default=False,
        help="lsp14, limbs12, smpl24, coco17 or h36m14 (lsp14; coco17 if there is no other).",
    ),
]
_Json = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the figures as JSON; - for the screen."),
]
_Body = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="The body that the result was made with, if not found."),
]
_TruthBody = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=FILE", help="A body of the truth (3DPW: male=..., female=...); repeat."
    ),
]
_Regressor = Annotated[
    Path | None, typer.Option(metavar="FILE", help="J_regressor_h36m.npy, for h36m14.")
]


def register(app: typer.Typer) -> None:
    """Add the command to the program."""

    @app.command("eval", help=_HELP)
    def evaluate(
        result: Annotated[Path, typer.Argument(metavar="RESULT", help="npz of `eftvideo run`.")],
        truth: _Truth,
        joints: _Joints = None,
        json_file: _Json = None,
        body: _Body = None,
        truth_body: _TruthBody = None,
        h36m_regressor: _Regressor = None,
    ) -> None:
        """Scores one result."""
        with one_line_errors():
            figures = _evaluate(result, truth, joints, body, truth_body or [], h36m_regressor)
            text = json.dumps(figures.to_dict(), indent=1)
            if json_file == "-":
                typer.echo(text)
                return
            for table in tables(figures):
                output.print(table)
            output.print(counts_line(figures.counts), markup=False)
            if json_file is not None:
                _write(Path(json_file), text + "\n")


def _evaluate(
    result_file: Path,
    truth_file: Path,
    joints: str | None,
    body: str | None,
    truth_bodies: list[str],
    regressor: Path | None,
) -> Evaluation:
    from eftvideo.evaluate.score import evaluate
    from eftvideo.results.result_file import load_result

    result, truth = load_result(result_file), _load_truth(truth_file)
    bodies = _bodies(result, truth, body, truth_bodies, regressor)
    if joints is None and regressor is not None:
        joints = "h36m14"
    return evaluate(result, truth, joints, bodies)


def _load_truth(path: Path) -> Truth:
    if path.suffix == ".pkl":
        from eftvideo.evaluate.threedpw import load_sequence

        return load_sequence(path)
    from eftvideo.evaluate.truth import load_truth

    return load_truth(path)


def _bodies(
    result: Result, truth: Truth, body: str | None, truth_bodies: list[str], regressor: Path | None
) -> Bodies:
    """The bodies that are at hand: named files, and the one that is shipped where it is meant."""
    from eftvideo.bodies import BodyModel, load_body
    from eftvideo.evaluate.bodies import Bodies, load_regressor_file

    shipped = load_body()
    ours = load_body(body) if body else None
    if ours is None and shipped.sha256 in result.body_model:
        ours = shipped
    elif ours is not None and ours.sha256 not in result.body_model:
        raise ConfigError(
            f"--body {body} is not the body of the result, which is {result.body_model}"
        )
    theirs: dict[str, BodyModel] = {}
    for name in {str(name) for name in truth.body} - {""}:
        for known in (shipped, ours):
            if known is not None and (known.sha256 in name or name == known.name):
                theirs[name] = known
    for entry in truth_bodies:
        name, given, file = entry.partition("=")
        if not given:
            raise ConfigError(f"--truth-body must be NAME=FILE, but got {entry!r}")
        theirs[name] = load_body(file)
    return Bodies(ours, theirs, None if regressor is None else load_regressor_file(regressor))


def tables(figures: Evaluation) -> list[Table]:
    """Overall figures, people, joints."""
    from eftvideo.evaluate.score import UNITS

    overall = Table(
        "", "value", "unit", box=None, pad_edge=False, title=f"joints: {figures.joints}"
    )
    for name, value in figures.overall.items():
        overall.add_row(name, _number(value), UNITS[name])
    people = _table("person", ("frames", "mpjpe", "pa_mpjpe", "error_2d"), figures.per_person)
    joints = _table("joint", ("mpjpe", "pa_mpjpe", "pck"), figures.per_joint)
    return [overall, people, joints]


def _table(first: str, columns: tuple[str, ...], rows: dict[Any, dict[str, float]]) -> Table:
    table = Table(first, box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right")
    for name, values in rows.items():
        table.add_row(str(name), *(_number(values[column]) for column in columns))
    return table


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return "-" if value != value else f"{value:.1f}"


def counts_line(counts: dict[str, int]) -> str:
    """Who was found and who was not, in words."""
    return (
        f"{counts['matched']} of {counts['true_people']} person-frames found, "
        f"{counts['missed']} missed, {counts['false_people']} false, "
        f"{counts['id_switches']} id switches, in {counts['frames']} frames"
    )


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as e:
        raise VideoWriteError(f"cannot write {path}: {e.strerror}; choose another file") from e
    finally:
        part.unlink(missing_ok=True)
