"""Text that the next host does not take as it is: written in quoted-printable or base64 on its way, and the
same once it is read."""

import email
import email.policy

from lab import DEAD, RELAY, RELAY_PORT
from support import Conversation, LabTest

PARTS = b"""MIME-Version: 1.0\r
From: alice@sender.test\r
Message-ID: %s\r
Content-Type: multipart/mixed; boundary="outer"\r
Content-Transfer-Encoding: 8bit\r
\r
preamble\r
--outer\r
Content-Type: multipart/alternative; boundary=inner\r
Content-Transfer-Encoding: 8bit\r
\r
--inner\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: 8bit\r
\r
Gr\xc3\xbc\xc3\x9fe = 1 \r
.\r
--\xc3\xa4\r
\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\r
\r
--inner\r
Content-Type: text/html; charset=iso-8859-1\r
Content-Transfer-Encoding: 8bit\r
\r
<p>\xfc</p>\r
--inner--\r
--outer\r
Content-Type: text/plain\r
\r
seven bits = 7 \r
--outer\r
Content-Type: message/rfc822\r
Content-Transfer-Encoding: 8bit\r
\r
Subject: inside\r
MIME-Version: 1.0\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: 8bit\r
\r
\xe2\x82\xac\r
--outer\r
Content-Type: application/octet-stream\r
Content-Transfer-Encoding: 8bit\r
\r
\xff\xfe\xfd\r
--outer\r
Content-Type: image/png\r
Content-Transfer-Encoding: base64\r
\r
iVBORw0KGgo=\r
--outer--\r
"""

SIGNED = b"""MIME-Version: 1.0\r
Message-ID: %s\r
Content-Type: multipart/signed; boundary=s; micalg=pgp-sha256; protocol="application/pgp-signature"\r
\r
--s\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: 8bit\r
\r
\xc3\xa4\r
--s\r
Content-Type: application/pgp-signature\r
\r
x\r
--s--\r
"""

PLAIN = b"""MIME-Version: 1.0\r
Message-ID: %s\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: 8bit\r
\r
"""


BINARY = b"""MIME-Version: 1.0\r
Message-ID: %s\r
Content-Type: multipart/mixed; boundary="outer"\r
Content-Transfer-Encoding: binary\r
\r
--outer\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: 8bit\r
\r
Gr\xc3\xbc\xc3\x9fe\r
--outer\r
Content-Type: application/octet-stream\r
Content-Transfer-Encoding: binary\r
\r
""" + bytes(range(256)) + b"\n.\r\r\n.\r\n" + bytes(2000) + b"""\r
--outer--\r
"""


def leaves(octets):
    """What a reader sees of each part: its type, its character set, its octets."""
    message = email.message_from_bytes(octets, policy=email.policy.compat32)
    return [
        (part.get_content_type(), part.get_content_charset(), part.get_payload(decode=True))
        for part in message.walk()
        if not part.is_multipart()
    ]


def with_lf(parts):
    """As they are in a maildir, or behind an encoding of text that had CRLF."""
    return [(kind, charset, payload.replace(b"\r\n", b"\n")) for kind, charset, payload in parts]


class Conversion(LabTest):
    """mx.dead.test is a Postfix that takes 7-bit text only."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.old = cls.lab._postfix(
            "old",
            hostname="mx.dead.test",
            endpoint=f"{DEAD}:25",
            domains=["dead.test"],
            main="smtpd_discard_ehlo_keywords = 8bitmime, smtputf8\n",
        )
        cls.old.wait_until_ready()

    def send(self, text, name, options=("BODY=8BITMIME",)):
        identity = f"<{name}@sender.test>".encode()
        octets = text.replace(b"%s", identity, 1)
        self.smtp().sendmail("alice@sender.test", ["carol@dead.test"], octets, list(options))
        return octets, b"Message-ID: " + identity

    def assert_bounced(self, token, reason):
        bounce = self.lab.plain.wait_for_message(b"Final-Recipient: rfc822; carol@dead.test", token)
        status = email.message_from_bytes(bounce).get_payload(1).as_string()
        self.assertIn("Action: failed", status)
        self.assertIn("Status: 5.6.3", status)
        self.assertIn(reason, email.message_from_bytes(bounce).get_payload(0).get_payload().replace("\n", " "))
        self.assertIsNone(self.old.find(token))

    # RFC 6152 3: no loss of information, and the result is 7-bit.
    def test_every_part_reads_the_same(self):
        relay = self.relay().start()
        sent, token = self.send(PARTS, "parts")
        received = self.old.wait_for_message(token)
        self.assertTrue(received.isascii())
        self.assertEqual(with_lf(leaves(sent)), with_lf(leaves(received)))
        self.assertIn(b"Gr=C3=BC=C3=9Fe =3D 1=20\n.\n=2D-=C3=A4\n", received)
        self.assertIn(b"\nseven bits = 7 \n--outer\n", received, "what fits is left alone")
        self.assertIn(b"\npreamble\n--outer\n", received)
        relay.wait_until_empty()

    def test_a_message_of_many_rows_of_the_store_by_data(self):
        self.relay(delivery={"chunking": False}).start()
        text = b"".join(b"%d Gr\xc3\xbc\xc3\x9fe \r\n" % number for number in range(100_000))
        sent, token = self.send(PLAIN + text, "rows")
        received = self.old.wait_for_message(token)
        self.assertTrue(received.isascii())
        self.assertEqual(with_lf(leaves(sent)), with_lf(leaves(received)))

    # RFC 1428 3: nobody said what the octets stand for, and no octet is lost.
    def test_text_that_is_no_mime(self):
        self.relay().start()
        self.send(b"Message-ID: %s\r\n\r\n\xe4\xf6\r\n", "bare", ())
        received = self.old.wait_for_message(b"Message-ID: <bare@sender.test>")
        self.assertEqual([("text/plain", "unknown-8bit", b"\xe4\xf6\n")], leaves(received))

    # RFC 1847 2.1
    def test_what_is_signed_bounces(self):
        self.relay().start()
        _, token = self.send(SIGNED, "signed")
        self.assert_bounced(token, "signature would break")

    def test_the_operator_may_want_no_conversion(self):
        self.relay(delivery={"convert": False}).start()
        _, token = self.send(PARTS, "unchanged")
        self.assert_bounced(token, "no 8BITMIME")

    # RFC 3030 3: what no Postfix takes is made text for it, and only what must be.
    def test_binary_arrives_as_base64(self):
        self.relay(delivery={"chunking": False}).start()
        for recipient, postfix, text in (
            ("carol@plain.test", self.lab.plain, b"Gr\xc3\xbc\xc3\x9fe\n"),
            ("carol@dead.test", self.old, b"Gr=C3=BC=C3=9Fe\n"),
        ):
            with self.subTest(recipient):
                identity = f"<binary.{recipient}>".encode()
                octets = BINARY.replace(b"%s", identity, 1)
                conversation = Conversation(RELAY, RELAY_PORT)
                self.addCleanup(conversation.close)
                self.assertRegex(conversation.reply(), "^220 ")
                self.assertIn("BINARYMIME", conversation.ask("EHLO client.sender.test"))
                for command in ("MAIL FROM:<alice@sender.test> BODY=BINARYMIME", f"RCPT TO:<{recipient}>"):
                    self.assertRegex(conversation.ask(command), "^250 ")
                conversation.send(b"BDAT %d LAST\r\n" % len(octets) + octets)
                self.assertRegex(conversation.reply(), "^250 ")
                received = postfix.wait_for_message(b"Message-ID: " + identity)
                self.assertEqual(leaves(octets)[1], leaves(received)[1])
                self.assertEqual(with_lf(leaves(octets))[0], leaves(received)[0])
                self.assertIn(text, received)
                self.assertNotIn(b"\0", received)
