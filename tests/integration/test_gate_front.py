"""The gate as a front: implicit TLS, several backends, LMTP, chunks, limits."""

import json
import os
import re
import smtplib
import socket
import ssl
import struct
import time

from certificates import pin_of
from dovecot import Dovecot
from exim import Exim
from lab import MX
from opensmtpd import OpenSmtpd
from peer import Place
from postfix import Postfix
from programs import wait_for
from support import Conversation, LabTest

SECOND = "127.77.0.12:10027"  # another backend
TLS_BACKEND = "127.77.0.13:10028"
STORE = "127.77.0.14:10029"
PEERS = {Exim: "127.77.0.64", OpenSmtpd: "127.77.0.65"}


def unverified():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class GateTest(LabTest):
    def front(self, more=(), **changes):
        """A gate whose section [gate] has these changes; `more`: other sections."""
        sections = self.lab.gate_sections()
        sections["gate"].update(changes)
        sections |= dict(more)
        gate = self.gate()
        gate.configure(sections)
        return gate

    def client(self, source="127.0.0.1"):
        client = smtplib.SMTP(MX, 25, "client.sender.test", timeout=20, source_address=(source, 0))
        self.addCleanup(client.close)
        client.starttls(context=unverified())
        client.ehlo()
        return client

    def inside(self):
        """A bare conversation inside TLS, with EHLO said."""
        conversation = Conversation(MX, 25)
        self.addCleanup(conversation.close)
        conversation.reply()
        for command in "EHLO client.sender.test", "STARTTLS":
            self.assertRegex(conversation.ask(command), "^2")
        conversation.socket = unverified().wrap_socket(conversation.socket)
        conversation.file = conversation.socket.makefile("rb")
        self.assertRegex(conversation.ask("EHLO client.sender.test"), "^250")
        return conversation

    def ask_control(self, gate, command, **more):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            folder = os.open(self.lab.folder, os.O_RDONLY)
            try:
                connection.connect(f"/proc/self/fd/{folder}/{gate.sections['gate']['control']}")
            finally:
                os.close(folder)
            connection.sendall(json.dumps({"command": command, **more}).encode() + b"\n")
            answer = json.loads(connection.makefile().readline())
        return answer.get("result", answer)

    def letter(self, identity):
        return f"Message-ID: <{identity}@sender.test>\r\nSubject: x\r\n\r\nx\r\n"

    def send(self, identity, recipient="bob@receiver.test", **client):
        return self.client(**client).sendmail("alice@sender.test", [recipient], self.letter(identity))


class Front(GateTest):
    # RFC 8314 3.3: TLS from the first octet; the greeting comes inside.
    def test_implicit_tls(self):
        self.front(listen_tls=[f"{MX}:465"]).start()
        client = smtplib.SMTP_SSL(MX, 465, "client.sender.test", timeout=20, context=unverified())
        self.addCleanup(client.close)
        said = client.ehlo()[1].decode()
        self.assertIn(f"PKP PIN-SHA256={pin_of(self.lab.pair[1])}", said)
        self.assertNotIn("STARTTLS", said)
        client.sendmail("alice@sender.test", ["bob@receiver.test"], self.letter("implicit"))
        self.lab.receiver.wait_for_message(b"<implicit@sender.test>")

    def second(self):
        second = self.lab._postfix("second", hostname="mx.receiver.test", endpoint=SECOND, domains=["receiver.test"],
                                   xclient="127.0.0.0/8")
        second.wait_until_ready()
        self.addCleanup(second.stop)
        return second

    # The one that failed is left out until it answers again; where there is none, another MX host shall have the mail.
    def test_backends_stand_in_for_each_other(self):
        second = self.second()
        first = self.lab.receiver
        gate = self.front(backend=[first.endpoint, SECOND]).start()
        for number in range(4):
            self.send(f"both-{number}")
        for backend in first, second:
            wait_for(lambda b=backend: sum(b"<both-" in m for m in b.messages()) == 2, "half of the mail at each")
        under_way = self.client()
        second.stop()
        for number in range(4):
            self.send(f"first-{number}")
            first.wait_for_message(f"<first-{number}@sender.test>".encode())
        under_way.sendmail("alice@sender.test", ["bob@receiver.test"], self.letter("moved"))
        first.wait_for_message(b"<moved@sender.test>")
        states = {b["endpoint"]: b["up"] for b in self.ask_control(gate, "status")["backends"]}
        self.assertEqual({first.endpoint: True, SECOND: False}, states)
        first.stop()
        self.addCleanup(first.wait_until_ready)
        self.addCleanup(first.start)
        self.assertRegex(self.client_refused(), r"^421 4\.3\.2 ")
        second.start()
        second.wait_until_ready()
        gate.program.wait_until(lambda: " backend_up " in gate.output(), "the second to be seen again")
        self.send("again")
        second.wait_for_message(b"<again@sender.test>")

    def client_refused(self):
        """What the greeting says once the gate knows that nobody is there."""

        def greeted():
            conversation = Conversation(MX, 25)
            self.addCleanup(conversation.close)
            said = conversation.reply()
            if said.startswith("220"):
                for command in "EHLO a", "MAIL FROM:<alice@sender.test>":
                    conversation.ask(command)
                return None
            return said

        return wait_for(greeted, "a refusal")

    # The key of a backend is known, or it hears nothing.
    def test_tls_to_the_backend(self):
        pair = self.lab.certificates.self_signed("tls-backend", "inner.receiver.test")
        backend = self.lab._postfix("inner", hostname="inner.receiver.test", endpoint=TLS_BACKEND,
                                    domains=["receiver.test"], pair=pair, xclient="127.0.0.0/8")
        backend.wait_until_ready()
        self.addCleanup(backend.stop)
        gate = self.front(backend=TLS_BACKEND, backend_tls="starttls", backend_pins=[pin_of(pair[1])]).start()
        self.send("inner")
        self.assertIn(b"with ESMTPS", backend.wait_for_message(b"<inner@sender.test>"))
        gate.stop()
        gate = self.front(
            backend=TLS_BACKEND, backend_tls="starttls", backend_pins=[pin_of(self.lab.backup_key)]
        ).start()
        conversation = Conversation(MX, 25)
        self.addCleanup(conversation.close)
        self.assertRegex(conversation.reply(), r"^421 4\.3\.2 ")
        self.assertIn("not among backend_pins", gate.output())

    # docs/decisions/0009: of LMTP's answers none is lost, and none made up.
    def test_lmtp_has_one_recipient_at_a_time(self):
        users = ["bob@receiver.test", "carol@receiver.test", "full@receiver.test"]
        store = Dovecot(self.lab.watchman, self.lab.path("gate-dovecot"), self.lab.root, STORE, users)
        self.lab.started.append(store)
        self.front(backend=f"unix:{store.socket}", backend_protocol="lmtp", client_address="none").start()
        client = self.client()
        everybody = ["bob@receiver.test", "carol@receiver.test"]
        refused = client.sendmail("alice@sender.test", everybody, self.letter("lmtp-1"))
        self.assertEqual({"carol@receiver.test"}, set(refused))
        code, text = refused["carol@receiver.test"]
        self.assertEqual((452, b"4.5.3"), (code, text[:5]))
        client.sendmail("alice@sender.test", list(refused), self.letter("lmtp-1"))
        for user in "bob", "carol":
            store.wait_for_message(user, b"<lmtp-1@sender.test>")
        with self.assertRaises(smtplib.SMTPDataError) as full:
            client.sendmail("alice@sender.test", ["full@receiver.test"], self.letter("lmtp-2") + "x" * 500)
        self.assertRegex(full.exception.smtp_error.decode(), "(?i)quota")
        with self.assertRaises(smtplib.SMTPRecipientsRefused):
            client.sendmail("alice@sender.test", ["nobody@receiver.test"], self.letter("lmtp-3"))

    # RFC 3030: chunks pass, and are held to the same line ends; a message is smuggled in by neither way.
    def test_chunks_pass_and_smuggle_nothing(self):
        self.front().start()
        envelope = "MAIL FROM:<alice@sender.test>", "RCPT TO:<bob@receiver.test>"
        conversation = self.inside()
        text = self.letter("chunks").encode() + b".\r\n..\r\n" + b"y" * 40_000 + b"\r\n"
        for command in envelope:
            self.assertRegex(conversation.ask(command), "^250 ")
        for piece, last in (text[:10], ""), (text[10:30_000], ""), (b"", ""), (text[30_000:], " LAST"):
            conversation.send(f"BDAT {len(piece)}{last}\r\n".encode() + piece)
            self.assertRegex(conversation.reply(), "^250 ")
        message = self.lab.receiver.wait_for_message(b"<chunks@sender.test>")
        self.assertIn(b"\n.\n..\n" + b"y" * 40_000, message.replace(b"\r\n", b"\n"))
        evil = b"MAIL FROM:<evil@sender.test>\r\nRCPT TO:<bob@receiver.test>\r\nDATA\r\nSubject: evil\r\n\r\nx\r\n.\r\n"
        for end in b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r":
            with self.subTest(end=end):
                conversation = self.inside()
                for command in envelope:
                    self.assertRegex(conversation.ask(command), "^250 ")
                piece = b"Subject: front\r\n\r\nx" + end + evil
                conversation.send(f"BDAT {len(piece)} LAST\r\n".encode() + piece)
                self.assertRegex(conversation.reply(), "^5")
                self.assertRegex(conversation.ask("NOOP"), "^250 ", "nothing of it was a command")
        self.send("after")
        self.lab.receiver.wait_for_message(b"<after@sender.test>")
        self.assertFalse([m for m in self.lab.receiver.messages() if b"Subject: evil" in m])

    # A text by DATA, which goes to Postfix in chunks and to OpenSMTPD, which takes none, as it came.
    def test_a_long_text_arrives_as_it_was_sent(self):
        place = Place("mx.receiver.test", f"{PEERS[OpenSmtpd]}:25", ["bob@receiver.test"], "nobody.test", f"{MX}:1")
        lab = self.lab
        peer = OpenSmtpd(lab.watchman, lab.path("gate-long"), lab.root, place, lab.pair, lab.certificates.roots_file)
        self.addCleanup(peer.stop)
        lines = [".", "..", ".x", "", *(f"{number} " + "y" * 900 for number in range(150)), "."]
        for receiver, settings in (
            (self.lab.receiver, {}),
            (peer, {"backend": f"{PEERS[OpenSmtpd]}:10025", "client_address": "proxy-v2"}),
        ):
            with self.subTest(settings=settings):
                gate = self.front(**settings).start()
                identity = f"long-{len(settings)}"
                client = self.client()
                text = self.letter(identity) + "\r\n".join(lines) + "\r\n"
                client.sendmail("alice@sender.test", ["bob@receiver.test"], text)
                message = receiver.wait_for_message(f"<{identity}@sender.test>".encode())
                self.assertTrue(message.replace(b"\r\n", b"\n").endswith("\n".join(["", *lines, ""]).encode()))
                client.quit()
                gate.stop()

    # RFC 8689 4.2: the backend does not offer it, so nobody may believe that it is kept.
    def test_what_the_backend_lacks_is_not_offered(self):
        self.front().start()
        conversation = self.inside()
        offers = conversation.ask("EHLO client.sender.test")
        for lacking in "REQUIRETLS", "BINARYMIME":
            self.assertNotIn(lacking, offers)
        for kept in "CHUNKING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "PIPELINING", "SIZE":
            self.assertIn(kept, offers)
        self.assertRegex(conversation.ask("MAIL FROM:<alice@sender.test> REQUIRETLS"), "^555 ")

    # Any other server behind it.
    def test_before_exim_and_opensmtpd(self):
        for kind, how in (Exim, "none"), (OpenSmtpd, "proxy-v2"):
            with self.subTest(kind.NAME):
                place = Place("mx.receiver.test", f"{PEERS[kind]}:25", ["bob@receiver.test"], "nobody.test", f"{MX}:1")
                lab = self.lab
                peer = kind(lab.watchman, lab.path("gate-" + kind.NAME), lab.root, place, lab.pair,
                            lab.certificates.roots_file)
                self.addCleanup(peer.stop)
                port = 10025 if how == "proxy-v2" else 25
                gate = self.front(backend=f"{PEERS[kind]}:{port}", client_address=how).start()
                self.send(kind.NAME, source="127.77.0.97")
                message = peer.wait_for_message(f"<{kind.NAME}@sender.test>".encode())
                if how == "proxy-v2":
                    self.assertIn(b"127.77.0.97", message)
                with self.assertRaises(smtplib.SMTPRecipientsRefused):
                    self.send("nobody", recipient="nobody@receiver.test")
                gate.stop()


class Limits(GateTest):
    def greeting(self, source):
        connection = socket.create_connection((MX, 25), timeout=20, source_address=(source, 0))
        self.addCleanup(connection.close)
        return connection.makefile("rb").readline().decode()

    def test_connections_and_sessions_by_client_and_network(self):
        limits = {"max_sessions_per_client": 2, "connections_per_minute_per_client": 1000}
        network = {"networks": ["127.77.0.96/28"], "max_sessions_per_client": 5, "max_sessions": 3}
        self.front({"gate.limits": limits}, network=[network]).start()
        self.assertEqual(["220", "220", "421"], [self.greeting("127.77.0.80")[:3] for _ in range(3)])
        self.assertEqual(["220", "220", "220", "421"], [self.greeting("127.77.0.97")[:3] for _ in range(4)])
        self.assertRegex(self.greeting("127.77.0.98"), "^421 4.3.2 .* of a network")

    def test_connections_in_a_minute(self):
        self.front({"gate.limits": {"connections_per_minute_per_client": 3}}).start()
        # Where the minute ends meanwhile, the next one's share is counted.
        said = [self.greeting("127.77.0.81") for _ in range(8)]
        self.assertGreaterEqual(sum(line.startswith("421 4.3.2") for line in said), 2, said)
        self.assertIn("too many connections in a minute", "".join(said))

    # Each error is answered later, and at some number it is enough.
    def test_errors_are_answered_late(self):
        self.front({"gate.limits": {"max_errors": 4, "tarpit": "1s"}}).start()
        conversation = Conversation(MX, 25)
        self.addCleanup(conversation.close)
        conversation.reply()
        self.assertRegex(conversation.ask("EHLO a"), "^250")
        taken = []
        for _ in range(4):
            began = time.monotonic()
            said = conversation.ask("WHAT")
            taken.append(time.monotonic() - began)
        self.assertIn("421 4.7.0 too many errors", said + conversation.reply())
        self.assertTrue(all(t > number + 0.9 for number, t in enumerate(taken)), taken)

    def test_statistics_by_sender(self):
        gate = self.front(ask_client_certificate=True).start()
        plain = smtplib.SMTP(MX, 25, "client.sender.test", timeout=20)
        self.addCleanup(plain.close)
        plain.sendmail("alice@sender.test", ["bob@receiver.test"], self.letter("statistics-1"))
        self.send("statistics-2")
        context = unverified()
        context.load_cert_chain(*self.lab.pair)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        shown = smtplib.SMTP(MX, 25, "client.sender.test", timeout=20)
        self.addCleanup(shown.close)
        shown.starttls(context=context)
        shown.sendmail("alice@sender.test", ["bob@receiver.test"], self.letter("statistics-3"))
        shown.sendmail("", ["bob@receiver.test"], self.letter("statistics-4"))
        answer = gate.ask("gate", "senders", "--top", "1")
        (sender,) = answer["senders"]
        expected = {"domain": "sender.test", "messages": 3, "plain": 1, "tls_1_2": 1, "tls_1_3": 1,
                    "client_certificate": 1}
        self.assertEqual(expected, {key: sender[key] for key in expected})
        self.assertEqual(1, answer["others"]["messages"])
        self.assertRegex(gate.command("gate", "senders").stdout, r"(?m)^ +3 +1 .* sender\.test$")


class HostileClients(GateTest):
    # Whatever they send or keep back, the next one is served.
    def test_garbage_and_silence(self):
        gate = self.front({"gate.limits": {"command_timeout": "2s"}}, listen_tls=[f"{MX}:465"]).start()
        kept = []
        for port, octets, reset in (
            (25, os.urandom(5000), False),
            (25, b"\x16\x03\x01\x02\x00" + os.urandom(512), False),
            (25, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", False),
            (25, b"EHLO a\r\nSTARTTLS\r\n", True),
            (25, b"E", False),
            (465, b"EHLO a\r\n", False),
            (465, b"\x16\x03\x01\x02\x00\x01", False),
            (465, os.urandom(20_000), True),
            (465, b"", False),
        ):
            connection = socket.create_connection((MX, port), timeout=20)
            self.addCleanup(connection.close)
            try:
                connection.sendall(octets)
                if reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.close()
                else:
                    kept.append(connection)
            except OSError:
                pass
        self.send("meanwhile")
        self.lab.receiver.wait_for_message(b"<meanwhile@sender.test>")
        for connection in kept:
            try:
                while connection.recv(1 << 16):
                    pass
            except ConnectionResetError:
                pass
        wait_for(lambda: self.ask_control(gate, "status")["sessions"] == 0, "all sessions to end")
        self.assertTrue(gate.program.running())

    # A session that waits costs no backend, and little memory.
    def test_idle_clients_cost_the_backend_nothing(self):
        gate = self.front().start()
        before = self.lab.receiver.log().count(": connect from")
        clients = [self.client(source=f"127.77.1.{number // 20 + 1}") for number in range(100)]
        for client in clients:
            client.noop()
        self.assertLessEqual(self.lab.receiver.log().count(": connect from") - before, 2)
        self.assertEqual(100, self.ask_control(gate, "status")["sessions"])
