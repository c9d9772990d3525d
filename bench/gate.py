#!/usr/bin/python3
"""Messages of 4 KB per second through `pinnace gate`, and what an idle client costs it, in one run on 127.0.0.1: the
same generator throughout, connections kept, no pipelining, in turns; the best of all rounds counts (the first one warms
up).

    bench/gate.py [--rounds N] [--seconds N] [--connections N] [--idle N]

Before a real Postfix, which is the limit: through the gate with TLS, and into Postfix itself with TLS and without.
Before a sink that only counts: through the gate, and through nginx's mail proxy (tools/setup bench; without it that
ratio is null), both one process with TLS 1.3, the same certificate and cipher to the client and plain SMTP behind; each
also with a connection and a full handshake for each message. Then clients that say EHLO inside TLS and nothing more.
The last line is one JSON object; only ratios mean anything on another machine:
    share_of_backend        messages/s through the gate with TLS over those into Postfix with TLS: what a server loses
                            that gives its own TLS up for the gate's
    share_of_plain_backend  the same over those into Postfix without TLS
    nginx_ratio             messages/s through the gate over those through nginx, before the sink
    idle_kb                 KB (1024 octets) of the gate's memory (RSS) for each of --idle connections
"""

import argparse
import json
import os
import resource
import subprocess
import sys

from measure import SINK_PORT, Sink, build_tools, cpu_seconds, family, load

from lab import Lab  # noqa: E402
from mail_proxy import MailProxy  # noqa: E402
from postfix import Postfix  # noqa: E402

POSTFIX_PORT, NGINX_PORT, GATE_PORT = 2530, 2531, 2532
ADDRESSES = 200  # that idle clients come from
# How the generator comes: with TLS and connections that are kept, with one for each message, without TLS.
KEPT, EACH, PLAIN = ["-t"], ["-t", "-m", "1"], []
FILES = 1024  # a gate's own, at most, beside one for each idle client

# Postfix takes mail as fast as it can, and drops it once it has it on disk.
MAIN = """virtual_transport = discard
in_flow_delay = 0
smtpd_client_connection_count_limit = 0
"""
MASTER = "discard unix - - n - - discard\n"


class Bench:
    def __init__(self, lab, options):
        self.lab, self.options = lab, options
        self.tools = build_tools(os.path.join(lab.home, "bench"), ["sink", "smtpload"])
        self.pair = lab.certificates.issued("bench", "mx.dst.test")
        self.gates = 0
        self.rates = {}  # messages/s by what they went into, the last measured

    def gate(self, backend_port, sessions, client_address="none"):
        self.gates += 1
        sections = self.lab.gate_sections(self.pair, listen="127.0.0.1")
        sections["gate"].update(hostname="mx.dst.test", listen=[f"127.0.0.1:{GATE_PORT}"],
                                backend=f"127.0.0.1:{backend_port}", client_address=client_address)
        sections["limits"] = {"max_sessions": sessions, "max_sessions_per_client": sessions, "command_timeout": "1h"}
        return self.lab.service("gate", f"bench-gate{self.gates}", sections).start()

    def postfix(self):
        postfix = Postfix(
            self.lab.watchman, self.lab.path("postfix-bench"), self.lab.root, hostname="mx.dst.test",
            endpoint=f"127.0.0.1:{POSTFIX_PORT}", domains=["dst.test"], pair=self.pair, xclient="127.0.0.0/8",
            main=MAIN, master=MASTER)
        self.lab.started.append(postfix)
        postfix.wait_until_ready()
        return postfix

    def load(self, name, port, pid, options):
        """--seconds of load, as far as can be told from the last one."""
        messages = max(int(self.rates.get(name, 500) * self.options.seconds), 500)
        used = cpu_seconds(family(pid))
        row = load(self.tools, port, messages, self.options.connections, 4096, options)
        row["cpu_s_per_1000"] = (cpu_seconds(family(pid)) - used) * 1000 / messages
        if row["accepted"] != messages:
            sys.exit(f"bench: {name}: not all was taken: {row}")
        self.rates[name] = row["msgs_s"]
        print(f"{name:34} {row['msgs_s']:8.0f}/s p50 {row['p50_ms']:6.2f} ms, p99 {row['p99_ms']:7.2f} ms, "
              f"CPU {row['cpu_s_per_1000']:.3f} s for 1,000", flush=True)
        return row

    def before_postfix(self):
        postfix = self.postfix()
        gate = self.gate(POSTFIX_PORT, 1000, "xclient")
        loads = [("gate, Postfix behind", GATE_PORT, gate, KEPT), ("Postfix, TLS", POSTFIX_PORT, postfix, KEPT),
                 ("Postfix, no TLS", POSTFIX_PORT, postfix, PLAIN)]
        rows = self.in_turns(loads)
        gate.stop()
        postfix.stop()
        return rows

    def before_sink(self):
        sink = Sink(self.tools, self.lab.folder, self.pair)
        gate = self.gate(SINK_PORT, 1000)
        loads = [("gate, sink behind", GATE_PORT, gate, KEPT), ("gate, a connection each", GATE_PORT, gate, EACH)]
        if MailProxy.there(self.lab.root):
            nginx = MailProxy(self.lab.watchman, self.lab.path("mail-proxy"), self.lab.root, f"127.0.0.1:{NGINX_PORT}",
                              f"127.0.0.1:{SINK_PORT}", self.pair)
            self.lab.started.append(nginx)
            loads += [("nginx, sink behind", NGINX_PORT, nginx, KEPT),
                      ("nginx, a connection each", NGINX_PORT, nginx, EACH)]
        else:
            print("bench: nginx's mail module is not unpacked (tools/setup bench): without it", file=sys.stderr)
        try:
            return self.in_turns(loads)
        finally:
            gate.stop()
            sink.stop()

    def in_turns(self, loads):
        """rows[i]: one load of loads[i] for each round. A machine that changes its mind changes it for all."""
        rows = [[] for _ in loads]
        for _ in range(self.options.rounds):
            for row, (name, port, server, options) in zip(rows, loads, strict=True):
                row.append(self.load(name, port, server.program.pid, options))
        return rows

    def idle(self):
        """KB for each idle connection."""
        sink = Sink(self.tools, self.lab.folder, self.pair)
        gate = self.gate(SINK_PORT, self.options.idle)
        pid = gate.program.pid
        before = resident_kb(pid)
        command = [os.path.join(self.lab.build, "bench_idle"), str(GATE_PORT), str(self.options.idle), str(ADDRESSES)]
        clients = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            said = clients.stdout.readline().split()
            if said != ["ready", str(self.options.idle)]:
                sys.exit(f"bench: of {self.options.idle} idle connections there are {said}")
            after = resident_kb(pid)
            behind = sink.read()["connections"]
        finally:
            clients.stdin.close()
            clients.wait(60)
            gate.stop()
            sink.stop()
        print(f"{self.options.idle} idle connections, {behind} behind them: {before} KB before, {after} KB with them")
        return (after - before) / self.options.idle


def resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def best(rows, key="msgs_s"):
    """Of all rounds: whatever else the machine does only takes away."""
    return max(row[key] for row in rows)


def idle_possible(wanted):
    """As many idle connections as the allowed open files let a gate, and the program that makes them, hold."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    possible = min(wanted, most - FILES)
    if possible < wanted:
        print(f"bench: {most} open files are allowed: {possible} idle connections", file=sys.stderr)
    return possible


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="of each load")
    parser.add_argument("--connections", type=int, default=20, help="of each load")
    parser.add_argument("--idle", type=int, default=10000, help="connections that do nothing")
    options = parser.parse_args()
    options.idle = idle_possible(options.idle)
    with Lab() as lab:
        bench = Bench(lab, options)
        through, over_tls, plain = bench.before_postfix()
        gate, _, *nginx = bench.before_sink()
        idle_kb = bench.idle()
    print(json.dumps({
        "share_of_backend": round(best(through) / best(over_tls), 3),
        "share_of_plain_backend": round(best(through) / best(plain), 3),
        "nginx_ratio": round(best(gate) / best(nginx[0]), 3) if nginx else None,
        "idle_kb": round(idle_kb, 1),
    }))
    return 0


if __name__ == "__main__":
    sys.exit(main())
