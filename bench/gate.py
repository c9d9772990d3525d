#!/usr/bin/python3
"""Messages per second through `pinnace gate`, in turns with the backend reached directly and with nginx's mail proxy;
and what an idle client costs. All on 127.0.0.1, messages of 4 KB.

    bench/gate.py [--messages N] [--rounds N] [--idle N] [--write FILE]

Where the backend is the limit: a real Postfix that queues each message on disk. Clients speak STARTTLS to the gate,
which speaks plain SMTP with XCLIENT to Postfix; directly they speak STARTTLS to that same Postfix. Where it is not: a
sink that swallows; before it the gate and nginx, both with the same certificate, one process each; directly, plain,
for what is possible at all. Each kind with connections that are kept, and with a new one for each message.

--write puts the table into docs/performance.md, between its two marks. The last line is one JSON object:
    share_of_backend  messages/s through the gate over those into Postfix directly (kept connections)
    nginx_ratio       messages/s through the gate over those through nginx, before the sink (likewise)
    idle_kb           resident memory of the gate for each idle client inside TLS
"""

import argparse
import json
import os
import resource
import socket
import ssl
import statistics
import sys

from measure import SINK_PORT, SOURCE, Sink, build_tools, cpu_seconds, family, load

from lab import Lab  # noqa: E402
from mail_proxy import MailProxy  # noqa: E402
from postfix import Postfix  # noqa: E402

GATE_PORT, POSTFIX_PORT, NGINX_PORT = 2531, 2532, 2533
CONNECTIONS = 20
MARKS = "<!-- gate figures -->\n", "<!-- end of gate figures -->\n"


def resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


class Bench:
    def __init__(self, lab, arguments):
        self.lab, self.arguments = lab, arguments
        self.tools = build_tools(os.path.join(lab.home, "bench"), ("sink", "smtpload"))
        self.pair = lab.certificates.issued("bench-gate", "mx.receiver.test")

    def gate(self, backend, client_address):
        sections = self.lab.gate_sections(self.pair)
        sections["gate"].update(listen=[f"127.0.0.1:{GATE_PORT}"], backend=backend, client_address=client_address)
        sections["limits"] = {"max_sessions": 100_000, "max_sessions_per_client": 100_000}
        sections["log"] = {"level": "warning"}
        gate = self.lab.gate
        gate.configure(sections)
        gate.launch()
        gate.program.wait_until(lambda: greets(GATE_PORT), "the gate to greet")
        return gate

    def measure(self, port, options, pids):
        before = cpu_seconds(pids)
        account = load(self.tools, port, self.arguments.messages, CONNECTIONS, options=options)
        if account["accepted"] != self.arguments.messages:
            sys.exit(f"bench: of {self.arguments.messages} messages {account['accepted']} were taken at port {port}")
        account["cpu"] = (cpu_seconds(pids) - before) / account["accepted"] * 1000
        return account

    def in_turns(self, ways):
        """{name: median figures} of `ways`, {name: (port, options, pid or nothing)}, in turns."""
        runs = {name: [] for name in ways}
        for _ in range(self.arguments.rounds):
            for name, (port, options, pid) in ways.items():
                runs[name].append(self.measure(port, options, family(pid) if pid else []))
        return {
            name: {key: statistics.median(run[key] for run in of) for key in ("msgs_s", "p50_ms", "p99_ms", "cpu")}
            for name, of in runs.items()
        }

    def before_postfix(self):
        postfix = Postfix(self.lab.watchman, self.lab.path("bench-postfix"), self.lab.root, hostname="mx.receiver.test",
                          endpoint=f"127.0.0.1:{POSTFIX_PORT}", domains=["dst.test"], pair=self.pair, xclient="127.0.0.0/8",
                          main="smtpd_client_connection_count_limit = 0\nvirtual_transport = discard\n",
                          master="discard unix - - n - - discard\n")
        self.lab.started.append(postfix)
        postfix.wait_until_ready()
        gate = self.gate(f"127.0.0.1:{POSTFIX_PORT}", "xclient")
        found = self.in_turns({
            "Postfix directly": (POSTFIX_PORT, ["-t"], None),
            "gate, Postfix": (GATE_PORT, ["-t"], gate.program.process.pid),
        })
        gate.stop()
        postfix.stop()
        self.lab.started.remove(postfix)
        return found

    def before_sink(self):
        sink = Sink(self.tools, self.lab.path("."), self.pair)
        nginx = MailProxy(self.lab.watchman, self.lab.path("bench-nginx"), self.lab.root, f"127.0.0.1:{NGINX_PORT}",
                          f"127.0.0.1:{SINK_PORT}", self.pair)
        gate = self.gate(f"127.0.0.1:{SINK_PORT}", "none")
        pid = gate.program.process.pid
        try:
            return self.in_turns({
                "sink directly, plain": (SINK_PORT, [], None),
                "sink directly, TLS": (SINK_PORT, ["-t"], None),
                "gate, sink": (GATE_PORT, ["-t"], pid),
                "nginx, sink": (NGINX_PORT, ["-t"], nginx.program.process.pid),
                "gate, sink, a connection each": (GATE_PORT, ["-t", "-m", "1"], pid),
                "nginx, sink, a connection each": (NGINX_PORT, ["-t", "-m", "1"], nginx.program.process.pid),
            }), self.idle(pid)
        finally:
            gate.stop()
            nginx.stop()
            sink.stop()

    def idle(self, pid):
        """KB of the gate for each client that has said EHLO inside TLS and nothing since."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        clients, before = [], resident_kb(pid)
        for number in range(self.arguments.idle):
            client = socket.create_connection(("127.0.0.1", GATE_PORT), 20,
                                              source_address=(f"127.0.{number // 20_000 + 2}.1", 0))
            ask(client, b"")
            ask(client, b"EHLO idle.test\r\n")
            ask(client, b"STARTTLS\r\n")
            client = context.wrap_socket(client)
            ask(client, b"EHLO idle.test\r\n")
            clients.append(client)
        each = (resident_kb(pid) - before) / len(clients)
        for client in clients:
            client.close()
        return each


def ask(client, octets):
    if octets:
        client.sendall(octets)
    said = b""
    while not said.endswith(b"\r\n") or said.splitlines()[-1][3:4] == b"-":
        octets = client.recv(4096)
        if not octets:
            sys.exit(f"bench: the gate closed: {said}")
        said += octets
    if said[:1] != b"2":
        sys.exit(f"bench: {said}")


def greets(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            return connection.recv(4) == b"220 "
    except OSError:
        return False


def table(found, idle, arguments):
    rows = "".join(
        f"| {name} | {f['msgs_s']:,.0f} | {f['p50_ms']:.2f} | {f['p99_ms']:.2f} | {f['cpu']:.3f} |\n".replace(
            "| 0.000 |", "| |")
        for name, f in found.items()
    )
    return (f"{arguments.messages:,} messages of 4 KB over {CONNECTIONS} connections, medians of {arguments.rounds} rounds "
            "in turns.\n\n"
            "| way | messages/s | p50 ms | p99 ms | CPU s per 1,000 of the front |\n|---|---|---|---|---|\n" + rows +
            f"\n{arguments.idle:,} idle clients inside TLS: {idle:.1f} KB each.\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--write")
    arguments = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with Lab() as lab:
        bench = Bench(lab, arguments)
        found = bench.before_postfix()
        before_sink, idle = bench.before_sink()
    found |= before_sink
    text = table(found, idle, arguments)
    print(text)
    if arguments.write:
        path = os.path.join(SOURCE, arguments.write)
        with open(path, encoding="utf-8") as file:
            whole = file.read()
        before, rest = whole.split(MARKS[0])
        with open(path, "w", encoding="utf-8") as file:
            file.write(before + MARKS[0] + text + MARKS[1] + rest.split(MARKS[1])[1])
    print(json.dumps({
        "share_of_backend": round(found["gate, Postfix"]["msgs_s"] / found["Postfix directly"]["msgs_s"], 3),
        "nginx_ratio": round(found["gate, sink"]["msgs_s"] / found["nginx, sink"]["msgs_s"], 3),
        "idle_kb": round(idle, 1),
    }))


if __name__ == "__main__":
    main()
