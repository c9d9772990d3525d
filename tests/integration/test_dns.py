"""Where mail goes, by the lab's signed zone (lab/zones.py)."""

from support import LabTest


class Dns(LabTest):
    # RFC 5321 5.1: MX in order of preference, without an MX the domain itself; aliases are followed.
    def test_mail_finds_its_host(self):
        self.relay(delivery={"connect_timeout": "2s"}).start()
        for recipient, why in (
            ("carol@plain.test", "MX in the signed zone"),
            ("carol@implicit.test", "no MX: the domain's own address"),
            ("carol@alias.test", "the MX host is an alias"),
            ("carol@several.test", "the first of two hosts does not answer"),
            ("carol@insecure.test", "an unsigned child zone is no error"),
        ):
            with self.subTest(why):
                self.assert_once(self.lab.plain, self.lab.send(recipient))

    def test_what_dns_cannot_vouch_for_is_held(self):
        relay = self.relay(delivery={"connect_timeout": "2s"}).start()
        for recipient, reason, why in (
            ("carol@tampered.test", "(?i)bogus|dnssec|signature", "a changed MX record"),
            ("carol@dead.test", "(?i)refused|connect", "nothing listens at the only host"),
        ):
            with self.subTest(why):
                identity = self.lab.send(recipient)
                self.assertRegex(relay.wait_for_held(recipient)["reason"], reason)
                self.assertFalse(any(identity.encode() in message for message in self.lab.plain.messages()))

    # RFC 7505 4.2 and RFC 3463 3.2: no mail is taken there, and no such system, each for good.
    def test_what_dns_refuses_bounces(self):
        relay = self.relay().start()
        for recipient, status, why in (
            ("carol@null.test", b"5.1.10", "a null MX"),
            ("carol@nowhere.test", b"5.1.2", "no such domain"),
        ):
            with self.subTest(why):
                identity = self.lab.send(recipient)
                bounce = self.lab.plain.wait_for_message(b"Message-ID: " + identity.encode())
                self.assertIn(b"Final-Recipient: rfc822; " + recipient.encode(), bounce)
                self.assertIn(b"Status: " + status, bounce)
        relay.wait_until_empty()
