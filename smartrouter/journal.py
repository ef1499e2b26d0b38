# SPDX-License-Identifier: GPL-2.0-or-later
"""The log of the supervisor and of the guard: lines on stderr as `logging` would write them, without the
memory that it takes. For what must stay small for good; all else uses `logging`.
"""

import contextlib
import sys


class Journal:
    """A logger by the name of a part, with the methods of `logging.Logger` that are needed."""

    def __init__(self, name: str):
        self._name = name

    def info(self, text: str, *values: object) -> None:
        """What happens as it should."""
        self._write("INFO", text, values)

    def warning(self, text: str, *values: object) -> None:
        """What is odd, and somebody else's fault."""
        self._write("WARNING", text, values)

    def error(self, text: str, *values: object, exc_info: BaseException | None = None) -> None:
        """What does not work. `exc_info`: a fault of ours, with its traceback."""
        if exc_info is not None:
            import traceback

            text += "\n%s"
            values = (*values, "".join(traceback.format_exception(exc_info)).rstrip())
        self._write("ERROR", text, values)

    def critical(self, text: str, *values: object) -> None:
        """What somebody has to look at."""
        self._write("CRITICAL", text, values)

    def exception(self, text: str, *values: object) -> None:
        """A fault of ours: with the traceback of the exception in work."""
        import traceback

        self._write("ERROR", text + "\n%s", (*values, traceback.format_exc().rstrip()))

    def _write(self, level: str, text: str, values: tuple[object, ...]) -> None:
        # Nobody may be reading any more; that is no reason to end.
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{level} {self._name}: {text % values}\n")
            sys.stderr.flush()
