"""The systemd units, judged by systemd's own tools; no systemd runs for it."""

import glob
import os
import shutil
import subprocess
import tempfile
import unittest

from lab import SOURCE

UNITS = os.path.join(SOURCE, "packaging", "systemd")


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not here")
class Units(unittest.TestCase):
    def analyze(self, *arguments):
        return subprocess.run(
            ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False
        )

    def test_each_setting_is_known(self):
        with tempfile.TemporaryDirectory() as folder:
            for path in glob.glob(os.path.join(UNITS, "*.service")):
                # A program that is there, whether or not ours is installed.
                with open(path, encoding="ascii") as file:
                    text = file.read().replace("/usr/bin/pinnace", "/bin/true")
                copy = os.path.join(folder, os.path.basename(path))
                with open(copy, "w", encoding="ascii") as file:
                    file.write(text)
                with self.subTest(os.path.basename(path)):
                    done = self.analyze("verify", "--man=no", copy)
                    ours = [line for line in done.stderr.splitlines() if "pinnace" in line]
                    self.assertEqual((0, []), (done.returncode, ours))

    # systemd.exec(5): a folder that is there keeps its mode, and each start complains of another.
    def test_folders_have_the_modes_that_they_are_made_with(self):
        with open(os.path.join(UNITS, "pinnace.tmpfiles"), encoding="ascii") as file:
            made = {path: mode for _, path, mode, *_ in map(str.split, file)}
        roots = {"Configuration": "/etc", "State": "/var/lib", "Runtime": "/run"}
        for path in glob.glob(os.path.join(UNITS, "*.service")):
            with open(path, encoding="ascii") as file:
                settings = dict(line.strip().split("=", 1) for line in file if "Directory" in line)
            for kind, root in roots.items():
                if name := settings.get(f"{kind}Directory"):
                    with self.subTest(os.path.basename(path), kind=kind):
                        self.assertEqual(made[f"{root}/{name}"], settings.get(f"{kind}DirectoryMode"))

    # An exposure of 2.0 out of 10 at most: systemd's own word for it is "OK".
    def test_they_are_confined(self):
        for path in glob.glob(os.path.join(UNITS, "*.service")):
            with self.subTest(os.path.basename(path)):
                done = self.analyze("security", "--offline=true", "--threshold=20", path)
                self.assertEqual(0, done.returncode, done.stdout[-2000:] + done.stderr)
