"""Real Postfix as the sender, held to the receivers' policies by `pinnace policyd`: that of Debian 12, and the one of
the release after it, which is told what its TLS reports say of the policy besides."""

import json
import os
import pwd
import re
import socket
import stat
import unittest

from certificates import pin_of
from lab import MX, MX_ASIDE, PLAIN, Lab
from programs import wait_for
from postfix import OWNER
from resolver import Resolver
from scenario import TRIALS
from sender import Sender
from sts import policy
from support import LabTest

ENDPOINT = "127.77.0.55:8461"
RECORDS = """
clear          MX   10 mx.clear
mx.clear       A    127.77.0.42
""" + "".join(
    f'_smtp._tls.{domain} TXT "v=TLSRPTv1; rua=mailto:reports@{domain}.test"\n'
    for domain in ("good", "wildcard", "wrongname", "unlisted", "kept", "dane", "wrongtlsa", "plain", "several")
)
CLEAR = "127.77.0.42"  # no STARTTLS there
# What the operator of Postfix sends to a host without a name.
MAIN = f"transport_maps = inline:{{sender.test=smtp:[{PLAIN}], cleartext.test=smtp:[{CLEAR}]:25}}\n"
FINGERPRINT = r"(?:[0-9a-f]{2}:){31}[0-9a-f]{2}"
PINS = rf"fingerprint match={FINGERPRINT}(?:\|{FINGERPRINT})* servername=hostname"
TEMP = "client TLS configuration problem"  # as Postfix calls it
REPORTED = r"(?: policy_type=sts .*)?"  # for the TLS reports of a Postfix that makes some

ACCEPTED = (
    # recipient domain, whose Postfix, what is told of it, why
    ("dane", "dane", "dane-only", "TLSA 3 1 1"),
    ("daneta", "dane", "dane-only", "TLSA 2 1 1"),
    ("unusable", "dane", "encrypt", "RFC 7672 2.2: TLS, whoever answers"),
    ("good", "sts", r"secure match=mx\.good\.test servername=hostname", "MTA-STS, enforced"),
    ("wildcard", "sts", r"secure match=mx\.wildcard\.test servername=hostname", "RFC 8461 4.1"),
    ("pinned", "sts", PINS, "pinning-protocol 4.3: the WebPKI and a pin of the policy's"),
    ("testing", "sts", "", "RFC 8461 5: nothing is demanded"),
    ("danedecides", "sts", "dane-only", "RFC 8461 2"),
)
REFUSED = (
    # recipient domain, what is told of it (None: nothing can be), why Postfix keeps the mail, why
    ("wrongtlsa", "dane-only", "not verified", "another key's TLSA record"),
    ("servfail", None, TEMP, "RFC 7672 2.1: whether there are records cannot be said"),
    ("unusableplain", "encrypt", "TLS is required", "no STARTTLS"),
    ("wrongname", r"secure match=mx\.wrongname\.test servername=hostname", "not verified", "another's name"),
    ("selfsigned", r"secure match=mx\.selfsigned\.test servername=hostname", "not (?:trusted|verified)", "no CA"),
    ("danefails", "dane-only", "not verified", "RFC 8461 2: MTA-STS never saves a failed DANE"),
)
# As libtlsrpt numbers them (its tlsrpt.h), by the names of RFC 8460 4.4 and 4.3.
DANE, STS, NO_POLICY = 1, 2, 9
HOST_MISMATCH, NOT_TRUSTED, VALIDATION_FAILURE = 202, 203, 205
REPORTS = (
    # recipient domain, type of the policy, its domain, its patterns, what failed, why
    ("good", STS, "good.test", ["mx.good.test"], None, "MTA-STS"),
    ("wildcard", STS, "wildcard.test", ["*.wildcard.test"], None, "its patterns as they are, whatever matched"),
    ("wrongname", STS, "wrongname.test", ["mx.wrongname.test"], HOST_MISMATCH, "another's name"),
    ("unlisted", STS, "unlisted.test", None, VALIDATION_FAILURE, "RFC 8460 4.3.2.2: no host is listed"),
    ("dane", DANE, "mx.dane.test", None, None, "Postfix's own: the TLSA base domain"),
    ("wrongtlsa", DANE, "mx.wrongtlsa.test", None, NOT_TRUSTED, "another key's TLSA record"),
    ("plain", NO_POLICY, "plain.test", None, None, "pins have no type in RFC 8460"),
    ("several", NO_POLICY, "several.test", None, NOT_TRUSTED, "other pins"),
)
# What Postfix says of what the demo's attacker does under pins.
ATTACKED = {
    "own-cert": "not (?:trusted|verified)",
    "ca-cert": "not (?:trusted|verified)",
    "strip-starttls": "TLS is required",
    "refuse-starttls": "TLS is required|STARTTLS|454",
    "replay": "handshake|lost connection|TLS|SSL",
    "strip-pkp": "not (?:trusted|verified)",
    "forge-pkp": "not (?:trusted|verified)",
    "inject-before-tls": "not (?:trusted|verified)",
}


class Bookworm(LabTest):
    """With Postfix 3.7, which takes no attributes for reports."""

    TREE, TLSRPT, MAIN = "", "off", MAIN
    UNLISTED = None, TEMP

    @classmethod
    def setUpClass(cls):
        lab = cls.lab = cls.enterClassContext(Lab(dane=True, sts=True, records=RECORDS))
        if "policyd" not in lab.pinnace("--help").stdout:
            raise unittest.SkipTest("this pinnace has no policyd")
        cls.receivers = {"dane": lab.dane.postfix, "sts": lab.sts.postfix, "plain": lab.plain, "receiver": lab.receiver}
        cls.resolver = Resolver(lab)
        tree = os.path.join(lab.home, cls.TREE) if cls.TREE else ""
        cls.sender = Sender(lab, cls.resolver, f"socketmap:inet:{ENDPOINT}:pinnace", tree, cls.MAIN)

    def setUp(self):
        super().setUp()
        self.addCleanup(self.sender.forget)
        self.log_start = len(self.sender.log())

    def policyd(self, **changes):
        name = "p-" + re.sub(r"\W", "-", self.id().rsplit(".", 1)[-1])[:40]
        asked = changes.pop("policyd", {})
        sections = self.lab.relay_sections(name, **changes)
        for section in ("relay", "delivery", "queue"):
            del sections[section]
        sections["policyd"] = {
            "listen": [ENDPOINT],
            "data": self.lab.path(name + "-data"),
            "control": name + ".sock",
            "tlsrpt": self.TLSRPT,
            **asked,
        }
        sections["probe"] = {"hostname": "office.sender.test", "host_pause": "1s"}
        self.service = self.lab.service("policyd", name, sections).start()
        return self.service

    def pin(self, host, *keys):
        self.service.ask("pins", "set", host, *(word for key in keys for word in ("--pin", pin_of(key))))

    def told(self, domain, pattern):
        return self.sender.wait_until_told(domain, None if pattern is None else pattern and pattern + REPORTED)

    def assert_goes_out(self, domain, receiver, pattern, verified=True):
        """By real mail, and by posttls-finger."""
        told = self.told(f"{domain}.test", pattern)
        self.assert_once(self.receivers[receiver], self.sender.send(f"bob@{domain}.test"))
        if told and told != "none":
            level = "Verified" if verified else r"\w+"
            self.assertRegex(self.sender.finger(f"{domain}.test", told), level + " TLS connection established")
        return told

    def assert_stays(self, domain, pattern, reason):
        told = self.told(f"{domain}.test", pattern)
        identity = self.sender.send(f"bob@{domain}.test")
        self.sender.wait_for_held(f"bob@{domain}.test", reason)
        for receiver in self.receivers.values():
            self.assertIsNone(receiver.find(identity.encode()), identity)
        if told:
            self.assertNotIn("Verified TLS connection", self.sender.finger(f"{domain}.test", told))
        return identity

    def log(self):
        """The sender's, of this test."""
        return self.sender.log()[self.log_start :]

    def test_what_satisfies_the_receivers_policy_goes_out(self):
        self.policyd()
        for domain, receiver, pattern, why in ACCEPTED:
            with self.subTest(domain, why=why):
                self.assert_goes_out(domain, receiver, pattern, pattern != "encrypt")
        self.assertNotRegex(self.log(), "unsupported|invalid attribute|bad attribute|policy attribute")

    def test_what_does_not_stays_in_its_queue(self):
        self.policyd()
        for domain, pattern, reason, why in REFUSED:
            with self.subTest(domain, why=why):
                self.assert_stays(domain, pattern, reason)

    # RFC 8461 4.1
    def test_a_policy_that_lists_no_host_keeps_its_mail(self):
        self.policyd()
        self.assert_stays("unlisted", *self.UNLISTED)

    def test_pinned_keys(self):
        self.policyd()
        plain = self.lab.path("certificates/plain.key")
        self.pin("mx.plain.test", plain, self.lab.backup_key)
        self.assert_goes_out("plain", "plain", PINS)
        self.pin("mx.plain.test", self.lab.backup_key, self.lab.certificates.key("backup-2"))
        self.assert_stays("several", PINS, "not (?:trusted|verified)")

    def test_a_pinned_ca(self):
        gate = self.gate().start()
        self.policyd()
        self.pin("mx.receiver.test", self.lab.certificates.root[1], self.lab.backup_key)
        pattern = r"secure match=mx\.receiver\.test servername=hostname tafile=\S+\.pem"
        told = self.assert_goes_out("receiver", "receiver", pattern)
        with open(told.rsplit("tafile=", 1)[1], encoding="ascii") as anchor:
            self.assertEqual(1, anchor.read().count("BEGIN CERTIFICATE"))
        gate.stop()
        other = self.lab.certificates.self_signed("other-ca", "mx.receiver.test")
        interceptor = self.lab.intercept("own-cert", pair=other)
        self.assert_stays("receiver", pattern, "not (?:trusted|verified)")
        interceptor.wait_for_connections()
        self.assertEqual([], interceptor.taken())

    def test_tls_that_was_promised(self):
        gate = self.gate().start()
        self.policyd(pins={"noting": "off"})
        self.assert_goes_out("receiver", "receiver", "encrypt", verified=False)
        gate.stop()
        interceptor = self.lab.intercept("strip-starttls")
        identity = self.assert_stays("receiver", "encrypt", "TLS is required")
        self.assertEqual([], interceptor.taken())
        interceptor.stop()
        gate.start()
        self.sender.flush()
        self.assert_once(self.lab.receiver, identity)

    def test_rules(self):
        key = self.lab.path("certificates/plain.key")
        other = self.lab.certificates.key("other-rule")
        self.policyd(
            rule=[
                {"domain": "plain.test", "tls": "encrypt"},
                {"domain": "clear.test", "tls": "encrypt"},
                {"domain": "alias.test", "tls": "none"},
                {"domain": "implicit.test", "tls": "webpki"},
                {"domain": "several.test", "pins": [key, self.lab.backup_key]},
                {"domain": "insecure.test", "pins": [other, self.lab.backup_key]},
                {"domain": "sub.good.test", "tls": "authenticated", "mx": ["mx.sub.good.test"]},
                {"domain": "notls.test", "tls": "dane"},
            ]
        )
        for domain, receiver, pattern, verified in (
            ("plain", "plain", "encrypt", False),
            ("alias", "plain", "none", False),
            ("several", "plain", PINS, True),
            ("sub.good", "sts", r"secure match=mx\.sub\.good\.test:sub\.good\.test servername=hostname", True),
        ):
            with self.subTest(domain):
                self.assert_goes_out(domain, receiver, pattern, verified)
        clear = self.lab.plain.find(b"bob@alias.test")
        self.assertNotIn(b"using TLS", clear)
        for domain, pattern, reason in (
            ("clear", "encrypt", "TLS is required"),
            ("implicit", r"secure match=implicit\.test servername=hostname", "not (?:trusted|verified)"),
            ("insecure", PINS, "not (?:trusted|verified)"),
            ("notls", "dane-only", "TLS is required"),
        ):
            with self.subTest(domain):
                self.assert_stays(domain, pattern, reason)

    def test_a_rule_for_all_binds_an_address(self):
        def held_at_addresses(level, told, reason):
            self.policyd(rule=[{"domain": "*", "tls": level}])
            for key in f"[{PLAIN}]", f"[{CLEAR}]:25", CLEAR, "[IPv6:2001:db8::1]", "[2001:db8::1]":
                self.told(key, told)
            for recipient in "bob@cleartext.test", f"bob@[{CLEAR}]":
                identity = self.sender.send(recipient)
                self.sender.wait_for_held(recipient, reason)
                self.assertIsNone(self.receivers["dane"].find(identity.encode()))
                self.assertIsNone(self.receivers["sts"].find(identity.encode()))
            self.sender.forget()

        held_at_addresses("encrypt", "encrypt", "TLS is required")
        self.assert_once(self.lab.plain, self.sender.send("bob@sender.test"))
        self.service.stop()
        held_at_addresses("authenticated", None, TEMP)
        self.service.stop()
        keys = self.lab.path("certificates/plain.key"), self.lab.certificates.key("other-address")
        for key, goes in zip(keys, (True, False)):
            self.policyd(rule=[{"host": "*", "pins": [key, self.lab.backup_key]}])
            told = self.told(f"[{PLAIN}]", PINS.removesuffix(" servername=hostname"))
            identity = self.sender.send("bob@sender.test")
            if goes:
                self.assert_once(self.lab.plain, identity)
                self.assertIn("Verified TLS connection established", self.sender.finger(f"[{PLAIN}]", told))
            else:
                self.sender.wait_for_held("bob@sender.test", "not (?:trusted|verified)")
            self.service.stop()

    # What the DNS denies Postfix finds out itself, and asks for no policy: TEMP is for whom it found all the same.
    def test_a_rule_for_all_holds_no_mail_to_nowhere(self):
        self.policyd(rule=[{"domain": "*", "tls": "encrypt"}])
        asked = self.service.ask("policyd", "stats")["requests"]
        for domain, reason in (("null", "does not accept mail"), ("nowhere", "(?:not found|Host or domain name)")):
            self.sender.send(f"bob@{domain}.test")
            line = rf"to=<bob@{domain}\.test>.* status=bounced .*{reason}"
            wait_for(lambda line=line: re.search(line, self.log()), lambda: f"{line}\n{self.log()[-1500:]}")
        self.assertEqual(asked, self.service.ask("policyd", "stats")["requests"])
        for domain in "null", "nowhere":
            self.told(f"{domain}.test", None)

    # As docs/policyd.md has it: in a folder of Postfix's queue, which gives the socket its group, and by the path that
    # a smtp in a chroot has too.
    def test_it_is_asked_over_a_socket_of_this_machine(self):
        folder = os.path.join(self.sender.folder, "queue", "pinnace")
        os.mkdir(folder)
        group = pwd.getpwnam(OWNER).pw_gid
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, group)
        os.chmod(folder, 0o2750)
        self.policyd(
            process={"user": "nobody"},
            policyd={"listen": [f"unix:{folder}/policyd"], "control": "of-nobody/policyd.sock"},
        )
        found = os.stat(f"{folder}/policyd")
        self.assertEqual((0o660, group), (stat.S_IMODE(found.st_mode), found.st_gid))
        self.addCleanup(self.sender.ask, self.sender.maps)
        self.sender.ask("socketmap:unix:pinnace/policyd:pinnace")
        self.assert_once(self.receivers["sts"], self.sender.send("bob@good.test"))
        self.assertRegex(self.log(), r"Verified TLS connection established to mx\.good\.test")
        self.sender.send("bob@wrongname.test")
        self.sender.wait_for_held("bob@wrongname.test", "not verified")
        # It goes, and Postfix holds mail; it comes back, and Postfix finds it.
        self.service.stop()
        self.assertFalse(os.path.exists(f"{folder}/policyd"))
        identity = self.sender.send("bob@wildcard.test")
        self.sender.wait_for_held("bob@wildcard.test", TEMP)
        self.service.start()
        self.sender.flush()
        self.assert_once(self.receivers["sts"], identity)

    def test_pins_and_dane_both_bind(self):
        self.policyd()
        self.pin("mx.dane.test", self.lab.dane.pair[1], self.lab.backup_key)
        self.assert_goes_out("dane", "dane", PINS)
        self.pin("mx.dane.test", self.lab.certificates.key("other-dane"), self.lab.backup_key)
        self.assert_stays("dane", None, TEMP)

    # The demo with Postfix as the sender: the pins are found by a probe, and hold whoever takes the receiver's place.
    def test_the_interceptor_gets_nothing(self):
        gate = self.gate().start()
        self.policyd()
        self.assert_goes_out("receiver", "receiver", PINS)
        certificates = self.lab.certificates
        pairs = {
            "own": certificates.self_signed("attacker-own", "mx.receiver.test"),
            "ca": certificates.issued("attacker-ca", "mx.receiver.test"),
            "replay": (self.lab.pair[0], None),
        }
        forged = [f"PKP PIN-SHA256={pin_of(key)}" for key in (pairs["ca"][1], certificates.key("forged"))]
        sent = []
        for trial in TRIALS:
            with self.subTest(trial.attack):
                gate.stop()
                aside = trial.attack == "strip-pkp"
                if aside:
                    self.gate(listen=MX_ASIDE).start()
                interceptor = self.lab.intercept(
                    trial.attack,
                    pair=pairs.get(trial.pair),
                    forged=[*forged, "PKP MAX-AGE=5184000"],
                    forward=f"{MX_ASIDE}:25" if aside else None,
                )
                sent.append(self.assert_stays("receiver", PINS, ATTACKED[trial.attack]))
                interceptor.wait_for_connections()
                self.assertEqual([], interceptor.taken())
                interceptor.stop()
                if trial is not TRIALS[-1]:
                    self.sender.forget()
        gate.stop()
        self.gate().start()
        self.sender.flush()
        self.assert_once(self.lab.receiver, sent[-1])


class Trixie(Bookworm):
    """With Postfix 3.10, which is told of the policy for its TLS reports."""

    TREE, TLSRPT = "trixie", "on"
    # So that it can report it.
    UNLISTED = r"secure match=mx\.elsewhere\.test servername=hostname", "not verified"
    MAIN = MAIN + "smtp_tlsrpt_enable = yes\nsmtp_tlsrpt_socket_name = private/tlsrpt\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        path = os.path.join(cls.sender.folder, "queue", "private", "tlsrpt")
        cls.reports = cls.enterClassContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        cls.reports.bind(path)
        os.chmod(path, 0o666)
        cls.reports.settimeout(20)

    def reported(self, domain):
        """The policy in the next datagram about the domain, and its one failure, or None."""
        while True:
            report = json.loads(self.reports.recv(1 << 20))
            if report["d"] == f"{domain}.test":
                break
        self.assertEqual(f"v=TLSRPTv1; rua=mailto:reports@{domain}.test", report["pr"])
        (found,) = report["policies"]
        failures = found.get("failure-details", [])
        self.assertEqual(found["f"], len(failures))
        return found, failures[0]["c"] if failures else None

    def test_what_is_reported_is_what_was_told(self):
        self.policyd(rule=[{"domain": "several.test", "pins": [self.lab.backup_key]}])
        self.pin("mx.plain.test", self.lab.path("certificates/plain.key"), self.lab.backup_key)
        self.told("plain.test", PINS)
        for domain, kind, of, patterns, failed, why in REPORTS:
            with self.subTest(domain, why=why):
                wait_for(lambda domain=domain: self.sender.told(f"{domain}.test"), f"{domain} to be told")
                self.sender.send(f"bob@{domain}.test")
                found, failure = self.reported(domain)
                self.assertEqual((kind, of), (found["policy-type"], found["policy-domain"]))
                self.assertEqual((patterns, failed), (found.get("mx-host"), failure))
                strings = found.get("policy-string", [])
                if kind == STS:
                    listed = (patterns or ["mx.elsewhere.test"])[0]
                    expected = ["version: STSv1", "mode: enforce", f"mx: {listed}", "max_age: 86400"]
                    self.assertEqual(expected, strings)
                elif kind == DANE:
                    self.assertRegex(" ".join(strings), "^3 1 1 [0-9A-F]{64}$")
                else:
                    self.assertEqual([], strings)

    def test_a_policy_is_told_for_the_reports(self):
        self.policyd()
        told = self.assert_goes_out("good", "sts", r"secure match=mx\.good\.test servername=hostname policy_type=sts .*")
        self.assertIn(" policy_domain=good.test ", told)
        self.assertIn(" mx_host_pattern=mx.good.test", told)
        self.assertIn("{ policy_string = mode: enforce }", told)
        self.assertNotRegex(self.log(), "unsupported|invalid attribute|bad attribute|policy attribute")

    def test_a_hostile_policy_injects_nothing(self):
        lines = (
            "x: } match=evil.test { policy_string = y",
            "x-2: {{ }",
            "x-3: policy_failure=validation-failure } policy_type=no-policy-found {",
            "x-4: match=evil.test",
            "x-5: gr\u00fc\u00df",
            'x-6: "quoted", back\\slash, a=b   c',
        )
        self.lab.sts.change_policy("kept", policy("mx.kept.test", more=lines))
        self.policyd()
        told = self.assert_goes_out("kept", "sts", r"secure match=mx\.kept\.test servername=hostname policy_type=sts .*")
        # Whole and inside its braces; of the others, what could end them, nothing.
        self.assertIn(" { policy_string = x-4: match=evil.test }", told)
        outside = re.sub(r"\{[^{}]*\}", "", told)
        self.assertNotIn("evil", outside)
        self.assertNotRegex(outside, r"[{}]|policy_failure|no-policy-found")
        self.assertEqual(1, outside.count("match="))
        found, failure = self.reported("kept")
        self.assertEqual((STS, None), (found["policy-type"], failure))
        expected = ["version: STSv1", "mode: enforce", "mx: mx.kept.test", "max_age: 86400", lines[3]]
        self.assertEqual([*expected, lines[5]], found["policy-string"])
        self.assertNotRegex(self.log(), "unsupported|invalid attribute|bad attribute|policy attribute")
