#!/usr/bin/python3
"""Messages per second through `pinnace relay` under enforced pins, and through Postfix, OpenSMTPD and Exim at their
best, in one run: the same generator, the same sink over TLS, all on 127.0.0.1. Those whose unpacked trees are not
there are left out.

    bench/relay.py [--messages N] [--postfix-messages N] [--slow-messages N] [--rounds N] [--million N] [--write FILE]

--write puts the tables into docs/performance.md, between its two marks. The last line is one JSON object; only
ratios mean anything on another machine:
    postfix_ratio_delivered        delivered/s of the relay over that of Postfix
    postfix_ratio_accepted         accepted/s, likewise
    postfix_ratio_cpu_per_message  Postfix's CPU seconds a message over the relay's
    exim_ratio_delivered, opensmtpd_ratio_delivered  likewise, where they are there
    share_of_direct                delivered/s of the relay over the generator's straight into the sink
    handshake_ratio_openssl        delivered/s with a handshake for each message over plain OpenSSL's handshakes/s
    accept_p99_ms                  from MAIL to 250, 20 connections
    drain_rate_1m                  delivered/s of a queue of --million messages, taken in while the destination was down
    rss_mb_1m                      what the relay holds with that queue
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from measure import SINK_PORT, SOURCE, Sink, Watch, build_tools, family, load, load_many, memory_mb, through

from exim import Exim  # noqa: E402
from lab import Lab  # noqa: E402
from opensmtpd import OpenSmtpd  # noqa: E402
from peer import Place  # noqa: E402
from postfix import Postfix  # noqa: E402
from programs import wait_for  # noqa: E402

PINNACE_PORT, POSTFIX_PORT, PEER_PORT = 2525, 2526, 2528
# How many connections hand in: more than OpenSMTPD's listen queue holds would wait for its greeting for ever.
PEERS = {"OpenSMTPD": (OpenSmtpd, 5), "Exim": (Exim, 20)}
DESTINATIONS = 20
MARKS = "<!-- figures -->\n", "<!-- end of figures -->\n"

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


class Bench:
    def __init__(self, lab):
        self.lab = lab
        self.tools = build_tools(os.path.join(lab.home, "bench"))
        self.pair = lab.certificates.issued("bench", "mx.dst.test")
        self.postfix = None
        self.relays = 0

    def relay(self, **delivery):
        """A relay with an empty store, which knows the sink's pins."""
        self.relays += 1
        name = f"bench{self.relays}"
        sections = self.lab.relay_sections(
            name,
            relay={"listen": [f"127.0.0.1:{PINNACE_PORT}"], "hostname": "relay.bench.test"},
            delivery={"source_address": "127.0.0.1", "port": SINK_PORT, **delivery},
            limits={"max_sessions_per_client": 1000},
            log={"level": "info", "file": self.lab.path(name + ".txt")},
        )
        relay = self.lab.service("relay", name, sections)
        self._start(relay)
        advert = ["pins", "advert", "--cert", self.pair[0], "--key", self.pair[1], "--backup-key",
                  self.lab.backup_key, "--json"]
        found = json.loads(self.lab.pinnace(*advert).stdout)
        relay.ask("pins", "set", f"mx.dst.test:{SINK_PORT}", "--pin", found["pin"], "--pin", found["backup_pin"])
        return relay

    def _start(self, relay):
        relay.launch()
        wait_for(lambda: os.path.exists(self.lab.path(relay.name + ".sock")), "the relay's socket", 120)

    def through_pinnace(self, messages, octets=4096, connections=20, destinations=1, **delivery):
        relay = self.relay(**delivery)
        try:
            if destinations > 1:
                offer = lambda: load_many(self.lab.root, PINNACE_PORT, messages, destinations, octets)  # noqa: E731
            else:
                offer = lambda: load(self.tools, PINNACE_PORT, messages, connections, octets)  # noqa: E731
            return self._into_sink(relay.program.process.pid, offer)
        finally:
            relay.stop()

    def through_postfix(self, messages, octets=4096, connections=20):
        self.postfix = self.postfix or self._start_postfix()
        pid = self.postfix.program.process.pid
        return self._into_sink(pid, lambda: load(self.tools, POSTFIX_PORT, messages, connections, octets))

    def peers(self):
        """Those of PEERS that are unpacked."""
        return [name for name, (kind, _) in PEERS.items() if os.path.exists(kind.program_in(self.lab.root))]

    def through_peer(self, name, messages, octets=4096):
        """Through one of PEERS, which verifies the sink's certificate by the lab's CA and the sink's name."""
        self.relays += 1
        kind, connections = PEERS[name]
        place = Place(f"{name.lower()}.bench.test", f"127.0.0.1:{PEER_PORT}", ["unused@unused.test"], "mx.dst.test",
                      f"127.0.0.1:{SINK_PORT}")
        peer = kind(self.lab.watchman, self.lab.path(f"{name}{self.relays}"), self.lab.root, place, self.pair,
                    self.lab.certificates.roots_file)
        try:
            return self._into_sink(
                peer.program.process.pid, lambda: load(self.tools, PEER_PORT, messages, connections, octets))
        finally:
            peer.stop()

    def direct(self, messages, octets=4096, connections=20):
        """The generator over TLS straight into the sink: plain OpenSSL. Messages per second."""
        sink = Sink(self.tools, self.lab.folder, self.pair)
        try:
            return load(self.tools, SINK_PORT, messages, connections, octets, ["-t"])["msgs_s"]
        finally:
            sink.stop()

    def handshakes(self):
        """Handshakes per second of plain OpenSSL with a pinned leaf."""
        command = [os.path.join(self.tools, "tlsbench"), *self.pair, self.lab.certificates.roots_file, "3", "pin"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["hs_s"]

    def million(self, messages, octets=1024):
        """A queue taken in while the destination is down, then drained."""
        relay = self.relay()
        pid = relay.program.process.pid
        try:
            offered = load(self.tools, PINNACE_PORT, messages, 20, octets, ["-P"])
            held = memory_mb(family(pid))
            relay.stop()
            began = time.monotonic()
            self._start(relay)
            started = time.monotonic() - began
            pid = relay.program.process.pid
            restarted = memory_mb(family(pid))
            sink = Sink(self.tools, self.lab.folder, self.pair)
            try:
                with Watch(pid) as watch:
                    relay.command("queue", "retry", "--all")
                    counted = sink.wait_for(messages, 1800)
                    used, peak = watch.end()
            finally:
                sink.stop()
        finally:
            relay.stop()
        seconds = (counted["last_ns"] - counted["first_ns"]) / 1e9
        return {
            "accepted_s": round(offered["msgs_s"]),
            "p99_ms": offered["p99_ms"],
            "held_mb": round(held, 1),
            "start_s": round(started, 1),
            "started_mb": round(restarted, 1),
            "drained_s": round(counted["messages"] / max(seconds, 0.001)),
            "drain_peak_mb": round(peak, 1),
            "drain_cpu_s_per_1000": round(used / messages * 1000, 3),
            "lost": messages - counted["messages"],
        }

    def _into_sink(self, pid, offer):
        sink = Sink(self.tools, self.lab.folder, self.pair)
        try:
            with Watch(pid) as watch:
                return through(sink, watch, offer)
        finally:
            sink.stop()

    def _start_postfix(self):
        digest = subprocess.run(
            ["openssl", "x509", "-in", self.pair[0], "-noout", "-fingerprint", "-sha256"],
            capture_output=True, text=True, check=True)
        postfix = Postfix(
            self.lab.watchman,
            self.lab.path("postfix-bench"),
            self.lab.root,
            hostname="postfix.bench.test",
            endpoint=f"127.0.0.1:{POSTFIX_PORT}",
            domains=["unused.test"],
            main=MAIN.format(sink=SINK_PORT, fingerprint=digest.stdout.strip().split("=")[1]),
            master=MASTER,
        )
        self.lab.started.append(postfix)
        postfix.wait_until_ready()
        return postfix


def show(name, found):
    print(f"{name:44} {json.dumps(found)}", flush=True)
    return found


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def medians(rows):
    return {key: median(rows, key) for key in rows[0] if rows[0][key] is not None}


def side_by_side(bench, rounds, octets, messages, counts):
    """Medians of the generator alone, the relay and its peers, in turn: a machine that changes its mind changes it
    for all. `counts`: how many messages each peer gets."""
    direct, own, peers = [], [], {name: [] for name in counts}
    for number in range(rounds):
        name = f"round {number + 1}, {octets} octets,"
        direct.append(show(f"{name} direct", {"msgs_s": round(bench.direct(messages, octets))}))
        own.append(show(f"{name} pinnace", bench.through_pinnace(messages, octets)))
        for peer, count in counts.items():
            found = (bench.through_postfix(count, octets) if peer == "Postfix"
                     else bench.through_peer(peer, count, octets))
            peers[peer].append(show(f"{name} {peer}", found))
    return {"octets": octets, "direct": median(direct, "msgs_s"), "own": medians(own),
            "peers": {peer: medians(rows) for peer, rows in peers.items()}}


def ratios(row, name):
    own, peer = row["own"], row["peers"][name]
    return {
        "delivered": round(own["delivered_s"] / peer["delivered_s"], 2),
        "accepted": round(own["accepted_s"] / peer["accepted_s"], 2),
        "cpu": round(peer["cpu_s_per_1000"] / own["cpu_s_per_1000"], 2),
        "memory": round(peer["memory_mb"] / own["memory_mb"], 2),
    }


def share_of_direct(row):
    return round(row["own"]["delivered_s"] / row["direct"], 3)


def tables(beside, shapes, million, options):
    """What docs/performance.md shows: ratios, and what they are ratios of."""
    out = ["| messages | beside | delivered, ours / theirs | accepted, ours / theirs | CPU, theirs / ours "
           "| memory, theirs / ours | share of direct |", "|---|---|---|---|---|---|---|"]
    for row in beside:
        for name in row["peers"]:
            found = ratios(row, name)
            out.append(f"| {row['octets'] / 1024:g} KB | {name} | {found['delivered']} | {found['accepted']} "
                       f"| {found['cpu']} | {found['memory']} | {share_of_direct(row)} |")
    base = beside[0]["own"]
    out += ["", "The relay alone, against its own first row:", "",
            "| load | delivered | accepted | CPU for each message | peak memory | accept p50 | p99 |",
            "|---|---|---|---|---|---|---|"]
    for name, row in shapes:
        of = [round(row[key] / base[key], 2) for key in ("delivered_s", "accepted_s", "cpu_s_per_1000", "memory_mb")]
        times = [f"{row[key]} ms" if row.get(key) is not None else "-" for key in ("p50_ms", "p99_ms")]
        out.append(f"| {name} | " + " | ".join(map(str, of + times)) + " |")
    if million:
        out += ["", f"A queue of {options.million:,} messages of 1 KB, taken in while the destination was down: "
                f"{million['held_mb']} MB held, {million['start_s']} s to start again with it "
                f"({million['started_mb']} MB), then drained at {million['drained_s'] / base['delivered_s']:.2f} of the "
                f"first row's rate, {million['drain_peak_mb']} MB at most; {million['lost']} lost."]
    figures = {"first row": base, **beside[0]["peers"], "direct_s": beside[0]["direct"]}
    out += ["", "What the first rows were made of on that machine:", "", "```", *(
        f"{name}: {json.dumps(found)}" for name, found in figures.items()), "```", ""]
    return "\n".join(out)


def write_tables(file, text):
    with open(file, encoding="utf-8") as old:
        before, rest = old.read().split(MARKS[0])
        after = rest.split(MARKS[1])[1]
    with open(file, "w", encoding="utf-8") as new:
        new.write(before + MARKS[0] + "\n" + text + "\n" + MARKS[1] + after)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--postfix-messages", type=int, default=3000)
    parser.add_argument("--slow-messages", type=int, default=400, help="for each of " + ", ".join(PEERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--million", type=int, default=1_000_000, help="messages of the long queue; 0: without")
    parser.add_argument("--write", metavar="FILE", help="put the tables into this file")
    options = parser.parse_args()
    with Lab(records="*.dst MX 10 mx.dst\n") as lab:
        bench = Bench(lab)
        counts = {"Postfix": options.postfix_messages, **dict.fromkeys(bench.peers(), options.slow_messages)}
        small = side_by_side(bench, options.rounds, 4096, options.messages, counts)
        few = max(options.messages // 5, 1)
        large = side_by_side(bench, 1, 102_400, few, {"Postfix": options.postfix_messages // 3})
        bench.postfix.stop()
        shapes = [("4 KB, 20 connections, one destination", small["own"])]
        for connections in 1, 200:
            row = show(f"{connections} connections", bench.through_pinnace(options.messages, connections=connections))
            shapes.append((f"4 KB, {connections} connection{'s' if connections > 1 else ''}", row))
        row = show(f"{DESTINATIONS} destinations", bench.through_pinnace(options.messages, destinations=DESTINATIONS))
        shapes.append((f"4 KB, {DESTINATIONS} connections, {DESTINATIONS} destinations", row))
        shapes.append(("100 KB, 20 connections", large["own"]))
        row = show("a connection for each message", bench.through_pinnace(few // 2, messages_per_connection=1))
        shapes.append(("4 KB, a connection and a TLS handshake for each message", row))
        shaken = bench.handshakes()
        million = show("a long queue", bench.million(options.million)) if options.million else None
    if options.write:
        write_tables(options.write, tables([small, large], shapes, million, options))
    found = ratios(small, "Postfix")
    others = {f"{name.lower()}_ratio_delivered": ratios(small, name)["delivered"] for name in bench.peers()}
    last = {
        "postfix_ratio_delivered": found["delivered"],
        "postfix_ratio_accepted": found["accepted"],
        "postfix_ratio_cpu_per_message": found["cpu"],
        **others,
        "share_of_direct": share_of_direct(small),
        "handshake_ratio_openssl": round(row["delivered_s"] / shaken, 3),
        "accept_p99_ms": small["own"]["p99_ms"],
        "drain_rate_1m": million and million["drained_s"],
        "rss_mb_1m": million and million["held_mb"],
        "pinnace_delivered_s": small["own"]["delivered_s"],
        "pinnace_cpu_s_per_1000": small["own"]["cpu_s_per_1000"],
        "postfix_delivered_s": small["peers"]["Postfix"]["delivered_s"],
    }
    print(json.dumps(last))
    return 0


if __name__ == "__main__":
    sys.exit(main())
