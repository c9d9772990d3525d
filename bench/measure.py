"""What a bench measures with: the load generator and the sink of the tools' folder, and what a process used."""

import json
import mmap
import os
import signal
import struct
import subprocess
import sys
import threading
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(SOURCE, "lab"))

from programs import wait_for  # noqa: E402

TOOLS = os.environ.get("BENCH_TOOLS", os.path.join(SOURCE, "..", "shared", "bench"))
TICKS = os.sysconf("SC_CLK_TCK")
COUNTERS = ("messages", "bytes", "connections", "full", "resumed", "failed", "first_ns", "last_ns")
SINK_PORT = 2527


def build_tools(folder, names=("sink", "smtpload", "tlsbench")):
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(os.path.join(TOOLS, names[0] + ".cpp")):
        sys.exit(f"bench: no load generator in {TOOLS}: name its folder in BENCH_TOOLS")
    for name in names:
        source = os.path.join(TOOLS, name + ".cpp")
        program = os.path.join(folder, name)
        if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
            command = ["g++", "-O2", "-std=c++20", "-o", program, source, "-lssl", "-lcrypto", "-lpthread"]
            subprocess.run(command, check=True)
    return folder


def _stat(pid):
    """The fields of /proc/PID/stat behind the name, or nothing."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()
    except OSError:
        return None


def family(pid):
    """A process and all below it."""
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        fields = _stat(name)
        if fields:
            children.setdefault(int(fields[1]), []).append(int(name))
    found, wanted = [], [pid]
    while wanted:
        found.append(wanted.pop())
        wanted += children.get(found[-1], [])
    return found


def cpu_seconds(pids):
    """CPU of processes, of their ended and reaped children too."""
    return sum(sum(map(int, fields[11:15])) for fields in map(_stat, pids) if fields) / TICKS


def memory_mb(pids):
    """What processes hold: each shared page counted once (PSS)."""
    total = 0
    for one in pids:
        try:
            with open(f"/proc/{one}/smaps_rollup", encoding="ascii") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue
    return total / 1024


def _control_group():
    """This process's own folder of the kernel's control groups, version 2, or nothing."""
    with open("/proc/self/mounts", encoding="ascii", errors="replace") as mounts:
        roots = [line.split()[1] for line in mounts if line.split()[2] == "cgroup2"]
    with open("/proc/self/cgroup", encoding="ascii") as groups:
        own = [line.rstrip("\n")[3:] for line in groups if line.startswith("0::")]
    return os.path.normpath(roots[0] + own[0]) if roots and own else None


class Family:
    """A process and all below it, until close(). In a control group of their own the kernel counts the CPU of those
    too for whom nobody waits, as for Exim's deliveries; where it gives none, those are not counted."""

    def __init__(self, pid):
        self.pid, self.home = pid, _control_group()
        self.group = self.home and os.path.join(self.home, f"pinnace-bench-{pid}")
        try:
            if self.group:
                os.mkdir(self.group)
                self._move(family(pid), self.group)
        except OSError:
            self.group = None
        if not self.group:
            print("bench: no control groups (cgroup2): the CPU of Exim's deliveries is not counted", file=sys.stderr)

    @staticmethod
    def _move(pids, group):
        for pid in pids:
            try:
                with open(os.path.join(group, "cgroup.procs"), "w", encoding="ascii") as file:
                    file.write(str(pid))
            except ProcessLookupError:
                continue

    def pids(self):
        if not self.group:
            return family(self.pid)
        with open(os.path.join(self.group, "cgroup.procs"), encoding="ascii") as file:
            return [int(line) for line in file]

    def cpu_seconds(self):
        if not self.group:
            return cpu_seconds(family(self.pid))
        with open(os.path.join(self.group, "cpu.stat"), encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("usage_usec")) / 1e6

    def close(self):
        def removed():
            self._move(self.pids(), self.home)
            try:
                os.rmdir(self.group)
                return True
            except OSError:
                return False  # one was born meanwhile

        if self.group:
            wait_for(removed, f"{self.group} to be empty")
            self.group = None


class Sink:
    """Takes mail over TLS and counts it."""

    def __init__(self, tools, folder, pair):
        self.stats = os.path.join(folder, "sink.stats")
        if os.path.exists(self.stats):
            os.unlink(self.stats)
        command = [os.path.join(tools, "sink"), "-p", str(SINK_PORT), "-c", pair[0], "-k", pair[1], "-s", self.stats]
        self.process = subprocess.Popen(command)
        wait_for(lambda: os.path.exists(self.stats) and os.path.getsize(self.stats) > 0, "the sink", 5)

    def read(self):
        with open(self.stats, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory:
            return dict(zip(COUNTERS, struct.unpack_from("8Q", memory)))

    def wait_for(self, messages, seconds=300):
        """The counters once so many messages are there; as they are where that takes too long."""
        deadline = time.monotonic() + seconds
        while self.read()["messages"] < messages and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.read()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


class Watch:
    """`with Watch(pid) as watch`: CPU and peak memory of a process family from there to end()."""

    def __init__(self, pid):
        self.family = Family(pid)
        self.before, self.peak = self.family.cpu_seconds(), 0.0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self):
        while not self.over.wait(0.25):
            self.peak = max(self.peak, memory_mb(self.family.pids()))

    def end(self):
        """(CPU seconds, peak MB)"""
        used = self.family.cpu_seconds() - self.before
        self.over.set()
        self.thread.join()
        return used, max(self.peak, memory_mb(self.family.pids()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.family.close()


def load(tools, port, messages, connections=20, octets=4096, options=()):
    """The generator's own account: msgs_s, p50_ms, p99_ms (from MAIL to the last 250), accepted, rejected."""
    command = [os.path.join(tools, "smtpload"), "-p", str(port), "-n", str(messages), "-c", str(connections),
               "-l", str(octets), *options]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def load_many(root, port, messages, destinations, octets=4096):
    """The same over one connection for each destination d1.dst.test and so on, by Postfix's generator from the
    unpacked tree."""
    each = messages // destinations
    start = time.monotonic()
    source = os.path.join(root, "usr/sbin/smtp-source")
    libraries = {**os.environ, "LD_LIBRARY_PATH": os.path.join(root, "usr/lib/postfix")}
    senders = [
        subprocess.Popen([source, "-d", "-s", "1", "-m", str(each), "-l", str(octets), "-f", "from@src.test",
                          "-t", f"to@d{number + 1}.dst.test", f"127.0.0.1:{port}"], env=libraries)
        for number in range(destinations)
    ]
    if any([sender.wait(600) for sender in senders]):
        sys.exit("bench: smtp-source failed")
    return {"msgs_s": each * destinations / (time.monotonic() - start), "accepted": each * destinations}


def through(sink, watch, offer):
    """One load through a relay into the sink; `offer` runs the generator and gives its account."""
    start = time.monotonic()
    offered = offer()
    counted = sink.wait_for(offered["accepted"])
    used, peak = watch.end()
    # From the first message offered to the last one in the sink; both clocks are the system's monotonic one.
    seconds = counted["last_ns"] / 1e9 - start
    return {
        "accepted_s": round(offered["msgs_s"]),
        "delivered_s": round(counted["messages"] / seconds),
        "cpu_s_per_1000": round(used / offered["accepted"] * 1000, 3),
        "memory_mb": round(peak, 1),
        "p50_ms": offered.get("p50_ms"),
        "p99_ms": offered.get("p99_ms"),
        "connections": counted["connections"],
        "lost": offered["accepted"] - counted["messages"],
    }
