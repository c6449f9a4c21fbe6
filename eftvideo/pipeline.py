"""The main path: a clip in, SMPL and an overlay video out."""

from __future__ import annotations

from pathlib import Path

from eftvideo.config import RunConfig
from eftvideo.detect.people import detect_people
from eftvideo.draw.result import draw_result
from eftvideo.fit import fit_tracks
from eftvideo.fit.records import posed
from eftvideo.outputs import Outputs
from eftvideo.progress import Progress
from eftvideo.refine import fill_gaps, smooth_tracks
from eftvideo.report.write import write_report
from eftvideo.results.result import Result
from eftvideo.setup import Setup
from eftvideo.track import drop_unseen, link_tracks, mend_left_right, soften_outliers
from eftvideo.types.track_table import track_table
from eftvideo.video.reader import open_video


def run_video(
    path: str | Path,
    out_dir: str | Path | None = None,
    cfg: RunConfig | None = None,
    progress: Progress | None = None,
) -> Result:
    """Fit SMPL to every person in every frame of a clip.

    Args:
        out_dir: folder for `<stem>.npz`, `<stem>_overlay.mp4` and, if asked for,
            `<stem>_report.html`, made if missing; None writes nothing.
        cfg: options; None takes the defaults. progress: listener; None is silent.

    Returns:
        The result, with seconds by stage in `timings_s`. Nobody in the clip: no rows.

    Raises:
        EftVideoError: anything a user can mend; the message says how.
    """
    path, cfg, progress = Path(path), cfg or RunConfig(), progress or Progress()
    with open_video(path, cfg.clip) as clip:
        out = Outputs.prepare(path, out_dir, cfg.draw)
        setup = Setup.load(cfg, clip.info)
        tracks = link_tracks(detect_people(clip, setup, progress), setup)
        for mend in (mend_left_right, soften_outliers, drop_unseen):
            tracks = mend(tracks, setup)
        progress.found(track_table(tracks))
        fits = fit_tracks(tracks, setup, progress, clip)
        for refine in (fill_gaps, smooth_tracks, posed):
            fits = refine(fits, setup)
        result = Result.of(fits, setup.header(clip.info, clip.failures), progress.seconds)
        out.save(result)
        if out.overlay:
            draw_result(clip, result, setup, out.overlay, progress)
    if out.report_dir:
        write_report(result, path, out.report_dir, progress=progress)
    return result
