"""Clients that break the rules of SMTP on purpose: each way to smuggle a message or a command in, to
confuse the order of things, or to hold on to what others need."""

import itertools
import os
import re
import socket
import ssl
import struct
import threading
import time

from lab import RELAY, RELAY_PORT
from programs import wait_for
from support import Conversation, LabTest

ENVELOPE = (b"EHLO a\r\n", b"MAIL FROM:<alice@sender.test>\r\n", b"RCPT TO:<honest@dead.test>\r\n")
EVIL = b"MAIL FROM:<evil@sender.test>\r\nRCPT TO:<evil@dead.test>\r\nDATA\r\nSubject: evil\r\n\r\nx\r\n.\r\n"
CLOSED = "^$"


class HostileClients(LabTest):
    def setUp(self):
        super().setUp()
        certificate, key = self.lab.pair
        self.server = self.relay(
            relay={"certificate": certificate, "key": key}, limits={"command_timeout": "2s"}
        )

    def conversation(self):
        conversation = Conversation(RELAY, RELAY_PORT)
        self.addCleanup(conversation.close)
        self.assertRegex(conversation.reply(), "^220 ")
        return conversation

    def replies(self, conversation, expected):
        for pattern in expected:
            try:
                said = conversation.reply()
            except ConnectionResetError:
                said = ""
            self.assertRegex(said, pattern)

    def queued(self):
        return [entry["address"] for message in self.server.queue() for entry in message["recipients"]]

    def assert_serves(self):
        """It runs, and serves the next one."""
        self.assertTrue(self.server.program.running())
        self.assert_once(self.lab.plain, self.lab.send("carol@plain.test"))
        self.assertNotIn("evil@dead.test", self.queued())

    # CVE-2011-0411 and its kin (NO STARTTLS, Poddebniak et al. 2021): nothing said in the clear is
    # taken for said inside TLS.
    def test_nothing_is_injected_before_tls(self):
        self.server.start()
        hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"
        for sent, expected, why in (
            ((b"EHLO a\r\n", b"STARTTLS\r\n" + EVIL), ("^250", "^554", CLOSED), "a whole message behind it"),
            ((b"EHLO a\r\nSTARTTLS\r\nNOOP\r\n",), ("^250", "^554", CLOSED), "a command in the same packet"),
            ((b"EHLO a\r\n", b"STARTTLS\r\nN"), ("^250", "^554", CLOSED), "half a command"),
            ((b"EHLO a\r\n", b"STARTTLS\r\n" + hello), ("^250", "^554", CLOSED), "TLS before it is asked"),
            ((b"EHLO a\r\n", b"STARTTLS\r\nSTARTTLS\r\n"), ("^250", "^554", CLOSED), "STARTTLS twice"),
            ((b"EHLO a\r\n", b"STARTTLS\n"), ("^250", "^500", CLOSED), "a bare LF"),
            ((b"EHLO a\r\n", b"STARTTLS\r\r\n"), ("^250", "^500", CLOSED), "CR CR LF"),
            ((b"EHLO a\r\n", b"STARTTLS \0\r\n"), ("^250", "^500", CLOSED), "a NUL behind it"),
            ((b"EHLO a\r\n", b"STARTTLS now\r\n", b"NOOP\r\n"), ("^250", "^501", "^250"), "an argument"),
            ((*ENVELOPE, b"STARTTLS\r\n"), ("^250", "^250", "^250", "^503"), "in a transaction"),
        ):
            with self.subTest(why):
                conversation = self.conversation()
                for octets, pattern in itertools.zip_longest(sent, expected):
                    if octets:
                        conversation.send(octets)
                    self.replies(conversation, [pattern])
        for octets, why in (
            (EVIL, "commands in place of a handshake"),
            (b"\x80\x2e\x01\x00\x02" + b"\0" * 40, "SSLv2"),
            (hello, "a ClientHello that is none"),
            (b"\x15\x03\x03\x00\x02\x02\x28", "an alert"),
            (b"\x17\x03\x03\xff\xff" + b"x" * 70_000, "data too early"),
            (os.urandom(5000), "noise"),
        ):
            with self.subTest(why):
                conversation = self.conversation()
                for command in (b"EHLO a\r\n", b"STARTTLS\r\n"):
                    conversation.send(command)
                    self.assertRegex(conversation.reply(), "^2")
                try:
                    conversation.send(octets)
                    conversation.socket.shutdown(socket.SHUT_WR)
                    said = conversation.file.read()
                except OSError:
                    said = b""
                self.assertNotRegex(said, rb"(?m)^[2-5]\d\d[ -]", "no word in the clear")
        self.assertEqual([], self.queued())
        self.assert_serves()

    # RFC 3207 4.2: what was known before TLS is forgotten, and the session begins anew.
    def test_what_was_said_before_tls_is_forgotten(self):
        self.server.start()
        conversation = self.conversation()
        for command in (b"EHLO a\r\n", b"STARTTLS\r\n"):
            conversation.send(command)
            self.assertRegex(conversation.reply(), "^2")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        conversation.socket = context.wrap_socket(conversation.socket)
        conversation.file = conversation.socket.makefile("rb")
        for command, expected in (
            ("MAIL FROM:<alice@sender.test>", "^503 "),
            ("STARTTLS", "^503 "),
            ("EHLO a", "^(?!.*STARTTLS)250"),
            ("STARTTLS", "^503 "),
            ("RCPT TO:<honest@dead.test>", "^503 "),
        ):
            self.assertRegex(conversation.ask(command).replace("\r\n", " "), expected, command)
        # It ends without close_notify in the middle of a message: no message.
        for command in ENVELOPE[1:] + (b"DATA\r\n",):
            conversation.send(command)
            self.assertRegex(conversation.reply(), "^[23]")
        conversation.send(b"Subject: cut off\r\n\r\nx\r\n")
        conversation.socket.shutdown(socket.SHUT_RDWR)
        self.assert_serves()
        self.assertEqual([], self.queued())

    # SMTP smuggling (CVE-2023-51764, -51765, -51766): CRLF.CRLF is the end, and nothing else is; what
    # another server might take for one is not passed on either.
    def test_no_other_end_of_data_is_taken(self):
        self.server.start()
        ends = (b"\n", b"\r", b"\r\n", b"\r\r\n", b"\n\r", b"\r\n\r", b"\n\n", b"\r\0\n", b"\0\r\n", b"\r\n\0")
        for before, after in itertools.product(ends, ends):
            for dot in (b".", b".."):
                if b"\r\n.\r\n" in before + dot + after:
                    continue  # the true end
                with self.subTest(before=before, dot=dot, after=after):
                    self._smuggle(before + dot + after)
        self.assertEqual([], self.queued())
        self.assert_serves()

    def _smuggle(self, end):
        conversation = self.conversation()
        conversation.send(b"".join(ENVELOPE) + b"DATA\r\n")
        self.replies(conversation, ("^250", "^250", "^250", "^354"))
        conversation.send(b"Subject: honest\r\n\r\nx" + end + EVIL)
        said = conversation.reply()
        # Two dots behind CRLF are a line of text, unless something else is wrong.
        if said.startswith("250"):
            self.assertTrue(end.startswith(b"\r\n..") and end.endswith(b"\r\n"), said)
            for message in self.server.queue():
                self.server.command("queue", "remove", message["id"])
        else:
            self.assertRegex(said, "^554 5.6.0 ")
        self.assertRegex(conversation.ask("NOOP"), "^250 ", "one reply, and in step")
        conversation.close()

    # RFC 5321 4.1.4 and 4.5.3.1
    def test_commands_out_of_order_and_out_of_shape(self):
        self.server.start()
        mail, recipient = "MAIL FROM:<alice@sender.test>", "RCPT TO:<honest@dead.test>"
        for before, octets, expected, why in (
            ((), mail.encode(), "^503", "MAIL before EHLO"),
            ((), recipient.encode(), "^503", "RCPT before EHLO"),
            ((), b"DATA", "^503", "DATA before EHLO"),
            (("EHLO a",), recipient.encode(), "^503", "RCPT before MAIL"),
            (("EHLO a",), b"DATA", "^503", "DATA before MAIL"),
            (("EHLO a", mail), b"DATA", "^503", "DATA before RCPT"),
            (("EHLO a", mail), mail.encode(), "^503", "MAIL in MAIL"),
            (("EHLO a", mail, recipient, "RSET"), b"DATA", "^503", "DATA behind RSET"),
            (("EHLO a", mail, recipient, "EHLO b"), b"DATA", "^503", "DATA behind EHLO"),
            (("EHLO a",), mail.encode() + b" SIZE=" + b"9" * 400, "^552", "a size without end"),
            (("EHLO a",), mail.encode() + b" SIZE=18446744073709551616", "^552", "one more than 64 bits"),
            (("EHLO a",), mail.encode() + b" SIZE=-1", "^501", "a size below 0"),
            (("EHLO a",), mail.encode() + b" SIZE=0x10", "^501", "a size of other digits"),
            (("EHLO a",), mail.encode() + b" SIZE=1 SIZE=999999999999", "^5", "two sizes"),
            (("EHLO a",), mail.encode() + b" X=1" * 500, "^5", "parameters without end"),
            (("EHLO a",), b"MAIL FROM:<" + b"a" * 300 + b"@sender.test>", "^501", "a local part too long"),
            (("EHLO a",), b"MAIL FROM:<" + b"@a.test," * 400 + b":a@sender.test>", "^5", "a long route"),
            (("EHLO a",), b"MAIL FROM:<a@sender.test> \xff\xfe", "^5", "8-bit octets in a parameter"),
            (("EHLO a",), b"MAIL FROM:<\xff@sender.test>", "^5", "8-bit octets in an address"),
            (("EHLO a", mail), b"RCPT TO:<a@b@dead.test>", "^501", "two at signs"),
            (("EHLO a", mail), b'RCPT TO:<"a\r@dead.test>', "^500", "a bare CR in a quoted string"),
            ((), b"EHLO \xff", "^501", "8-bit octets in a name"),
            ((), b"EHLO " + b"a" * 500, "^501", "a name too long"),
            ((), b"\xff\xf4\xff\xfd\x06", "^500", "telnet's signals"),
            ((), b"A" * 300_000, "^500", "a line too long"),
        ):
            with self.subTest(why):
                conversation = self.conversation()
                for command in before:
                    self.assertRegex(conversation.ask(command), "^250", command)
                conversation.send(octets + b"\r\n")
                self.replies(conversation, [expected])
                self.assertRegex(conversation.ask("QUIT"), "^221|^$", "no second reply")
        self.assertEqual([], self.queued())
        self.assert_serves()

    # Every wait has an end, however a client fills it.
    def test_a_client_that_drips_is_cut_off(self):
        self.server = self.relay(limits={"command_timeout": "2s", "transaction_timeout": "2s"}).start()
        for before, why in (
            ((), "within a command"),
            ((*ENVELOPE, b"DATA\r\n"), "within the text"),
            ((*ENVELOPE, b"DATA\r\n", b"x\r\n."), "within its end"),
        ):
            with self.subTest(why):
                conversation = self.conversation()
                for octets in before:
                    conversation.send(octets)
                    if octets.endswith(b"\n") and not octets.startswith(b"x"):
                        conversation.reply()
                start, said = time.monotonic(), []
                listener = threading.Thread(target=lambda: said.append(conversation.reply()))
                listener.start()
                try:
                    while listener.is_alive() and time.monotonic() - start < 15:
                        conversation.send(b"a")
                        listener.join(0.2)
                except OSError:
                    pass
                listener.join(20)
                self.assertRegex(said[0], "^421 ")
                self.assertLess(time.monotonic() - start, 8)
        self.assert_serves()

    # RFC 5321 4.1.1.4: who goes away before the end has sent no message; nothing of his stays.
    def test_a_client_that_goes_away_anywhere_leaves_nothing(self):
        self.server.start()
        self.conversation().close()
        descriptors = f"/proc/{self.server.program.pid}/fd"
        before = len(os.listdir(descriptors))
        whole = b"".join(ENVELOPE) + b"DATA\r\nSubject: cut\r\n\r\n" + b"x" * 50 + b"\r\n.\r\n"
        for at in range(0, len(whole) - 1, 3):
            for reset in (False, True):
                conversation = self.conversation()
                conversation.send(whole[:at])
                if reset:
                    conversation.socket.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
                conversation.close()
        wait_for(lambda: len(os.listdir(descriptors)) <= before, "the sessions to end")
        self.assertEqual([], self.queued())
        # The store has no row of theirs: see `receiving/` in docs/store-format.md.
        self.assertIsNone(re.search(r" error ", self.server.output()))
        self.assert_serves()
