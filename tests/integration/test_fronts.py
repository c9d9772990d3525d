"""Who stands before the relay and names its clients, and what depends on the way by which mail comes."""

import os
import re
import smtplib
import socket
import struct

from lab import MX, RELAY
from programs import Program, wait_for
from support import Conversation, LabTest

FRONT = 2526  # a listener for fronts
HAPROXY = "127.77.0.60"
BALANCER = """defaults
  mode tcp
  timeout connect 5s
  timeout client 1m
  timeout server 1m
listen smtp
  bind {at}:2525
  server relay {relay} send-proxy-v2 proxy-v2-options crc32c check check-send-proxy inter 200ms
"""
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def proxy(source, command=0x21, family=0x11, tlvs=b""):
    addresses = bytes(int(n) for n in f"{source}.127.77.0.2".split("."))
    addresses += struct.pack("!HH", 4711, 25) + tlvs
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(addresses)) + addresses


class Fronts(LabTest):
    def fronted(self, **changes):
        """A relay for 127.77.0.99 alone, whoever connects."""
        front = {"name": "front", "addresses": [f"{RELAY}:{FRONT}"], "networks": ["127.77.0.99/32"]}
        return self.relay(listener=[{**front, **changes}]).start()

    def conversation(self, port=FRONT, header=b""):
        conversation = Conversation(RELAY, port)
        self.addCleanup(conversation.close)
        if header:
            conversation.send(header)
        return conversation

    def mail(self, conversation):
        """The reply to RCPT."""
        for command in ("EHLO client.sender.test", "MAIL FROM:<alice@sender.test>"):
            self.assertRegex(conversation.ask(command), "^250")
        return conversation.ask("RCPT TO:<carol@plain.test>")

    def send_by_gate(self, source, identity):
        client = smtplib.SMTP(MX, 25, "client.sender.test", timeout=20, source_address=(source, 0))
        self.addCleanup(client.close)
        client.sendmail("alice@sender.test", ["carol@plain.test"], f"Message-ID: {identity}\r\n\r\nx\r\n")

    # The gate names its client by either protocol; the relay judges and records that one.
    def test_behind_the_gate_the_client_is_judged_and_recorded(self):
        for number, (how, setting) in enumerate((("xclient", "xclient_from"), ("proxy-v2", "proxy_from"))):
            with self.subTest(how):
                relay = self.fronted(**{setting: ["127.0.0.0/8"]})
                sections = self.lab.gate_sections()
                sections["gate"].update(client_address=how, backend=f"{RELAY}:{FRONT}")
                gate = self.gate()
                gate.configure(sections)
                gate.start()
                identity = f"<gate-relay-{number}@sender.test>"
                self.send_by_gate("127.77.0.99", identity)
                message = self.lab.plain.wait_for_message(f"Message-ID: {identity}".encode())
                self.assertIn(b"client.sender.test ([127.77.0.99])", message)
                with self.assertRaises(smtplib.SMTPRecipientsRefused) as refused:
                    self.send_by_gate("127.77.0.98", "<never@sender.test>")
                self.assertIn(b"5.7.1 127.77.0.98", str(refused.exception).encode())
                gate.stop()
                relay.stop()

    # postfix.org/XCLIENT_README: every attribute, by swaks' hand the same as a proxy's.
    def test_xclient_names_the_client(self):
        self.fronted(xclient_from=["127.0.0.0/8"])
        conversation = self.conversation()
        self.assertRegex(conversation.reply(), "^220 ")
        offer = "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
        self.assertIn(offer, conversation.ask("EHLO front"))
        self.assertRegex(
            conversation.ask(
                "XCLIENT NAME=spike.test ADDR=127.77.0.99 PORT=4711 PROTO=ESMTP HELO=spike+2Etest"
                " DESTADDR=127.77.0.2 DESTPORT=25"
            ),
            "^220 ",
        )
        self.assertRegex(conversation.ask("MAIL FROM:<alice@sender.test>"), "^503 ", "it begins anew")
        self.assertRegex(self.mail(conversation), "^250 ")
        self.assertRegex(conversation.ask("DATA"), "^354 ")
        conversation.send(b"Message-ID: <spike@sender.test>\r\n\r\nx\r\n.\r\n")
        self.assertRegex(conversation.reply(), "^250 ")
        message = self.lab.plain.wait_for_message(b"<spike@sender.test>")
        self.assertIn(b"Received: from spike.test (spike.test [127.77.0.99])", message)

    def test_what_xclient_says_is_checked(self):
        self.fronted(xclient_from=["127.0.0.0/8"])
        for attributes, reply, then in (
            ("ADDR=127.77.0.98", "220 ", "554 "),
            ("ADDR=[UNAVAILABLE]", "220 ", "554 "),
            ("ADDR=IPV6:2001:db8::1", "220 ", "554 "),
            ("LOGIN=ann ADDR=127.77.0.98", "220 ", "250 "),
            ("ADDR=here", "501 ", "554 "),
        ):
            with self.subTest(attributes):
                conversation = self.conversation()
                conversation.reply()
                self.assertRegex(conversation.ask("XCLIENT " + attributes), "^" + reply)
                self.assertRegex(self.mail(conversation), "^" + then)

    # Whoever is no front may not speak for others, by either protocol.
    def test_a_stranger_names_nobody(self):
        self.fronted(xclient_from=["127.77.0.66/32"], proxy_from=["127.77.0.66/32"])
        conversation = self.conversation()
        conversation.reply()
        self.assertNotIn("XCLIENT", conversation.ask("EHLO a"))
        self.assertRegex(conversation.ask("XCLIENT ADDR=127.77.0.99"), "^550 ")
        conversation = self.conversation(header=proxy("127.77.0.99"))
        said = ""
        while reply := conversation.reply():
            said += reply
        self.assertRegex(said, r"500 5\.5\.2 [^\n]*\n$", "the session ends")

    def test_proxy_headers(self):
        self.fronted(proxy_from=["127.0.0.0/8"], networks=["127.77.0.99/32", "127.0.0.1/32"])
        for header, reply, why in (
            (proxy("127.77.0.99"), "250 ", "its client"),
            (proxy("127.77.0.98"), "554 ", "a stranger"),
            (proxy("127.77.0.99", tlvs=b"\x04\0\x03xyz"), "250 ", "with a TLV"),
            (SIGNATURE + b"\x20\0\0\0", "250 ", "LOCAL: a health check, by the front's own address"),
            (SIGNATURE + b"\x21\0\0\0", "554 ", "AF_UNSPEC: a client whom it cannot name"),
            (SIGNATURE + b"\x21\x31\0\xd8" + b"x" * 216, "554 ", "AF_UNIX: likewise"),
        ):
            with self.subTest(why):
                conversation = self.conversation(header=header)
                self.assertRegex(conversation.reply(), "^220 ")
                self.assertRegex(self.mail(conversation), "^" + reply)
        for header, why in (
            (b"PROXY TCP4 127.77.0.99 127.77.0.2 4711 25\r\n", "version 1"),
            (SIGNATURE + b"\x21\x11\xff\xff", "longer than is taken"),
            (SIGNATURE + b"\x21\x11\0\x04abcd", "addresses cut short"),
            (b"EHLO a\r\nMAIL FROM:<>\r\n", "no header"),
        ):
            with self.subTest(why):
                try:
                    said = self.conversation(header=header).reply()
                except ConnectionResetError:
                    said = ""
                self.assertEqual("", said, "not a word")

    # Not even that it may speak for others.
    def test_whom_a_front_cannot_name_has_none_of_its_rights(self):
        everybody = ["127.0.0.0/8"]
        self.fronted(proxy_from=everybody, xclient_from=everybody, networks=everybody)
        for header, offered in ((SIGNATURE + b"\x21\0\0\0", False), (SIGNATURE + b"\x20\0\0\0", True)):
            conversation = self.conversation(header=header)
            conversation.reply()
            self.assertEqual(offered, "XCLIENT" in conversation.ask("EHLO a"))

    # Whoever has one address of an IPv6 network has them all.
    def test_of_ipv6_a_network_is_one_client(self):
        self.fronted(proxy_from=["127.0.0.0/8"], max_sessions_per_client=2)
        for client, expected in (
            ("2001:db8::1", "^220 "),
            ("2001:db8::2", "^220 "),
            ("2001:db8::3", "^421 "),
            ("2001:db8:0:1::1", "^220 "),
        ):
            with self.subTest(client):
                addresses = socket.inet_pton(socket.AF_INET6, client) + bytes(16) + struct.pack("!HH", 4711, 25)
                header = SIGNATURE + b"\x21\x21" + struct.pack("!H", len(addresses)) + addresses
                self.assertRegex(self.conversation(header=header).reply(), expected)

    # A real HAProxy, with a TLV in its headers, and its health checks (LOCAL) besides.
    def test_behind_haproxy(self):
        relay = self.fronted(proxy_from=["127.0.0.0/8"])
        configuration = self.lab.path("haproxy.cfg")
        with open(configuration, "w", encoding="ascii") as file:
            file.write(BALANCER.format(at=HAPROXY, relay=f"{RELAY}:{FRONT}"))
        program = os.path.join(self.lab.root, "usr/sbin/haproxy")
        haproxy = Program(self.lab.watchman, self.lab.folder, "haproxy", [program, "-f", configuration])
        self.addCleanup(haproxy.stop)

        def connect():
            try:
                return smtplib.SMTP(HAPROXY, 2525, timeout=20, source_address=("127.77.0.99", 0))
            except (OSError, smtplib.SMTPException):
                return None

        client = wait_for(connect, lambda: f"HAProxy to listen; it says\n{haproxy.output()}")
        self.addCleanup(client.close)
        text = "Message-ID: <balanced@sender.test>\r\n\r\nx\r\n"
        client.sendmail("alice@sender.test", ["carol@plain.test"], text)
        message = self.lab.plain.wait_for_message(b"<balanced@sender.test>")
        self.assertIn(b"([127.77.0.99])", message)
        self.assertNotIn("proxy_header_bad", relay.output())

    # The limit is a client's, not its front's.
    def test_sessions_are_counted_by_the_client_that_a_front_names(self):
        self.fronted(xclient_from=["127.0.0.0/8"], max_sessions_per_client=2)
        kept = []
        for number in range(5):
            conversation = self.conversation()
            self.assertRegex(conversation.reply(), "^220 ", "the front's own sessions are not counted")
            kept.append(conversation)
            expected = "^220 " if number < 2 else "^421 "
            self.assertRegex(conversation.ask("XCLIENT ADDR=127.77.0.99"), expected)
        other = self.conversation()
        other.reply()
        self.assertRegex(other.ask("XCLIENT ADDR=127.77.0.98"), "^220 ")
        self.assertRegex(kept[0].ask("QUIT"), "^221 ")
        again = self.conversation()
        again.reply()
        wait_for(
            lambda: again.ask("XCLIENT ADDR=127.77.0.99").startswith("220 ") or self.renew(again),
            "room for the client",
        )

    def renew(self, conversation):
        """After a 421: another connection in its place."""
        conversation.close()
        conversation.__init__(RELAY, FRONT)
        conversation.reply()
        return False


class Ways(LabTest):
    # Mail of one listener leaves from its own address, also where a session of another's could be kept.
    def test_each_listener_has_its_source_and_priority(self):
        self.relay(
            listener=[
                {
                    "name": "bulk",
                    "addresses": [f"{RELAY}:{FRONT}", "[::1]:2526"],
                    "networks": ["127.0.0.0/8", "::1"],
                    "source_address": ["127.77.0.40"],
                    "priority": "low",
                }
            ]
        ).start()
        for number in range(6):
            port = FRONT if number % 2 else 2525
            text = f"Message-ID: <way-{number}@sender.test>\r\n\r\nx\r\n"
            self.smtp(port=port).sendmail("alice@sender.test", ["carol@plain.test"], text)
        for number in range(6):
            message = self.lab.plain.wait_for_message(f"<way-{number}@sender.test>".encode())
            self.assertIn(b"[127.77.0.40]" if number % 2 else b"[127.77.0.2]", message)
        # Over IPv6, with an address literal for a name (RFC 5321 4.1.3).
        client = smtplib.SMTP("::1", 2526, "[IPv6:::1]", timeout=20)
        self.addCleanup(client.close)
        text = "Message-ID: <way-v6@sender.test>\r\n\r\nx\r\n"
        client.sendmail("alice@sender.test", ["carol@plain.test"], text)
        message = self.lab.plain.wait_for_message(b"<way-v6@sender.test>")
        self.assertIn(b"Received: from [IPv6:::1] ([IPv6:::1])", message)

    # RFC 5321 4.1.3: an address literal needs no DNS.
    def test_an_address_literal_is_delivered_to(self):
        relay = self.relay().start()
        self.smtp().sendmail("alice@sender.test", ["carol@[127.77.0.20]"], "Subject: x\r\n\r\nx\r\n")
        # That Postfix is nobody's host by its address, and says so.
        attempt = r'to="?carol@\[127\.77\.0\.20\]"? .* address=127\.77\.0\.20 .* reply='
        wait_for(
            lambda: re.search(attempt, relay.output()),
            lambda: f"an attempt at the address; the log ends\n{relay.output()[-1500:]}",
        )
