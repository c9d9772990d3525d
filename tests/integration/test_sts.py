"""MTA-STS (RFC 8461) with a real nginx, real Postfix and a signed DNS beside an unsigned one (lab/sts.py)."""

import re

from lab import SENDER, Lab
from programs import wait_for
from sts import FORBIDDING, TAKEN, policy
from support import PolicyTest

WEBPKI, UNAUTHENTICATED = "webpki", "nothing"
STS, TESTED, NONE = "sts", r"sts \(tested\)", "none"

DELIVERED = (
    # recipient domain, what its host is verified by, the policy in force, why
    ("good", WEBPKI, STS, "RFC 8461 4: the host is listed, its certificate valid"),
    ("wildcard", WEBPKI, STS, "RFC 8461 4.1: '*' is one label"),
    ("wildcardcert", WEBPKI, STS, "RFC 8461 4.2: and so it is in a certificate"),
    ("lf", WEBPKI, STS, "RFC 8461 3.2: LF ends a line too, and text/plain may have a charset"),
    ("unknownfields", WEBPKI, STS, "RFC 8461 3.2: unknown fields are ignored"),
    ("dupfields", WEBPKI, STS, "RFC 8461 3.2: the first of each counts, and that mode is enforce"),
    ("mixed", WEBPKI, STS, "RFC 8461 5.1: the second host, where the first is not listed"),
    ("delegated", WEBPKI, STS, "RFC 8461 8.2: another's policy, by CNAME"),
    ("pinned", r"webpki, sts-pins \(leaf\)", "sts, sts-pins", "pinning-protocol 4.3: a pin of its matches"),
    ("unsigned", WEBPKI, STS, "RFC 8461 1: it needs no DNSSEC"),
    ("testing", UNAUTHENTICATED, TESTED, "RFC 8461 5: a failure is only reported"),
    ("none", UNAUTHENTICATED, NONE, "RFC 8461 5: as without a policy"),
    ("sub.good", WEBPKI, NONE, "RFC 8461 3.4: never the policy of the parent, nor one without a TXT record"),
    ("twotxt", WEBPKI, NONE, "RFC 8461 3.1: two records are none"),
    ("httpsdown", WEBPKI, NONE, "RFC 8461 3.3: no policy to be had and none kept"),
    ("redirect", WEBPKI, NONE, "RFC 8461 3.3: not followed"),
    ("notfound", WEBPKI, NONE, "RFC 8461 3.3: only 200 is an answer"),
    ("oversize", WEBPKI, NONE, "RFC 8461 3.3: more than 64 KiB, and not the beginning of it"),
    ("contenttype", WEBPKI, NONE, "RFC 8461 3.2: not text/plain"),
    ("webexpired", WEBPKI, NONE, "RFC 8461 3.3: the policy host's certificate is over"),
    ("webwrongname", WEBPKI, NONE, "RFC 8461 3.3: it names another"),
    ("webcnonly", WEBPKI, NONE, "RFC 8461 3.3: it has no DNS-ID"),
    ("webselfsigned", WEBPKI, NONE, "RFC 8461 3.3: nobody trusts who signed it"),
    ("danedecides", r"dane \(3 1 1\)", r"dane, sts \(tested\)", "RFC 8461 2: DANE is met, the policy is not"),
)

HELD = (
    # recipient domain, what the reason says, why
    ("unlisted", "mx.unlisted.test.*MTA-STS", "RFC 8461 4.1: a valid certificate does not help"),
    ("deep", "mx.below.deep.test.*MTA-STS", "RFC 8461 4.1: '*' is not two labels"),
    ("wrongname", "MTA-STS.*name", "RFC 8461 4.2: the certificate of another host"),
    ("cnonly", "MTA-STS.*name", "RFC 8461 4.2: the name must be a DNS-ID"),
    ("patterncert", "MTA-STS.*name", "RFC 8461 4.2: it must name the host, not match the pattern"),
    ("selfsigned", "MTA-STS.*self-signed", "RFC 8461 4.2: nobody trusts who signed it"),
    ("overdue", "MTA-STS.*expired", "RFC 8461 4.2: the dates count"),
    ("cleartext", "STARTTLS.*MTA-STS", "RFC 8461 5: no STARTTLS"),
    ("wrongpin", "MTA-STS.*pin|pin.*MTA-STS", "pinning-protocol 4.3: none of the policy's pins matches"),
    ("unsignedunlisted", "mx.unsignedunlisted.test.*MTA-STS", "RFC 8461 4.1: without DNSSEC too"),
    ("danefails", "does not match .*TLSA", "RFC 8461 2: MTA-STS never saves a failed DANE"),
    ("diverted", "mx.danedecides.test.*MTA-STS", "RFC 7672 2.2.1: an unsigned MX may name any DANE host"),
)


class Sts(PolicyTest):
    @classmethod
    def setUpClass(cls):
        cls.lab = cls.enterClassContext(Lab(sts=True))
        cls.sts, cls.receiver = cls.lab.sts, cls.lab.sts.postfix

    def assert_delivered(self, recipient, identity, verified_by=WEBPKI, policy=STS):
        super().assert_delivered(recipient, identity, verified_by, policy)

    def stop_web(self):
        """No policy host answers for the rest of the test."""
        self.sts.web.stop()
        self.addCleanup(self.sts.web.start)

    def hand_in(self, client, recipient, header="", parameters=()):
        """One message over a session of one's own; its Message-ID."""
        identity = f"<{self.id().rsplit('.', 1)[-1]}.{recipient}>"
        text = f"{header}Message-ID: {identity}\r\nSubject: x\r\n\r\nx\r\n"
        client.sendmail(SENDER, [recipient], text, parameters)
        return identity

    def test_what_its_policy_lets_through_is_delivered(self):
        relay = self.relay().start()
        sent = {domain: self.lab.send(f"tess@{domain}.test") for domain, *_ in DELIVERED}
        for domain, verified_by, in_force, why in DELIVERED:
            with self.subTest(domain, why=why):
                self.assert_delivered(f"tess@{domain}.test", sent[domain], verified_by, in_force)
        self.assertRegex(self.deliveries("tess@mixed.test")[-1], r" host=mx\.mixed\.test ")
        self.assertRegex(relay.output(), r"warning policy_tested_failed .*mx\.testing\.test.*MTA-STS")

    # Each of these would take the message: only the policy keeps it from them.
    def test_what_its_policy_forbids_is_held(self):
        relay = self.relay().start()
        sent = {domain: self.lab.send(f"tess@{domain}.test") for domain, *_ in HELD}
        for domain, reason, why in HELD:
            recipient = f"tess@{domain}.test"
            with self.subTest(domain, why=why):
                wait_for(lambda r=recipient: relay.held(r) or self.deliveries(r), f"an end of {recipient}'s")
                self.assertEqual([], self.deliveries(recipient))
                self.assert_held(recipient, "4.7.5", reason)
        for domain, identity in sent.items():
            self.assertFalse(self.received(identity), domain)

    # RFC 8461 3.3: a kept policy is applied when none can be discovered or fetched. A restarted relay has
    # what is on its disk, and asks the DNS anew.
    def test_a_kept_policy_outlives_its_sources(self):
        relay, recipient = self.relay().start(), "kim@kept.test"
        self.assert_delivered(recipient, self.lab.send(recipient))
        self.stop_web()
        self.sts.renew("kept", "2")
        relay.restart()
        self.assert_delivered(recipient, self.lab.send(recipient))
        self.sts.withdraw("kept")
        relay.restart()
        self.assert_delivered(recipient, self.lab.send(recipient))

    # RFC 8461 10.2: who forges the DNS and stops the policy host gets nothing from whoever keeps the policy.
    def test_a_forged_mx_record_gets_nothing(self):
        relay, recipient = self.relay().start(), "fay@forged.test"
        self.assert_delivered(recipient, self.lab.send(recipient))
        self.stop_web()
        self.sts.withdraw("forged")
        self.sts.forge("forged")
        relay.restart()
        pair, name = self.sts.attacker, "mx.attacker.test"
        interceptor = self.lab.intercept("own-cert", at=TAKEN, pair=pair, name=name)
        self.lab.send(recipient)
        self.assert_held(recipient, "4.7.5", "mx.attacker.test.*MTA-STS")
        self.assertEqual([], interceptor.taken())
        relay.stop()
        # A relay that never saw the policy: nothing else stood in the attacker's way.
        self.lab.service("relay", "unaware", self.lab.relay_sections("unaware")).start()
        self.lab.send(recipient)
        wait_for(lambda: f"TO:<{recipient}>" in "".join(interceptor.taken()), "the attacker to get it")

    # RFC 8461 3.1, 5.1: the id tells that the policy is another.
    def test_a_new_id_fetches_again(self):
        relay, recipient = self.relay().start(), "rhea@renewed.test"
        self.assert_delivered(recipient, self.lab.send(recipient))
        self.sts.change_policy("renewed", FORBIDDING)
        relay.restart()
        self.assert_delivered(recipient, self.lab.send(recipient))
        self.assertEqual(1, len(self.sts.fetches("renewed")), "the id is the same")
        self.sts.renew("renewed", "2")
        relay.restart()
        identity = self.lab.send(recipient)
        self.assert_held(recipient, "4.7.5", "MTA-STS")
        self.assertFalse(self.received(identity))
        self.assertEqual(2, len(self.sts.fetches("renewed")))
        self.sts.change_policy("renewed", policy("mx.renewed.test"))
        self.sts.renew("renewed", "3")

        # The record it knows lasts its TTL.
        def delivered():
            self.retry()
            return not relay.queue()

        wait_for(delivered, "the relay to see the new id", pause=0.3)
        self.assert_delivered(recipient, identity)
        self.assertEqual(3, len(self.sts.fetches("renewed")))

    # RFC 8461 5, 5.1: before each deferral, and so before the last, the DNS is asked for a newer policy.
    def test_no_message_fails_before_a_newer_policy_was_looked_for(self):
        relay = self.relay(queue={"lifetime": "2s", "retry_initial": "1s", "jitter": 0}).start()
        self.lab.send("olga@unlisted.test")
        relay.wait_until_empty()
        events = re.findall(r" (sts_checked_again|deferred|failed) .*domain=unlisted\.test", relay.output())
        self.assertEqual("failed", events[-1])
        self.assertEqual(len(events) // 2, events.count("sts_checked_again"), events)
        self.assertEqual({"sts_checked_again"}, set(events[::2]), events)

    # RFC 8461 3.3: not for five minutes.
    def test_a_failed_fetch_is_not_repeated(self):
        self.relay().start()
        recipient, before = "nora@notfound.test", len(self.sts.fetches("notfound"))
        for _ in range(3):
            self.assert_delivered(recipient, self.lab.send(recipient), policy=NONE)
        self.assertEqual(1, len(self.sts.fetches("notfound")) - before)

    # RFC 8461 3.2, 5.1: it binds for max_age, which is two seconds here.
    def test_an_expired_policy_binds_nobody(self):
        relay, recipient = self.relay().start(), "bea@brief.test"
        identity = self.lab.send(recipient)
        self.assert_held(recipient, "4.7.5", "MTA-STS")
        self.stop_web()

        def delivered():
            self.retry()
            return not relay.queue()

        wait_for(delivered, "the relay to let the policy go", pause=0.3)
        self.assert_delivered(recipient, identity, policy=NONE)

    # The policy host takes seconds to answer; meanwhile there is more mail for its domain, and other mail.
    def test_many_messages_make_one_fetch(self):
        relay, client = self.relay().start(), self.smtp()
        recipients = [f"sam{number}@slow.test" for number in range(10)]
        sent = {recipient: self.hand_in(client, recipient) for recipient in recipients}
        self.assert_delivered("sam@good.test", self.hand_in(client, "sam@good.test"))
        for recipient, identity in sent.items():
            self.assert_delivered(recipient, identity)
        self.assertEqual(1, len(self.sts.fetches("slow")))
        delivered = re.findall(r" delivered .* domain=(\S+)", relay.output())
        self.assertEqual("good.test", delivered[0], "nobody waits for another domain's policy host")

    # A policy host's address is its domain's choice: it must not lead into the relay's own network.
    def test_a_policy_host_at_a_private_address_is_not_asked(self):
        self.relay(sts={"allow_addresses": []}).start()
        recipient, before = "pam@unlisted.test", len(self.sts.fetches("unlisted"))
        self.assert_delivered(recipient, self.lab.send(recipient), policy=NONE)
        self.assertEqual(before, len(self.sts.fetches("unlisted")))

    # RFC 8689 4.2.1 step 2: the policy vouches for the host that an unsigned MX record names; so only the
    # last step fails, as Postfix has no REQUIRETLS.
    def test_a_policy_vouches_for_a_host_under_requiretls(self):
        certificate, key = self.lab.pair
        self.relay(relay={"certificate": certificate, "key": key}).start()
        client = self.smtp()
        client.starttls()
        identity = self.hand_in(client, "rita@unsigned.test", parameters=["REQUIRETLS"])
        bounce = self.lab.plain.wait_for_message(b"Message-ID: " + identity.encode())
        self.assertIn(b"Status: 5.7.30", bounce)

    # RFC 8689 3: the sender waives the recipient's policy.
    def test_tls_required_no_waives_the_policy(self):
        self.relay().start()
        recipient = "will@wrongname.test"
        identity = self.hand_in(self.smtp(), recipient, header="TLS-Required: No\r\n")
        self.assert_delivered(recipient, identity, UNAUTHENTICATED, r"sts \(waived by sender\)")
