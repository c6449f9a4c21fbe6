"""`eftvideo run`: options to a configuration, one call, exit code."""

from __future__ import annotations

from pathlib import Path

import typer

from eftvideo.cli import options
from eftvideo.cli.old_options import OneLineCommand
from eftvideo.cli.screen import (
    EXIT_SOME_FAILED,
    EXIT_USER_ERROR,
    errors,
    one_line_errors,
    output,
)
from eftvideo.cli.settings import settled
from eftvideo.errors import ConfigError


def register(app: typer.Typer) -> None:
    """Put the command onto the command line."""

    @app.command(cls=OneLineCommand, help=options.RUN_HELP)
    def run(
        ctx: typer.Context,
        clips: options.Clips,
        out: options.Out = Path("out"),
        device: options.Device = None,
        quiet: options.Quiet = False,
        verbose: options.Verbose = False,
        start: options.Start = None,
        end: options.End = None,
        stride: options.Stride = None,
        max_people: options.MaxPeople = None,
        track_id: options.TrackIds = None,
        detector: options.Detector = None,
        landmarks: options.Landmarks = None,
        method: options.Method = None,
        regressor: options.Regressor = None,
        weights: options.Weights = None,
        body: options.Body = None,
        focal_px: options.FocalPx = None,
        fov_deg: options.FovDeg = None,
        no_overlay: options.NoOverlay = False,
        draw: options.Draw = None,
        behind: options.Behind = False,
        report: options.Report = False,
        preset: options.Preset = None,
        config: options.ConfigFile = None,
        settings: options.Settings = None,
    ) -> None:
        """Runs clips one after the other. Options that are settings are taken from `ctx`."""
        with one_line_errors():
            cfg = settled(preset, config, options.given(ctx), settings or ())
            _check_files(clips, out, overlay=cfg.draw.enabled)
            from eftvideo.cli import console

            console.set_up_logging(errors, quiet=quiet, verbose=verbose)
            failed = console.run_clips(clips, out, cfg, output, errors, quiet=quiet)
        if failed:
            raise typer.Exit(EXIT_USER_ERROR if len(clips) == 1 else EXIT_SOME_FAILED)


def _check_files(clips: list[Path], out: Path, *, overlay: bool) -> None:
    """No clip is written over, and no two results have one name."""
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
        if overlay and target.resolve() in sources:
            raise ConfigError(f"{clip} would write over {target}: choose another folder with -o")
