#!/usr/bin/python3
"""Messages per second through `pinnace relay` under enforced pins, and through Postfix at its best, in
one run: the same generator, the same sink over TLS, both on 127.0.0.1 and the lab's own addresses.

    bench/relay.py [--messages N] [--postfix-messages N] [--rounds N]

Its last line is one JSON object. Only ratios mean anything on another machine:
    postfix_ratio_delivered        delivered/s of the relay over that of Postfix
    postfix_ratio_cpu_per_message  Postfix's CPU seconds a message over the relay's
    share_of_direct                delivered/s of the relay over the generator's straight into the sink
    handshake_ratio_openssl        delivered/s with a handshake for each message over plain OpenSSL's handshakes/s
"""

import argparse
import json
import mmap
import os
import signal
import statistics
import struct
import subprocess
import sys
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(SOURCE, "lab"))

from lab import Lab  # noqa: E402
from postfix import Postfix  # noqa: E402
from programs import wait_for  # noqa: E402

SINK_PORT, PINNACE_PORT, POSTFIX_PORT = 2527, 2525, 2526
TOOLS = os.environ.get("BENCH_TOOLS", os.path.join(SOURCE, "..", "shared", "bench"))
TICKS = os.sysconf("SC_CLK_TCK")
COUNTERS = ("messages", "bytes", "connections", "full", "resumed", "failed", "first_ns", "last_ns")


# Postfix as a relay at its best: the receiver's certificate pinned, TLS connections reused.
MAIN = """relayhost = [127.0.0.1]:{sink}
mynetworks = 127.0.0.0/8
smtpd_recipient_restrictions = permit_mynetworks, reject
smtp_tls_security_level = fingerprint
smtp_tls_fingerprint_digest = sha256
smtp_tls_fingerprint_cert_match = {fingerprint}
smtp_tls_connection_reuse = yes
smtpd_client_connection_count_limit = 0
"""
MASTER = """smtp       unix - - n - - smtp
relay      unix - - n - - smtp
tlsproxy   unix - - n - 0 tlsproxy
scache     unix - - n - 1 scache
"""


def build_tools(folder):
    if not os.path.exists(os.path.join(TOOLS, "sink.cpp")):
        sys.exit(f"bench: no load generator in {TOOLS}: name its folder in BENCH_TOOLS")
    for name, libraries in ("sink", ["-lssl", "-lcrypto"]), ("smtpload", ["-lssl", "-lcrypto"]), (
        "tlsbench",
        ["-lssl", "-lcrypto"],
    ):
        source = os.path.join(TOOLS, name + ".cpp")
        program = os.path.join(folder, name)
        if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
            command = ["g++", "-O2", "-std=c++20", "-o", program, source, *libraries, "-lpthread"]
            subprocess.run(command, check=True)


def family(pid):
    """A process and all below it."""
    found, wanted = [], [pid]
    children = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(name))
    while wanted:
        one = wanted.pop()
        found.append(one)
        wanted += children.get(one, [])
    return found


def cpu_seconds(pid):
    """CPU of a process family, of its ended and reaped children too."""
    total = 0
    for one in family(pid):
        try:
            with open(f"/proc/{one}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / TICKS


def peak_megabytes(pid):
    total = 0
    for one in family(pid):
        try:
            with open(f"/proc/{one}/smaps_rollup", encoding="ascii") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue
    return total / 1024


class Sink:
    def __init__(self, tools, folder, pair):
        self.stats = os.path.join(folder, "sink.stats")
        command = [os.path.join(tools, "sink"), "-p", str(SINK_PORT), "-c", pair[0], "-k", pair[1], "-s", self.stats]
        self.process = subprocess.Popen(command)
        wait_for(lambda: os.path.exists(self.stats) and os.path.getsize(self.stats) > 0, "the sink", 5)

    def read(self):
        with open(self.stats, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory:
            return dict(zip(COUNTERS, struct.unpack_from("8Q", memory)))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


def load(tools, port, messages, *options):
    command = [os.path.join(tools, "smtpload"), "-p", str(port), "-n", str(messages), "-c", "20", "-l", "4096", *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def through(tools, folder, pair, port, pid, messages):
    """One load through a relay: accepted/s, delivered/s, CPU and memory."""
    sink = Sink(tools, folder, pair)
    try:
        before, start, peak = cpu_seconds(pid), time.monotonic(), 0.0
        offered = load(tools, port, messages)
        deadline = time.monotonic() + 300
        while sink.read()["messages"] < messages and time.monotonic() < deadline:
            peak = max(peak, peak_megabytes(pid))
            time.sleep(0.02)
        counted = sink.read()
        # From the first message offered to the last one in the sink; both clocks are the system's monotonic one.
        seconds = counted["last_ns"] / 1e9 - start
        used = cpu_seconds(pid) - before
        return {
            "accepted_s": round(offered["msgs_s"]),
            "delivered_s": round(counted["messages"] / seconds),
            "cpu_s_per_1000": round(used / messages * 1000, 3),
            "memory_mb": round(max(peak, peak_megabytes(pid)), 1),
            "lost": messages - counted["messages"],
        }
    finally:
        sink.stop()


def pinnace_round(lab, tools, messages, name, per_connection=1000):
    """`per_connection` 1: a TLS handshake for each message."""
    sections = lab.relay_sections(
        name,
        relay={"listen": [f"127.0.0.1:{PINNACE_PORT}"], "hostname": "relay.bench.test"},
        delivery={
            "source_address": "127.0.0.1",
            "port": SINK_PORT,
            "messages_per_connection": per_connection,
        },
        log={"level": "info", "file": lab.path(name + ".txt")},
    )
    relay = lab.service("relay", name, sections)
    relay.launch()
    wait_for(lambda: os.path.exists(lab.path(name + ".sock")), "the relay's socket", 10)
    pins = subprocess.run(
        [lab.binary("pinnace"), "pins", "advert", "--cert", lab.bench_pair[0], "--key", lab.bench_pair[1],
         "--backup-key", lab.backup_key, "--json"], capture_output=True, text=True, check=True)
    found = json.loads(pins.stdout)
    relay.ask("pins", "set", f"mx.dst.test:{SINK_PORT}", "--pin", found["pin"], "--pin", found["backup_pin"])
    result = through(tools, lab.folder, lab.bench_pair, PINNACE_PORT, relay.program.process.pid, messages)
    relay.stop()
    return result


def start_postfix(lab):
    digest = subprocess.run(
        ["openssl", "x509", "-in", lab.bench_pair[0], "-noout", "-fingerprint", "-sha256"],
        capture_output=True,
        text=True,
        check=True,
    )
    postfix = Postfix(
        lab.watchman,
        lab.path("postfix-bench"),
        lab.root,
        hostname="postfix.bench.test",
        endpoint=f"127.0.0.1:{POSTFIX_PORT}",
        domains=["unused.test"],
        main=MAIN.format(sink=SINK_PORT, fingerprint=digest.stdout.strip().split("=")[1]),
        master=MASTER,
    )
    lab.started.append(postfix)
    postfix.wait_until_ready()
    return postfix


def postfix_round(lab, postfix, tools, messages):
    pid = postfix.program.process.pid
    return through(tools, lab.folder, lab.bench_pair, POSTFIX_PORT, pid, messages)


def direct_round(lab, tools, messages):
    """The generator over TLS straight into the sink: plain OpenSSL."""
    sink = Sink(tools, lab.folder, lab.bench_pair)
    try:
        return load(tools, SINK_PORT, messages, "-t")["msgs_s"]
    finally:
        sink.stop()


def handshakes(lab, tools):
    """Handshakes per second of plain OpenSSL, unverified and leaf-pinned."""
    out = {}
    for mode in "none", "pin":
        command = [os.path.join(tools, "tlsbench"), lab.bench_pair[0], lab.bench_pair[1], lab.certificates.roots_file,
                   "3", mode]
        out[mode] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return out


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--postfix-messages", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with Lab() as lab:
        tools = os.path.join(lab.home, "bench")
        os.makedirs(tools, exist_ok=True)
        build_tools(tools)
        lab.bench_pair = lab.certificates.issued("bench", "mx.dst.test")
        postfix = start_postfix(lab)
        rows = {"pinnace": [], "postfix": [], "direct": []}
        for number in range(options.rounds):
            rows["direct"].append({"msgs_s": direct_round(lab, tools, options.messages)})
            rows["pinnace"].append(pinnace_round(lab, tools, options.messages, f"bench{number}"))
            rows["postfix"].append(postfix_round(lab, postfix, tools, options.postfix_messages))
            for name, found in rows.items():
                print(f"round {number + 1}  {name:8} {json.dumps(found[-1])}", flush=True)
        shaken = handshakes(lab, tools)
        few = options.messages // 10
        own_shaken = pinnace_round(lab, tools, few, "handshakes", per_connection=1)
    print(f"pinnace, a connection and handshake for each message: {json.dumps(own_shaken)}")
    for mode, found in shaken.items():
        print(f"OpenSSL handshakes, client {mode}: {found['hs_s']}/s, client CPU {found['client_cpu_us']} us")
    own, peer = rows["pinnace"], rows["postfix"]
    print(
        json.dumps(
            {
                "pinnace_accepted_s": median(own, "accepted_s"),
                "pinnace_delivered_s": median(own, "delivered_s"),
                "pinnace_cpu_s_per_1000": median(own, "cpu_s_per_1000"),
                "pinnace_memory_mb": median(own, "memory_mb"),
                "postfix_delivered_s": median(peer, "delivered_s"),
                "postfix_cpu_s_per_1000": median(peer, "cpu_s_per_1000"),
                "postfix_ratio_delivered": round(median(own, "delivered_s") / median(peer, "delivered_s"), 2),
                "postfix_ratio_cpu_per_message": round(
                    median(peer, "cpu_s_per_1000") / median(own, "cpu_s_per_1000"), 2
                ),
                "handshake_ratio_openssl": round(own_shaken["delivered_s"] / shaken["pin"]["hs_s"], 3),
                "share_of_direct": round(median(own, "delivered_s") / median(rows["direct"], "msgs_s"), 3),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
