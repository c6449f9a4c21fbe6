"""What can go wrong for a user. Each message is one line: expected, found, remedy."""


class EftVideoError(Exception):
    """Base of every error that the command line shows as one line with exit code 2."""


class VideoOpenError(EftVideoError):
    """The file is missing, empty, not a video, or has no picture stream."""


class VideoWriteError(EftVideoError):
    """The result cannot be written: no permission, no space, or ffmpeg failed."""


class MissingDependencyError(EftVideoError):
    """A library or a system library that a chosen part needs is not there."""


class WeightsNotFoundError(EftVideoError):
    """A weights file is in none of the places searched."""


class WeightsCorruptError(EftVideoError):
    """A weights file does not have the recorded sha256, or cannot be parsed."""


class UnsafeFileError(WeightsCorruptError):
    """A pickle asks for a class or function outside the allow-list; nothing of it was run."""


class CheckpointMismatchError(EftVideoError):
    """The tensors of a checkpoint are not those of the network it is for."""


class ResultFormatError(EftVideoError):
    """A result file lacks keys, or has another schema version."""


class ConfigError(EftVideoError):
    """An option has a value outside its range or an unknown name."""
