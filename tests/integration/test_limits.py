"""Rates and connections that rules grant a domain or a host: a running relay before a real Postfix."""

import re
import time

from lab import Lab
from programs import wait_for
from support import LabTest

WAITS = "waits for the rate of the rule for domain plain.test: 1/h"


# Two hosts of one preference, and two of which one is for when the other fails.
RECORDS = """implicit  MX 10 mx.plain
implicit  MX 10 mx.alias
sender    MX 20 mx.alias
"""


class Limits(LabTest):
    @classmethod
    def setUpClass(cls):
        cls.lab = cls.enterClassContext(Lab(records=RECORDS))

    def reload(self, *rules):
        self.lab.relay.configure({**self.lab.relay.sections, "rule": list(rules)})
        done = self.lab.relay.command("rule", "reload")
        self.assertEqual(0, done.returncode, done.stderr)

    def waiting(self):
        return self.lab.relay.held("ruth@plain.test")

    def test_what_is_above_a_domains_rate_waits_unharmed_and_is_told_why(self):
        relay = self.relay(rule=[{"domain": "plain.test", "rate": "1/h"}]).start()
        letters = [self.lab.send("ruth@plain.test") for _ in range(4)]
        wait_for(lambda: len(self.waiting()) == 3, "three of four to wait")
        self.assertEqual({WAITS}, {entry["reason"] for entry in self.waiting()})
        self.assertEqual({0}, {entry["attempts"] for entry in self.waiting()})
        stats = relay.ask("queue", "stats")
        self.assertEqual([{"name": WAITS, "messages": 3}], stats["reasons"])
        self.assertIn(WAITS, relay.command("queue", "list").stdout)
        # A retry breaks no limit. Another domain of the same host has none; when that letter is there,
        # these would be too.
        relay.command("queue", "retry", "--all")
        self.assert_once(self.lab.plain, self.lab.send("ruth@implicit.test"))
        self.assertEqual(3, len(self.waiting()))
        self.assertEqual([], [line for line in relay.output().splitlines() if " deferred " in line])
        self.reload({"domain": "plain.test", "rate": "50/s"})
        relay.wait_until_empty()
        for letter in letters:
            self.assert_once(self.lab.plain, letter)

    def test_two_domains_share_their_hosts_rate_and_connection(self):
        relay = self.relay(rule=[{"host": "mx.plain.test", "rate": "1/h", "concurrency": 1}]).start()
        for _ in range(10):
            for recipient in "rita@plain.test", "rita@several.test":
                self.lab.send(recipient)
        wait_for(lambda: len(relay.queue()) == 19, "one to be delivered")
        self.reload({"host": "mx.plain.test", "rate": "5/s", "concurrency": 1})
        began = time.monotonic()
        relay.wait_until_empty()
        # What the old rate had saved up is nothing: no burst.
        self.assertGreater(time.monotonic() - began, 18 / 5 - 1)
        delivered = [line for line in relay.output().splitlines() if " delivered " in line]
        domains = [re.search(r"domain=(\S+)", line)[1] for line in delivered]
        self.assertEqual({"plain.test", "several.test"}, set(domains[1:7]), "they take turns")

    def test_another_host_is_used_where_it_is_of_the_same_preference_and_never_a_lower(self):
        relay = self.relay(rule=[{"host": "mx.plain.test", "rate": "1/h"}]).start()
        self.assert_once(self.lab.plain, self.lab.send("ruth@sender.test"))
        self.lab.send("ruth@sender.test")
        reason = "waits for the rate of the rule for host mx.plain.test: 1/h"
        wait_for(lambda: relay.held("ruth@sender.test"), "the second to wait")
        self.assert_once(self.lab.plain, self.lab.send("ruth@implicit.test"))
        hosts = [
            re.search(r"domain=(\S+) host=(\S+)", line).groups()
            for line in relay.output().splitlines()
            if " delivered " in line
        ]
        self.assertEqual([("sender.test", "mx.plain.test"), ("implicit.test", "mx.alias.test")], hosts)
        self.assertEqual([reason], [entry["reason"] for entry in relay.held("ruth@sender.test")])

    def test_a_limit_is_shown_and_demands_nothing(self):
        rules = [
            {"domain": "*", "tls": "encrypt", "concurrency": 7},
            {"domain": "plain.test", "rate": "100/min"},
        ]
        relay = self.relay(rule=rules).start()
        limits = [
            "the rate of the rule for domain plain.test: 100/min",
            "the concurrency of the rule for domain *: 7 connections",
        ]
        answer = relay.ask("explain", "ruth@plain.test")
        self.assertEqual(limits, answer["limits"])
        self.assertEqual("rule", answer["hosts"][0]["decision"]["policy"], "the wider rule's TLS is not lost")
        self.assertIn("limit: " + limits[0], relay.command("explain", "ruth@plain.test").stdout)
        tested = relay.ask("rule", "test", "ruth@plain.test")
        self.assertEqual(limits, tested["limits"])
        self.assertEqual([True, True], [rule["binds"] for rule in tested["rules"]])
        self.assertEqual(["100/min", None], [rule["rate"] for rule in tested["rules"]])
        for wrong, said in (
            ({"rate": "100/day"}, "'100/day' is no rate"),
            ({"concurrency": 0}, "concurrency"),
            ({}, "the rule says nothing"),
        ):
            relay.configure({**relay.sections, "rule": [{"domain": "x.test", **wrong}]})
            done = relay.command("rule", "reload")
            self.assertEqual(1, done.returncode)
            self.assertIn(said, done.stderr)
