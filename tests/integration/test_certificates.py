"""The relay's own certificates: its listener's, read again while it runs, and those it shows to partners."""

import re
import signal

from lab import DEAD, RELAY, RELAY_PORT
from programs import run
from support import LabTest


class Certificates(LabTest):
    def session(self, *options):
        """What openssl s_client says of a session with the relay's listener."""
        # -ign_eof: it says QUIT and waits for the end, behind which the session's tickets are there.
        client = ["openssl", "s_client", "-ign_eof", "-starttls", "smtp", "-connect", f"{RELAY}:{RELAY_PORT}"]
        return run([*client, *options], "open a TLS session", input="QUIT\n")

    def shown(self):
        """The leaf that the relay's listener shows, in PEM."""
        pem = "-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n"
        return re.search(pem, self.session(), re.DOTALL)[0]

    def copy(self, pair, to):
        for source, target in zip(pair, to, strict=True):
            with open(source, encoding="ascii") as old, open(target, "w", encoding="ascii") as new:
                new.write(old.read())

    def test_a_listeners_certificate_is_read_again_and_a_bad_one_refused(self):
        issued = self.lab.certificates.issued
        old, new = issued("relay-1", "relay.sender.test"), issued("relay-2", "relay.sender.test")
        live = self.lab.path("live.pem"), self.lab.path("live.key")
        self.copy(old, live)
        relay = self.relay(relay={"certificate": live[0], "key": live[1]}).start()
        first = self.shown()
        self.copy((new[0], old[1]), live)
        refused = relay.command("rule", "reload")
        self.assertEqual(1, refused.returncode)
        self.assertRegex(refused.stderr, "nothing is changed(.|\n)*live.key is not that of the certificate")
        self.assertEqual(first, self.shown())
        self.copy(new, live)
        relay.program.process.send_signal(signal.SIGHUP)
        relay.program.wait_until(lambda: "certificate_loaded" in relay.output(), "the new certificate")
        self.assertNotEqual(first, self.shown())

    def test_a_client_resumes_its_session_until_the_certificate_is_another(self):
        pair = self.lab.certificates.issued("relay-3", "relay.sender.test")
        relay = self.relay(relay={"certificate": pair[0], "key": pair[1]}).start()
        kept = self.lab.path("session.pem")
        self.assertIn("New, TLSv1.3", self.session("-sess_out", kept))
        self.assertIn("Reused, TLSv1.3", self.session("-sess_in", kept))
        self.assertEqual(0, relay.command("rule", "reload").returncode)
        self.assertIn("New, TLSv1.3", self.session("-sess_in", kept))

    # A partner's Postfix that takes mail from holders of a certificate only.
    def test_a_partner_is_shown_the_certificate_that_a_rule_names(self):
        ours = self.lab.certificates.self_signed("ours", "relay.sender.test")
        other = self.lab.certificates.self_signed("not-ours", "relay.sender.test")
        partner = self.lab._postfix(
            "partner",
            hostname="mx.dead.test",
            endpoint=f"{DEAD}:25",
            domains=["dead.test"],
            pair=self.lab.certificates.self_signed("partner", "mx.dead.test"),
            main=f"smtpd_tls_security_level = encrypt\nsmtpd_tls_req_ccert = yes\nsmtpd_tls_CAfile = {ours[0]}\n",
        )
        partner.wait_until_ready()
        rule = {"domain": "dead.test", "tls": "encrypt"}
        mine = {"name": "mine", "certificate": ours[0], "key": ours[1]}
        relay = self.relay(rule=[rule], client_certificate=[mine]).start()
        self.lab.send("carl@dead.test")
        relay.wait_for_held("carl@dead.test")
        self.assertEqual([], partner.messages())
        rule["client_certificate"] = "mine"
        relay.configure({**relay.sections, "rule": [rule]})
        self.assertEqual(0, relay.command("rule", "reload").returncode)
        relay.command("queue", "retry", "--all")
        relay.wait_until_empty()
        self.assertEqual(1, len(partner.messages()))
        decision = relay.ask("explain", "carl@dead.test")["hosts"][0]["decision"]
        self.assertEqual("mine", decision["client_certificate"])
        self.assertIn("mine is shown where the host asks for one", " ".join(decision["notes"]))
        self.assertEqual("mine", relay.ask("rule", "list")[0]["client_certificate"])
        # Another certificate under the same name is another client: no session of the first is resumed.
        mine.update(certificate=other[0], key=other[1])
        relay.configure({**relay.sections, "client_certificate": [mine]})
        self.assertEqual(0, relay.command("rule", "reload").returncode)
        self.lab.send("cora@dead.test")
        relay.wait_for_held("cora@dead.test")
        self.assertEqual(1, len(partner.messages()))
        mine["name"] = "yours"
        relay.configure({**relay.sections, "client_certificate": [mine]})
        refused = relay.command("rule", "reload")
        self.assertRegex(refused.stderr, r"\.toml:\d+: .*there is no \[\[client_certificate\]\] with the name 'mine'")
