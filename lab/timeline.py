"""What a run shows on the terminal: headings, what happened, and what was looked at."""

import sys
import time

from programs import LabError, wait_for

COLOURS = {"heading": "1", "good": "32", "bad": "31", "attack": "35", "quote": "2"}


class Failed(Exception):
    """Something that the run promises did not happen."""


class Timeline:
    def __init__(self, out=sys.stdout):
        self.out, self.start, self.checks = out, time.monotonic(), 0
        self.colour = out.isatty()

    def _line(self, style, mark, text):
        shown = f"\033[{COLOURS[style]}m{mark} {text}\033[0m" if self.colour and style else f"{mark} {text}"
        print(f"{time.monotonic() - self.start:5.1f}s  {shown}", file=self.out, flush=True)

    def heading(self, text):
        print(file=self.out)
        self._line("heading", "==", text)

    def note(self, text):
        self._line("", "  ", text)

    def attack(self, text):
        self._line("attack", "!!", text)

    def quote(self, text):
        self._line("quote", "  ", f"“{text}”")

    def check(self, holds, text, otherwise=""):
        """One thing that must be so; Failed when it is not."""
        self._line("good" if holds else "bad", "ok" if holds else "NO", text)
        self.checks += 1
        if not holds:
            raise Failed(f"{text}: {otherwise or 'it is not so'}")

    def becomes(self, condition, text, otherwise=None):
        """As check, for what must become so within the lab's patience. `otherwise` is a function."""
        try:
            value = wait_for(condition, text)
        except LabError as error:
            self.check(False, text, otherwise() if otherwise else str(error))
        self.check(True, text)
        return value
