"""The command line: options to configuration, one call, exit code. Nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

import eftvideo
from eftvideo import plugins
from eftvideo.cli import evaluate as cli_eval
from eftvideo.cli import export as cli_export
from eftvideo.cli import options
from eftvideo.cli import render as cli_render
from eftvideo.cli import report as cli_report
from eftvideo.cli import view as cli_view
from eftvideo.cli import weights as cli_weights
from eftvideo.config import RunConfig
from eftvideo.errors import ConfigError, EftVideoError

app = typer.Typer(
    help="3D people (SMPL) out of an ordinary video.",
    epilog="`eftvideo run --help` shows examples and every option.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)
weights_app = typer.Typer(
    help="List and fetch weight files; import your own SMPL.", no_args_is_help=True
)
train_app = typer.Typer(help="Train the network that is shipped.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")
app.add_typer(train_app, name="train")

EXIT_SOME_FAILED, EXIT_USER_ERROR, EXIT_INTERRUPTED = 1, 2, 130
_D = options.DEFAULT

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
        errors.print(f"[red]error:[/red] {escape(str(e))}")
        raise typer.Exit(EXIT_USER_ERROR) from e
    except ImportError as e:
        if (e.name or "").startswith("eftvideo"):
            raise
        errors.print(f"[red]error:[/red] {escape(str(plugins.missing('eftvideo', e)))}")
        raise typer.Exit(EXIT_USER_ERROR) from e
    except KeyboardInterrupt as e:
        errors.print("interrupted: nothing unfinished was kept")
        raise typer.Exit(EXIT_INTERRUPTED) from e


@app.command(help=options.RUN_HELP)
def run(
    clips: options.Clips,
    out: options.Out = Path("out"),
    device: options.Device = _D.device,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    start: options.Start = _D.clip.start_s,
    end: options.End = _D.clip.end_s,
    stride: options.Stride = _D.clip.stride,
    max_people: options.MaxPeople = _D.detect.max_people,
    track_id: options.TrackIds = None,
    detector: options.Detector = _D.detect.model,
    tracker: options.TrackerName = _D.detect.tracker,
    second_look: options.SecondLookName = _D.detect.second_look,
    method: options.MethodName = _D.method,
    steps: options.Steps = _D.eft.num_steps,
    no_warm_start: options.NoWarmStart = not _D.warm_start,
    smplify_prior: options.SmplifyPrior = _D.smplify.prior,
    smplify_init: options.SmplifyStart = _D.smplify.init,
    shape: options.ShapeName = _D.shape,
    smooth: options.Smooth = _D.smooth.strength,
    no_smooth: options.NoSmooth = False,
    fill_gaps: options.FillGaps = _D.smooth.fill_gaps,
    regressor: options.Regressor = _D.regressor,
    weights: options.Weights = _D.regressor_weights,
    weights_camera: options.WeightsCamera = _D.weights_camera,
    tune: options.Tune = None,
    recipe: options.Recipe = "ours",
    body: options.Body = _D.body,
    focal_px: options.FocalPx = _D.focal_length_px,
    fov_deg: options.FovDeg = _D.fov_deg,
    no_overlay: options.NoOverlay = not _D.render.enabled,
    draw: options.Draw = _D.render.mode,
    report: options.Report = _D.render.report,
) -> None:
    """Runs clips one after the other."""
    d = dataclasses.replace
    with _one_line_errors():
        eft = d(options.RECIPES[recipe], num_steps=steps)
        if tune is not None:
            eft = d(eft, tune=tune, learning_rate=None)
        cfg = RunConfig(
            clip=d(_D.clip, start_s=start, end_s=end, stride=stride),
            detect=d(
                _D.detect,
                model=detector,
                tracker=tracker,
                second_look=second_look,
                max_people=max_people,
                track_ids=tuple(track_id or ()),
            ),
            eft=eft,
            smplify=d(_D.smplify, prior=smplify_prior, init=smplify_init),
            smooth=d(_D.smooth, strength=0.0 if no_smooth else smooth, fill_gaps=fill_gaps),
            render=d(_D.render, enabled=not no_overlay, draw=draw, report=report),
            method=method,
            shape=shape,
            warm_start=not no_warm_start and recipe == "ours",
            regressor=regressor,
            regressor_weights=weights,
            weights_camera=weights_camera,
            body=body,
            focal_length_px=focal_px,
            fov_deg=fov_deg,
            device=device,
        )
        _check(cfg, clips, out)
        from eftvideo.cli import console

        console.set_up_logging(errors, quiet=quiet, verbose=verbose)
        failed = console.run_clips(clips, out, cfg, output, errors, quiet=quiet)
    if failed:
        raise typer.Exit(EXIT_USER_ERROR if len(clips) == 1 else EXIT_SOME_FAILED)


def _check(cfg: RunConfig, clips: list[Path], out: Path) -> None:
    """What can be refused before anything is loaded."""
    if cfg.focal_length_px is not None and cfg.fov_deg is not None:
        raise ConfigError("give --focal-px or --fov-deg, not both")
    if cfg.eft.num_steps < 0:
        raise ConfigError(f"--steps must be 0 or more, but got {cfg.eft.num_steps}")
    if not 0.0 <= cfg.smooth.strength <= 10.0:
        raise ConfigError(f"--smooth must be between 0 and 10, but got {cfg.smooth.strength:g}")
    if cfg.detect.max_people is not None and cfg.detect.max_people < 1:
        raise ConfigError(f"--max-people must be 1 or more, but got {cfg.detect.max_people}")
    sources = {clip.resolve() for clip in clips}
    seen: dict[str, Path] = {}
    for clip in clips:
        if clip.stem in seen:
            raise ConfigError(
                f"{seen[clip.stem]} and {clip} would both write {clip.stem}.npz: "
                "run them with two -o folders"
            )
        seen[clip.stem] = clip
        target = out / f"{clip.stem}_overlay.mp4"
        if cfg.render.enabled and target.resolve() in sources:
            raise ConfigError(f"{clip} would write over {target}: choose another folder with -o")


@app.command()
def doctor() -> None:
    """Check that everything is there, and say how to get what is not."""
    with _one_line_errors():
        from eftvideo.cli import console
        from eftvideo.cli.doctor import checks

        results = checks()
        console.print_checks(results, output)
    if any(check.ok is False for check in results):
        raise typer.Exit(EXIT_SOME_FAILED)


@weights_app.command("list")
def weights_list() -> None:
    """Every file that the program knows of: found or not, with its licence."""
    with _one_line_errors():
        from eftvideo.cli import console
        from eftvideo.cli.doctor import list_weights

        console.print_weights(list_weights(), output)


@weights_app.command("import")
def weights_import(
    file: Annotated[Path, typer.Argument(help="SMPL_NEUTRAL.pkl, basicmodel_*.pkl or .npz.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="DIR", help="Folder; default: where --body smpl looks."
        ),
    ] = None,
) -> None:
    """Turn your licensed SMPL file into a safe npz that `--body smpl` finds."""
    with _one_line_errors():
        from eftvideo.bodies import import_smpl

        output.print(f"wrote {escape(str(import_smpl(file, out)))}")


@train_app.command("lifter")
def train_lifter(
    poses: Annotated[Path, typer.Option(metavar="NPZ", help="Pose library of SMPL rotations.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="DIR", help="Goes on with what is in there.")
    ],
    steps: Annotated[int | None, typer.Option(metavar="N", help="Optimiser steps in all.")] = None,
    batch_size: Annotated[int | None, typer.Option(metavar="N", help="Examples a step.")] = None,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="The plain one-frame network, to compare with.")
    ] = False,
    init: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Weights of the same network to start from.")
    ] = None,
    device: Annotated[str | None, typer.Option(metavar="NAME", help="cpu or cuda.")] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes that make examples.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of the random numbers.")] = None,
) -> None:
    """Train the default regressor on synthetic examples; logs curve.csv."""
    given: dict[str, Any] = {
        "num_steps": steps,
        "batch_size": batch_size,
        "init": init,
        "device": device,
        "num_workers": workers,
        "seed": seed,
    }
    with _one_line_errors():
        for name in ("num_steps", "batch_size", "num_workers"):
            if given[name] is not None and given[name] < 1:
                raise ConfigError(f"{name} must be 1 or more, but got {given[name]}")
        from eftvideo.cli import console
        from eftvideo.train import lifter as train

        console.set_up_logging(errors, quiet=False, verbose=True)
        given = {name: value for name, value in given.items() if value is not None}
        if baseline:
            given |= {"lifter": train.BASELINE, "loss": train.BASELINE_LOSS}
        path = train.train_lifter(train.TrainConfig(poses, out, **given))
        output.print(f"wrote {escape(str(path))}")


cli_eval.register(app, output, _one_line_errors)
cli_render.register(app, output, _one_line_errors, errors)
cli_report.register(app, output, _one_line_errors, errors)
cli_view.register(app, output, _one_line_errors, errors)
cli_export.register(app, output, _one_line_errors)
cli_weights.register(weights_app, output, _one_line_errors)
