#!/usr/bin/python3
"""Answers per second of policyd's socketmap server for domains it knows, beside a bare epoll responder (the machine's
limit) and postfix-mta-sts-resolver under uvloop, in one run: the same generator, all on 127.0.0.1, in turns; the best of
all rounds counts. Where that resolver is not unpacked (tools/setup bench) its rows are left out.

    bench/policyd.py [--rounds N] [--seconds N] [--domains N] [--known N] [--storm N]

Then what 10 million domains hold in memory, and what a storm, in which 100,000 of them are due at once and the engine
looks them up again at the lab's name server, does to the answers meanwhile (as root; --only-storm: that alone). The last line is one JSON object; only ratios mean anything on another machine:
    share_of_bare_64   answers/s over the bare responder's, 64 connections
    resolver_ratio_64  over postfix-mta-sts-resolver's
    p99_ratio_64       p99 over the bare responder's
    gb_10m             memory of --domains domains, 10^9 octets
    storm_p99_ratio    p99 in the storm over p99 before it, 16 connections, the middle of five
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

from measure import SOURCE, build_tools

import zones  # noqa: E402
from lab import Lab  # noqa: E402
from programs import wait_for  # noqa: E402

CONNECTIONS = 1, 16, 64, 256
STORM_CONNECTIONS = 16
STORMS = 5
RECORDS = "*  60 MX 10 mx.plain\n"  # p0.test and so on
BARE, OURS, RESOLVER = "bare responder", "pinnace", "postfix-mta-sts-resolver"
PORTS = {BARE: 8471, OURS: 8472, RESOLVER: 8473}
STORM_PORT = 8474
BUILD = os.environ.get("PINNACE_BUILD", os.path.join(SOURCE, "build", "release"))
HOME = os.path.join(SOURCE, "build", "lab")
PROGRAM = os.path.join(BUILD, "bench_policyd")
PACKAGES = os.path.join(HOME, "root/usr/lib/python3/dist-packages")


class Server:
    """One that takes connections on its port; what it says goes to `lines`, line by line."""

    def __init__(self, command, port, env=None):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
        wait_for(lambda: self.listens(port), f"{command[0]} on port {port}", 60)

    def listens(self, port):
        if self.process.poll() is not None:
            sys.exit(f"bench: {self.process.args[0]} ended with {self.process.returncode}")
        wanted = f"0100007F:{port:04X}"
        with open("/proc/net/tcp", encoding="ascii") as file:
            return any(line.split()[1] == wanted and line.split()[3] == "0A" for line in file.readlines()[1:])

    def stop(self):
        self.process.kill()
        self.process.wait(10)


def start_servers(tools, known):
    commands = {
        BARE: ([os.path.join(tools, "smapref"), str(PORTS[BARE]), str(known)], None),
        OURS: ([PROGRAM, "serve", str(PORTS[OURS]), str(known)], None),
    }
    if os.path.isdir(os.path.join(PACKAGES, "postfix_mta_sts_resolver")):
        # Debian's own Python, whose version the unpacked modules are for.
        script = os.path.join(SOURCE, "bench", "sts_resolver.py")
        libraries = os.path.join(HOME, "root/usr/lib/x86_64-linux-gnu")
        commands[RESOLVER] = (["/usr/bin/python3", script, str(PORTS[RESOLVER]), str(known)],
                              {"PYTHONPATH": PACKAGES, "LD_LIBRARY_PATH": libraries})
    else:
        print(f"bench: {RESOLVER} is not unpacked (tools/setup bench): without it", file=sys.stderr)
    return {name: Server(command, PORTS[name], env) for name, (command, env) in commands.items()}


def load(tools, port, connections, seconds, known):
    command = [os.path.join(tools, "smapload"), "-p", str(port), "-z", "pinnace", "-c", str(connections),
               "-t", str(seconds), "-w", "0.3", "-n", str(known)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if found["notfound"] or found["other"]:
        sys.exit(f"bench: a domain that is known was not answered: {found}")
    return found


def side_by_side(tools, options):
    """rows[connections][name]: one load for each round. In turns: a machine that changes its mind changes it for
    all."""
    servers = start_servers(tools, options.known)
    rows = {connections: {name: [] for name in servers} for connections in CONNECTIONS}
    try:
        for number in range(options.rounds):
            for connections in CONNECTIONS:
                for name in servers:
                    row = load(tools, PORTS[name], connections, options.seconds, options.known)
                    rows[connections][name].append(row)
                    print(f"round {number + 1}, {connections:3} connections, {name:24} {row['rate']:9.0f}/s "
                          f"p50 {row['p50_us']:7.1f} us, p99 {row['p99_us']:8.1f} us", flush=True)
    finally:
        for server in servers.values():
            server.stop()
    return rows


def best(rows, key):
    """Of all rounds: whatever else the machine does only takes away."""
    return (max if key == "rate" else min)(row[key] for row in rows)


def ratio(rows, name, other, key):
    return round(best(rows[name], key) / best(rows[other], key), 3)


def storm(tools, options):
    """p99 while all of --storm domains are due and the engine looks them up again, over p99 before that. Each time
    with a new process, whose resolver knows nothing."""
    before, within = [], []
    with Lab(records=RECORDS) as lab:
        for number in range(STORMS):
            folder = lab.path(f"storm-{number}")
            os.mkdir(folder)
            server = Server([PROGRAM, "engine", str(STORM_PORT), str(options.storm), f"{zones.ADDRESS}@53", lab.anchor,
                             folder], STORM_PORT)
            said, orders = server.process.stdout, server.process.stdin
            try:
                wait_for_line(said, "ready")
                calm = load(tools, STORM_PORT, STORM_CONNECTIONS, options.seconds, options.storm)
                print("storm", file=orders, flush=True)
                wait_for_line(said, "storm")
                wild = load(tools, STORM_PORT, STORM_CONNECTIONS, options.seconds, options.storm)
                print("count", file=orders, flush=True)
                count = json.loads(said.readline())
            finally:
                server.stop()
            if count["temporary"] or not count["running"] < count["refreshed"] < options.storm:
                sys.exit(f"bench: that was no storm, or it was over before the load: {count}")
            before.append(calm)
            within.append(wild)
            print(f"storm {number + 1}: p99 {calm['p99_us']:.1f} us, in the storm {wild['p99_us']:.1f} us; "
                  f"{calm['rate']:.0f}/s, in the storm {wild['rate']:.0f}/s; {count}", flush=True)
    # The middle one: each storm is held to the calm just before it, whatever else the machine does.
    return round(statistics.median(wild["p99_us"] / calm["p99_us"] for calm, wild in zip(before, within)), 3)


def wait_for_line(said, wanted):
    for line in said:
        if line.strip() == wanted:
            return
    sys.exit(f"bench: bench_policyd ended before it was {wanted}")


def memory(domains):
    found = subprocess.run([PROGRAM, "memory", str(domains)], check=True, capture_output=True, text=True).stdout
    print(f"memory: {found.strip()}", flush=True)
    return json.loads(found)["gb"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1, help="of each load")
    parser.add_argument("--known", type=int, default=5000, help="domains that each server knows")
    parser.add_argument("--domains", type=int, default=10_000_000)
    parser.add_argument("--storm", type=int, default=100_000)
    parser.add_argument("--only-storm", action="store_true")
    options = parser.parse_args()
    tools = build_tools(os.path.join(HOME, "bench"), ["smapload", "smapref"])
    if options.only_storm:
        print(json.dumps({"storm_p99_ratio": storm(tools, options)}))
        return 0
    rows = side_by_side(tools, options)
    for connections, row in rows.items():
        for name, loads in row.items():
            print(f"best, {connections:3} connections, {name:24} {best(loads, 'rate'):9.0f}/s p50 "
                  f"{best(loads, 'p50_us'):7.1f} us, p99 {best(loads, 'p99_us'):8.1f} us")
    many = rows[64]
    last = {
        "share_of_bare_64": ratio(many, OURS, BARE, "rate"),
        "resolver_ratio_64": ratio(many, OURS, RESOLVER, "rate") if RESOLVER in many else None,
        "p99_ratio_64": ratio(many, OURS, BARE, "p99_us"),
        "gb_10m": memory(options.domains),
        "storm_p99_ratio": storm(tools, options),
    }
    print(json.dumps(last))
    return 0


if __name__ == "__main__":
    sys.exit(main())
