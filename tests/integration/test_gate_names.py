"""The gate under several names, with keys of several algorithms."""

import re
import subprocess

from certificates import pin_of, pin_of_certificate
from lab import MX
from support import LabTest


class GateNames(LabTest):
    def shown(self, name=None, *options):
        """What openssl sees when it asks for this name: the shown certificate's pin and the EHLO reply inside."""
        with_name = ["-servername", name] if name else ["-noservername"]
        done = subprocess.run(
            ["openssl", "s_client", "-starttls", "smtp", "-connect", f"{MX}:25", "-ign_eof", *with_name, *options],
            input="EHLO client.sender.test\r\nQUIT\r\n",
            capture_output=True,
            text=True,
            timeout=30,
        )
        certificate = re.search(r"-----BEGIN.*?-----END CERTIFICATE-----\n", done.stdout, re.S)
        self.assertTrue(certificate, done.stdout + done.stderr)
        return pin_of_certificate(certificate[0]), done.stdout

    # RFC 6066 3, RFC 8461 7.1, RFC 7672 8.1; pinning-protocol 8.1: the pins of a name are those of all its keys.
    def test_the_name_asked_for_chooses_certificate_and_pins(self):
        certificates = self.lab.certificates
        rsa_key = self.lab.path("names-rsa.key")
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", rsa_key],
            check=True,
            capture_output=True,
        )
        rsa = certificates.issued("names-rsa", "mx.receiver.test", key=rsa_key)
        other = certificates.issued("names-other", "mx.other.test")
        wild = certificates.issued("names-wild", "*.wild.test")
        backups = [certificates.key(f"names-backup-{n}") for n in range(2)]
        sections = self.lab.gate_sections()
        gate = sections["gate"]
        gate["certificate"] = [self.lab.pair[0], rsa[0]]
        gate["key"] = [self.lab.pair[1], rsa[1]]
        gate["backup_key"] = [self.lab.backup_key, backups[0]]
        gate["host"] = [
            {"hostname": name, "certificate": pair[0], "key": pair[1], "backup_key": backups[1]}
            for name, pair in (("mx.other.test", other), ("mx.wild.test", wild))
        ]
        gate = self.gate()
        gate.configure(sections)
        self.assertEqual(0, self.lab.pinnace("config", "check", gate.config).returncode)
        gate.start()
        first = {pin_of(key) for key in (self.lab.pair[1], rsa_key, self.lab.backup_key, backups[0])}
        for name, options, key, hostname, pins in (
            ("mx.receiver.test", [], self.lab.pair[1], "mx.receiver.test", first),
            ("mx.receiver.test", ["-sigalgs", "RSA-PSS+SHA256"], rsa_key, "mx.receiver.test", first),
            ("mx.receiver.test", ["-tls1_2", "-sigalgs", "RSA+SHA256"], rsa_key, "mx.receiver.test", first),
            ("mx.receiver.test", ["-sigalgs", "ECDSA+SHA256"], self.lab.pair[1], "mx.receiver.test", first),
            ("mx.other.test", [], other[1], "mx.other.test", {pin_of(other[1]), pin_of(backups[1])}),
            ("mx.other.test", ["-tls1_2"], other[1], "mx.other.test", {pin_of(other[1]), pin_of(backups[1])}),
            ("any.wild.test", [], wild[1], "mx.wild.test", {pin_of(wild[1]), pin_of(backups[1])}),
            ("nobody.test", [], self.lab.pair[1], "mx.receiver.test", first),
            (None, [], self.lab.pair[1], "mx.receiver.test", first),
        ):
            with self.subTest(name=name, options=options):
                pin, said = self.shown(name, *options)
                self.assertEqual(pin_of(key), pin)
                self.assertIn(f"250-{hostname}", said)
                self.assertEqual(pins, set(re.findall(r"PIN-SHA256=(\S+)", said)))

    def test_two_keys_of_one_algorithm_are_refused(self):
        second = self.lab.certificates.issued("names-second", "mx.receiver.test")
        sections = self.lab.gate_sections()
        sections["gate"]["certificate"] = [self.lab.pair[0], second[0]]
        sections["gate"]["key"] = [self.lab.pair[1], second[1]]
        gate = self.gate()
        gate.configure(sections)
        done = self.lab.pinnace("gate", "--config", gate.config, "--check")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("mx.receiver.test has two certificates with EC keys", done.stdout + done.stderr)
