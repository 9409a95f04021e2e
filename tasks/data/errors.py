"""The error of this room."""


class DataError(ValueError):
    """Bad or missing data: the message names the file and line (1-based), what was expected and what to do."""
