"""DANE (RFC 7672) with a real signed DNS, real Postfix and a real attacker (lab/dane.py)."""

from dane import TAKEN
from lab import Lab
from programs import wait_for
from support import PolicyTest

DANE_EE, DANE_TA = r"dane \(3 1 1\)", r"dane \(2 1 1\)"
UNAUTHENTICATED = "nothing"

DELIVERED = (
    # recipient domain, what its host is verified by, the policy in force, why
    ("dane", DANE_EE, "dane", "RFC 7672 3.1.1: the record of its key"),
    ("daneta", DANE_TA, "dane", "RFC 7672 3.1.2: that of its CA, and the certificate names the MX host"),
    ("expired", DANE_EE, "dane", "RFC 7672 3.1.1: dates and names of a leaf are not looked at"),
    ("unusable", UNAUTHENTICATED, "dane", "RFC 7672 2.2: only usages 0 and 1: TLS, and nobody authenticated"),
    ("insecuremx", DANE_EE, "dane", "RFC 7672 2.2.1: an unsigned MX, its host signed"),
    ("insecurehost", UNAUTHENTICATED, "none", "RFC 7672 2.2.2: its host's zone is unsigned"),
    ("expanded", DANE_EE, "dane", "RFC 7672 2.2.2: the record at the alias's end comes first"),
    ("original", DANE_EE, "dane", "RFC 7672 2.2.2: none there, then that at the alias"),
    ("optout", UNAUTHENTICATED, "none", "RFC 7672 2.1.2: an opt-out denial is insecure: no DANE"),
    ("fallback", DANE_EE, "dane", "RFC 7672 2.2: the second host, where the first does not match"),
    ("skipped", DANE_EE, "dane", "RFC 7672 2.1.2: the second host, where the first one's lookup fails"),
)

HELD = (
    # recipient domain, status, what the reason says, why
    ("wrongtlsa", "4.7.5", "mx.wrongtlsa.test.* does not match .*TLSA", "another key's record"),
    ("digests", "4.7.5", "does not match .*TLSA", "RFC 7671 9: the weaker digest does not count"),
    ("expiredta", "4.7.5", "expired", "RFC 7671 5.2: under a CA the dates count"),
    ("othername", "4.7.5", "name", "RFC 7672 3.2.1: and so does the name"),
    ("unusableplain", "4.7.5", "STARTTLS", "RFC 7672 2.2: unusable records still ask for TLS"),
    ("notls", "4.7.5", "STARTTLS", "RFC 7672 2.2: no TLS at all"),
    ("badsignature", "4.4.3", "TLSA.*DNSSEC", "RFC 7672 2.1.2: a forged record that would match"),
    ("servfail", "4.4.3", "TLSA.*(?i:fail)", "RFC 7672 2.1.2: the TLSA lookup fails"),
    ("silent", "4.4.3", "TLSA.*(?i:no answer|fail)", "RFC 7672 2.1.2: it gets no answer"),
    ("stripped", "4.4.3", "DNSSEC", "signatures taken from the whole zone"),
    ("bogusalias", "4.4.3", "DNSSEC", "RFC 7672 2.1.3: an alias whose target is bogus"),
    ("strippedtlsa", "4.4.3", "TLSA.*DNSSEC", "signatures taken from a TLSA record that would match"),
)


class Dane(PolicyTest):
    @classmethod
    def setUpClass(cls):
        cls.lab = cls.enterClassContext(Lab(dane=True))
        cls.receiver = cls.lab.dane.postfix

    def dane_relay(self):
        return self.relay(dns={"timeout": "3s"}).start()

    def assert_delivered(self, recipient, identity, verified_by=DANE_EE, policy="dane"):
        super().assert_delivered(recipient, identity, verified_by, policy)

    def test_what_matches_is_delivered(self):
        self.dane_relay()
        sent = {domain: self.lab.send(f"dan@{domain}.test") for domain, *_ in DELIVERED}
        for domain, verified_by, policy, why in DELIVERED:
            with self.subTest(domain, why=why):
                self.assert_delivered(f"dan@{domain}.test", sent[domain], verified_by, policy)
        self.assertRegex(self.deliveries("dan@fallback.test")[-1], r" host=mx\.dane\.test ")

    # RFC 7672 2.2.1: what authenticates a host that unsigned DNS named does not authenticate the domain.
    def test_the_log_says_what_named_the_host(self):
        self.dane_relay()
        for domain, named in ("dane", "secure"), ("insecuremx", "insecure"):
            with self.subTest(domain):
                self.assert_delivered(f"dan@{domain}.test", self.lab.send(f"dan@{domain}.test"))
                self.assertRegex(self.deliveries(f"dan@{domain}.test")[-1], rf" mx={named} ")

    # Each of these would take the message: only the policy keeps it from them.
    def test_what_does_not_match_is_held(self):
        self.dane_relay()
        sent = {domain: self.lab.send(f"dan@{domain}.test") for domain, *_ in HELD}
        for domain, status, reason, why in HELD:
            with self.subTest(domain, why=why):
                self.assert_held(f"dan@{domain}.test", status, reason)
        for domain, identity in sent.items():
            self.assertFalse(self.received(identity), domain)

    # RFC 7672 2.2 and 3.1.1: a key without its record waits until the record is there.
    def test_a_changed_key_waits_for_its_record(self):
        self.dane_relay()
        recipient, dane = "dan@changing.test", self.lab.dane
        self.assert_delivered(recipient, self.lab.send(recipient))
        dane.change_key("dane-changing-2")
        # The relay may keep a session under the first key, which was verified; this is a new one's.
        self.lab.relay.restart()
        identity = self.lab.send(recipient)
        self.assert_held(recipient, "4.7.5", "does not match .*TLSA")
        self.assertFalse(self.received(identity))
        dane.publish(dane.changing_key)

        # The record it knows lasts its TTL.
        def delivered():
            self.retry()
            return not self.lab.relay.queue()

        wait_for(delivered, "the relay to see the new record", pause=0.3)
        self.assert_delivered(recipient, identity)

    # RFC 7671 8.1: the new key's record stands beside the old one's for the TTL, then the key changes.
    def test_a_key_changed_after_its_record_stops_nothing(self):
        recipient, dane = "dan@changing.test", self.lab.dane
        next_key = dane.certificates.key("dane-changing-3")
        dane.publish(dane.changing_key, next_key)
        self.dane_relay()
        self.assert_delivered(recipient, self.lab.send(recipient))
        dane.change_key("dane-changing-4", next_key)
        self.lab.relay.restart()
        self.assert_delivered(recipient, self.lab.send(recipient))

    # RFC 7672 8: TLSA says which key; that the peer has it is for the handshake to show.
    def test_a_replayed_certificate_is_not_enough(self):
        self.dane_relay()
        recipient, pair = "dan@taken.test", self.lab.dane.taken
        attacker = self.lab.certificates.self_signed("dane-attacker", "mx.taken.test")
        for attack, shown, reason in (
            ("replay", (pair[0], None), "(?i)key|handshake|signature"),
            ("own-cert", attacker, "does not match .*TLSA"),
            ("strip-starttls", None, "STARTTLS"),
            ("refuse-starttls", None, "STARTTLS"),
        ):
            with self.subTest(attack):
                interceptor = self.lab.intercept(attack, at=TAKEN, pair=shown, name="mx.taken.test")
                self.retry()  # what the last one did gave this destination a pause
                self.lab.send(recipient)
                interceptor.wait_for_connections()
                self.assert_held(recipient, "4.7.5", reason)
                self.assertEqual([], interceptor.taken())
                interceptor.stop()
                self.remove_all()
        # The same certificate with its key: nothing else stood in the attacker's way.
        self.lab.intercept("own-cert", at=TAKEN, pair=pair, name="mx.taken.test")
        self.retry()
        self.lab.send(recipient)
        wait_for(lambda: self.deliveries(recipient), "a delivery to the holder of the key")

    def remove_all(self):
        for message in self.lab.relay.queue():
            self.assertEqual(0, self.lab.relay.command("queue", "remove", message["id"]).returncode)
