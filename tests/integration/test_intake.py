"""What reaches the relay's listener: who may relay, hostile and slow clients, size, a full disk."""

import os
import smtplib
import subprocess
import time

from lab import RELAY, RELAY_PORT
from programs import LabError, wait_for
from storm import FailingDisk
from support import Conversation, LabTest

MEBIBYTE = 1 << 20


class Intake(LabTest):
    def conversation(self):
        conversation = Conversation(RELAY, RELAY_PORT)
        self.addCleanup(conversation.close)
        self.assertRegex(conversation.reply(), "^220 ")
        return conversation

    # RFC 5321 3.6.2 and 7.9: relaying is for those whom the operator named.
    def test_strangers_may_not_relay(self):
        self.relay(relay={"networks": ["127.77.0.77/32"]}).start()
        client = self.smtp()
        with self.assertRaises(
            (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPResponseException)
        ) as refused:
            client.sendmail("alice@sender.test", ["bob@receiver.test"], "Subject: x\r\n\r\nx\r\n")
        self.assertRegex(str(refused.exception), "5[0-9][0-9].*5\\.7\\.1")

    # RFC 8689 2 and 4.1: offered inside TLS only, kept with the message; the parameter wins over the header.
    def test_the_wish_about_tls_is_kept_with_the_message(self):
        certificate, key = self.lab.pair
        relay = self.relay(relay={"certificate": certificate, "key": key}).start()
        client = self.smtp()
        client.ehlo()
        self.assertFalse(client.has_extn("requiretls"))
        self.assertEqual(555, client.mail("alice@sender.test", ["REQUIRETLS"])[0])
        client.starttls()
        client.ehlo()
        self.assertTrue(client.has_extn("requiretls"))
        self.assertEqual(501, client.mail("alice@sender.test", ["REQUIRETLS=1"])[0])
        for number, (parameters, header, wish) in enumerate(
            (
                ([], "", None),
                (["REQUIRETLS"], "", "require"),
                ([], "TLS-Required: No\r\n", "waive"),
                (["REQUIRETLS"], "TLS-Required: No\r\n", "require"),
            )
        ):
            recipient = f"wish{number}@dead.test"
            with self.subTest(parameters=parameters, header=header):
                client.sendmail(
                    "alice@sender.test", [recipient], f"{header}Subject: x\r\n\r\nx\r\n", parameters
                )
                kept = [m for m in relay.queue() if m["recipients"][0]["address"] == recipient]
                self.assertEqual([wish], [m["tls_wish"] for m in kept])
                self.assertIn("policy", kept[0]["recipients"][0])

    # RFC 3461: what the originator asks to be told is kept with the message and each recipient.
    def test_wishes_for_notices_are_kept_with_the_message(self):
        relay = self.relay().start()
        client = self.smtp()
        client.ehlo()
        self.assertTrue(client.has_extn("dsn"))
        self.assertEqual(250, client.mail("alice@sender.test", ["RET=HDRS", "ENVID=q+2B1"])[0])
        self.assertEqual(501, client.rcpt("a@dead.test", ["NOTIFY=NEVER,SUCCESS"])[0])
        self.assertEqual(501, client.rcpt("a@dead.test", ["ORCPT=a@dead.test"])[0])
        wishes = ["NOTIFY=success,delay", "ORCPT=rfc822;A@dead.test"]
        self.assertEqual(250, client.rcpt("a@dead.test", wishes)[0])
        self.assertEqual(250, client.rcpt("b@dead.test")[0])
        self.assertEqual(250, client.data("Subject: x\r\n\r\nx\r\n")[0])
        (message,) = relay.queue()
        self.assertEqual("RET=HDRS ENVID=q+2B1", message["dsn"])
        self.assertEqual(
            {"a@dead.test": "NOTIFY=SUCCESS,DELAY ORCPT=rfc822;A@dead.test", "b@dead.test": None},
            {r["address"]: r["dsn"] for r in message["recipients"]},
        )
        self.assertEqual(501, client.mail("alice@sender.test", ["ENVID=1", "ENVID=2"])[0])

    # RFC 3030: a message in chunks, sent together with what stands around them, reaches Postfix as any other;
    # a text that is no lines is refused, and what is in it is no command.
    def test_a_message_comes_in_chunks(self):
        self.relay(limits={"max_message_size": 200_000}).start()
        conversation = self.conversation()
        self.assertRegex(conversation.ask("EHLO a"), "(?s)-CHUNKING\r\n.*-BINARYMIME\r\n")
        envelope = b"MAIL FROM:<alice@sender.test>\r\nRCPT TO:<carol@plain.test>\r\n"
        header = b"Message-ID: <chunks@sender.test>\r\nSubject: x\r\n\r\n"
        body = b".\r\n" + (b"y" * 98 + b"\r\n") * 1000
        evil = b"x\n.\nMAIL FROM:<evil@sender.test>\r\nRCPT TO:<carol@plain.test>\r\n"
        conversation.send(
            envelope
            + b"BDAT %d\r\n%s" % (len(header), header)
            + b"BDAT %d\r\n%s" % (len(body), body)
            + b"BDAT 0 LAST\r\n"
            + envelope
            + b"BDAT %d LAST\r\n%s" % (len(evil), evil)
            + envelope
            + b"BDAT 300000\r\n"
            + (b"z" * 298 + b"\r\n") * 1000
            + b"BDAT 4 LAST\r\nend\n"
            + b"NOOP\r\n"
        )
        for expected in (
            "250 2.1.0",
            "250 2.1.5",
            f"250 2.0.0 {len(header)} octets",
            f"250 2.0.0 {len(body)} octets",
            "250 2.0.0 queued",
            "250 2.1.0",
            "250 2.1.5",
            "554 5.6.0",
            "250 2.1.0",
            "250 2.1.5",
            "552 5.3.4",
            "503 5.5.1",
            "250 2.0.0 ok",
        ):
            self.assertRegex(conversation.reply(), f"^{expected}")
        self.lab.plain.wait_for_message(b"Message-ID: <chunks@sender.test>")
        (message,) = [m for m in self.lab.plain.messages() if b"<chunks@sender.test>" in m]
        self.assertTrue(message.endswith(body.replace(b"\r\n", b"\n")), message[-200:])
        self.assertRegex(conversation.ask("BDAT 18446744073709551616 LAST"), "^501 ")
        self.assertEqual("", conversation.reply(), "the session has ended")

    # The client's pace is counted while it is waited for, not while it waits.
    def test_a_chunk_is_answered_however_slow_the_disk(self):
        relay = self.relay(limits={"min_rate": 1 << 30, "min_rate_grace": "1s"})
        disk = FailingDisk(self.lab, relay.sections["relay"]["data"])
        relay.start(disk.wrapper())
        conversation = self.conversation()
        name = "client." * 10 + "test"
        for command in ("EHLO " + name, "MAIL FROM:<alice@sender.test>", "RCPT TO:<carol@plain.test>"):
            self.assertRegex(conversation.ask(command), "^250")
        disk.order("d")
        # With the Received field a little more than the 64 KiB that are written at once, so that the last read
        # is what waits for the disk.
        text = b"Message-ID: <slow-disk@sender.test>\r\n\r\n" + (b"x" * 78 + b"\r\n") * 817
        conversation.send(b"BDAT %d\r\n%s" % (len(text), text))
        self.assertRegex(conversation.reply(), f"^250 2.0.0 {len(text)} octets")
        disk.order("n")
        self.assertRegex(conversation.ask("BDAT 0 LAST"), "^250 ")
        self.assert_once(self.lab.plain, "<slow-disk@sender.test>")

    # RFC 3030 3: a binary message is stored octet by octet, and never goes where it would be damaged.
    def test_a_binary_message_is_taken_by_bdat_only(self):
        relay = self.relay().start()
        conversation = self.conversation()
        for command, expected in (
            ("EHLO a", "250"),
            ("MAIL FROM:<alice@sender.test> BODY=BINARYMIME", "250"),
            ("RCPT TO:<a@dead.test>", "250"),
            ("DATA", "503 5.5.1"),
        ):
            self.assertRegex(conversation.ask(command), f"^{expected}")
        octets = b"Subject: b\r\nContent-Transfer-Encoding: binary\r\n\r\n" + bytes(range(256)) * 300
        conversation.send(b"BDAT %d LAST\r\n%s" % (len(octets), octets))
        self.assertRegex(conversation.reply(), "^250 2.0.0 queued")
        (message,) = relay.queue()
        self.assertGreater(message["size"], len(octets))

    # RFC 5321 4.5.3.1: limits; and none of it harms the next client.
    def test_hostile_input_gets_an_answer_and_the_relay_lives(self):
        relay = self.relay().start()
        for octets, expected, why in (
            (b"GET / HTTP/1.1\r\n", "^(421|5..) |^$", "not SMTP"),
            (bytes(range(128, 256)) + b"\r\n", "^5.. ", "octets that are no command"),
            (b"A" * 100_000 + b"\r\n", "^5.. ", "a line over every limit"),
            (b"EHLO a\nMAIL FROM:<>\r\n", "^5.. ", "a bare LF in a command"),
            (b"EHLO a\0b\r\n", "^5.. ", "a NUL in a command"),
            (b"DATA\r\n", "^503 ", "no transaction"),
            (
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500 + b"\r\n",
                "^5.. ",
                "TLS without STARTTLS",
            ),
        ):
            with self.subTest(why):
                conversation = self.conversation()
                conversation.send(octets)
                self.assertRegex(conversation.reply(), expected)
        self.assertTrue(relay.program.running())
        self.assert_once(self.lab.plain, self.lab.send("carol@plain.test"))

    # Octets that never end a line are held only up to a limit.
    def test_a_line_without_end_costs_no_memory(self):
        relay = self.relay().start()
        before = relay.program.memory_peak()
        conversation = self.conversation()
        try:
            for _ in range(200):
                conversation.send(b"A" * 262_144)
        except OSError:
            pass  # it may well hang up
        self.assertLess(relay.program.memory_peak() - before, 8 * MEBIBYTE)
        self.assertTrue(relay.program.running())

    # RFC 5321 4.1.1.4: the end of a message is CRLF.CRLF and nothing else, so nothing is smuggled in.
    def test_bare_line_endings_smuggle_no_message(self):
        self.relay().start()
        for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r"):
            with self.subTest(end):
                conversation = self.conversation()
                for command in (
                    "EHLO a",
                    "MAIL FROM:<alice@sender.test>",
                    "RCPT TO:<carol@plain.test>",
                    "DATA",
                ):
                    self.assertRegex(conversation.ask(command), "^[23]")
                conversation.send(
                    b"Subject: outer\r\n\r\nx" + end + b"MAIL FROM:<evil@sender.test>\r\n"
                    b"RCPT TO:<carol@plain.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
                )
                self.assertRegex(conversation.reply(), "^5")
                self.assertRegex(
                    conversation.ask("NOOP"), "^(250|$)", "one reply, and the session is in step"
                )
        marker = self.lab.send("carol@plain.test")
        self.assert_once(self.lab.plain, marker)
        self.assertFalse(any(b"smuggled" in message for message in self.lab.plain.messages()))

    # Bad input: slow or silent peers are cut off at the deadline.
    def test_a_silent_client_is_sent_away(self):
        self.relay(limits={"command_timeout": "1s"}).start()
        conversation = self.conversation()
        start = time.monotonic()
        self.assertRegex(conversation.reply(), "^421 ")
        self.assertLess(time.monotonic() - start, 10)

    # Sessions are bounded by a setting, and room comes back.
    def test_sessions_are_bounded(self):
        self.relay(limits={"max_sessions": 3}).start()
        kept = [self.conversation() for _ in range(3)]
        self.assertRegex(Conversation(RELAY, RELAY_PORT).reply(), "^421 |^$")
        self.assertRegex(kept[0].ask("QUIT"), "^221 ")
        kept[0].close()
        deadline = time.monotonic() + 10
        while not (greeting := Conversation(RELAY, RELAY_PORT).reply()).startswith("220 "):
            self.assertLess(time.monotonic(), deadline, greeting)

    def begin_message(self, conversation, recipient="carol@plain.test"):
        for command in ("EHLO a", "MAIL FROM:<alice@sender.test>", f"RCPT TO:<{recipient}>", "DATA"):
            self.assertRegex(conversation.ask(command), "^[23]")

    # A client that trickles is never silent, and still must not keep its place.
    def test_a_slow_client_is_cut_off_and_a_quick_one_is_not(self):
        self.relay(limits={"min_rate": 2000, "min_rate_grace": "1s"}).start()
        slow, quick = self.conversation(), self.conversation()
        for conversation in slow, quick:
            self.begin_message(conversation)
        start = time.monotonic()
        slow.socket.settimeout(0.1)
        answer, sent = b"", 0
        while not answer:
            self.assertLess(time.monotonic() - start, 15, "it is still served")
            slow.send(b"x\r\n")
            quick.send(b"x" * 998 + b"\r\n")
            sent += 1
            try:
                answer = slow.socket.recv(1000)
            except TimeoutError:
                pass
        self.assertRegex(answer, b"^421 ")
        self.assertGreater(sent, 5, "it had its time of grace")
        quick.send(b".\r\n")
        self.assertRegex(quick.reply(), "^250 ")

    # What sessions hold in all is bounded by a setting, and room comes back.
    def test_memory_of_all_sessions_is_bounded(self):
        relay = self.relay(limits={"memory": MEBIBYTE, "max_recipients": 5000}).start()
        conversation = self.conversation()
        self.assertRegex(conversation.ask("EHLO a"), "^250")
        self.assertRegex(conversation.ask("MAIL FROM:<alice@sender.test>"), "^250 ")
        taken = 0
        while (reply := conversation.ask(f"RCPT TO:<{'r' * 60}{taken}@dead.test>")).startswith("250 "):
            taken += 1
        self.assertRegex(reply, r"^452 4\.3\.1 ")
        self.assertGreater(taken, 100)
        self.assertRegex(Conversation(RELAY, RELAY_PORT).reply(), "^421 ")
        # No room for a text either; its end is still read, so that the session stays in step.
        self.assertRegex(conversation.ask("DATA"), "^354 ")
        conversation.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        self.assertRegex(conversation.reply(), r"^452 4\.3\.1 ")
        self.assertEqual([], relay.queue())
        other = self.conversation()
        self.begin_message(other)
        other.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        self.assertRegex(other.reply(), "^250 ")

    # RFC 1870 6: said before it is sent, and held to while it is sent.
    def test_a_message_over_the_limit_is_refused(self):
        self.relay(limits={"max_message_size": 100_000}).start()
        conversation = self.conversation()
        self.assertIn("SIZE 100000", conversation.ask("EHLO a"))
        self.assertRegex(conversation.ask("MAIL FROM:<a@sender.test> SIZE=100001"), "^552 ")
        for command in ("MAIL FROM:<a@sender.test>", "RCPT TO:<carol@plain.test>", "DATA"):
            self.assertRegex(conversation.ask(command), "^[23]")
        conversation.send(b"x" * 78 + b"\r\n")
        conversation.send((b"x" * 78 + b"\r\n") * 2000 + b".\r\n")
        self.assertRegex(conversation.reply(), "^552 ")
        self.assertRegex(conversation.ask("NOOP"), "^250 ")

    # A message streams in and out: 50 MB must not cost 50 MB.
    def test_a_large_message_costs_little_memory(self):
        relay = self.relay().start()
        self.lab.send("carol@plain.test")
        relay.wait_until_empty()
        before = relay.program.memory_peak()
        body = "Message-ID: <large@sender.test>\r\nSubject: large\r\n\r\n" + ("x" * 78 + "\r\n") * 640_000
        self.assertGreater(len(body), 50_000_000)
        self.smtp().sendmail("alice@sender.test", ["carol@plain.test"], body)
        self.lab.plain.wait_for_message(b"<large@sender.test>", deadline=60)
        self.assertLess((relay.program.memory_peak() - before) / MEBIBYTE, 25)

    def try_to_send(self):
        try:
            return self.lab.send("carol@plain.test")
        except LabError:
            return None

    # RFC 1870 6.1: before anything is sent in vain.
    def test_a_full_disk_is_said_at_mail(self):
        self.relay(limits={"min_free_disk": 1 << 50}).start()
        conversation = self.conversation()
        self.assertRegex(conversation.ask("EHLO a"), "^250")
        self.assertRegex(conversation.ask("MAIL FROM:<alice@sender.test> SIZE=1000"), r"^452 4\.3\.1 ")
        self.assertRegex(conversation.ask("RCPT TO:<carol@plain.test>"), "^503 ")

    # Bad input: no room, so 452, and nothing that was acknowledged is lost.
    def test_a_full_disk_refuses_and_recovers(self):
        folder = self.lab.path("small-disk")
        os.mkdir(folder)
        mount = ["unshare", "--mount", "sh", "-ec", 'mount -t tmpfs -o size=100m lab "$0"; exec "$@"', folder]
        if subprocess.run([*mount, "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("a container that may not mount cannot have a small disk")
        # A file system of 100 MB that only the relay sees and that goes when it goes.
        relay = self.relay(relay={"data": os.path.join(folder, "data")}).start(mount)
        body = "Subject: fill\r\n\r\n" + ("x" * 78 + "\r\n") * 50_000
        accepted, refusal = 0, None
        client = self.smtp()
        while refusal is None and accepted < 50:
            try:
                client.sendmail(
                    "alice@sender.test",
                    ["carol@dead.test"],
                    f"Message-ID: <fill-{accepted}@sender.test>\r\n{body}",
                )
                accepted += 1
            except smtplib.SMTPResponseException as error:
                refusal = error
            except smtplib.SMTPRecipientsRefused as error:
                refusal = smtplib.SMTPResponseException(*error.recipients["carol@dead.test"])
        self.assertIsNotNone(refusal, f"{accepted} messages fit on a disk too small for them")
        self.assertEqual(452, refusal.smtp_code)
        self.assertGreater(accepted, 0)
        self.assertEqual(accepted, len(relay.queue()))
        for message in relay.queue():
            self.assertEqual(0, relay.command("queue", "remove", message["id"]).returncode)
        # The store gives the room back by itself, soon; a client that comes again is served.
        accepted_again = wait_for(self.try_to_send, "the relay to take mail again")
        self.assert_once(self.lab.plain, accepted_again)
