"""The gate's ledger: what was promised is kept, whatever happens to its files, its store or itself."""

import json
import os
import re
import shutil
import signal
import ssl

from certificates import pin_of, pin_of_certificate
from lab import MX
from support import LabTest


class GateLedger(LabTest):
    def setUp(self):
        super().setUp()
        name = self.id().rsplit(".", 1)[-1]
        self.live = self.lab.path(f"{name}.pem"), self.lab.path(f"{name}.key")
        self.backup = self.lab.path(f"{name}-backup.key")
        self.data = self.lab.path(f"{name}-data")
        issued = self.lab.certificates.issued
        self.first, self.second, self.stranger, self.later = (
            issued(f"{name}-{n}", "mx.receiver.test") for n in range(4)
        )

    def install(self, pair, backup):
        for source, target in zip((*pair, backup[1]), (*self.live, self.backup), strict=True):
            shutil.copyfile(source, target)

    def keeping(self, **advert):
        """A gate with a ledger, not started."""
        sections = self.lab.gate_sections(pair=self.live, backup_key=self.backup)
        sections["gate"]["data"] = self.data
        sections["gate.advert"] = {"mode": "ENFORCE", "ramp": [], **advert}
        gate = self.gate()
        gate.configure(sections)
        return gate

    def shown(self):
        """The pin that a new session proves, and the advert that it hears."""
        client = self.smtp(MX, 25)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        client.starttls(context=context)
        offers = client.ehlo()[1].decode()
        certificate = ssl.DER_cert_to_PEM_cert(client.sock.getpeercert(binary_form=True))
        return pin_of_certificate(certificate), offers

    def reload(self, gate, event):
        heard = gate.output().count(event)
        gate.program.process.send_signal(signal.SIGHUP)
        gate.program.wait_until(lambda: gate.output().count(event) > heard, event)

    # pinning-protocol 7: refused, still served over a restart, and taken when the last promise is over.
    def test_a_key_of_which_nobody_was_told_waits_until_the_promises_are_over(self):
        self.install(self.first, self.second)
        gate = self.keeping(max_age="3s").start()
        first, second, stranger = (pin_of(pair[1]) for pair in (self.first, self.second, self.stranger))
        pin, offers = self.shown()
        self.assertEqual(first, pin)
        self.assertEqual([first, second], re.findall(r"PIN-SHA256=(\S+)", offers))
        self.assertIn("MAX-AGE=3", offers)

        self.install(self.stranger, self.second)
        self.reload(gate, " certificate_held_back ")
        self.assertEqual(first, self.shown()[0])
        gate.restart()
        pin, offers = self.shown()
        self.assertEqual(first, pin)
        self.assertIn(f"PIN-SHA256={stranger}", offers)  # no advert goes out without it any more
        told = json.loads(self.lab.pinnace("gate", "status", "--config", gate.config, "--json").stdout)
        self.assertIn("reload --break-promises", told["held_back"][0]["what"])
        gate.program.wait_until(lambda: " certificate_taken " in gate.output(), "certificate_taken")
        self.assertEqual(stranger, self.shown()[0])

    # pinning-protocol 8.2: the backup needs no pause.
    def test_the_promised_backup_goes_in_at_once(self):
        self.install(self.first, self.second)
        gate = self.keeping(max_age="60d").start()
        self.shown()
        self.install(self.second, self.later)
        self.reload(gate, " certificate_loaded ")
        self.assertNotIn("held_back", gate.output())
        pin, offers = self.shown()
        self.assertEqual(pin_of(self.second[1]), pin)
        self.assertIn(pin_of(self.later[1]), offers)
        self.assertEqual(0o600, os.stat(os.path.join(self.data, "served", "mx.receiver.test.pem")).st_mode & 0o777)

    # Nobody knows what was said: then it may have been the longest promise, and of the live key alone.
    def test_a_lost_ledger_is_the_longest_promise(self):
        self.install(self.first, self.second)
        gate = self.keeping(max_age="1h").start()
        self.shown()
        gate.stop()
        shutil.rmtree(os.path.join(self.data, "store"))
        self.install(self.second, self.later)
        gate.start()
        self.assertIn(" ledger_lost ", gate.output())
        self.assertEqual(pin_of(self.first[1]), self.shown()[0])
        shown = self.lab.pinnace("pins", "ledger", "show", "--config", gate.config)
        self.assertIn("MAX-AGE=60d", shown.stdout)
        self.assertIn("assumed", shown.stdout)

    def test_the_ledger_is_rebuilt_from_the_files(self):
        self.install(self.first, self.second)
        gate = self.keeping(max_age="1h")
        rebuilt = self.lab.pinnace("pins", "ledger", "rebuild", "--config", gate.config, "--json")
        promise = json.loads(rebuilt.stdout)["hosts"][0]["promises"][0]
        self.assertEqual([pin_of(self.first[1])], promise["pins"])
        self.install(self.second, self.first)
        with self.assertRaises(Exception):
            gate.start()  # what it served is not there
        self.assertIn("put that certificate and key back", gate.output())

    def test_promises_are_broken_on_demand_alone(self):
        self.install(self.first, self.second)
        gate = self.keeping(max_age="60d").start()
        self.shown()
        self.install(self.stranger, self.second)
        done = self.lab.pinnace("gate", "reload", "--config", gate.config)
        self.assertIn("HELD BACK", done.stdout, done.stderr)
        self.assertEqual(pin_of(self.first[1]), self.shown()[0])
        done = self.lab.pinnace("gate", "reload", "--break-promises", "--config", gate.config)
        self.assertNotIn("HELD BACK", done.stdout, done.stderr)
        self.assertEqual(pin_of(self.stranger[1]), self.shown()[0])
        self.assertRegex(gate.output(), f" promise_broken .*{re.escape(pin_of(self.first[1]))}")
        gate.restart()  # and it stays broken
        self.assertEqual(pin_of(self.stranger[1]), self.shown()[0])
        ledger = json.loads(self.lab.pinnace("gate", "ledger", "--config", gate.config, "--json").stdout)
        # The one without its key; that said while it waited had it.
        self.assertEqual([True, False, False], [p["broken"] for p in ledger["hosts"][0]["promises"]])

    # The first advert of a name: tested only, and short.
    def test_a_gate_begins_with_report_and_a_day(self):
        self.install(self.first, self.second)
        gate = self.keeping()
        sections = {**gate.sections, "gate.advert": {}}
        gate.configure(sections)
        gate.start()
        offers = self.shown()[1]
        self.assertIn("MODE=REPORT", offers)
        self.assertIn("MAX-AGE=86400", offers)
        self.install(self.stranger, self.second)  # MODE=REPORT keeps nobody's mail
        self.reload(gate, " certificate_loaded ")
        self.assertEqual(pin_of(self.stranger[1]), self.shown()[0])
