"""Mail from and to other servers than Postfix: an Exim and an OpenSMTPD."""

import re
import smtplib

from certificates import pin_of, tlsa_of
from exim import Exim
from lab import RELAY, RELAY_PORT
from opensmtpd import OpenSmtpd
from peer import Place
from programs import wait_for
from support import PolicyTest

EXIM, OPENSMTPD, GATE = "127.77.0.61", "127.77.0.62", "127.77.0.63"
RECORDS = """
exim                   MX   10 mx.exim
mx.exim                A    {exim}
_25._tcp.mx.exim       TLSA {exim_key}
pinnedexim             MX   10 mx.pinnedexim
mx.pinnedexim          A    {exim}
opensmtpd              MX   10 mx.opensmtpd
mx.opensmtpd           A    {gate}
broken                 MX   10 mx.broken
mx.broken              A    {opensmtpd}
_25._tcp.mx.broken     TLSA {opensmtpd_key}
brokenanyhow           MX   10 mx.brokenanyhow
mx.brokenanyhow        A    {opensmtpd}
"""
MANY = 60
# Each line ends with a word that would be damaged by a conversion, a missing dot, or a wrong chunk.
TEXT = b"".join(b"Gr\xc3\xbc\xc3\x9fe \xff %d\r\n.\r\n..\r\n" % number for number in range(3000))


class Peers(PolicyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lab = cls.lab
        cls.relay_pair = lab.certificates.issued("relay", "relay.sender.test")
        names = "mx.exim.test", "mx.pinnedexim.test"
        cls.exim_pair = lab.certificates.issued("exim", names[0], names=names)
        cls.opensmtpd_pair = lab.certificates.issued("opensmtpd", "mx.opensmtpd.test")
        lab.zones.records += RECORDS
        lab.zones.names.update(exim=EXIM, opensmtpd=OPENSMTPD, gate=GATE, exim_key=tlsa_of(cls.exim_pair[1]),
                               opensmtpd_key=tlsa_of(cls.opensmtpd_pair[1]))
        lab.zones.sign()
        lab.zones.reload("mx.brokenanyhow.test", "A", OPENSMTPD)
        many = [f"r{number}@exim.test" for number in range(MANY)]
        cls.exim = cls.peer(Exim, EXIM, cls.exim_pair, ["bob@exim.test", "bob@pinnedexim.test", *many])
        many = [f"r{number}@opensmtpd.test" for number in range(MANY)]
        bobs = [f"bob@{domain}.test" for domain in ("opensmtpd", "broken", "brokenanyhow")]
        cls.opensmtpd = cls.peer(OpenSmtpd, OPENSMTPD, cls.opensmtpd_pair, [*bobs, *many])

    @classmethod
    def peer(cls, kind, address, pair, recipients):
        hostname = f"mx.{kind.NAME}.test"
        place = Place(hostname, f"{address}:25", recipients, "relay.sender.test", f"{RELAY}:{RELAY_PORT}")
        lab = cls.lab
        peer = kind(lab.watchman, lab.path(kind.NAME), lab.root, place, pair, lab.certificates.roots_file)
        lab.started.append(peer)
        return peer

    def setUp(self):
        super().setUp()
        # It keeps its connection to the relay of the test before.
        self.opensmtpd.restart(self.opensmtpd_pair)

    def start_relay(self):
        """With pins in force for the host that is no other's, and for the gate's."""
        relay = self.relay(relay={"certificate": self.relay_pair[0], "key": self.relay_pair[1]}).start()
        for host, key in ("mx.pinnedexim.test", self.exim_pair[1]), ("mx.opensmtpd.test", self.opensmtpd_pair[1]):
            pins = "--pin", pin_of(key), "--pin", pin_of(self.lab.backup_key)
            relay.ask("pins", "set", host, *pins)
        return relay

    def start_gate(self):
        """Before the OpenSMTPD, whose own TLS fails."""
        sections = self.lab.gate_sections(self.opensmtpd_pair, listen=GATE)
        sections["gate"] |= {
            "hostname": "mx.opensmtpd.test",
            "backend": f"{OPENSMTPD}:10025",
            "client_address": "proxy-v2",
        }
        self.lab.gate.configure(sections)
        self.lab.gate.start()

    def send_text(self, recipients, mail=(), rcpt=(), client=None, text=b"Hello\r\n"):
        """Eight-bit text to the relay or another client's server; the Message-ID."""
        name = self.id().rsplit(".", 1)[-1]
        identity = f"<{name}.{recipients[0].split('@')[1]}@sender.test>"
        header = f"Message-ID: {identity}\r\nFrom: alice@sender.test\r\nMIME-Version: 1.0\r\n"
        header += "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        client = client or self.smtp()
        refused = client.sendmail(
            "alice@sender.test", recipients, header.encode() + text, ["BODY=8BITMIME", *mail], rcpt
        )
        self.assertEqual({}, refused)
        return identity

    def assert_notice(self, hostname, recipient, *tokens):
        """This server told the sender that it has delivered; the relay took the notice and delivered it."""
        self.lab.plain.wait_for_message(
            f"Reporting-MTA: dns; {hostname}\n".encode(), recipient.encode(), b"\nAction: delivered\n", *tokens
        )

    # RFC 6152, RFC 3461 4: eight bits and what the sender wants to be told reach each of them unchanged.
    def test_mail_goes_to_each_under_its_policy(self):
        self.start_gate()
        self.start_relay()
        for domain, receiver, hostname, verified_by, policy in (
            ("exim", self.exim, "mx.exim.test", r"dane \(3 1 1\)", "dane"),
            ("pinnedexim", self.exim, "mx.exim.test", r"pkp-host \(leaf\)", "pkp-host"),
            ("opensmtpd", self.opensmtpd, "mx.opensmtpd.test", r"pkp-host \(leaf\)", "pkp-host"),
        ):
            with self.subTest(domain):
                self.receiver, recipient = receiver, f"bob@{domain}.test"
                identity = self.send_text([recipient], ["RET=HDRS", "ENVID=e+2B1"], ["NOTIFY=SUCCESS"], text=TEXT)
                self.assert_delivered(recipient, identity, verified_by, policy)
                message = receiver.wait_for_message(identity.encode())
                self.assertTrue(message.endswith(TEXT.replace(b"\r\n", b"\n")), message[-200:])
                self.assert_notice(hostname, recipient, identity.encode())
        # Behind the gate it was told who the client is.
        self.assertIn(f"[{RELAY}]".encode(), message)

    # RFC 5321 4.5.3.1.8: one transaction, of whose recipients one is refused, in the peer's own words.
    def test_one_of_many_is_refused(self):
        self.start_gate()
        self.start_relay()
        for receiver, words in (self.exim, "Unrouteable address"), (self.opensmtpd, "Invalid recipient"):
            with self.subTest(receiver.NAME):
                domain = f"{receiver.NAME}.test"
                recipients = [f"r{number}@{domain}" for number in range(MANY)]
                recipients.insert(MANY // 2, f"nobody@{domain}")
                identity = self.send_text(recipients)
                bounce = self.lab.plain.wait_for_message(
                    f"Final-Recipient: rfc822; nobody@{domain}\n".encode(), identity.encode()
                )
                self.assertIn(words.encode(), bounce)
                # Neither says more than 550 (RFC 3461 6.3 g).
                self.assertIn(b"\nStatus: 5.0.0\n", bounce)
                self.lab.relay.wait_until_empty()
                token = f"Message-ID: {identity}".encode()

                def received(receiver=receiver, token=token):
                    return [message for message in receiver.messages() if token in message]

                wait_for(lambda: len(received()) >= MANY, lambda: f"{MANY} copies, not {len(received())}")
                to = re.findall(rb"^(?:Envelope-to|Delivered-To): (\S+)", b"\n".join(received()), re.MULTILINE)
                self.assertEqual(sorted(recipients[: MANY // 2] + recipients[MANY // 2 + 1 :]),
                                 sorted(address.decode() for address in to))

    def test_a_changed_key_is_not_trusted(self):
        relay = self.start_relay()
        other = self.lab.certificates.issued("exim-other", "mx.exim.test", names=["mx.exim.test", "mx.pinnedexim.test"])
        self.exim.restart(other)
        sent = {domain: self.lab.send(f"bob@{domain}.test") for domain in ("exim", "pinnedexim")}
        self.assert_held("bob@exim.test", "4.7.5", "does not match .*TLSA")
        self.assert_held("bob@pinnedexim.test", "4.7.5", "does not match 2 pins")
        self.receiver = self.exim
        for domain, identity in sent.items():
            self.assertFalse(self.received(identity), domain)
        self.exim.restart(self.exim_pair)
        self.retry()
        for identity in sent.values():
            self.assert_once(self.exim, identity)
        relay.wait_until_empty()

    # RFC 7435: what nobody demands is no reason to keep mail; where TLS is demanded, a failure is one. This OpenSMTPD
    # offers STARTTLS and, as it is linked with OpenSSL 3, fails each handshake.
    def test_a_server_whose_tls_always_fails(self):
        relay = self.start_relay()
        self.receiver = self.opensmtpd
        identity = self.lab.send("bob@broken.test")
        self.assert_held("bob@broken.test", "4.7.5", "mx.broken.test .*(?i:handshake|TLS)")
        self.assert_once(self.opensmtpd, self.lab.send("bob@brokenanyhow.test"))
        self.assertIn(" tls=none ", self.deliveries("bob@brokenanyhow.test")[-1])
        self.assertRegex(relay.output(), r" tls_failed_sending_without .*host=mx\.brokenanyhow\.test ")
        self.assertFalse(self.received(identity))

    def hand_over(self, peer, address):
        """Through this server to the relay, one whom it delivers to at once and one who must wait."""
        relay = self.start_relay()
        client = smtplib.SMTP(address, 25, "client.sender.test", timeout=20)
        self.addCleanup(client.close)
        recipients = ["carol@plain.test", "A@dead.test"]
        identity = self.send_text(
            recipients, ["RET=HDRS", "ENVID=e+2B1"], ["NOTIFY=DELAY", "ORCPT=rfc822;A@dead.test"], client, TEXT
        )
        message = self.lab.plain.wait_for_message(identity.encode())
        self.assertTrue(message.endswith(TEXT.replace(b"\r\n", b"\n")), message[-200:])
        self.assertRegex(message, rb"from %s \(\S+\)\s+\(using TLSv1\.3/" % peer.place.hostname.encode())
        kept = wait_for(lambda: [m for m in relay.queue() if m["dsn"] == "RET=HDRS ENVID=e+2B1"], "the one that waits")
        (wish,) = [r["dsn"] for m in kept for r in m["recipients"] if r["address"].lower() == "a@dead.test"]
        self.assertEqual("NOTIFY=DELAY ORCPT=rfc822;A@dead.test", wish)
        return identity

    # RFC 3030, RFC 2920: in chunks, and the envelope in one go with the first of them.
    def test_exim_hands_mail_over_in_chunks(self):
        self.hand_over(self.exim, EXIM)
        line = wait_for(lambda: re.search(r"=> carol@plain\.test .*", self.exim.log()), "Exim's line of it")[0]
        self.assertRegex(line, r' CV=yes L K C="250[^"]* 2\.0\.0 queued as ')

    def test_opensmtpd_hands_mail_over(self):
        self.hand_over(self.opensmtpd, OPENSMTPD)
        self.assertIn('mta server-cert-check result="success"', self.opensmtpd.log())
