"""The gate before a real Postfix."""

import smtplib
import ssl

from certificates import pin_of
from lab import MX
from support import Conversation, LabTest


def over_tls(client):
    """STARTTLS without a look at the certificate; the EHLO reply inside."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client.starttls(context=context)
    return client.ehlo()[1].decode()


class Gate(LabTest):
    # pinning-protocol 1: only inside TLS, a pin a line, and a backup with it.
    def test_pins_are_shown_inside_tls_only(self):
        self.gate().start()
        client = self.smtp(MX, 25)
        outside = client.ehlo()[1].decode().upper()
        self.assertNotIn("PKP", outside)
        self.assertNotIn("STSEC", outside)
        self.assertIn("STARTTLS", outside)
        inside = over_tls(client).splitlines()
        for key in self.lab.pair[1], self.lab.backup_key:
            self.assertIn(f"PKP PIN-SHA256={pin_of(key)}", inside)
        self.assertIn("PKP MAX-AGE=5184000", "\n".join(inside))
        self.assertIn("STSEC MAX-AGE=31536000", inside)
        self.assertNotIn("STARTTLS", inside)
        self.assertTrue(all(len(line) <= 506 for line in inside))

    # The backend's own offers pass, but not those that would let a client speak for another.
    def test_the_backends_offers_pass_but_xclient(self):
        self.gate().start()
        client = self.smtp(MX, 25)
        client.ehlo()
        offers = over_tls(client)
        self.assertIn("PIPELINING", offers)
        self.assertIn("SIZE 104857600", offers)
        self.assertNotIn("XCLIENT", offers)
        self.assertGreaterEqual(client.docmd("XCLIENT", "ADDR=192.0.2.1")[0], 500)

    # The backend judges the real client's address, so it must be told.
    def test_the_backend_learns_the_clients_address(self):
        self.gate().start()
        client = smtplib.SMTP(MX, 25, "client.sender.test", timeout=20, source_address=("127.77.0.99", 0))
        self.addCleanup(client.close)
        over_tls(client)
        client.sendmail(
            "alice@sender.test", ["bob@receiver.test"], "Message-ID: <gate-1@sender.test>\r\n\r\nx\r\n"
        )
        message = self.lab.receiver.wait_for_message(b"<gate-1@sender.test>")
        self.assertIn(b"[127.77.0.99]", message)

    # The same by the PROXY protocol's second version, read by a real Postfix.
    def test_the_backend_learns_the_clients_address_by_proxy_v2(self):
        proxied = self.lab.proxied_receiver()
        sections = self.lab.gate_sections()
        sections["gate"].update(client_address="proxy-v2", backend=proxied.endpoint)
        gate = self.gate()
        gate.configure(sections)
        gate.start()
        client = smtplib.SMTP(MX, 25, "client.sender.test", timeout=20, source_address=("127.77.0.98", 0))
        self.addCleanup(client.close)
        over_tls(client)
        client.sendmail(
            "alice@sender.test", ["bob@receiver.test"], "Message-ID: <gate-2@sender.test>\r\n\r\nx\r\n"
        )
        message = proxied.wait_for_message(b"<gate-2@sender.test>")
        self.assertIn(b"[127.77.0.98]", message)

    # RFC 3207 4.2: what came before TLS is forgotten, and what came behind STARTTLS in clear is never obeyed.
    def test_nothing_said_before_tls_survives_it(self):
        self.gate().start()
        conversation = Conversation(MX, 25)
        self.addCleanup(conversation.close)
        conversation.reply()
        conversation.ask("EHLO client.sender.test")
        conversation.send(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@sender.test>\r\n")
        if not conversation.reply().startswith("220 "):
            return  # refused: nothing can survive
        conversation.socket.settimeout(5)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            inside = context.wrap_socket(conversation.socket)
        except OSError:
            return  # hung up: nothing can survive
        inside.sendall(b"RCPT TO:<bob@receiver.test>\r\n")
        self.assertRegex(inside.recv(1000), b"^5")

    def test_a_dead_backend_is_a_temporary_failure(self):
        relay = self.relay().start()
        self.gate().start()
        self.lab.receiver.stop()
        self.addCleanup(self.lab.receiver.wait_until_ready)
        self.addCleanup(self.lab.receiver.start)
        self.lab.send("bob@receiver.test")
        relay.wait_for_held("bob@receiver.test")

    def test_a_refusal_of_the_backend_passes_through(self):
        self.relay().start()
        self.gate().start()
        self.lab.send("nobody@receiver.test")
        bounce = self.lab.plain.wait_for_message(b"Final-Recipient: rfc822; nobody@receiver.test")
        self.assertIn(b"There is nobody here", bounce)
        self.assertIn(b"Status: 5.1.1", bounce)

    def test_a_large_message_passes_and_costs_little_memory(self):
        gate = self.gate().start()
        before = gate.program.memory_peak()
        client = self.smtp(MX, 25)
        over_tls(client)
        body = "Message-ID: <gate-large@sender.test>\r\n\r\n" + (".." + "x" * 76 + "\r\n") * 640_000
        client.sendmail("alice@sender.test", ["bob@receiver.test"], body)
        self.lab.receiver.wait_for_message(b"<gate-large@sender.test>", deadline=60)
        self.assertLess((gate.program.memory_peak() - before) / (1 << 20), 16)
