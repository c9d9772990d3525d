"""REQUIRETLS and TLS-Required on the way out (RFC 8689 4.2, 5), by the running relay."""

import json
import re

from lab import MX
from support import LabTest

SENDER = "alice@sender.test"


class RequireTls(LabTest):
    def setUp(self):
        super().setUp()
        certificate, key = self.lab.pair
        self.sender_relay = self.relay(relay={"certificate": certificate, "key": key}).start()

    def hand_in(self, recipient, *parameters, header="", sender=SENDER):
        """One message inside TLS; its Message-ID."""
        identity = f"<{self.id().rsplit('.', 1)[-1]}.{recipient}>"
        client = self.smtp()
        client.starttls()
        client.sendmail(
            sender, [recipient], f"{header}Message-ID: {identity}\r\nSubject: x\r\n\r\nx\r\n", parameters
        )
        return identity

    def assert_bounced(self, identity, status):
        """The bounce came to its sender, though the way back offers no REQUIRETLS (RFC 8689 5)."""
        bounce = self.lab.plain.wait_for_message(b"Message-ID: " + identity.encode())
        self.assertIn(b"Status: " + status, bounce)
        self.assertIn(b"text/rfc822-headers", bounce)

    # RFC 8689 4.2.1 step 4: its certificate is nobody's.
    def test_an_unauthenticated_server_is_refused(self):
        self.assert_bounced(self.hand_in("carol@plain.test", "REQUIRETLS"), b"5.7.10")

    # RFC 8689 4.2.1 step 2: an unsigned MX answer may name any host.
    def test_a_host_that_nothing_vouches_for_is_refused(self):
        self.assert_bounced(self.hand_in("carol@insecure.test", "REQUIRETLS"), b"5.7.10")

    # RFC 8689 4.2.1 step 2: no more may an unsigned alias, though the host has a certificate of its own name.
    def test_a_host_that_an_unsigned_alias_names_is_refused(self):
        self.gate().start()
        self.assert_bounced(self.hand_in("carol@aliased.insecure.test", "REQUIRETLS"), b"5.7.10")

    # RFC 8689 4.2.1 step 5: the gate has a good certificate, and the server behind it no REQUIRETLS.
    def test_a_server_without_requiretls_is_refused(self):
        self.gate().start()
        self.assert_bounced(self.hand_in("bob@receiver.test", "REQUIRETLS"), b"5.7.30")

    # RFC 8689 4.2.1: all is met, and the next hop is told.
    def test_a_server_with_requiretls_gets_it(self):
        certificate, key = self.lab.pair
        next_hop = self.lab.service(
            "relay",
            "next-hop",
            self.lab.relay_sections(
                "next-hop",
                relay={
                    "hostname": "hop.receiver.test",
                    "listen": [f"{MX}:25"],
                    "certificate": certificate,
                    "key": key,
                },
                delivery={"port": 2, "connect_timeout": "1s"},
            ),
        ).start()
        self.hand_in("bob@receiver.test", "REQUIRETLS")
        next_hop.wait_for_held("bob@receiver.test")
        self.assertEqual(["require"], [message["tls_wish"] for message in next_hop.queue()])
        self.sender_relay.wait_until_empty()
        self.assertRegex(self.sender_relay.output(), r" delivered .*policy=\"?requiretls")

    # RFC 8689 3, 4.2.2: what the recipient's side demands is waived by the header, and by the operator not.
    def test_tls_required_no_is_the_operators_to_honour(self):
        self.gate().start()
        self.hand_in("bob@receiver.test")
        self.sender_relay.wait_until_empty()
        self.lab.gate.stop()
        interceptor = self.lab.intercept("strip-starttls")
        self.hand_in("held@receiver.test")
        held = self.sender_relay.wait_for_held("held@receiver.test")
        self.assertEqual("4.7.5", held["last_status"], json.dumps(held))
        self.assertEqual([], interceptor.taken())
        self.hand_in("waived@receiver.test", header="TLS-Required: No\r\n")
        self.sender_relay.program.wait_until(
            lambda: "waived@receiver.test" in "".join(interceptor.taken()), "the waived message to go out"
        )
        # pinning-protocol 5.5: who set the policy aside is told, also where there is no TLS to test it with.
        self.sender_relay.wait_for_held("held@receiver.test")
        self.sender_relay.program.wait_until(
            lambda: re.search(
                r" delivered .* tls=none .*policy=\"[^\"]*pkp-host \(waived by sender\)", self.sender_relay.output()
            ),
            "the line of the waived message",
        )
        self.assertRegex(self.sender_relay.output(), r"policy_tested_failed .*no TLS.*TLS-Required: No")
        sections = self.sender_relay.sections
        self.sender_relay.configure({**sections, "policy": {"tls_required_no": "ignore"}})
        self.sender_relay.restart()
        self.hand_in("kept@receiver.test", header="TLS-Required: No\r\n")
        self.assertEqual("4.7.5", self.sender_relay.wait_for_held("kept@receiver.test")["last_status"])
