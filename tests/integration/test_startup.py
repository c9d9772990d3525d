"""What a service says when it cannot start: the thing, the place, what was expected."""

import os
import re
import subprocess

from lab import RELAY, RELAY_PORT
from programs import run
from support import LabTest


class Startup(LabTest):
    def refused(self, service):
        """Starts a service that must end by itself with an error; what it said."""
        service.launch()
        try:
            code = service.program.process.wait(20)
        except subprocess.TimeoutExpired:
            self.fail(f"it runs:\n{service.output()}")
        finally:
            service.stop()
        self.assertGreater(code, 0, f"0 is no error, and below 0 it crashed:\n{service.output()}")
        return service.output()

    # A broken configuration names file, line, key and what was expected.
    def test_a_broken_configuration_is_named(self):
        relay = self.relay()
        with open(relay.config, encoding="utf-8") as file:
            good = file.read()
        for change, expected, why in (
            (("[queue]", "[queue"), r":\d+", "no TOML"),
            (('retry_initial = "1h"', "retry_initial = 7.5"), "retry_initial.*", "a wrong type"),
            (
                ('retry_initial = "1h"', 'retry_initial = "soon"'),
                "retry_initial.*soon|soon.*retry_initial",
                "no duration",
            ),
            (('retry_initial = "1h"', 'retry_intial = "1h"'), "retry_intial", "an unknown key"),
            (("[queue]", "[quwuw]"), "quwuw", "an unknown section"),
            (
                (f'listen = ["{RELAY}:{RELAY_PORT}"]', 'listen = ["here"]'),
                "listen.*here|here.*listen",
                "no address",
            ),
            (('hostname = "relay.sender.test"', ""), "hostname", "a missing key"),
        ):
            with self.subTest(why):
                text = good.replace(*change)
                self.assertNotEqual(good, text, "the change changes nothing")
                with open(relay.config, "w", encoding="utf-8") as file:
                    file.write(text)
                said = self.refused(relay)
                self.assertIn(os.path.basename(relay.config), said)
                self.assertRegex(said, expected)
                check = self.lab.pinnace("config", "check", relay.config)
                self.assertNotEqual(0, check.returncode)
                self.assertRegex(check.stdout + check.stderr, expected)
                key = change[1].split(" =")[0] if " = " in change[1] else None
                if key:
                    line = next(
                        number for number, found in enumerate(text.splitlines(), 1) if found.startswith(key)
                    )
                    self.assertRegex(check.stdout + check.stderr, rf"\b{line}\b", "the line")

    def test_a_good_configuration_is_called_good(self):
        for service in self.relay(), self.gate():
            check = self.lab.pinnace("config", "check", service.config)
            self.assertEqual(0, check.returncode, check.stderr)

    def test_a_file_that_is_not_there_is_named(self):
        done = self.lab.pinnace("relay", "--config", "nowhere.toml")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("nowhere.toml", done.stdout + done.stderr)

    def test_a_store_of_a_newer_version_is_left_alone(self):
        relay = self.relay()
        relay.start()
        relay.stop()
        data = relay.sections["relay"]["data"]
        stores = {folder for folder, _, files in os.walk(data) if "CURRENT" in files}
        self.assertEqual(1, len(stores), stores)
        ldb = os.path.join(self.lab.root, "usr/bin/ldb")
        run([ldb, f"--db={stores.pop()}", "put", "version", "99"], "write to the store")
        said = self.refused(relay)
        self.assertIn("99", said)
        self.assertIn(data, said)

    def test_a_second_relay_on_the_same_data_is_refused(self):
        relay = self.relay().start()
        second = self.lab.service(
            "relay",
            "second",
            self.lab.relay_sections(
                "second", relay={"data": relay.sections["relay"]["data"], "listen": [f"{RELAY}:2626"]}
            ),
        )
        self.assertIn(relay.sections["relay"]["data"], self.refused(second))
        self.assertTrue(relay.program.running())

    def test_an_address_in_use_is_named(self):
        self.relay().start()
        second = self.lab.service("relay", "third", self.lab.relay_sections("third"))
        self.assertRegex(self.refused(second), re.escape(f"{RELAY}:{RELAY_PORT}"))

    # pinning-protocol 7: a promise it could not keep is not made.
    def test_the_gate_makes_no_promise_it_cannot_keep(self):
        certificates, gate = self.lab.certificates, self.gate()
        garbage = self.lab.path("garbage.pem")
        with open(garbage, "w", encoding="ascii") as file:
            file.write("-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n")
        other = certificates.key("startup-other")
        certificate, key = self.lab.pair
        for changes, expected, why in (
            ({"backup_key": key}, "backup", "the backup is the live key"),
            ({"backup_key": self.lab.path("absent.key")}, "absent.key", "no backup's file"),
            ({"backup_key": garbage}, "garbage.pem", "an unreadable backup"),
            ({"pair": (certificate, other)}, "startup-other.key", "the key is not the certificate's"),
            ({"pair": (certificate, garbage)}, "garbage.pem", "an unreadable key"),
            ({"pair": (garbage, key)}, "garbage.pem", "an unreadable certificate"),
        ):
            with self.subTest(why):
                gate.configure(self.lab.gate_sections(**changes))
                self.assertRegex(self.refused(gate), expected)
        sections = self.lab.gate_sections()
        del sections["gate"]["backup_key"]
        gate.configure(sections)
        self.assertIn("backup_key", self.refused(gate))
