"""What testssl.sh finds at the gate's TLS, before and behind STARTTLS."""

import json
import os
import subprocess

from lab import MX
from support import LabTest

CHECKS = "--protocols", "--server-defaults", "--std", "--fs", "--vulnerable"
# Findings about the lab's own certificate, and what only a look at the real Internet could tell.
NOT_OURS = "cert", "OCSP", "DNS_CAArecord", "TLS_timestamp", "clientAuth", "SSL_sessionID"
BAD = "LOW", "MEDIUM", "HIGH", "CRITICAL"


class GateScan(LabTest):
    def findings(self, port, *options):
        report = self.lab.path(f"testssl-{port}.json")
        program = os.path.join(self.lab.root, "usr/bin/testssl")
        environment = {**os.environ, "TESTSSL_INSTALL_DIR": os.path.join(self.lab.root, "etc/testssl"),
                       "OPENSSL_TIMEOUT": "5", "CONNECT_TIMEOUT": "5"}
        done = subprocess.run(
            [program, "--quiet", "--warnings", "off", "--color", "0", "--nodns", "none", "--openssl",
             "/usr/bin/openssl", "--fast", "--jsonfile", report, *CHECKS, *options, f"{MX}:{port}"],
            env=environment, capture_output=True, text=True, timeout=240, cwd=self.lab.folder,
            stdin=subprocess.DEVNULL,
        )
        self.assertTrue(os.path.exists(report), done.stdout + done.stderr)
        with open(report, encoding="utf-8") as file:
            return {finding["id"]: finding for finding in json.load(file)}, done.stdout

    def test_testssl_finds_nothing_weak(self):
        sections = self.lab.gate_sections()
        sections["gate"]["listen_tls"] = [f"{MX}:465"]
        sections["limits"] = {"max_sessions_per_client": 1000}
        gate = self.gate()
        gate.configure(sections)
        gate.start()
        for port, options in (25, ["--starttls", "smtp"]), (465, []):
            with self.subTest(port=port):
                findings, said = self.findings(port, *options)
                for old in "SSLv2", "SSLv3", "TLS1", "TLS1_1":
                    self.assertIn("not offered", findings[old]["finding"], old)
                for new in "TLS1_2", "TLS1_3":
                    self.assertTrue(findings[new]["finding"].startswith("offered"), new)
                # It did look.
                for looked in "heartbleed", "ROBOT", "LUCKY13", "SWEET32", "RC4", "secure_client_renego":
                    self.assertIn(looked, findings, said)
                bad = [f for f in findings.values() if f["severity"] in BAD and not f["id"].startswith(NOT_OURS)]
                self.assertEqual([], bad, said)
