"""What packaging/acme makes of a certificate that an ACME client got."""

import os
import shutil
import stat
import subprocess
import tempfile
import unittest

from acme import Certbot, Lego, Pebble
from certificates import Certificates, pin_of
from lab import MX, SOURCE
from programs import run
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


class Authority(LabTest):
    """Both clients get a certificate, by a challenge that the authority fetches from the name's address."""

    def test_certbot_and_lego_get_certificates(self):
        pebble = Pebble(self.lab)
        certbot, lego = Certbot(pebble, "certbot", MX), Lego(pebble, "lego", MX)
        for done, path in (
            (certbot.run("certonly", "-d", NAME), f"certbot/etc/live/{NAME}/fullchain.pem"),
            (lego.run("-d", NAME, "run"), f"lego/certificates/{NAME}.crt"),
        ):
            with self.subTest(path):
                self.assertEqual(0, done.returncode, done.stdout + done.stderr)
                verify = ["openssl", "verify", "-CAfile", pebble.root, "-verify_hostname", NAME]
                chain = self.lab.path(path)
                run([*verify, "-untrusted", chain, chain], "verify what the authority issued")
