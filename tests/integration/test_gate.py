"""The gate before a real Postfix."""

import re
import shutil
import signal
import smtplib
import ssl

from certificates import pin_of, pin_of_certificate
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

    # pinning-protocol 8.2: the backup goes live without a restart; a key that was never promised does not.
    def test_a_certificate_is_read_again_if_it_keeps_the_promise(self):
        live = self.lab.path("gate.pem"), self.lab.path("gate.key")
        backup = self.lab.path("gate-backup.key")

        def install(pair, next_backup):
            for source, target in zip((*pair, next_backup), (*live, backup), strict=True):
                shutil.copyfile(source, target)

        issued = self.lab.certificates.issued
        first, second, third, stranger = (issued(f"gate-{n}", "mx.receiver.test") for n in range(4))
        install(first, second[1])
        gate = self.gate(pair=live, backup_key=backup).start()

        def shown():
            """The pin that a new session proves, and those it advertises."""
            client = self.smtp(MX, 25)
            offers = over_tls(client)
            certificate = ssl.DER_cert_to_PEM_cert(client.sock.getpeercert(binary_form=True))
            return pin_of_certificate(certificate), re.findall(r"PIN-SHA256=(\S+)", offers)

        def reload(event):
            heard = gate.output().count(event)
            gate.program.process.send_signal(signal.SIGHUP)
            gate.program.wait_until(lambda: gate.output().count(event) > heard, event)

        pins = [pin_of(pair[1]) for pair in (first, second, third)]
        self.assertEqual((pins[0], pins[:2]), shown())
        under_way = self.smtp(MX, 25)
        for pair, next_backup in (
            (stranger, second[1]),  # a key of which nobody was told
            (second, second[1]),  # no backup behind it
            ((second[0], first[1]), third[1]),  # another's key
        ):
            install(pair, next_backup)
            reload(" certificate_not_reloaded ")
            self.assertEqual((pins[0], pins[:2]), shown())
        install(second, third[1])
        reload(" certificate_loaded ")
        self.assertEqual((pins[1], pins[1:]), shown())
        # A session that had begun proves what it advertises.
        self.assertIn(pins[0], over_tls(under_way))

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
