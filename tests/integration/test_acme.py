"""Certificates that real ACME clients get from a real authority, and what the gate makes of them."""

import datetime
import os
import re
import shutil
import ssl
import stat
import subprocess
import tempfile
import unittest

from acme import Certbot, Lego, Pebble
from certificates import Certificates, pin_of, pin_of_certificate
from lab import MX, SOURCE
from programs import run, wait_for
from support import LabTest

NAME = "mx.receiver.test"
DEPLOY = os.path.join(SOURCE, "packaging", "acme", "pinnace-deploy")
GROUP = 4711  # nobody's


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


class Deploy(unittest.TestCase):
    """The hook by itself; a command that stands for the gate says what it would have been told."""

    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.certificates = Certificates(os.path.join(cls.folder, "certificates"))
        cls.first, cls.second = (cls.certificates.issued(f"mx-{n}", NAME) for n in range(2))

    def setUp(self):
        self.tls = os.path.join(self.folder, "tls")
        os.makedirs(self.tls)
        self.addCleanup(shutil.rmtree, self.tls)
        self.target = os.path.join(self.tls, NAME + ".pem")
        self.write(self.target, read(self.first[1]) + read(self.first[0]))
        os.chmod(self.target, 0o640)
        os.chown(self.target, 0, GROUP)

    def write(self, path, text):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)

    def deploy(self, *arguments, reload="echo the gate: well", **environment):
        return subprocess.run(
            [DEPLOY, *arguments],
            env={**os.environ, "PINNACE_TLS": self.tls, "PINNACE_RELOAD": reload, **environment},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def test_the_pair_is_one_file_and_as_private_as_it_was(self):
        done = self.deploy(NAME, *self.second)
        self.assertEqual((0, "the gate: well\n", ""), (done.returncode, done.stdout, done.stderr))
        there = os.stat(self.target)
        self.assertEqual((0o640, GROUP), (stat.S_IMODE(there.st_mode), there.st_gid))
        self.assertEqual(pin_of(self.second[1]), pin_of(self.target))
        self.assertEqual(read(self.second[0]), read(self.target)[-len(read(self.second[0])) :])
        self.assertEqual(pin_of(self.first[1]), pin_of(self.target + ".old"))
        self.assertEqual([NAME + ".pem", NAME + ".pem.old"], sorted(os.listdir(self.tls)))

    # Whoever has it open, or opens it at any moment, reads a whole pair.
    def test_it_is_put_in_another_files_place(self):
        with open(self.target, encoding="ascii") as before:
            self.assertEqual(0, self.deploy(NAME, *self.second).returncode)
            self.assertEqual(read(self.first[1]) + read(self.first[0]), before.read())

    def test_a_file_that_all_may_read_gets_no_key(self):
        os.chmod(self.target, 0o644)
        self.assertEqual(0, self.deploy(NAME, *self.second).returncode)
        self.assertEqual(0o640, stat.S_IMODE(os.stat(self.target).st_mode))

    # RFC 8555 7.4: whoever sends a CSR keeps the key.
    def test_the_key_of_a_csr_is_found(self):
        self.write(os.path.join(self.tls, "other.key"), read(self.certificates.key("other")))
        self.write(os.path.join(self.tls, "backup.key"), read(self.second[1]))
        done = self.deploy(LEGO_CERT_PATH=self.lego_certificate(), LEGO_CERT_KEY_PATH="/nowhere/a.key")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertEqual(pin_of(self.second[1]), pin_of(self.target))

    def lego_certificate(self):
        path = os.path.join(self.folder, NAME + ".crt")
        shutil.copyfile(self.second[0], path)
        return path

    def test_what_cannot_be_served_changes_nothing(self):
        broken = os.path.join(self.tls, "broken")
        self.write(broken, "-----BEGIN CERTIFICATE-----\n")
        for said, arguments in (
            ("no key of the certificate", (NAME, self.second[0], self.first[1])),
            ("no key of the certificate", (NAME, self.second[0])),
            (f"{broken} holds no certificate", (NAME, broken, self.second[1])),
            ("/nowhere holds no certificate", (NAME, "/nowhere", self.second[1])),
            ("called by certbot or lego", (NAME,)),
        ):
            with self.subTest(said):
                done = self.deploy(*arguments)
                self.assertEqual(1, done.returncode)
                self.assertIn(said, done.stderr)
                self.assertEqual(pin_of(self.first[1]), pin_of(self.target))
                self.assertEqual({"broken", NAME + ".pem"}, set(os.listdir(self.tls)))

    # certbot calls it for the certificates of all servers of the machine.
    def test_anothers_certificate_is_left_alone(self):
        done = self.deploy("www.receiver.test", *self.second, reload="false")
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))
        self.assertEqual([NAME + ".pem"], os.listdir(self.tls))

    def test_a_gate_that_cannot_be_asked_is_sent_sighup(self):
        programs = os.path.join(self.folder, "programs")
        os.makedirs(programs)
        for name, text in ("pinnace", "exit 106"), ("systemctl", 'echo "told to $*"'):
            self.write(os.path.join(programs, name), f"#!/bin/sh\n{text}\n")
            os.chmod(os.path.join(programs, name), 0o755)
        path = programs + os.pathsep + os.environ["PATH"]
        done = self.deploy(NAME, *self.second, reload="", PATH=path)
        self.assertEqual((0, "told to reload pinnace-gate\n"), (done.returncode, done.stdout))

    def test_what_the_gate_refuses_is_told(self):
        gate = os.path.join(self.folder, "refuses")
        self.write(gate, "#!/bin/sh\necho 'pinnace: no such socket' >&2\nexit 1\n")
        os.chmod(gate, 0o755)
        done = self.deploy(NAME, *self.second, reload=gate)
        self.assertEqual(1, done.returncode)
        self.assertIn(f"{self.target} is not served: pinnace: no such socket", done.stderr)


class Acme(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pebble = Pebble(cls.lab)
        cls.roots = cls.lab.path("roots.pem")
        with open(cls.roots, "w", encoding="ascii") as file:
            file.write(read(cls.lab.certificates.roots_file) + read(cls.pebble.root))

    def setUp(self):
        super().setUp()
        test = self.id().rsplit(".", 1)[-1]
        self.tls, self.data = self.lab.path(f"tls-{test}"), self.lab.path(f"gate-{test}")
        self.certbot = Certbot(self.pebble, f"certbot-{test}", MX)
        self.lego = Lego(self.pebble, f"lego-{test}", MX)
        os.makedirs(self.tls)
        self.target = os.path.join(self.tls, NAME + ".pem")
        with open(self.target, "w", encoding="ascii"):
            os.chmod(self.target, 0o640)
        self.backups = [os.path.join(self.tls, f"backup-{n}.key") for n in range(2)]
        for n, backup in enumerate(self.backups):
            shutil.copyfile(self.lab.certificates.key(f"{test}-{n}"), backup)
        reload = f"{self.lab.binary('pinnace')} gate reload --control gate.sock"
        self.hook = {"PINNACE_TLS": self.tls, "PINNACE_RELOAD": reload}

    def start_gate(self, max_age="60d"):
        sections = self.lab.gate_sections(pair=(self.target, self.target))
        sections["gate"].update(data=self.data, backup_key=self.backups)
        sections["gate.advert"].update(max_age=max_age, mode="ENFORCE", ramp=[])
        self.lab.gate.configure(sections)
        return self.lab.gate.start()

    def shown(self):
        """The certificate that a new session is shown, and the pins it hears."""
        client = self.smtp(MX, 25)
        client.ehlo()
        context = ssl.create_default_context(cafile=self.roots)
        context.check_hostname = False
        client.starttls(context=context)
        offers = client.ehlo()[1].decode()
        certificate = ssl.DER_cert_to_PEM_cert(client.sock.getpeercert(binary_form=True))
        return certificate, re.findall(r"PIN-SHA256=(\S+)", offers)

    def certbot_first(self):
        """The first certificate, got while no gate runs that could be told."""
        done = self.certbot.run("certonly", "-d", NAME, "--deploy-hook", DEPLOY, environment=self.hook)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertIn(f"{self.target} is not served", done.stderr)

    def lego_first(self):
        done = self.lego.run("-d", NAME, "run", environment=self.hook)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        certificate = os.path.join(self.lego.folder, "certificates", NAME)
        done = self.deploy(NAME, certificate + ".crt", certificate + ".key", PINNACE_RELOAD="true")
        self.assertEqual(0, done.returncode, done.stderr)

    def certbot_renews(self, *arguments):
        renew = "renew", "--force-renewal", "--no-random-sleep-on-renew", *arguments
        return self.certbot.run(*renew, environment=self.hook)

    def lego_renews(self, *arguments):
        """Any time is near enough to the certificate's end."""
        renew = "renew", "--days", "100000", "--no-random-sleep", "--renew-hook", DEPLOY, *arguments
        return self.lego.run("-d", NAME, *renew, environment=self.hook)

    def deploy(self, *arguments, **environment):
        """The hook called by hand."""
        return subprocess.run(
            [DEPLOY, *arguments],
            cwd=self.lab.folder,
            env={**os.environ, **self.hook, **environment},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def csr_of(self, key):
        path = self.lab.path("backup.csr")
        name = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
        run(["openssl", "req", "-new", "-key", key, *name, "-out", path], "ask for a certificate")
        return path

    def relay_that_noted(self):
        relay = self.relay(tls={"roots": self.roots}).start()
        self.assert_delivered()
        self.assertEqual({True}, {noted["enforced"] for noted in relay.ask("pins", "list")})
        return relay

    def assert_delivered(self):
        self.assert_once(self.lab.receiver, self.lab.send("bob@receiver.test"))

    def assert_renewed(self, done, before):
        """It went in, with the same key, and the same is promised."""
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        after = self.shown()
        self.assertNotEqual(before[0], after[0])
        self.assertEqual(before[1], after[1])
        self.assertEqual(pin_of_certificate(before[0]), pin_of_certificate(after[0]))
        self.assertEqual(0o640, stat.S_IMODE(os.stat(self.target).st_mode))

    def test_certbot_keeps_the_key(self):
        done = self.certbot.run("certonly", "-d", NAME)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        lineage = os.path.join(self.certbot.folder, "etc/live", NAME)
        done = self.deploy(RENEWED_LINEAGE=lineage, PINNACE_RELOAD="true")
        self.assertEqual(0, done.returncode, done.stderr)
        self.start_gate()
        # Once told, it remembers.
        for told in ["--reuse-key", "--deploy-hook", DEPLOY], []:
            before = self.shown()
            self.assertEqual([pin_of(key) for key in (self.target, *self.backups)], before[1])
            done = self.certbot_renews(*told)
            self.assert_renewed(done, before)
            self.assertNotIn("error", done.stderr)

    def test_lego_keeps_the_key(self):
        self.lego_first()
        self.start_gate()
        before = self.shown()
        self.assert_renewed(self.lego_renews("--reuse-key"), before)

    # pinning-protocol 8.2: a promised backup goes live, and whoever noted it goes on delivering.
    def test_a_csr_brings_a_backup_in(self):
        self.lego_first()
        self.start_gate()
        relay = self.relay_that_noted()
        pins = [pin_of(key) for key in (self.target, *self.backups)]
        self.assertEqual(pins, self.shown()[1])
        for asks, backup in zip((self.lego_asks, self.certbot_asks), self.backups, strict=True):
            with self.subTest(asks.__name__):
                done = asks(self.csr_of(backup))
                self.assertEqual(0, done.returncode, done.stdout + done.stderr)
                certificate, said = self.shown()
                self.assertEqual(pin_of(backup), pin_of_certificate(certificate))
                self.assertEqual(set(pins[1:]), set(said))
                self.assert_delivered()
                self.assertEqual([], relay.queue())

    def lego_asks(self, csr):
        return self.lego.run("--csr", csr, "run", "--run-hook", DEPLOY, environment=self.hook)

    def certbot_asks(self, csr):
        """It calls no hook for a CSR."""
        got = self.lab.path("got.pem")
        done = self.certbot.run("certonly", "--csr", csr, "--fullchain-path", got)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return self.deploy(NAME, got)

    # pinning-protocol 7: nobody was told of that key, so it waits, and the client's own output says so.
    def test_another_key_is_held_back(self):
        self.certbot_first()
        gate = self.start_gate()
        relay = self.relay_that_noted()
        before = self.shown()
        done = self.certbot_renews()
        self.assertIn("Hook 'deploy-hook' reported error code 1", done.stderr)
        self.assert_held_back(done.stderr, before)
        # Not a second time either, and not after a restart, when the file has nothing else.
        done = self.deploy(NAME, self.target)
        self.assertEqual(1, done.returncode)
        self.assert_held_back(done.stderr, before)
        gate.restart()
        self.assertEqual(before[0], self.shown()[0])
        self.assert_delivered()
        self.assertEqual([], relay.queue())

    def assert_held_back(self, said, before):
        self.assertIn(f"{self.target} is not served: HELD BACK {NAME}: ", said)
        self.assertIn(pin_of(self.target), said)
        until = datetime.datetime.fromisoformat(re.search(r"until (\S+Z)", said)[1])
        left = until - datetime.datetime.now(datetime.UTC)
        self.assertTrue(datetime.timedelta(days=60) < left < datetime.timedelta(days=61), said)
        certificate, pins = self.shown()
        self.assertEqual(before[0], certificate)
        self.assertEqual({*before[1], pin_of(self.target)}, set(pins))

    # It is in the file, and goes in when nobody holds a promise any more that it would break.
    def test_another_key_goes_in_when_its_date_has_come(self):
        self.lego_first()
        self.start_gate(max_age="10s")
        before = self.shown()
        done = self.lego_renews()
        self.assertNotEqual(0, done.returncode)
        self.assertIn(f"HELD BACK {NAME}: ", done.stdout + done.stderr)
        self.assertEqual(before[0], self.shown()[0])
        wait_for(lambda: self.shown()[0] != before[0], "the certificate to go in", deadline=60, pause=0.5)
        self.assertEqual(pin_of(self.target), pin_of_certificate(self.shown()[0]))
