"""The operator's rules, their live reload, and `pinnace explain`, on a running relay."""

import json
import os
import signal
import time

from certificates import pin_of
from lab import DEAD
from programs import wait_for
from support import LabTest

FUTURE = "2199-12-31"


class Rules(LabTest):
    def deliveries(self, recipient):
        """The relay's log lines of what it delivered to this address."""
        lines = self.lab.relay.output().splitlines()
        return [line for line in lines if " delivered " in line and recipient in line]

    def assert_goes(self, recipient, policy):
        identity = self.lab.send(recipient)
        self.assert_once(self.lab.plain, identity)
        line = wait_for(lambda: self.deliveries(recipient), f"the log's line of {identity}")[-1]
        self.assertRegex(line, f' policy="?{policy}"? ')
        return line

    def assert_waits(self, recipient, reason, status="4.7.5"):
        self.lab.send(recipient)
        held = self.lab.relay.wait_for_held(recipient)
        self.assertEqual(status, held["last_status"], held)
        self.assertRegex(held["reason"], reason)
        return held

    def set_rules(self, *rules):
        self.lab.relay.configure({**self.lab.relay.sections, "rule": list(rules)})

    def reload(self, *rules):
        self.set_rules(*rules)
        return self.lab.relay.command("rule", "reload")

    # mx.plain.test is securely named (the zone is signed), has TLS, and a certificate that nobody vouches for.
    def test_a_rule_raises_what_a_host_must_satisfy(self):
        key = self.lab.certificates.self_signed("other", "mx.plain.test")[1]
        plain = os.path.join(self.lab.certificates.folder, "plain.pem")
        self.relay(
            rule=[
                {"domain": "plain.test", "tls": "encrypt"},
                {"domain": "implicit.test", "tls": "webpki"},
                {"domain": "alias.test", "tls": "dane"},
                {"domain": "several.test", "mx": ["mx.elsewhere.test"]},
                {"domain": "sender.test", "pins": [pin_of(key)]},
                {"domain": "insecure.test", "tls": "authenticated", "pins": [plain]},
            ]
        ).start()
        self.assert_goes("pam@plain.test", "rule")
        self.assert_waits("pam@implicit.test", "the rule for domain implicit.test demands tls = webpki")
        self.assert_waits("pam@alias.test", "demands tls = dane, and mx.alias.test has no TLSA records")
        self.assert_waits("pam@several.test", "the rule for domain several.test does not list mx.plain.test")
        self.assert_waits("pam@sender.test", "the rule for domain sender.test pins 1 keys")
        self.assertIn('verified_by="rule (leaf)"', self.assert_goes("pam@insecure.test", "rule, rule"))

    def test_a_protocol_below_the_rules_least_is_refused(self):
        old = self.lab._postfix(
            "old",
            hostname="mx.dead.test",
            endpoint=f"{DEAD}:25",
            domains=["dead.test"],
            pair=self.lab.certificates.self_signed("old", "mx.dead.test"),
            main="smtpd_tls_protocols = !TLSv1.3\nsmtpd_tls_mandatory_protocols = !TLSv1.3\n",
        )
        old.wait_until_ready()
        self.relay(rule=[{"host": "*.test", "min_protocol": "TLSv1.3"}]).start()
        self.assert_goes("tim@plain.test", "rule")
        self.assert_waits("tim@dead.test", "demands at least TLSv1.3: TLSv1.2 was negotiated")
        self.assertEqual([], old.messages())

    def test_none_means_no_starttls_and_weakens_nothing(self):
        self.relay(rule=[{"host": "mx.plain.test", "tls": "none"}]).start()
        self.assertIn(" tls=none ", self.assert_goes("nina@plain.test", "none"))
        self.assertEqual(
            0,
            self.reload(
                {"host": "mx.plain.test", "tls": "none"}, {"domain": "plain.test", "tls": "encrypt"}
            ).returncode,
        )
        self.assertIn(" tls=TLSv1.3/", self.assert_goes("nils@plain.test", "rule"))

    def test_pins_are_ignored_for_a_while_and_for_a_reason(self):
        self.gate().start()
        self.relay(pins={"noting": "first-use"}).start()
        identity = self.lab.send("ida@receiver.test")
        self.assert_once(self.lab.receiver, identity)
        self.lab.gate.stop()
        interceptor = self.lab.intercept("ca-cert", pair=self.lab.certificates.issued("other-ca", "mx.receiver.test"))
        self.assert_waits("ida@receiver.test", "does not match 2 pins of host mx.receiver.test")
        self.assertEqual([], interceptor.taken())
        waiver = {"domain": "receiver.test", "ignore": ["pkp", "stsec"], "reason": "new keys", "until": FUTURE}
        self.assertEqual(0, self.reload(waiver).returncode)
        self.lab.relay.command("queue", "retry", "--all")
        self.lab.relay.wait_until_empty()
        self.assertNotEqual([], interceptor.taken())
        line = self.deliveries("ida@receiver.test")[-1]
        self.assertIn('policy="pkp-host (ignored by rule), stsec (ignored by rule)"', line)
        self.assertRegex(self.lab.relay.output(), "policy_tested_failed .*new keys")

    def test_a_waiver_ends_by_itself_and_is_warned_of(self):
        self.gate().start()
        relay = self.relay(pins={"noting": "first-use"}).start()
        self.assert_once(self.lab.receiver, self.lab.send("wanda@receiver.test"))
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4))
        waiver = {"domain": "receiver.test", "ignore": ["pkp", "stsec"], "reason": "r", "until": until}
        self.assertEqual(0, self.reload(waiver).returncode)
        policy = relay.ask("explain", "wanda@receiver.test")["hosts"][0]["decision"]["policy"]
        self.assertEqual("pkp-host (ignored by rule), stsec (ignored by rule)", policy)
        said = f'rule_waiver_over rule="the rule for domain receiver.test" until={until}'
        relay.program.wait_until(lambda: said in relay.output(), "the end of the waiver")
        decision = relay.ask("explain", "wanda@receiver.test")["hosts"][0]["decision"]
        self.assertEqual("pkp-host, stsec", decision["policy"])
        self.assertIn("binds again", " ".join(decision["notes"]))
        self.assertEqual(1, relay.command("rule", "reload").returncode)

    def test_a_broken_file_changes_nothing_and_says_why(self):
        self.relay(rule=[{"domain": "plain.test", "tls": "webpki"}]).start()
        self.assert_waits("bea@plain.test", "tls = webpki")
        broken = self.reload({"domain": "plain.test", "tls": "sometimes"})
        self.assertEqual(1, broken.returncode)
        self.assertRegex(
            broken.stderr, r"nothing is changed(.|\n)*\.toml:\d+: rule\[0\]\.tls = 'sometimes': one of"
        )
        self.lab.relay.program.process.send_signal(signal.SIGHUP)
        self.lab.relay.program.wait_until(
            lambda: self.lab.relay.output().count("rules_not_reloaded") == 2, "the signal's refusal"
        )
        self.assertEqual(["webpki"], [rule["tls"] for rule in self.lab.relay.ask("rule", "list")])
        self.set_rules()
        self.lab.relay.program.process.send_signal(signal.SIGHUP)
        self.lab.relay.program.wait_until(
            lambda: "rules_reloaded" in self.lab.relay.output(), "the rules to be read again"
        )
        self.lab.relay.command("queue", "retry", "--all")
        self.lab.relay.wait_until_empty()

    def test_a_configuration_that_cannot_be_read_changes_nothing(self):
        relay = self.relay(rule=[{"domain": "plain.test", "tls": "webpki"}]).start()
        os.remove(relay.config)
        os.mkdir(relay.config)
        self.addCleanup(os.rmdir, relay.config)
        relay.program.process.send_signal(signal.SIGHUP)
        relay.program.wait_until(lambda: "rules_not_reloaded" in relay.output(), "the signal's refusal")
        self.assertIn("cannot be read", relay.command("rule", "reload").stderr)
        self.assertEqual(["webpki"], [rule["tls"] for rule in relay.ask("rule", "list")])

    def test_a_rule_that_makes_no_sense_is_refused_with_its_line(self):
        cases = (
            ({"domain": "x.test"}, "the rule says nothing"),
            ({"tls": "encrypt"}, "one of domain and host is expected"),
            ({"domain": "x.test", "host": "mx.x.test", "tls": "encrypt"}, "one of domain and host is expected"),
            ({"domain": "*x.test", "tls": "encrypt"}, "is no name"),
            ({"domain": "x.test", "ignore": ["sts"], "until": FUTURE}, "reason is missing"),
            ({"domain": "x.test", "ignore": ["sts"], "reason": "r"}, "until.*is missing"),
            ({"domain": "x.test", "ignore": ["mx"], "reason": "r", "until": FUTURE}, "'mx' is none of"),
            ({"domain": "x.test", "ignore": ["sts"], "reason": "r", "until": "2001-01-01"}, "is over"),
            ({"domain": "x.test", "ignore": ["sts"], "reason": "r", "until": "soon"}, "a date as"),
            ({"domain": "x.test", "pins": ["/nowhere.pem"]}, "nowhere.pem"),
            ({"domain": "x.test", "tls": "none", "min_protocol": "TLSv1.3"}, "none goes with neither"),
            ({"domain": "x.test", "tls": "encrypt", "mx": ["*"]}, "RFC 8461"),
            ({"domain": "x.test", "tls": "encrypt", "colour": "red"}, "colour is not known here"),
        )
        relay = self.relay()
        for rule, said in cases:
            with self.subTest(rule):
                self.set_rules(rule)
                done = self.lab.pinnace("config", "check", relay.config)
                self.assertEqual(1, done.returncode)
                self.assertRegex(done.stderr, r"\.toml:\d+: .*" + said)
        self.set_rules({"domain": "x.test", "tls": "may"}, {"domain": "X.test", "tls": "may"})
        self.assertIn("is there twice", self.lab.pinnace("config", "check", relay.config).stderr)

    def test_the_most_specific_rule_of_each_kind_binds_as_rule_test_says(self):
        rules = [
            {"domain": "*", "tls": "encrypt"},
            {"domain": "*.test", "tls": "webpki"},
            {"domain": "plain.test", "tls": "may"},
            {"host": "*.plain.test", "min_protocol": "TLSv1.2"},
        ]
        relay = self.relay(rule=rules).start()
        for where in ([], ["--config", relay.config]):
            answer = relay.ask("rule", "test", "bob@plain.test", "mx.plain.test", *where)
            self.assertEqual(
                [("plain.test", True), ("*.test", False), ("*", False), ("*.plain.test", True)],
                [(rule["name"], rule["binds"]) for rule in answer["rules"]],
            )
        self.assertIn("binds   domain *.test: tls = webpki", relay.command("rule", "test", "x.test").stdout)
        self.assertEqual(1, relay.command("rule", "test", "not a name").returncode)

    def test_explain_tells_what_a_delivery_is_held_to(self):
        self.gate().start()
        relay = self.relay(
            pins={"noting": "first-use"}, rule=[{"domain": "receiver.test", "tls": "authenticated"}]
        ).start()
        self.assert_once(self.lab.receiver, self.lab.send("eve@receiver.test"))
        answer = relay.ask("explain", "eve@receiver.test")
        self.assertTrue(answer["usable"])
        self.assertEqual(("hosts", "secure"), (answer["mx"]["kind"], answer["mx"]["dnssec"]))
        decision = answer["hosts"][0]["decision"]
        self.assertEqual("required", decision["tls"])
        self.assertEqual(
            [("pkp-host", "pins", True), ("stsec", "tls", True), ("rule", "webpki", True)],
            [(r["source"], r["demand"], r["enforced"]) for r in decision["requirements"]],
        )
        # The log's line of a delivery tells the same policy.
        self.lab.send("eve@receiver.test")
        line = wait_for(lambda: self.deliveries("eve@receiver.test")[1:], "the second delivery's line")[-1]
        self.assertIn(f'policy="{decision["policy"]}"', line)
        tree = relay.command("explain", "eve@receiver.test").stdout
        for part in ("├─ MX: mx.receiver.test (DNSSEC: secure)", "must pkp-host: 2 pins of host", "note dane:"):
            self.assertIn(part, tree)
        self.assertFalse(relay.ask("explain", "x@null.test")["usable"])
        self.assertIn("no mail can go there", relay.command("explain", "x@null.test").stdout)
        unvouched = relay.ask("explain", "x@insecure.test", "--requiretls")
        self.assertFalse(unvouched["usable"])
        self.assertIn("nothing vouches", unvouched["hosts"][0]["problem"])
        waived = relay.ask("explain", "eve@receiver.test", "--tls-required-no")["hosts"][0]["decision"]
        self.assertEqual([False, False, True], [r["enforced"] for r in waived["requirements"]])
        self.assertEqual(2, relay.command("explain", "no body@").returncode)

    def test_explain_looks_up_by_itself_where_no_relay_runs(self):
        relay = self.relay(rule=[{"domain": "plain.test", "tls": "encrypt"}])
        done = self.lab.pinnace("explain", "pia@plain.test", "--config", relay.config, "--json")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual("rule", json.loads(done.stdout)["hosts"][0]["decision"]["policy"])
        done = self.lab.pinnace("explain", "pia@[192.0.2.1]", "--config", relay.config)
        self.assertIn("mail would be tried at [192.0.2.1] first", done.stdout, "it needs no lookup, and ends")
        without = relay.command("explain", "pia@plain.test")
        self.assertEqual(1, without.returncode)
        self.assertIn("is it running", without.stderr)
