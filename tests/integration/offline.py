"""The commands that need no network, run as a program would: one JSON object, exit code 0 or 1."""

import json
import os
import subprocess
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PINNACE = os.path.join(os.environ.get("PINNACE_BUILD", os.path.join(SOURCE, "build", "release")), "pinnace")
SECTION = r"RFC \d+ \d"


def run(*arguments, stdin=b""):
    return subprocess.run([PINNACE, *arguments], input=stdin, capture_output=True, timeout=20, check=False)


class OfflineTest(unittest.TestCase):
    def answer(self, code, *arguments, stdin=b""):
        """The one JSON object of a command that ends with `code`; each of its problems names a section."""
        done = run(*arguments, "--json", stdin=stdin)
        self.assertEqual(code, done.returncode, (done.stdout, done.stderr))
        self.assertEqual(b"", done.stderr)
        self.assertEqual(1, done.stdout.count(b"\n"))
        found = json.loads(done.stdout.decode("utf-8", "strict"))
        for problem in found["problems"]:
            self.assertRegex(problem, SECTION)
        return found

    def refused(self, *arguments, names="", stdin=b""):
        """Wrong usage: exit code 2, said on standard error, with what it is about; nothing else."""
        done = run(*arguments, stdin=stdin)
        self.assertEqual(2, done.returncode, (done.stdout, done.stderr))
        self.assertEqual(b"", done.stdout)
        self.assertIn(names, done.stderr.decode("utf-8", "replace"))
