"""Programs that the lab runs: started in sessions of their own, watched, and stopped by their ids.

Nothing outlives the lab. A stop sends SIGTERM and, past a deadline, SIGKILL to the program's
process group; should the lab itself be killed, its watchman (a child that holds one end of a pipe)
does it instead.
"""

import ctypes
import os
import signal
import subprocess
import time

STOP_DEADLINE = 15  # seconds a program has to stop in order
LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP = 28, 4


class LabError(Exception):
    """Something the lab needs did not happen; the text says what, where, and what to look at."""


def wait_for(condition, what, deadline=20.0, pause=0.02):
    """The first true value of condition(); LabError when there is none within the deadline."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError(f"waited {deadline:g} seconds in vain for {what() if callable(what) else what}")
        time.sleep(pause)


def keep_privileges():
    """Runs in a child. Lets root's programs that change their user still reach a clone that lies in
    a private folder, such as /root. Where that is not allowed, they need a folder open to all."""
    LIBC.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)


class Watchman:
    """Kills the process groups it knows of when the lab's end of the pipe closes."""

    def __init__(self):
        read_end, self.pipe = os.pipe()
        os.set_inheritable(self.pipe, False)
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.pipe)
            self._watch(read_end)
        os.close(read_end)

    @staticmethod
    def _watch(read_end):
        os.setsid()
        for caught in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(caught, signal.SIG_IGN)
        groups = set()
        with os.fdopen(read_end) as orders:
            for order in orders:
                (groups.add if order[0] == "+" else groups.discard)(int(order[1:]))
        for group in groups:
            kill_group(group, signal.SIGKILL)
        os._exit(0)

    def tell(self, sign, group):
        os.write(self.pipe, f"{sign}{group}\n".encode())

    def dismiss(self):
        os.close(self.pipe)
        os.waitpid(self.pid, 0)


def kill_group(group, number):
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass


class Program:
    """One running program. Its output goes to <folder>/<name>.log, after that of earlier starts."""

    def __init__(self, watchman, folder, name, command, environment=None):
        self.watchman, self.name = watchman, name
        self.log = os.path.join(folder, name + ".log")
        self.log_start = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as output:
            try:
                self.process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=folder,
                    env={**os.environ, **(environment or {})},
                    start_new_session=True,
                    preexec_fn=keep_privileges,
                )
            except OSError as error:
                raise LabError(f"cannot start {name}: {error}") from error
        self.pid = self.process.pid
        watchman.tell("+", self.pid)

    def output(self):
        """What it has written since this start."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(self.log_start)
            return log.read()

    def running(self):
        return self.process.poll() is None

    def wait_until(self, condition, what, deadline=20.0):
        """As wait_for, and fails at once when the program ends meanwhile."""

        def seen():
            value = condition()
            if not value and not self.running():
                raise LabError(
                    f"{self.name} ended with code {self.process.returncode} while the lab waited "
                    f"for {what}. The end of {self.log}:\n{self.output()[-1500:]}"
                )
            return value

        return wait_for(
            seen, lambda: f"{what} ({self.name}). The end of {self.log}:\n{self.output()[-1500:]}", deadline
        )

    def stop(self, number=signal.SIGTERM):
        """Ends it and whatever it started; its exit code (negative for a signal)."""
        if self.running():
            self.process.send_signal(number)
        try:
            code = self.process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            kill_group(self.pid, signal.SIGKILL)
            code = self.process.wait()
        kill_group(self.pid, signal.SIGKILL)
        self.watchman.tell("-", self.pid)
        return code

    def memory_peak(self):
        """The most memory it ever had resident, in octets."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def run(command, what, **options):
    """A short command's standard output; LabError with its error output when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"cannot {what}: {error}") from error
    if done.returncode != 0:
        raise LabError(
            f"cannot {what}: {' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}"
        )
    return done.stdout
