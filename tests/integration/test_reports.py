"""TLS reports about us: taken from a real Postfix's pipe and over HTTPS, and shown to the operator."""

import base64
import datetime
import gzip
import json
import os
import shutil
import smtplib
import socket
import ssl
import subprocess

from lab import MX
from programs import wait_for
from support import LabTest
from test_gate import over_tls

USER = "mail"  # a gate's own, whose pipe may talk to its control socket
WEB = f"{MX}:8443"


def report(number, organization="Google Inc.", result="certificate-expired", reason="", domain="receiver.test"):
    day = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1)
    failure = {"result-type": result, "receiving-mx-hostname": "mx.receiver.test", "failed-session-count": 3}
    if reason:
        failure["failure-reason-code"] = reason
    return json.dumps(
        {
            "organization-name": organization,
            "date-range": {"start-datetime": f"{day}T00:00:00Z", "end-datetime": f"{day}T23:59:59Z"},
            "contact-info": "tls@sender.test",
            "report-id": f"{day}-{number}",
            "policies": [
                {
                    "policy": {"policy-type": "sts", "policy-domain": domain},
                    "summary": {"total-successful-session-count": 97, "total-failure-session-count": 3},
                    "failure-details": [failure],
                }
            ],
        }
    ).encode()


def mail(content, identity):
    """As RFC 8460 5.3 has it."""
    body = base64.encodebytes(content).decode()
    return (
        f"From: tlsrpt@sender.test\nTo: tls@receiver.test\nMessage-ID: <{identity}@sender.test>\n"
        "Subject: Report Domain: receiver.test Submitter: sender.test Report-ID: <1@sender.test>\n"
        "MIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type="tlsrpt"; boundary="=_x"\n\n'
        "--=_x\nContent-Type: text/plain\n\nThis is an aggregate TLS report\n\n"
        "--=_x\nContent-Type: application/tlsrpt+gzip\nContent-Transfer-Encoding: base64\n"
        'Content-Disposition: attachment; filename="sender.test!receiver.test!1!2.json.gz"\n\n'
        f"{body}\n--=_x--\n"
    )


class Reports(LabTest):
    def setUp(self):
        super().setUp()
        self.run_folder = self.lab.path("gate-run")
        os.makedirs(self.run_folder, exist_ok=True)
        shutil.chown(self.run_folder, USER)
        self.data = self.lab.path("gate-data")
        shutil.rmtree(self.data, ignore_errors=True)
        self.web = self.lab.certificates.issued("web", "mta-sts.receiver.test")

    def start(self, backend=None, **more):
        sections = self.lab.gate_sections()
        # The gate's user cannot read root's keys again; it need not.
        sections["gate"].update(control=os.path.join(self.run_folder, "gate.sock"), data=self.data, **more)
        if backend:
            sections["gate"]["backend"] = backend.endpoint
        sections["gate.domain"] = [{"domain": "receiver.test"}]
        sections["gate.https"] = {
            "listen": [WEB],
            "certificates": [{"certificate": self.web[0], "key": self.web[1]}],
            "reports": "/tlsrpt",
        }
        sections["process"] = {"user": USER}
        gate = self.gate()
        gate.configure(sections)
        return gate.start()

    def sums(self, gate):
        return gate.ask("report", "inbound")

    def take(self, gate, text, *arguments):
        return subprocess.run(
            [self.lab.binary("pinnace"), "report", "take", "--control", gate.sections["gate"]["control"], *arguments],
            input=text,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def curl(self, path, *arguments, content=b""):
        """The status of what curl gets, and its text."""
        done = subprocess.run(
            ["curl", "-sS", "--http1.1", "--cacert", self.lab.certificates.roots_file, "--resolve",
             f"mta-sts.receiver.test:8443:{MX}", "-w", "\n%{http_code}", *arguments,
             f"https://mta-sts.receiver.test:8443{path}"],
            input=content,
            capture_output=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        text, _, status = done.stdout.decode().rpartition("\n")
        return int(status), text

    def post(self, content, kind="application/tlsrpt+gzip"):
        return self.curl("/tlsrpt", "--data-binary", "@-", "-H", f"Content-Type: {kind}", content=content)

    # docs/reports.md: from the sender's mail through the gate and Postfix's pipe into the store.
    def test_a_report_by_mail_comes_through_postfix(self):
        postfix = self.lab.reports_receiver(USER, os.path.join(self.run_folder, "gate.sock"))
        gate = self.start(postfix)
        client = smtplib.SMTP(MX, 25, "client.sender.test", timeout=20)
        self.addCleanup(client.close)
        over_tls(client)

        def send(text):
            client.sendmail("tlsrpt@sender.test", ["tls@receiver.test"], text)

        send(mail(gzip.compress(report(1)), "reports-1"))
        wait_for(lambda: self.sums(gate)["reports"] == 1, lambda: f"the report in\n{postfix.log()}")
        send(mail(gzip.compress(report(1)), "reports-2"))
        wait_for(lambda: 'known=yes' in gate.output(), lambda: f"the report again in\n{postfix.log()}")
        self.assertEqual(1, self.sums(gate)["reports"])
        # What is no report goes back, and is not tried for ever.
        send(mail(b"no report", "reports-3"))
        wait_for(lambda: "status=bounced (data format error" in postfix.log(), postfix.log)
        # Without a gate it waits in Postfix's queue.
        control = gate.sections["gate"]["control"]
        gate.stop()
        direct = smtplib.SMTP(*postfix.endpoint.split(":"), timeout=20)
        self.addCleanup(direct.close)
        direct.sendmail("tlsrpt@sender.test", ["tls@receiver.test"], mail(gzip.compress(report(2)), "reports-4"))
        wait_for(lambda: "status=deferred (temporary failure" in postfix.log(), postfix.log)
        self.assertFalse(os.path.exists(control))

    def test_the_pipes_exit_codes(self):
        gate = self.start()
        self.assertEqual(0, self.take(gate, mail(gzip.compress(report(1)), "x").encode()).returncode)
        self.assertEqual(0, self.take(gate, report(2)).returncode)
        for text in b"", b"hello", b"\x1f\x8bbroken", b"{}", report(1, domain="elsewhere.test"):
            done = self.take(gate, text)
            self.assertEqual(65, done.returncode, text)
            self.assertNotEqual(b"", done.stderr)
        bomb = gzip.compress(b"{" + b" " * (50 << 20))
        self.assertEqual(65, self.take(gate, bomb).returncode)
        gate.stop()
        self.assertEqual(75, self.take(gate, report(3)).returncode)
        self.assertEqual(0, self.take(gate, report(3), "--config", gate.config).returncode)
        # Written by root, and still the gate's.
        gate.start()
        self.assertEqual(3, self.sums(gate)["reports"])

    # RFC 8460 5.4
    def test_reports_over_https(self):
        gate = self.start()
        packed = gzip.compress(report(1))
        self.assertEqual((201, "taken\n"), self.post(packed))
        self.assertEqual((200, "known already\n"), self.post(packed))
        self.assertEqual(201, self.post(report(2), "application/tlsrpt+json")[0])
        self.assertEqual(415, self.post(packed, "text/plain")[0])
        self.assertEqual(400, self.post(b"{}")[0])
        status, why = self.post(gzip.compress(report(1, domain="elsewhere.test")))
        self.assertEqual(400, status)
        self.assertIn("none of the domains", why)
        self.assertEqual(413, self.post(b"x" * (5 << 20))[0])
        self.assertEqual(405, self.curl("/tlsrpt")[0])
        self.assertEqual(404, self.curl("/other")[0])
        # A long one, for which curl waits to be told to go on.
        many = [dict(json.loads(report(3))["policies"][0]) for _ in range(900)]
        long = json.dumps({**json.loads(report(3)), "policies": many}).encode()
        self.assertEqual(201, self.post(long, "application/tlsrpt+json")[0])
        self.assertEqual(3, self.sums(gate)["reports"])
        gate.restart()
        self.assertEqual(3, self.sums(gate)["reports"])

    def test_hostile_clients_of_the_web_server(self):
        gate = self.start()
        context = ssl.create_default_context(cafile=self.lab.certificates.roots_file)

        def said(octets):
            with socket.create_connection((MX, 8443), timeout=20) as plain:
                with context.wrap_socket(plain, server_hostname="mta-sts.receiver.test") as tls:
                    tls.sendall(octets)
                    text = b""
                    while octets := tls.recv(65536):
                        text += octets
                    return text

        host = b"Host: mta-sts.receiver.test\r\n"
        smuggled = said(
            b"POST /tlsrpt HTTP/1.1\r\n" + host + b"Content-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"0\r\n\r\nGET /tlsrpt HTTP/1.1\r\n" + host + b"\r\n"
        )
        self.assertTrue(smuggled.startswith(b"HTTP/1.1 400 "), smuggled)
        self.assertEqual(1, smuggled.count(b"HTTP/1.1 "))
        self.assertTrue(said(b"GET / HTTP/1.1\r\nX: " + b"a" * 20000).startswith(b"HTTP/1.1 431 "))
        self.assertTrue(said(b"GET / HTT").startswith(b"HTTP/1.1 408 "), "who never ends is not waited for")
        self.assertEqual((404, "nothing is here\n"), self.curl("/"))
        self.assertEqual(0, gate.stop())

    def test_what_the_operator_sees(self):
        gate = self.start()
        self.assertIn("no report came", gate.command("report", "inbound").stdout)
        for number, (who, result, reason) in enumerate(
            [
                ("Google Inc.", "certificate-expired", ""),
                ("relay.example.net", "validation-failure", "pkp-mismatch"),
                ("other\x1b[31m.example", "validation-failure", "pkp-mismatch"),
                ("Microsoft Corporation", "new-in-2031", "E42"),
            ]
        ):
            self.assertEqual(0, self.take(gate, report(number, who, result, reason)).returncode)
        text = gate.command("report", "inbound", "--domain", "receiver.test").stdout
        for line in (
            "4 reports from 4 organisations",
            "388 sessions reached us over TLS, 12 failed (3.00%)",
            "6 sessions failed: pkp-mismatch",
            "3 sessions failed: certificate-expired",
            "The keys that are served now",
            "mx.receiver.test (3)",
            "E42",
        ):
            self.assertIn(line, text)
        self.assertNotIn("\x1b", text)
        self.assertLessEqual(max(len(line) for line in text.splitlines()), 78)
        sums = gate.ask("report", "inbound", "--since", "7d")
        self.assertEqual((388, 12), (sums["succeeded"], sums["failed"]))
        self.assertEqual({"certificate-expired", "pkp-mismatch", "new-in-2031"}, {p["kind"] for p in sums["problems"]})
        self.assertEqual(0, gate.ask("report", "inbound", "--since", "1s")["reports"])
        wrong = gate.command("report", "inbound", "--domain", "elsewhere.test")
        self.assertEqual(1, wrong.returncode)
        self.assertIn("[[gate.domain]]", wrong.stderr)
