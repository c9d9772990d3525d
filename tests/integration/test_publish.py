"""What `pinnace publish` prints: other programs read it as it is meant, and it says what is wrong with what the DNS
serves."""

import json
import os
import random
import re
import shutil
import signal
import smtplib
import ssl
import subprocess
import tempfile
import unittest

from certificates import pin_of, tlsa_of
from lab import MX, SOURCE
from named import Named
from nginx import MailNginx
from programs import wait_for
from services import to_toml
from support import Conversation, LabTest
from test_gate import over_tls

GOOD, WARNINGS, HELD, OWN_ERROR = range(4)
ROOT = os.path.join(SOURCE, "build", "lab", "root")
TTL = 1  # seconds


class Publish(LabTest):
    def setUp(self):
        super().setUp()
        self.publish_records("")

    def publish_records(self, records):
        """What the lab's DNS serves besides."""
        zones = self.lab.zones
        if "{published}" not in zones.records:
            zones.records += "{published}"
        zones.names["published"] = records
        zones.names["serial"] = zones.names.get("serial", 0) + 1
        zones.names["published"] += f'serial TXT "serial {zones.names["serial"]}"\n'
        zones.sign()
        zones.reload("serial.test.", "TXT", f'serial {zones.names["serial"]}')

    def sections(self, domain="receiver.test", **changes):
        sections = {
            **self.lab.gate_sections(),
            "dns": self.lab.relay_sections()["dns"],
            "tls": {"roots": self.lab.certificates.roots_file},
            "sts": {"allow_addresses": ["127.77.0.0/16"], "timeout": "3s"},
            "gate.domain": [{"domain": domain, "tlsrpt": ["mailto:tls!@receiver.test"], **changes}],
        }
        return sections

    def config(self, sections):
        path = self.lab.path("publish.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(to_toml(sections))
        return path

    def publish(self, code, *arguments, sections=None):
        config = self.config(sections or self.sections())
        done = self.lab.pinnace("publish", *arguments, "--config", config)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def checked(self, code, sections=None):
        """Every finding: (about, state), with its verdict and its texts."""
        found = json.loads(self.publish(code, "check", "--json", sections=sections))
        return [
            finding
            for part in found["hosts"] + found["domains"]
            for finding in part["findings"]
        ]

    def assert_found(self, findings, about, state, verdict, text=""):
        for finding in findings:
            if (finding["about"], finding["state"], finding["verdict"]) == (about, state, verdict):
                if re.search(text, finding["text"] + finding["remedy"]):
                    return finding
        return self.fail(f"no finding {about} {state} {verdict} {text!r} in {json.dumps(findings, indent=1)}")

    # RFC 6698, RFC 7671 5.1: what is printed goes into the zone, and a sender then verifies the gate by it.
    def test_what_is_printed_makes_the_relay_use_dane(self):
        lines = self.publish(GOOD, "--ttl", "1s", sections=self.sections(sts="off"))
        for key in self.lab.pair[1], self.lab.backup_key:
            self.assertIn(f"_25._tcp.mx.receiver.test. 1 IN TLSA {tlsa_of(key)}", lines)
        self.publish_records(lines)
        relay = self.relay().start()
        self.gate().start()
        identity = self.lab.send("bob@receiver.test")
        self.assert_once(self.lab.receiver, identity)
        line = wait_for(
            lambda: [line for line in relay.output().splitlines() if " delivered " in line], "the log's line"
        )[0]
        self.assertIn('verified_by="dane (3 1 1)"', line)

    def test_a_second_list_for_the_port_with_tls_at_once(self):
        sections = self.sections(sts="off")
        sections["gate"]["listen_tls"] = [f"{MX}:465"]
        lines = self.publish(GOOD, sections=sections)
        for port in 25, 465:
            for key in self.lab.pair[1], self.lab.backup_key:
                self.assertIn(f"_{port}._tcp.mx.receiver.test. 3600 IN TLSA {tlsa_of(key)}", lines)

    def test_the_check_says_what_is_missing_stale_and_extra(self):
        self.gate().start()
        findings = self.checked(WARNINGS)
        self.assert_found(findings, "mx", "ok", "good", "mx.receiver.test")
        self.assert_found(findings, "dnssec", "ok", "good", "signed")
        self.assert_found(findings, "tlsa", "missing", "warning", "live.*DANE protects nobody.*Publish")
        self.assert_found(findings, "mta-sts", "missing", "warning", "Publish _mta-sts.receiver.test.")
        self.assert_found(findings, "policy", "missing", "warning", "")
        self.assert_found(findings, "tlsrpt", "missing", "warning", "mailto:tls%21@receiver.test")

        self.publish_records(self.publish(GOOD))
        findings = self.checked(WARNINGS)
        self.assertEqual(2, [(f["about"], f["state"]) for f in findings].count(("tlsa", "ok")))
        self.assert_found(findings, "mta-sts", "ok", "good")
        self.assert_found(findings, "tlsrpt", "ok", "good")
        # There is no policy host yet.
        self.assertEqual(["policy"], [f["about"] for f in findings if f["state"] != "ok"])

        stranger = tlsa_of(self.lab.certificates.key("publish-stranger"))
        owner = f"_25._tcp.mx.receiver.test. {TTL} IN TLSA"
        self.publish_records(
            f"{owner} {stranger}\n"
            f'_mta-sts.receiver.test. {TTL} IN TXT "v=STSv1; id=1;"\n'
            f'_smtp._tls.receiver.test. {TTL} IN TXT "v=TLSRPTv1; rua=mailto:a@receiver.test"\n'
        )
        findings = self.checked(HELD)
        self.assert_found(findings, "tlsa", "missing", "would-defer", "live.*refuse the host")
        extra = self.assert_found(findings, "tlsa", "extra", "warning", f"{stranger}.*not ours.*delete")
        self.assertRegex(extra["after"], r"^20\d\d-")
        self.assert_found(findings, "mta-sts", "stale", "warning", "id=1")
        self.assert_found(findings, "tlsrpt", "stale", "warning", "mailto:a@")

        # RFC 7671 8.1: the next key's record first.
        self.publish_records(f"{owner} {tlsa_of(self.lab.pair[1])}\n")
        missing = self.assert_found(self.checked(WARNINGS), "tlsa", "missing", "warning", "backup.*two TTLs later")
        self.assertRegex(missing["after"], r"^20\d\d-")

    # RFC 7672 2.2: TLSA records that nobody signed bind nobody.
    def test_the_check_says_that_a_zone_is_not_signed(self):
        sections = self.sections(domain="insecure.test", sts="off", mx=["aliased.insecure.test"])
        sections["gate"]["hostname"] = "aliased.insecure.test"
        findings = self.checked(WARNINGS, sections=sections)
        self.assert_found(findings, "dnssec", "missing", "note", "worth nothing.*Sign the zone")
        self.assert_found(findings, "tlsa", "missing", "note", "live")
        self.assert_found(findings, "mx", "missing", "warning", "aliased.insecure.test")

    # A DNSSEC failure is never "no record" (RFC 7672 2.1.2).
    def test_the_check_says_that_mail_is_held(self):
        findings = self.checked(HELD, sections=self.sections(domain="tampered.test", sts="off"))
        self.assert_found(findings, "mx", "unknown", "would-defer", "DNSSEC")

    # RFC 2136, RFC 7671 8.1: a real server takes both steps, and nothing of others is touched.
    def test_nsupdate_adds_first_and_removes_later(self):
        strangers = {
            ("_mta-sts.other.receiver.test.", "TXT", '"v=STSv1; id=other;"'),
            ("receiver.test.", "TXT", '"v=spf1 -all"'),
            ("_443._tcp.mx.receiver.test.", "TLSA", "311" + "07" * 32),
        }
        old = ("_25._tcp.mx.receiver.test.", "TLSA", "311" + "09" * 32)
        named = Named(
            self.lab.watchman,
            self.lab.path("named"),
            self.lab.root,
            "receiver.test.",
            '_mta-sts.other TXT "v=STSv1; id=other;"\n@ TXT "v=spf1 -all"\n'
            '_mta-sts TXT "v=STSv1; id=old;"\n_mta-sts TXT "v=STSv1; id=older;"\n'
            f"_443._tcp.mx TLSA 3 1 1 {'07' * 32}\n_25._tcp.mx TLSA 3 1 1 {'09' * 32}\n",
        )
        self.lab.started.append(named)
        meant = {
            (record["owner"] + ".", record["type"], "".join(record["data"].split()) if record["type"] == "TLSA" else record["data"])
            for record in json.loads(self.publish(GOOD, "--json"))["records"]
        }
        self.assertEqual(4, len(meant))
        self.assertEqual((0, ""), named.update(self.publish(GOOD, "--format", "nsupdate")))
        self.assertEqual(meant | strangers | {old}, named.records())
        self.assertEqual((0, ""), named.update(self.publish(GOOD, "--format", "nsupdate", "--step", "remove")))
        self.assertEqual(meant | strangers, named.records())

    def test_the_table_says_the_same(self):
        table = self.publish(WARNINGS, "check")
        self.assertRegex(table, r"(?m)^▲ mx\.receiver\.test: warning$")
        self.assertRegex(table, r"(?m)^  ▲ missing tlsa +_25\._tcp\.mx\.receiver\.test  3 1 1 [0-9a-f]{64} \(backup\)$")
        self.assertRegex(table, r"(?m)^ +→ Publish _25\._tcp\.mx\.receiver\.test\. IN TLSA 3 1 1 ")
        self.assertNotIn("\x1b", table)

    # RFC 8461 3.2, 3.3
    def test_policies_as_files(self):
        web = self.lab.path("web")
        sections = self.sections()
        printed = self.publish(GOOD, "sts", "receiver.test", sections=sections)
        self.publish(GOOD, "sts", "--out", web, sections=sections)
        path = os.path.join(web, "mta-sts.receiver.test", ".well-known", "mta-sts.txt")
        with open(path, encoding="ascii", newline="") as file:
            text = file.read()
        self.assertEqual("version: STSv1\r\nmode: testing\r\nmx: mx.receiver.test\r\nmax_age: 604800\r\n", text)
        self.assertEqual(text.replace("\r\n", "\n"), printed)
        self.assertEqual(0o644, os.stat(path).st_mode & 0o777)
        sections["gate.advert"] = {"scope": "DOMAIN", "max_age": "2d"}
        pinned = self.publish(GOOD, "sts", "receiver.test", sections=sections)
        self.assertIn("max_age: 172800\n", pinned)  # no longer than the advert's
        for key in self.lab.pair[1], self.lab.backup_key:
            self.assertIn(f"pin-sha256: {pin_of(key)}\n", pinned)
        self.publish(GOOD, "sts", "--out", web, sections=sections)
        self.assertEqual(["mta-sts.txt"], os.listdir(os.path.dirname(path)))
        with open(path, encoding="ascii") as file:
            self.assertEqual(pinned, file.read())

    def https(self, *names):
        """[gate.https] with a certificate of its own for each policy host."""
        pairs = [self.lab.certificates.issued("publish-" + name, name) for name in names]
        certificates = [{"certificate": pair[0], "key": pair[1]} for pair in pairs]
        return {"listen": [f"{MX}:443"], "certificates": certificates}

    def fetch(self, host, path="/.well-known/mta-sts.txt", sni=None):
        """What curl makes of it: status, content type and body; its error where it takes the host for another."""
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--cacert", self.lab.certificates.roots_file, "--max-time", "10"]
            + ["--resolve", f"{sni or host}:443:{MX}", "--header", f"Host: {host}"]
            + ["--write-out", "\n%{http_code} %{content_type}", f"https://{sni or host}{path}"],
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            return None, "", done.stderr.decode()
        body, end = done.stdout.decode().rsplit("\n", 1)
        status, _, content_type = end.partition(" ")
        return int(status), content_type, body

    # RFC 8461 3.3: by the gate itself, for many domains.
    def test_the_gate_serves_the_policies(self):
        sections = self.sections(sts="enforce")
        sections["gate.https"] = self.https("mta-sts.receiver.test")
        gate = self.gate()
        gate.configure(sections)
        gate.start()
        printed = self.publish(GOOD, "sts", "receiver.test", sections=sections)
        status, content_type, body = self.fetch("mta-sts.receiver.test")
        self.assertEqual((200, "text/plain"), (status, content_type.partition(";")[0]))
        self.assertEqual(printed, body.replace("\r\n", "\n"))
        self.assertEqual(404, self.fetch("mta-sts.receiver.test", path="/")[0])
        self.assertEqual(404, self.fetch("receiver.test", sni="mta-sts.receiver.test")[0])
        # It has no certificate for this name yet, nor a policy.
        self.assertIn("certificate", self.fetch("mta-sts.plain.test")[2])

        # A domain more, and its certificate, without a restart.
        sections["gate.domain"].append({"domain": "plain.test", "mx": ["mx.plain.test"], "sts": "none"})
        sections["gate.https"] = self.https("mta-sts.receiver.test", "mta-sts.plain.test")
        gate.configure(sections)
        self.reload(gate, r" policy domain=plain\.test ")
        self.assertIn("mode: none", self.fetch("mta-sts.plain.test")[2])
        self.assertEqual(body, self.fetch("mta-sts.receiver.test")[2])
        # What is broken changes nothing.
        sections["gate.domain"].append({"domain": "not a name"})
        gate.configure(sections)
        self.reload(gate, " https_not_reloaded ")
        self.assertEqual(body, self.fetch("mta-sts.receiver.test")[2])

        # Our own relay fetches it there, and holds the gate to it.
        self.publish_records(
            self.publish(GOOD, "receiver.test", sections=self.sections(sts="enforce"))
            + f"mta-sts.receiver.test. {TTL} IN A {MX}\n"
        )
        relay = self.relay(sts={"allow_addresses": ["127.77.0.0/16"]}).start()
        self.assert_once(self.lab.receiver, self.lab.send("bob@receiver.test"))
        held = json.dumps(relay.ask("sts", "list"))
        self.assertIn("receiver.test", held)
        self.assertIn("enforce", held)
        self.assertEqual(
            {"ok"}, {finding["state"] for finding in self.checked(GOOD, sections=self.sections(sts="enforce"))}
        )

    # pinning-protocol 4.3: the policy's pins are those that the gate shows, also when a reload was refused.
    def test_the_policys_pins_are_those_in_service(self):
        sections = self.sections()
        sections["gate.advert"] = {"scope": "DOMAIN", "max_age": "2d"}
        sections["gate.https"] = self.https("mta-sts.receiver.test")
        live = self.lab.path("pins.pem"), self.lab.path("pins.key")
        backup = self.lab.path("pins-backup.key")
        first, second, third, stranger = (
            self.lab.certificates.issued(f"publish-{n}", "mx.receiver.test") for n in range(4)
        )

        def install(pair, next_backup):
            for source, target in zip((*pair, next_backup), (*live, backup), strict=True):
                shutil.copyfile(source, target)

        install(first, second[1])
        sections["gate"].update(certificate=live[0], key=live[1], backup_key=backup)
        gate = self.gate()
        gate.configure(sections)
        gate.start()

        def pins():
            return re.findall(r"pin-sha256: (\S+)", self.fetch("mta-sts.receiver.test")[2])

        self.assertEqual([pin_of(first[1]), pin_of(second[1])], pins())
        install(stranger, second[1])
        self.reload(gate, " certificate_not_reloaded ")
        self.assertEqual([pin_of(first[1]), pin_of(second[1])], pins())
        install(second, third[1])
        self.reload(gate, " certificate_loaded ")
        wait_for(lambda: pins() == [pin_of(second[1]), pin_of(third[1])], lambda: f"other pins than {pins()}")

    def reload(self, gate, event):
        heard = len(re.findall(event, gate.output()))
        gate.program.process.send_signal(signal.SIGHUP)
        gate.program.wait_until(lambda: len(re.findall(event, gate.output())) > heard, event)

    # pinning-protocol 1.1: inside TLS only.
    def test_nginx_shows_the_pins_inside_tls_only(self):
        proxied = self.lab.proxied_receiver()
        sections = self.sections()
        sections["gate"].update(
            client_address="proxy-v2", backend=proxied.endpoint, listen_tls=[f"{MX}:465"]
        )
        sections["gate.advert"]["rua"] = "mailto:a@receiver.test?subject=$b;'c\\"
        folder = self.lab.path("nginx-mx")
        self.publish(GOOD, "nginx", "--out", folder, sections=sections)
        self.lab.started.append(MailNginx(self.lab.watchman, folder, self.lab.root))
        client = smtplib.SMTP(MX, 25, "client.sender.test", timeout=20, source_address=("127.77.0.97", 0))
        self.addCleanup(client.close)
        self.assertEqual(["mx.receiver.test", "STARTTLS"], client.ehlo()[1].decode().splitlines())
        self.assertEqual(530, client.docmd("MAIL FROM:<alice@sender.test>")[0])
        inside = over_tls(client).splitlines()
        self.assertEqual("mx.receiver.test", inside[0])
        for key in self.lab.pair[1], self.lab.backup_key:
            self.assertIn(f"PKP PIN-SHA256={pin_of(key)}", inside)
        self.assertIn("STSEC MAX-AGE=31536000", inside)
        self.assertIn("RUA=mailto:a@receiver.test?subject=$b;'c\\", " ".join(inside))
        self.assertIn("SIZE 104857600", inside)  # the backend's own
        self.assertNotIn("STARTTLS", inside)
        client.sendmail(
            "alice@sender.test", ["bob@receiver.test"], "Message-ID: <nginx-1@sender.test>\r\n\r\nx\r\n"
        )
        self.assertIn(b"[127.77.0.97]", proxied.wait_for_message(b"<nginx-1@sender.test>"))
        # TLS from the first octet: the greeting and the same offers.
        client = smtplib.SMTP_SSL(MX, 465, "client.sender.test", timeout=20, context=unverified())
        self.addCleanup(client.close)
        self.assertEqual(inside, client.ehlo()[1].decode().splitlines())
        relay = self.relay().start()
        self.assert_once(proxied, self.lab.send("bob@receiver.test"))
        noted = json.dumps(relay.ask("pins", "list"))
        for key in self.lab.pair[1], self.lab.backup_key:
            self.assertIn(pin_of(key), noted)

    # RFC 3207 4.2: what came behind STARTTLS in clear is never obeyed.
    def test_nginx_takes_nothing_behind_starttls(self):
        sections = self.sections()
        sections["gate"]["client_address"] = "none"
        folder = self.lab.path("nginx-injected")
        self.publish(GOOD, "nginx", "--out", folder, sections=sections)
        self.lab.started.append(MailNginx(self.lab.watchman, folder, self.lab.root))
        conversation = Conversation(MX, 25)
        self.addCleanup(conversation.close)
        self.assertRegex(conversation.reply(), "^220 ")
        conversation.send(b"STARTTLS\r\nEHLO evil\r\n")
        self.assertEqual("", conversation.reply())

    # As Haraka 3 and 2 call it, with their connection's part that the plugin looks at.
    @unittest.skipUnless(shutil.which("node"), "node is not here")
    def test_harakas_plugin_adds_the_pins_inside_tls_only(self):
        folder = self.lab.path("haraka")
        self.publish(GOOD, "haraka", "--out", folder)
        script = """
            const plugin = require(process.argv[1])
            const shown = (connection) => {
              connection.capabilities = ['PIPELINING']
              plugin.hook_capabilities(() => {}, connection)
              return connection.capabilities
            }
            console.log(JSON.stringify([
              shown({ tls: { enabled: false } }), shown({ using_tls: false }),
              shown({ tls: { enabled: true } }), shown({ using_tls: true }),
            ]))"""
        done = subprocess.run(
            ["node", "-e", script, os.path.join(folder, "pinnace_pins.js")],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        *outside, inside, inside_2 = json.loads(done.stdout)
        self.assertEqual([["PIPELINING"]] * 2, outside)
        self.assertEqual(inside, inside_2)
        for key in self.lab.pair[1], self.lab.backup_key:
            self.assertIn(f"PKP PIN-SHA256={pin_of(key)}", inside)
        self.assertIn("STSEC MAX-AGE=31536000", inside)

    def test_wrong_usage(self):
        cases = (
            # arguments, the domain's settings, what standard error says
            (("nosuch.test",), {}, r"nosuch\.test is no \[\[gate\.domain\]\]"),
            (("a b",), {}, "not a domain name"),
            (("--format", "bind"), {}, "--format"),
            (("--ttl", "0"), {}, "--ttl"),
            (("sts", "receiver.test"), {"sts": "off"}, "no policy"),
            (("nginx",), {}, "gate.client_address.*PROXY"),
            ((), {"tlsrpt": ['mailto:a@b.c"; x']}, "gate.domain.*tlsrpt.*RFC 8460 3"),
            ((), {"tlsrpt": ["mailto:a@b.c\n$INCLUDE /etc/passwd"]}, "gate.domain.*tlsrpt.*RFC 8460 3"),
            ((), {"domain": "a;b.test"}, "not a domain name"),
            ((), {"mx": ["mx.receiver.test\nmx: evil.test"]}, "not a domain name"),
            ((), {"mx": []}, "at least one"),
            ((), {"sts": "yes"}, "one of"),
            ((), {"sts_max_age": "400d"}, "RFC 8461 3.2"),
        )
        for arguments, changes, said in cases:
            with self.subTest(arguments=arguments, changes=changes):
                config = self.config(self.sections(**changes))
                done = self.lab.pinnace("publish", *arguments, "--config", config)
                self.assertEqual(OWN_ERROR, done.returncode, done.stdout)
                self.assertEqual("", done.stdout)
                self.assertRegex(done.stderr, said)


# Characters that mean something in zone files, scripts, policies and URIs, and some that are of use.
LETTERS = "abcxyz019-_.@:/?%&=+,;!$'\"\\()* \t\n\r\x7f\N{LATIN SMALL LETTER U WITH DIAERESIS}"


class Printed(unittest.TestCase):
    """Whatever a configuration says: it is refused, or other programs read what is printed as it is meant."""

    def text(self, most):
        return "".join(self.random.choice(LETTERS) for _ in range(self.random.randrange(most)))

    def name(self):
        return self.random.choice(
            ("example.org", "b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example", "a" * 63 + ".example", self.text(12))
        )

    def uri(self):
        front = self.random.choice(("mailto:tls@example.org", "mailto:tls@example.org?subject=", "https://x.example/", ""))
        return front + self.random.choice((self.text(8), "a;b!c,d$e", "%41" * 120))

    def sections(self, folder):
        domains = [
            {
                "domain": self.name(),
                "mx": [self.name() for _ in range(self.random.randrange(1, 3))],
                "sts": self.random.choice(("off", "none", "testing", "enforce")),
                "tlsrpt": [self.uri() for _ in range(self.random.randrange(1, 4))],
            }
        ]
        return {
            "gate": {
                "hostname": "mx.example.org",
                "listen": ["127.77.0.10:25"],
                "backend": "127.77.0.11:25",
                "certificate": os.path.join(folder, "live.pem"),
                "key": os.path.join(folder, "live.pem"),
                "backup_key": os.path.join(folder, "backup.pem"),
            },
            "gate.advert": {"scope": self.random.choice(("HOST", "DOMAIN"))},
            "gate.domain": domains,
        }

    def test_ldns_and_nsd_read_every_zone_line(self):
        self.random = random.Random(8461)
        folder = self.enterContext(tempfile.TemporaryDirectory())
        for name in "live", "backup":
            key = os.path.join(folder, name + ".pem")
            subprocess.run(
                ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key], check=True
            )
        good = 0
        for _ in range(300):
            sections = self.sections(folder)
            config = os.path.join(folder, "gate.toml")
            with open(config, "w", encoding="utf-8") as file:
                file.write(to_toml(sections))
            done = self.pinnace("publish", "--format", "json", "--config", config)
            self.assertIn(done.returncode, (GOOD, OWN_ERROR), done.stderr)
            if done.returncode == OWN_ERROR:
                self.assertRegex(done.stderr, r"gate\.toml:\d+: |gate\.domain", sections)
                continue
            good += 1
            self.look_at(folder, json.loads(done.stdout), self.pinnace("publish", "--config", config).stdout)
        self.assertGreater(good, 20)

    def pinnace(self, *arguments):
        binary = os.path.join(os.environ.get("PINNACE_BUILD", os.path.join(SOURCE, "build", "release")), "pinnace")
        return subprocess.run([binary, *arguments], capture_output=True, text=True, timeout=20, check=False)

    def look_at(self, folder, published, lines):
        zone = os.path.join(folder, "zone")
        with open(zone, "w", encoding="ascii") as file:
            file.write(". 60 IN SOA ns. hostmaster. 1 3600 600 86400 60\n. 60 IN NS ns.\nns. 60 IN A 192.0.2.1\n" + lines)
        checked = subprocess.run(
            [os.path.join(ROOT, "usr/sbin/nsd-checkzone"), ".", zone], capture_output=True, text=True, check=False
        )
        self.assertEqual(0, checked.returncode, checked.stdout + checked.stderr + lines)
        read = subprocess.run(["ldns-read-zone", zone], capture_output=True, text=True, check=False)
        self.assertEqual(0, read.returncode, read.stderr + lines)
        there = []
        for line in read.stdout.splitlines():
            owner, _, _, kind, data = line.split("\t", 4)
            if kind == "TXT":
                there.append((owner, kind, unquoted(data)))
            elif kind == "TLSA":
                there.append((owner, kind, data))
        meant = [(r["owner"] + ".", r["type"], r["text"]) for r in published["records"]]
        self.assertEqual(sorted(meant), sorted(there))


def unverified():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def unquoted(data):
    """The text of a TXT record as ldns prints it."""
    strings = re.findall(r'"((?:[^"\\]|\\.)*)"', data)
    plain = re.sub(r"\\(\d{3})", lambda found: chr(int(found[1])), "".join(strings))
    return re.sub(r"\\(.)", r"\1", plain)
