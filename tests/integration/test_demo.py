"""The demo's own promise, and that it leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
import time
import unittest

from lab import SOURCE

DEMO = [sys.executable, os.path.join(SOURCE, "lab", "scenario.py")]


def programs_of(output):
    """The ids of living processes that hold the demo's folder in their command line."""
    folder = re.search(r"logs and configurations are in (\S+)", output).group(1).encode()
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as line:
                if folder in line.read():
                    found.append(int(pid))
        except OSError:
            continue
    return found


class Demo(unittest.TestCase):
    def test_every_promise_of_the_demo_holds_within_a_minute(self):
        start = time.monotonic()
        done = subprocess.run(DEMO, capture_output=True, text=True, timeout=180, check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertLess(time.monotonic() - start, 60)
        for attack in (
            "own-cert",
            "ca-cert",
            "strip-starttls",
            "refuse-starttls",
            "replay",
            "strip-pkp",
            "forge-pkp",
            "inject-before-tls",
        ):
            self.assertIn(f"interceptor at 127.77.0.10:25: {attack}\n", done.stdout)
        self.assertNotIn(" NO ", done.stdout)
        self.assertEqual([], programs_of(done.stdout))

    def test_an_interrupted_demo_stops_all_it_started(self):
        for number, code in (signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9):
            with self.subTest(number.name):
                demo = subprocess.Popen(DEMO, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                output = ""
                while "Delivery under pins" not in output:
                    line = demo.stdout.readline()
                    self.assertTrue(line, f"the demo ended early:\n{output}")
                    output += line
                self.assertTrue(programs_of(output), "nothing was running: this test would show nothing")
                demo.send_signal(number)
                self.assertEqual(code, demo.wait(30))
                demo.stdout.close()
                deadline = time.monotonic() + 5
                while programs_of(output) and time.monotonic() < deadline:
                    time.sleep(0.02)
                self.assertEqual([], programs_of(output))
