"""The command line: options to configuration, one call, exit code. Nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import eftvideo
from eftvideo.config import DrawMode, Method, RunConfig, Tracker
from eftvideo.errors import ConfigError, EftVideoError

app = typer.Typer(
    help="3D people (SMPL) out of an ordinary video.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)
weights_app = typer.Typer(help="Files that the program needs or can use.", no_args_is_help=True)
train_app = typer.Typer(help="Train the networks that are shipped.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")
app.add_typer(train_app, name="train")

EXIT_SOME_FAILED, EXIT_USER_ERROR, EXIT_INTERRUPTED = 1, 2, 130
_D = RunConfig()

errors = Console(stderr=True, soft_wrap=True, highlight=False)
output = Console(soft_wrap=True, highlight=False)


def _version(wanted: bool) -> None:
    if wanted:
        output.print(f"eftvideo {eftvideo.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """3D people (SMPL) out of an ordinary video."""


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Errors that a user can mend become one line and exit code 2."""
    try:
        yield
    except EftVideoError as e:
        errors.print(f"[red]error:[/red] {_plain(e)}")
        raise typer.Exit(EXIT_USER_ERROR) from e
    except KeyboardInterrupt as e:
        errors.print("interrupted: nothing unfinished was kept")
        raise typer.Exit(EXIT_INTERRUPTED) from e


def _plain(error: object) -> str:
    return str(error).replace("[", r"\[")


RUN_EXAMPLES = """
Fit SMPL to every person in every frame; writes CLIP.npz and CLIP_overlay.mp4.

[bold]Examples[/bold]

  eftvideo run clip.mp4                        everything, into ./out

  eftvideo run *.mp4 -o results --no-overlay   several clips, npz only

  eftvideo run clip.mp4 --start 3 --end 8      five seconds of it

  eftvideo run clip.mp4 --max-people 1 --fov-deg 60

  eftvideo run clip.mp4 --body SMPL_NEUTRAL.pkl --device cuda
"""


@app.command(help=RUN_EXAMPLES)
def run(
    clips: Annotated[list[Path], typer.Argument(help="Video files.", metavar="CLIP...")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")] = Path("out"),
    method: Annotated[
        Method, typer.Option(help="eft tunes the regressor to each frame; regress only asks it.")
    ] = _D.method,
    warm_start: Annotated[
        bool, typer.Option(help="Start each person from the frame before.")
    ] = _D.warm_start,
    steps: Annotated[
        int, typer.Option(help="EFT steps at most per person and frame.", min=0)
    ] = _D.eft.num_steps,
    start: Annotated[float, typer.Option(help="Begin at this time, seconds.")] = _D.clip.start_s,
    end: Annotated[
        float | None, typer.Option(help="Stop before this time, seconds.")
    ] = _D.clip.end_s,
    stride: Annotated[int, typer.Option(help="Use every n-th frame.")] = _D.clip.stride,
    detector: Annotated[
        str, typer.Option(help="ultralytics pose model: a name (larger ones download) or a path.")
    ] = _D.detect.model,
    tracker: Annotated[Tracker, typer.Option(help="How people are followed.")] = _D.detect.tracker,
    max_people: Annotated[
        int | None, typer.Option(help="Keep the n largest people.", min=1)
    ] = _D.detect.max_people,
    track_id: Annotated[
        list[int] | None, typer.Option(help="Keep only this id (repeat for more).")
    ] = None,
    regressor: Annotated[str, typer.Option(help="Network to tune.")] = _D.regressor,
    weights: Annotated[
        str | None, typer.Option(help="The regressor's weights file.")
    ] = _D.regressor_weights,
    body: Annotated[
        str | None, typer.Option(help="Your SMPL file, or 'smpl' to look it up. Default: ours.")
    ] = _D.body,
    focal_px: Annotated[
        float | None, typer.Option(help="Focal length, px. Default: sqrt(W^2 + H^2).")
    ] = _D.focal_length_px,
    fov_deg: Annotated[
        float | None, typer.Option(help="Horizontal field of view, degrees.")
    ] = _D.fov_deg,
    overlay: Annotated[bool, typer.Option(help="Write the overlay video.")] = _D.render.enabled,
    draw: Annotated[DrawMode, typer.Option(help="What the overlay shows.")] = _D.render.draw,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = _D.device,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Print more.")] = False,
) -> None:
    """Runs clips one after the other."""
    with _one_line_errors():
        if focal_px is not None and fov_deg is not None:
            raise ConfigError("give --focal-px or --fov-deg, not both")
        d = dataclasses.replace
        cfg = RunConfig(
            clip=d(_D.clip, start_s=start, end_s=end, stride=stride),
            detect=d(
                _D.detect,
                model=detector,
                tracker=tracker,
                max_people=max_people,
                track_ids=tuple(track_id or ()),
            ),
            eft=d(_D.eft, num_steps=steps),
            render=d(_D.render, enabled=overlay, draw=draw),
            method=method,
            warm_start=warm_start,
            regressor=regressor,
            regressor_weights=weights,
            body=body,
            focal_length_px=focal_px,
            fov_deg=fov_deg,
            device=device,
        )
        _check_names(clips)
        from eftvideo import console

        console.set_up_logging(errors, quiet=quiet, verbose=verbose)
        failed = console.run_clips(clips, out, cfg, output, errors, quiet=quiet)
    if failed:
        raise typer.Exit(EXIT_USER_ERROR if len(clips) == 1 else EXIT_SOME_FAILED)


def _check_names(clips: list[Path]) -> None:
    """Results are named after their clips, so two clips of one name would overwrite each other."""
    seen: dict[str, Path] = {}
    for clip in clips:
        other = seen.setdefault(clip.stem, clip)
        if other is not clip:
            raise ConfigError(
                f"{other} and {clip} would both write {clip.stem}.npz: run them with two -o folders"
            )


@app.command()
def doctor() -> None:
    """Check that everything is there, and say how to get what is not."""
    from rich.table import Table

    from eftvideo.doctor import checks

    marks = {True: "[green]ok[/green]", False: "[red]missing[/red]", None: "-"}
    table = Table("", "part", "found", "remedy", box=None)
    results = checks()
    for check in results:
        table.add_row(marks[check.ok], check.name, _plain(check.found), _plain(check.remedy or ""))
    output.print(table)
    if any(check.ok is False for check in results):
        raise typer.Exit(EXIT_SOME_FAILED)


@weights_app.command("list")
def weights_list() -> None:
    """Every file that the program knows of: found or not, with its licence."""
    from rich.table import Table

    from eftvideo.weights import list_weights

    table = Table("file", "found at", "licence", "origin", box=None)
    for status in list_weights():
        found = str(status.path) if status.path else "[yellow]not found[/yellow]"
        table.add_row(status.spec.file, found, status.spec.licence, status.spec.origin)
    output.print(table)


@weights_app.command("import")
def weights_import(
    file: Annotated[Path, typer.Argument(help="SMPL_NEUTRAL.pkl, basicmodel_*.pkl or .npz.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder; default: where --body smpl looks.")
    ] = None,
) -> None:
    """Turn your licensed SMPL file into a safe npz that `--body smpl` finds."""
    with _one_line_errors():
        from eftvideo.bodies.convert import import_smpl

        output.print(f"wrote {import_smpl(file, out)}")


@train_app.command("lifter")
def train_lifter(
    poses: Annotated[Path, typer.Option(help="Pose library (npz, SMPL rotations).")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder; resumes what is there.")],
    steps: Annotated[int, typer.Option(help="Optimiser steps in all.", min=1)] = 20_000,
    batch_size: Annotated[int, typer.Option(help="Examples a step.", min=1)] = 512,
    baseline: Annotated[
        bool, typer.Option(help="The plain one-frame network to compare with.")
    ] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    workers: Annotated[int, typer.Option(help="Processes that make examples.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="Source of chance.")] = 0,
) -> None:
    """Train the default regressor on synthetic examples; logs curve.csv, goes on where it was."""
    with _one_line_errors():
        from eftvideo import console, train

        console.set_up_logging(errors, quiet=False, verbose=True)
        shape: dict[str, Any] = {"lifter": train.BASELINE} if baseline else {}
        cfg = train.TrainConfig(
            poses, out, steps, batch_size, device=device, num_workers=workers, seed=seed, **shape
        )
        output.print(f"wrote {train.train_lifter(cfg)}")
