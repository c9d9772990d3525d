"""What the relay says to the servers it delivers to, as real ones hear it."""

import re

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
