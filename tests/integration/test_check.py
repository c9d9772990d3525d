"""`pinnace check` against the lab's hosts, and that it sends them nothing."""

import json
import os
import pty
import re
import select
import socket
import subprocess
import threading

from dane import TAKEN
from lab import DEAD, Lab
from programs import run
from support import LabTest

GOOD, WARNINGS, WOULD_NOT_ARRIVE, OWN_ERROR = range(4)

# domain, its verdict, a line of it: item, verdict, text; why
DOMAINS = (
    ("receiver", "note", "pkp", "good", "2 pins for 60d.*enforces", "the gate's, under a valid certificate"),
    ("receiver", "note", "stsec", "good", "365d", "and its STSEC"),
    ("receiver", "note", "certificate", "good", "mx.receiver.test.*until", "which ends in a month"),
    ("receiver", "note", "tlsrpt", "note", "no record", "a hint"),
    ("plain", "warning", "certificate", "warning", "self-signed", "nobody vouches for it"),
    ("plain", "warning", "protection", "warning", "nothing obliges a sender", "nothing is declared"),
    ("implicit", "warning", "mx", "note", "own address", "RFC 5321 5.1"),
    ("insecure", "warning", "mx", "note", "not signed", "an unsigned zone"),
    ("null", "note", "mx", "note", "null MX", "RFC 7505"),
    ("nosuch", "would-bounce", "mx", "would-bounce", "does not exist", "NXDOMAIN"),
    ("tampered", "would-defer", "mx", "would-defer", "DNSSEC", "a forged MX record"),
    ("stripped", "would-defer", "mx", "would-defer", "DNSSEC", "a zone that should be signed"),
    ("dead", "would-defer", "connection", "would-defer", "refused", "nobody listens"),
    ("several", "warning", "connection", "would-defer", "refused", "but the second host takes mail"),
    ("dane", "note", "dane", "good", "3 1 1 .*matches", "RFC 7672 3.1.1"),
    ("dane", "note", "certificate", "note", "self-signed.*DANE decides", "no CA counts"),
    ("daneta", "note", "dane", "good", "2 1 1 .*matches", "RFC 7672 3.1.2"),
    ("expired", "note", "certificate", "note", "ended on.*DANE decides", "RFC 7671 5.1"),
    ("expiredta", "would-defer", "dane", "would-defer", "expired", "RFC 7671 5.2"),
    ("othername", "would-defer", "dane", "would-defer", "name", "RFC 7672 3.2.1"),
    ("wrongtlsa", "would-defer", "dane", "would-defer", "1 usable.*no match", "another key's record"),
    ("digests", "would-defer", "dane", "would-defer", "no match", "RFC 7671 9"),
    ("unusable", "warning", "dane", "warning", "RFC 7672 3.1.3", "TLS, and nobody authenticated"),
    ("notls", "would-defer", "tls", "would-defer", "STARTTLS.*a must: dane", "RFC 7672 2.2"),
    ("unusableplain", "would-defer", "tls", "would-defer", "STARTTLS", "RFC 7672 2.2"),
    ("badsignature", "would-defer", "dane", "would-defer", "cannot be had.*DNSSEC", "RFC 7672 2.1.2"),
    ("servfail", "would-defer", "dane", "would-defer", "cannot be had.*fail", "RFC 7672 2.1.2"),
    ("fallback", "warning", "dane", "would-defer", "no match", "but the second host matches"),
    ("good", "note", "mta-sts", "good", "mode enforce", "fetched now"),
    ("good", "note", "mta-sts", "good", "lists it, and its certificate names it", "RFC 8461 4"),
    ("unlisted", "would-defer", "mta-sts", "would-defer", "does not list mx.unlisted.test", "RFC 8461 4.1"),
    ("wrongname", "would-defer", "mta-sts", "would-defer", "mx.wrongname.test", "RFC 8461 4.2"),
    ("overdue", "would-defer", "certificate", "warning", "ended on", "RFC 8461 4.2"),
    ("cleartext", "would-defer", "tls", "would-defer", "a must: sts", "RFC 8461 5"),
    ("wrongpin", "would-defer", "mta-sts", "would-defer", "pins in the policy", "pinning-protocol 4"),
    ("testing", "warning", "mta-sts", "warning", "do not enforce", "RFC 8461 5"),
    ("none", "warning", "mta-sts", "note", "mode none", "RFC 8461 5"),
    ("brief", "would-defer", "mta-sts", "warning", "max_age 2s", "a policy that nobody keeps"),
    ("twotxt", "warning", "mta-sts", "warning", "names no policy", "RFC 8461 3.1"),
    ("notfound", "warning", "mta-sts", "warning", "404", "RFC 8461 3.3"),
    ("contenttype", "warning", "mta-sts", "warning", "text/html", "RFC 8461 3.2"),
    ("webselfsigned", "warning", "mta-sts", "warning", "self-signed", "RFC 8461 3.3"),
    ("danedecides", "warning", "mta-sts", "warning", "DANE decides", "RFC 8461 2"),
    ("danefails", "would-defer", "dane", "would-defer", "no match", "RFC 8461 2"),
)

USAGE = (
    # arguments, what standard error says
    ((), "name a DOMAIN"),
    (("--bogus", "plain.test"), "--bogus"),
    (("--parallel", "0", "plain.test"), "--parallel"),
    (("--parallel", "x", "plain.test"), "--parallel"),
    (("--timeout", "soon", "plain.test"), "--timeout"),
    (("--timeout", "0", "plain.test"), "--timeout"),
    (("--file", "no-such-file"), "no-such-file: cannot be read"),
    (("--file", "."), "is a directory"),
    (("--config", "no-such.toml", "plain.test"), "no-such.toml"),
    (("bad..test",), r"bad\.\.test"),
    (("pam@plain.test",), "name the domain alone"),
    (("plain.test", "a_b@c.test"), "name the domain alone"),
)


def lines_of(domain):
    lines = list(domain["lines"])
    for host in domain["hosts"]:
        lines += host["lines"]
        for address in host["addresses"]:
            lines += address["lines"]
    return lines


class Listener:
    """A mail host of the test's own: `serve(connection, number)` has each connection, in a thread."""

    def __init__(self, address, serve):
        self.socket = socket.create_server((address, 25))
        self.serve, self.threads = serve, []
        self.thread = threading.Thread(target=self._accept)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._run, args=(connection, len(self.threads)))
            self.threads.append(thread)
            thread.start()

    def _run(self, connection, number):
        connection.settimeout(20)
        with connection:
            try:
                self.serve(connection, number)
            except OSError:
                pass

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        for thread in self.threads:
            thread.join()
        self.socket.close()


class Check(LabTest):
    @classmethod
    def setUpClass(cls):
        cls.lab = cls.enterClassContext(Lab(dane=True, sts=True))

    def setUp(self):
        super().setUp()
        self.config = self.relay(dns={"timeout": "3s"}).config

    def check(self, *arguments, **options):
        command = [self.lab.binary("pinnace"), "check", "--config", self.config, *arguments]
        return subprocess.run(
            command, cwd=self.lab.folder, capture_output=True, text=True, timeout=60, check=False, **options
        )

    def checked(self, *arguments, **options):
        """The objects of --json, by their domains."""
        done = self.check("--json", *arguments, **options)
        self.assertEqual("", done.stderr)
        return {domain["domain"]: domain for domain in json.loads(done.stdout)}

    def listener(self, address, serve):
        listener = Listener(address, serve)
        self.addCleanup(listener.stop)
        return listener

    def write(self, name, text):
        with open(self.lab.path(name), "w", encoding="utf-8", newline="") as file:
            file.write(text)
        return self.lab.path(name)

    def test_each_domain_is_told_of_as_it_is(self):
        self.gate().start()
        names = dict.fromkeys(f"{name}.test" for name, *_ in DOMAINS)
        found = self.checked("--timeout", "5s", *names)
        self.assertEqual(list(names), list(found))
        for name, of_domain, item, verdict, text, why in DOMAINS:
            with self.subTest(name, item=item, why=why):
                domain = found[f"{name}.test"]
                self.assertEqual(of_domain, domain["verdict"], domain["summary"])
                self.assertTrue(
                    any(
                        (line["item"], line["verdict"]) == (item, verdict) and re.search(text, line["text"])
                        for line in lines_of(domain)
                    ),
                    json.dumps(lines_of(domain), indent=1),
                )
        for name, domain in found.items():
            for line in lines_of(domain):
                self.assertEqual(line["verdict"] == "good", line["remedy"] is None, (name, line))

    def test_fields_for_programs(self):
        self.gate().start()
        domain = self.checked("receiver.test")["receiver.test"]
        self.assertEqual(
            {"domain", "verdict", "summary", "checked", "lines", "mx", "sts", "tlsrpt", "hosts"}, set(domain)
        )
        self.assertEqual(("hosts", "secure"), (domain["mx"]["kind"], domain["mx"]["dnssec"]))
        self.assertIs(False, domain["sts"]["record"])
        self.assertIs(False, domain["tlsrpt"]["record"])
        (host,) = domain["hosts"]
        self.assertEqual("mx.receiver.test", host["host"])
        self.assertEqual("none", host["tlsa"]["kind"])
        (address,) = host["addresses"]
        self.assertIs(True, address["usable"])
        self.assertEqual(("TLSv1.3", "webpki"), (address["tls"]["version"], address["tls"]["verified_by"]))
        self.assertEqual(["mx.receiver.test"], address["certificate"]["dns_names"])
        self.assertIs(True, address["certificate"]["webpki_valid"])
        self.assertEqual(
            (True, 2, 5184000, "HOST", "ENFORCE", True),
            (
                address["pkp"]["valid"],
                len(address["pkp"]["pins"]),
                *(address["pkp"][name] for name in ("max_age", "scope", "mode", "would_note")),
            ),
        )
        self.assertEqual(31536000, address["stsec"]["max_age"])
        failed = self.checked("wrongtlsa.test")["wrongtlsa.test"]["hosts"][0]["addresses"][0]
        self.assertEqual((False, "4.7.5"), (failed["usable"], failed["status"]))
        self.assertEqual([(True, False)], [(r["usable"], r["matches"]) for r in failed["tlsa"]])

    def test_exit_codes_are_verdicts(self):
        self.gate().start()
        for domains, code in (
            (["receiver.test", "null.test"], GOOD),
            (["plain.test"], WARNINGS),
            (["receiver.test", "plain.test"], WARNINGS),
            (["wrongtlsa.test"], WOULD_NOT_ARRIVE),
            (["nosuch.test"], WOULD_NOT_ARRIVE),
            (["dead.test", "receiver.test", "plain.test"], WOULD_NOT_ARRIVE),
        ):
            with self.subTest(domains):
                done = self.check("--timeout", "5s", *domains)
                self.assertEqual(code, done.returncode, done.stdout + done.stderr)
                self.assertEqual("", done.stderr)

    def test_wrong_usage_is_no_verdict(self):
        for arguments, says in USAGE:
            for form in ((), ("--json",)):
                with self.subTest(arguments, form=form):
                    done = self.lab.pinnace("check", *arguments, *form)
                    self.assertEqual((OWN_ERROR, ""), (done.returncode, done.stdout))
                    self.assertRegex(done.stderr, says)
        broken = self.write("broken.toml", "[relay]\nhostname = 3\n")
        done = self.lab.pinnace("check", "--config", broken, "plain.test")
        self.assertEqual((OWN_ERROR, ""), (done.returncode, done.stdout))
        self.assertRegex(done.stderr, r"broken\.toml:2: relay\.hostname")
        with open("/dev/full", "w", encoding="ascii") as full:
            command = [self.lab.binary("pinnace"), "check", "--config", self.config, "null.test"]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
        self.assertEqual(OWN_ERROR, done.returncode)
        helped = self.lab.pinnace("check", "--help")
        self.assertEqual(0, helped.returncode)
        self.assertRegex(helped.stdout, r"(?s)Exit code: 0 .* 1 .* 2 .* 3 ")

    def test_domains_of_a_file(self):
        file = self.write("domains", "# ours\r\nnull.test\r\n\n  NOSUCH.test.  # theirs\nnull.test\n")
        found = self.checked("--file", file, "nosuch.test")
        self.assertEqual(["nosuch.test", "null.test"], list(found))
        self.assertEqual(["null.test"], list(self.checked("--file", "-", input="null.test")))
        for text, says in (("# none\n", "no domain in it"), ("null.test\n\nbad..test\n", r":3: bad\.\.test")):
            done = self.check("--file", self.write("domains", text))
            self.assertEqual((OWN_ERROR, ""), (done.returncode, done.stdout))
            self.assertRegex(done.stderr, says)

    # Both domains' first host greets only when it has two visitors.
    def test_many_are_looked_at_at_the_same_time(self):
        lock, visitors, together = threading.Lock(), [], []

        def left(connection):  # a visitor who stays says nothing before he is greeted
            return bool(select.select([connection], [], [], 0)[0])

        def serve(connection, _):
            with lock:
                visitors[:] = [visitor for visitor in visitors if not left(visitor)] + [connection]
                if len(visitors) == 2:
                    together.append(True)
                    for visitor in visitors:
                        visitor.sendall(b"554 5.3.2 no service here\r\n")
            while connection.recv(512):
                pass
            with lock:
                visitors[:] = [visitor for visitor in visitors if visitor is not connection]

        self.listener(DEAD, serve)
        file = self.write("domains", "dead.test\nseveral.test\n")
        found = self.checked("--file", file, "--parallel", "2", "--timeout", "20s")
        self.assertEqual([True], together)
        for domain in found.values():
            self.assertRegex(domain["hosts"][0]["addresses"][0]["unreachable"], "554 5.3.2 no service here")
        # One after the other they never meet, and each is left after its time.
        together.clear()
        found = self.checked("--file", file, "--parallel", "1", "--timeout", "1s")
        self.assertEqual([], together)
        self.assertEqual(
            ["would-defer", "warning"], [found[f"{name}.test"]["verdict"] for name in ("dead", "several")]
        )

    def test_nothing_is_sent(self):
        postfix = self.lab.dane.postfix
        before = len(postfix.log())
        pair = self.lab.certificates.self_signed("check-attacker", "mx.taken.test")
        attacker = self.lab.intercept("own-cert", at=TAKEN, pair=pair, name="mx.taken.test")
        self.check("dane.test", "notls.test", "wrongtlsa.test", "taken.test")
        (connection,) = attacker.wait_for_connections()
        self.assertEqual(
            ["EHLO", "STARTTLS", "EHLO", "QUIT"], [command.split()[0] for command in connection["commands"]]
        )
        self.assertEqual([], attacker.taken())
        ends = postfix.program.wait_until(
            lambda: (lambda all: all if len(all) == 3 else None)(
                re.findall(r"disconnect from \S+ (.*)", postfix.log()[before:])
            ),
            "Postfix to log three sessions",
        )
        self.assertEqual(
            ["ehlo=1 quit=1 commands=2"] + ["ehlo=2 starttls=1 quit=1 commands=4"] * 2,
            sorted(ends),
        )

    def test_peers_do_not_steer_the_terminal(self):
        def serve(connection, _):
            connection.sendall(b"554 \x1b[2J\x9b \x1b]0;owned\x07\r\n")
            connection.recv(512)

        self.listener(DEAD, serve)
        certificate, key = self.lab.path("hostile.pem"), self.lab.path("hostile.key")
        run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate]
            + ["-subj", "/CN=\x1b[31mowned", "-addext", "subjectAltName=DNS:\x1b[2Jx.test"],
            "make a hostile certificate",
        )
        self.lab.intercept("own-cert", at=TAKEN, pair=(certificate, key), name="mx.taken.test")
        done = self.check("dead.test", "taken.test", "--timeout", "5s")
        self.assertIn("owned", done.stdout)
        self.assertIn("[2Jx.test", done.stdout)
        self.assertNotRegex(done.stdout, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")
        found = self.checked("dead.test", "taken.test", "--timeout", "5s")
        self.assertEqual(["would-defer", "would-defer"], [domain["verdict"] for domain in found.values()])

    def on_terminal(self, *arguments, **environment):
        """What a terminal is shown, standard error with it."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [self.lab.binary("pinnace"), "check", "--config", self.config, *arguments],
            cwd=self.lab.folder,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", **environment},
        ):
            os.close(theirs)
            shown = b""
            try:
                while octets := os.read(ours, 4096):
                    shown += octets
            except OSError:  # EIO: the other side is closed
                pass
        os.close(ours)
        return shown.decode()

    def test_colour_is_for_terminals(self):
        sgr = "\x1b[31m✘\x1b[0m"
        shown = self.on_terminal("nosuch.test", "null.test")
        self.assertIn(sgr, shown)
        self.assertIn("checked 2 of 2", shown)
        self.assertIn(sgr, self.on_terminal("nosuch.test", NO_COLOR=""))
        for plain in (
            self.on_terminal("nosuch.test", NO_COLOR="1"),
            self.on_terminal("--no-color", "nosuch.test"),
            self.on_terminal("nosuch.test", TERM="dumb"),
            self.check("nosuch.test").stdout,
        ):
            self.assertIn("✘", plain)
            self.assertNotIn("\x1b[3", plain)
            self.assertNotIn("\x1b[1", plain)
