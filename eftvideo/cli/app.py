"""The command line: all commands, and those that are too short for a file of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

import eftvideo
from eftvideo.cli import config as cli_config
from eftvideo.cli import evaluate as cli_eval
from eftvideo.cli import export as cli_export
from eftvideo.cli import render as cli_render
from eftvideo.cli import report as cli_report
from eftvideo.cli import run as cli_run
from eftvideo.cli import view as cli_view
from eftvideo.cli import weights as cli_weights
from eftvideo.cli.screen import EXIT_SOME_FAILED, errors, one_line_errors, output
from eftvideo.errors import ConfigError

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
train_app = typer.Typer(help="Train the networks that are shipped.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")
app.add_typer(train_app, name="train")

cli_run.register(app)
cli_config.register(app)


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


@app.command()
def doctor() -> None:
    """Check that everything is there, and say how to get what is not."""
    with one_line_errors():
        from eftvideo.cli import console
        from eftvideo.cli.doctor import checks

        results = checks()
        console.print_checks(results, output)
    if any(check.ok is False for check in results):
        raise typer.Exit(EXIT_SOME_FAILED)


@weights_app.command("list")
def weights_list() -> None:
    """Every file that the program knows of: found or not, with its licence."""
    with one_line_errors():
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
    with one_line_errors():
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
    with one_line_errors():
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


@train_app.command("landmark_hmr")
def train_landmark_hmr(
    poses: Annotated[Path, typer.Option(metavar="NPZ", help="Pose library of SMPL rotations.")],
    looks: Annotated[
        Path, typer.Option(metavar="DIR", help="Looks at people with truth (docs/regressors.md).")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="DIR", help="Goes on with what is in there.")
    ],
    steps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Optimiser steps in all.")
    ] = None,
    init: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Weights of the same network to start from.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of the random numbers.")] = None,
) -> None:
    """Train neck and head of the network that sees pixels, on the CPU."""
    with one_line_errors():
        from eftvideo.cli import console
        from eftvideo.train import landmark_hmr as train

        console.set_up_logging(errors, quiet=False, verbose=True)
        given: dict[str, Any] = {"num_steps": steps, "init": init, "seed": seed}
        given = {name: value for name, value in given.items() if value is not None}
        path = train.Trainer(train.TrainConfig(poses, looks, out, **given)).run()
        output.print(f"wrote {escape(str(path))}")


cli_eval.register(app)
cli_render.register(app)
cli_report.register(app)
cli_view.register(app)
cli_export.register(app)
cli_weights.register(weights_app)
