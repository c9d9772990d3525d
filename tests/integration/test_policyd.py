"""`pinnace policyd` asked by a real Postfix's postmap, over the lab's signed DNS and its policy hosts."""

import os
import re
import signal
import socket
import subprocess
import time

from lab import Lab
from programs import wait_for
from support import LabTest

ADDRESS, PORT = "127.77.0.3", 8461


class Policyd(LabTest):
    @classmethod
    def setUpClass(cls):
        cls.lab = cls.enterClassContext(Lab(dane=True, sts=True))

    def policyd(self, **changes):
        """A new one, ready to be started. A change names a section of its configuration."""
        name = re.sub(r"\W", "-", self.id().rsplit(".", 1)[-1])[:40]
        sections = self.lab.relay_sections()
        kept = {section: sections[section] for section in ("dns", "tls", "sts")}
        kept["dns"]["timeout"] = "2s"
        kept["policyd"] = {
            "listen": [f"{ADDRESS}:{PORT}"],
            "data": self.lab.path(name + "-data"),
            "control": "policyd.sock",
            "lookup_timeout": "4s",
        }
        kept["probe"] = {"enabled": False}
        for section, entries in changes.items():
            kept[section] = entries if isinstance(entries, list) else {**kept.get(section, {}), **entries}
        self.service = self.lab.service("policyd", name, kept)
        return self.service

    def query(self, key, name="pinnace"):
        """What postmap -q prints; "" where there is no entry; "error" where the lookup failed."""
        config = os.path.join(self.lab.receiver.folder, "config")
        library = os.path.join(self.lab.root, "usr/lib/postfix")
        done = subprocess.run(
            [os.path.join(self.lab.root, "usr/sbin/postmap"), "-c", config, "-q", key]
            + [f"socketmap:inet:{ADDRESS}:{PORT}:{name}"],
            env={**os.environ, "LD_LIBRARY_PATH": library, "MAIL_CONFIG": config},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode == 0:
            return done.stdout.strip()
        return "" if not done.stderr.strip() else "error"

    def raw(self, key, name="pinnace"):
        """The reply of the protocol itself."""
        with socket.create_connection((ADDRESS, PORT), timeout=20) as connection:
            request = f"{name} {key}".encode()
            connection.sendall(b"%d:%s," % (len(request), request))
            reply = b""
            while b":" not in reply or len(reply) < int(reply.split(b":")[0]) + reply.index(b":") + 2:
                part = connection.recv(65536)
                if not part:
                    break
                reply += part
        return reply.split(b":", 1)[1].rstrip(b",").decode()

    def stats(self):
        return self.service.ask("policyd", "stats")

    def test_postmap_is_told_each_policy(self):
        self.policyd(rule=[{"domain": "plain.test", "tls": "encrypt"}]).start()
        for key, told, why in (
            ("good.test", r"^secure match=\S*mx\.good\.test\S* servername=hostname", "MTA-STS"),
            ("testing.test", r"^$", "a policy in testing mode"),
            ("plain.test", r"^encrypt", "a rule"),
            ("implicit.test", r"^$", "nothing is demanded"),
            ("null.test", r"^$", "it takes no mail"),
            ("tampered.test", r"^error$", "its MX record is forged"),
            (".good.test", r"^$", "a parent"),
            ("danedecides.test", r"^dane", "DANE before MTA-STS"),
        ):
            with self.subTest(why):
                self.assertRegex(self.query(key), told)

    # NOTFOUND leaves Postfix to its own level.
    def test_a_key_that_names_no_domain_is_no_missing_policy(self):
        service = self.policyd(rule=[{"domain": "*", "tls": "encrypt"}]).start()
        for key, reply, why in (
            ("[192.0.2.1]", "OK encrypt", "an address is held to a rule for all"),
            ("192.0.2.1:587", "OK encrypt", "without brackets, as a transport may have it"),
            ("[2001:db8::1]", "OK encrypt", "without the tag, as a relayhost has it"),
            ("[IPv6:2001:db8::1]:587", "OK encrypt", "as a recipient has it"),
            (".implicit.test", "NOTFOUND ", "a parent: the domain itself was asked for before"),
            ("private/lmtp", "NOTFOUND ", "a socket of this machine"),
            ("192.0.2.256", "PERM ", "neither a name nor an address"),
            ("a b.test", "PERM ", "no name"),
            ("implicit.test:pop3", "PERM ", "a port that is not known"),
            ("x" * 90_000, "PERM ", "no name"),
            ("null.test", "TEMP ", "a host that Postfix found there all the same is held to the rule"),
        ):
            with self.subTest(why):
                self.assertRegex(self.raw(key), f"^{reply}")
        self.assertRegex(self.raw("implicit.test", "Pinnace"), "^PERM there is no map")
        self.assertEqual("OK encrypt", service.ask("policyd", "ask", "[192.0.2.1]")["maps"][0]["told"])
        shown = service.command("policyd", "ask", "[2001:db8::1]")
        self.assertRegex(shown.stdout, r"^\[IPv6:2001:db8::1\]\n  pinnace is told: OK encrypt\n")
        self.assertIn("a socket of this machine", service.command("policyd", "ask", "private/lmtp").stderr)

    def test_a_report_only_map_demands_nothing(self):
        self.policyd(**{"policyd.profile": [{"name": "report-only", "report_only": True}]}).start()
        self.assertRegex(self.query("good.test"), "^secure")
        self.assertEqual("", self.query("good.test", "report-only"))
        self.assertEqual("error", self.query("good.test", "unknown"))

    def test_a_restart_serves_from_the_store_while_the_resolver_is_gone(self):
        service = self.policyd().start()
        told = self.query("good.test")
        self.assertRegex(told, "^secure")
        for ending in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(ending.name):
                if ending == signal.SIGKILL:
                    self.query("danedecides.test")
                    wait_for(lambda: self.stats()["unwritten"] == 0, "what was told to be written")
                service.stop(ending)
                os.killpg(self.lab.zones.program.pid, signal.SIGSTOP)
                try:
                    service.start()
                    self.assertEqual(told, self.query("good.test"))
                    self.assertEqual("error", self.query("wildcard.test"), "it was never asked for")
                finally:
                    os.killpg(self.lab.zones.program.pid, signal.SIGCONT)

    def test_many_who_ask_share_one_lookup(self):
        self.policyd().start()
        asked = []
        for _ in range(20):
            connection = socket.create_connection((ADDRESS, PORT), timeout=20)
            self.addCleanup(connection.close)
            connection.sendall(b"17:pinnace good.test,")
            asked.append(connection)
        replies = {connection.recv(65536) for connection in asked}
        self.assertEqual(1, len(replies), replies)
        self.assertIn(b":OK secure", replies.pop())
        lookups = self.stats()["lookups"]
        self.assertEqual(1, lookups["cold"], lookups)
        self.query("good.test")
        self.assertGreaterEqual(self.stats()["ready"], 1)

    def test_a_slow_domain_delays_no_other(self):
        self.policyd(policyd={"answer_timeout": "2s"}, sts={"timeout": "30s"}).start()
        with socket.create_connection((ADDRESS, PORT), timeout=20) as slow:
            slow.sendall(b"17:pinnace slow.test,")
            begun = time.monotonic()
            self.assertRegex(self.query("good.test"), "^secure")
            self.assertLess(time.monotonic() - begun, 1.5)
            self.assertRegex(slow.recv(65536).decode(), r":(OK secure|TEMP |TIMEOUT )")

    def test_a_lookup_that_takes_too_long_is_a_timeout(self):
        self.policyd(policyd={"answer_timeout": "1s"}).start()
        os.killpg(self.lab.zones.program.pid, signal.SIGSTOP)
        try:
            self.assertRegex(self.raw("wildcard.test"), "^TIMEOUT the policy is not known yet")
            self.assertEqual("error", self.query("several.test"), "which keeps the mail")
        finally:
            os.killpg(self.lab.zones.program.pid, signal.SIGCONT)
        self.assertEqual(2, self.stats()["timed_out"])
        wait_for(lambda: self.query("wildcard.test").startswith("secure"), "the lookup to be made again")

    def test_rules_bind_at_once(self):
        service = self.policyd().start()
        self.assertEqual("", self.query("implicit.test"))
        service.configure({**service.sections, "rule": [{"domain": "implicit.test", "tls": "encrypt"}]})
        self.assertEqual(0, service.command("rule", "reload").returncode)
        self.assertRegex(self.query("implicit.test"), "^encrypt")
        # A broken file changes nothing.
        service.configure({**service.sections, "rule": [{"domain": "implicit.test", "tls": "what"}]})
        self.assertEqual(1, service.command("rule", "reload").returncode)
        self.assertRegex(self.query("implicit.test"), "^encrypt")

    def test_commands(self):
        service = self.policyd().start()
        names = self.lab.path("domains.txt")
        with open(names, "w", encoding="ascii") as file:
            file.write("good.test # the best\n\nimplicit.test\ntampered.test\n")
        done = service.command("policyd", "warm", names)
        self.assertEqual(1, done.returncode, done.stderr)
        self.assertIn("3 domains: 1 with a policy, 1 without, 1 could not be looked up", done.stdout)
        self.assertEqual(2, self.stats()["lookups"]["cold"] - 1)
        told = service.ask("policyd", "ask", "good.test")
        self.assertRegex(told["maps"][0]["told"], "^OK secure")
        self.assertTrue(told["kept"])
        self.assertIn("Postfix is told: OK secure", service.command("explain", "bob@good.test").stdout)
        self.assertEqual(["good.test"], [one["domain"] for one in service.ask("sts", "list")])
        pin = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        self.assertEqual("", self.query("implicit.test"))
        done = service.command("pins", "set", "implicit.test", "--pin", pin)
        self.assertEqual(0, done.returncode, done.stderr)
        wait_for(lambda: self.query("implicit.test") != "", "the pin to bind")
        self.assertEqual(0, service.command("pins", "forget", "implicit.test").returncode)
        wait_for(lambda: self.query("implicit.test") == "", "the pin to be forgotten")

    def test_bad_starts_say_why(self):
        for changes, reason in (
            ({"policyd": {"listen": ["127.77.0.3"]}}, r"policyd\.listen"),
            ({"policyd": {"what": 1}}, "what is not known here"),
            ({"policyd": {"anchors": "a b"}}, r"policyd\.anchors"),
            ({"policyd.profile": [{"name": "pinnace"}]}, r"there twice"),
            ({"probe": {"per_second": -1.0}}, r"probe\.per_second"),
        ):
            with self.subTest(reason):
                service = self.policyd(**changes)
                for arguments in (("policyd", "--config"), ("policyd", "--check", "--config"), ("config", "check")):
                    done = self.lab.pinnace(*arguments, service.config)
                    self.assertEqual(1, done.returncode, arguments)
                    self.assertRegex(done.stderr, reason)
        good = self.policyd()
        done = self.lab.pinnace("policyd", "--check", "--config", good.config)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(0, self.lab.pinnace("policyd", "--check").returncode, "without a file")
        self.assertEqual(2, self.lab.pinnace("policyd", "--what").returncode)

    def test_a_full_disk_stops_no_answer(self):
        service = self.policyd(limits={"min_free_disk": 1 << 49}).start()
        self.assertRegex(self.query("good.test"), "^secure")
        wait_for(lambda: "answers_not_stored" in service.output(), "the log to tell of it")
        self.assertRegex(self.query("good.test"), "^secure")
