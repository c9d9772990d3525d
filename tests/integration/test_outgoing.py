"""What the relay says to the servers it delivers to, as real ones hear it."""

import re

from lab import MX
from programs import wait_for
from support import LabTest


class Chunks(LabTest):
    def send_text(self, octets):
        identity = f"<{self.id().rsplit('.', 1)[-1]}.{len(octets)}@sender.test>"
        header = f"Message-ID: {identity}\r\nSubject: x\r\n\r\n".encode()
        self.smtp().sendmail("alice@sender.test", ["carol@plain.test"], header + octets)
        return self.lab.plain.wait_for_message(f"Message-ID: {identity}".encode())

    def commands(self):
        """What Postfix counted of the last session: {"bdat": "2", ...}."""
        closed = [line for line in self.lab.plain.log().splitlines() if " disconnect from " in line]
        return dict(re.findall(r"(\w+)=(\S+)", closed[-1])) if closed else {}

    # RFC 3030 2: each row of the store is a chunk; dots are not stuffed.
    def test_a_server_that_offers_chunking_gets_chunks(self):
        self.relay().start()
        text = b"".join(b".%d: so far so good\r\n" % number for number in range(10000))
        self.assertTrue(self.send_text(text).endswith(text.replace(b"\r\n", b"\n")))
        counts = wait_for(lambda: "bdat" in self.commands() and self.commands(), "a session with BDAT")
        self.assertGreater(int(counts["bdat"]), 2, counts)
        self.assertNotIn("data", counts)
        self.assertTrue(self.send_text(b"..\r\n.\r\n").endswith(b"\n\n..\n.\n"))
        wait_for(lambda: self.commands().get("bdat") == "1", "a short message in one chunk")

    def test_chunking_can_be_switched_off(self):
        self.relay(delivery={"chunking": False}).start()
        self.assertTrue(self.send_text(b"..\r\n.\r\n").endswith(b"\n\n..\n.\n"))
        wait_for(lambda: self.commands().get("data") == "1", "a session with DATA")
        self.assertNotIn("bdat", self.commands())

    # RFC 3030 2: an envelope that is refused takes its text along.
    def test_who_is_refused_does_not_hold_up_another(self):
        self.relay().start()
        self.smtp().sendmail(
            "alice@sender.test",
            ["nobody@plain.test", "carol@plain.test"],
            "Message-ID: <refused@sender.test>\r\n\r\nMAIL FROM:<x@x.test>\r\nRCPT TO:<carol@plain.test>\r\n",
        )
        self.lab.plain.wait_for_message(b"Final-Recipient: rfc822; nobody@plain.test", b"<refused@sender.test>")
        copies = [m for m in self.lab.plain.messages() if m.count(b"<refused@sender.test>") == 1]
        self.assertEqual(2, len(copies), "the message, and its bounce")


class Notices(LabTest):
    def send_asking(self, recipients, rcpt, mail=()):
        identity = f"<{self.id().rsplit('.', 1)[-1]}@sender.test>"
        self.smtp().sendmail(
            "alice@sender.test", recipients, f"Message-ID: {identity}\r\n\r\nsecret\r\n", mail, rcpt
        )
        return identity.encode()

    def notice(self, *tokens):
        return self.lab.plain.wait_for_message(b"Delivered-To: alice@sender.test", *tokens)

    # RFC 3461 5.2.1: Postfix offers DSN, has the whole of what was asked, and tells.
    def test_a_server_that_offers_dsn_tells(self):
        self.relay().start()
        self.send_asking(
            ["carol@plain.test"],
            ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;Carol+2BX@elsewhere.test"],
            ["RET=HDRS", "ENVID=QQ+2D31"],
        )
        notice = self.notice(b"Original-Envelope-Id: QQ-31")
        self.assertIn(b"Reporting-MTA: dns; mx.plain.test", notice)
        self.assertRegex(notice, rb"Original-Recipient: rfc822; ?Carol\+X@elsewhere.test")
        self.assertIn(b"Action: delivered", notice)

    # RFC 3461 5.2.2
    def test_beyond_a_server_without_dsn_the_relay_tells(self):
        server = self.lab._postfix(
            "silent",
            hostname="mx.receiver.test",
            endpoint=f"{MX}:25",
            domains=["receiver.test"],
            main="smtpd_discard_ehlo_keywords = dsn, chunking, pipelining\n",
        )
        server.wait_until_ready()
        relay = self.relay().start()
        identity = self.send_asking(
            ["bob@receiver.test", "nobody@receiver.test"], ["NOTIFY=SUCCESS,FAILURE"], ["RET=FULL", "ENVID=two"]
        )
        server.wait_for_message(identity, b"Delivered-To: bob@receiver.test")
        notice = self.notice(identity, b"Original-Envelope-Id: two")
        self.assertIn(b"Reporting-MTA: dns; relay.sender.test", notice)
        self.assertRegex(notice, rb"(?s)bob@receiver.test\s+Action: relayed.*nobody@receiver.test\s+Action: failed")
        self.assertIn(b"Content-Type: message/rfc822", notice)
        relay.wait_until_empty()

    # RFC 3461 4.1: nobody wants to know.
    def test_who_asks_for_no_notice_of_failure_gets_none(self):
        relay = self.relay().start()
        for rcpt in ("NOTIFY=NEVER", "NOTIFY=SUCCESS", "NOTIFY=DELAY"):
            self.send_asking(["nobody@plain.test"], [rcpt])
        relay.wait_until_empty()
        self.assertEqual(3, relay.output().count(" undeliverable_dropped "))

    # RFC 3461 5.2.5: once, at the first attempt that is late.
    def test_a_delay_is_told_once(self):
        relay = self.relay(
            delivery={"delay_notice": "1s"}, queue={"retry_initial": "1s", "retry_max": "1s", "jitter": 0.0}
        ).start()
        identity = self.send_asking(["later@plain.test"], [])
        notice = self.notice(identity, b"Action: delayed")
        self.assertIn(b"Will-Retry-Until: ", notice)
        wait_for(lambda: relay.held("later@plain.test")[-1]["attempts"] >= 4, "more attempts")
        told = [m for m in self.lab.plain.messages() if identity in m and b"Action: delayed" in m]
        self.assertEqual(1, len(told))
