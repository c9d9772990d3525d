"""Refusals: what bounces, what waits, and what a bounce says."""

import email
import json
import socket
import threading

from lab import DEAD
from support import LabTest


class Bounces(LabTest):
    # RFC 3464 2 and RFC 3462 1: a multipart/report of three parts, to the reverse-path, from <>.
    def test_a_permanent_refusal_bounces_to_the_sender(self):
        relay = self.relay().start()
        identity = self.lab.send("nobody@plain.test", subject="Secret plans")
        octets = self.lab.plain.wait_for_message(b"Message-ID: " + identity.encode())
        bounce = email.message_from_bytes(octets)
        self.assertEqual("alice@sender.test", bounce["Delivered-To"])
        self.assertEqual("<>", bounce["Return-Path"])
        self.assertEqual("multipart/report", bounce.get_content_type())
        self.assertEqual("delivery-status", bounce.get_param("report-type"))
        words, status, original = bounce.get_payload()
        self.assertIn("There is nobody here", words.get_payload())
        self.assertEqual("message/delivery-status", status.get_content_type())
        self.assertIn("Final-Recipient: rfc822; nobody@plain.test", status.as_string())
        self.assertIn("Action: failed", status.as_string())
        self.assertIn("Status: 5.1.1", status.as_string())
        # pinning-protocol 6: headers only.
        self.assertEqual("text/rfc822-headers", original.get_content_type())
        self.assertNotIn(b"Hello, this is", octets)
        self.assertIn("Subject: Secret plans", original.get_payload())
        relay.wait_until_empty()

    # RFC 5321 6.1: a bounce of a bounce would go on for ever.
    def test_mail_from_nobody_never_bounces(self):
        relay = self.relay().start()
        before = len(self.lab.plain.messages())
        self.lab.send("nobody@plain.test", sender="<>")
        relay.wait_until_empty()
        self.assertEqual(before, len(self.lab.plain.messages()))

    def test_a_temporary_refusal_waits(self):
        relay = self.relay().start()
        self.lab.send("later@plain.test")
        held = relay.wait_for_held("later@plain.test")
        self.assertIn("Come back later", json.dumps(held))

    def test_one_refused_recipient_does_not_hold_up_another(self):
        relay = self.relay().start()
        self.smtp().sendmail(
            "alice@sender.test",
            ["carol@plain.test", "later@plain.test", "nobody@plain.test"],
            "Message-ID: <mixed@sender.test>\r\nSubject: mixed\r\n\r\nx\r\n",
        )
        relay.wait_for_held("later@plain.test")
        self.lab.plain.wait_for_message(b"Final-Recipient: rfc822; nobody@plain.test", b"<mixed@sender.test>")
        copies = [
            message
            for message in self.lab.plain.messages()
            if b"Delivered-To: carol@plain.test" in message and b"<mixed@sender.test>" in message
        ]
        self.assertEqual(1, len(copies))

    # RFC 5321 4.5.4.1: given up at the end of the lifetime, and said so.
    def test_the_end_of_the_lifetime_bounces(self):
        self.relay(
            queue={"lifetime": "3s", "retry_initial": "1s"}, delivery={"connect_timeout": "1s"}
        ).start()
        self.lab.send("carol@dead.test")
        bounce = self.lab.plain.wait_for_message(b"Final-Recipient: rfc822; carol@dead.test", deadline=30)
        self.assertIn(b"Action: failed", bounce)
        self.assertRegex(bounce, rb"Status: [45]\.4\.7")

    # RFC 5321 6.3: mail that has passed too many hosts goes round in a ring.
    def test_a_loop_is_refused(self):
        self.relay().start()
        received = "".join(
            f"Received: from a by b{number}; Mon, 1 Jan 2024 00:00:00 +0000\r\n" for number in range(120)
        )
        client = self.smtp()
        client.ehlo()
        client.mail("alice@sender.test")
        client.rcpt("carol@plain.test")
        code, text = client.data(f"{received}Subject: loop\r\n\r\nx\r\n")
        self.assertEqual(554, code, text)
        self.assertIn(b"5.4.6", text)

    def host_that_greets_with(self, greeting):
        """At the address of mx.dead.test, until the test ends."""
        server = socket.create_server((DEAD, 25))

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(greeting.encode() + b"\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.close)
        self.addCleanup(server.shutdown, socket.SHUT_RDWR)

    # RFC 7504 3: such a host takes no mail, ever; another of the domain may.
    def test_a_host_that_takes_no_mail_is_passed_over_or_final(self):
        self.host_that_greets_with("521 mx.dead.test takes no mail")
        relay = self.relay().start()
        self.assert_once(self.lab.plain, self.lab.send("carol@several.test"))
        identity = self.lab.send("never@dead.test")
        bounce = self.lab.plain.wait_for_message(identity.encode(), b"Status: 5.3.2")
        self.assertIn(b"the host takes no mail", bounce)
        relay.wait_until_empty()

    # RFC 5321 3.8: 421 is for now.
    def test_a_host_that_is_busy_is_tried_again(self):
        self.host_that_greets_with("421 4.3.2 mx.dead.test busy")
        relay = self.relay().start()
        self.lab.send("carol@dead.test")
        self.assertRegex(relay.wait_for_held("carol@dead.test")["last_status"], "^4")
