"""The command line, beside what other tests use of it: lint, verify, advert, help, and no service."""

import json

from certificates import pin_of
from support import LabTest


class Commands(LabTest):
    def write(self, name, text):
        path = self.lab.path(name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def advert(self):
        certificate, key = self.lab.pair
        done = self.lab.pinnace(
            "pins", "advert", "--cert", certificate, "--key", key, "--backup-key", self.lab.backup_key
        )
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout

    # pinning-protocol 1: what a gate would show is what lint calls valid and a sender would note.
    def test_an_advert_is_valid_and_would_be_noted(self):
        lines = self.advert()
        for key in self.lab.pair[1], self.lab.backup_key:
            self.assertIn(pin_of(key), lines)
        file = self.write("advert.txt", lines)
        done = self.lab.pinnace("lint", "pkp", file, "--chain", self.lab.pair[0], "--json")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        found = json.loads(done.stdout)
        self.assertTrue(found["valid"])
        self.assertTrue(found["noted"], found)
        self.assertEqual(
            {pin_of(self.lab.pair[1]), pin_of(self.lab.backup_key)}, set(map(str, found["pins"]))
        )

    # pinning-protocol 3: no backup, or not this session's key, and nothing is noted; it is valid still.
    def test_lint_says_why_an_advert_would_not_be_noted(self):
        live, backup = pin_of(self.lab.pair[1]), pin_of(self.lab.backup_key)
        for pins, why in ([live], "no backup"), ([backup], "no pin of this session"):
            with self.subTest(why):
                text = "".join(f"250-PKP PIN-SHA256={pin}\n" for pin in pins) + "250 PKP MAX-AGE=60\n"
                file = self.write("partial.txt", text)
                done = self.lab.pinnace("lint", "pkp", file, "--chain", self.lab.pair[0], "--json")
                self.assertEqual(0, done.returncode, done.stderr)
                found = json.loads(done.stdout)
                self.assertFalse(found["noted"])
                self.assertTrue(found["why_not"])

    def test_lint_ends_with_1_for_an_invalid_advert_and_2_for_wrong_usage(self):
        file = self.write("invalid.txt", "250 PKP PIN-SHA256=short MAX-AGE=60\n")
        done = self.lab.pinnace("lint", "pkp", file, "--json")
        self.assertEqual(1, done.returncode, done.stderr)
        found = json.loads(done.stdout)
        self.assertFalse(found["valid"])
        self.assertTrue(found["problems"])
        self.assertEqual(2, self.lab.pinnace("lint", "pkp", "--nonsense").returncode)
        self.assertEqual(2, self.lab.pinnace("lint", "pkp").returncode)

    # pinning-protocol 2: a leaf's pin, a CA's pin with the right name, and what must not match.
    def test_verify_tells_the_receiver_from_the_attacker(self):
        certificates = self.lab.certificates
        attacker = certificates.issued("verify-attacker", "mx.receiver.test")
        leaf = self.write("leaf.pins", pin_of(self.lab.pair[1]) + "\n")
        authority = self.write("ca.pins", pin_of(certificates.root[1]) + "\n")
        for pins, chain, name, expected, why in (
            (leaf, self.lab.pair[0], "mx.receiver.test", True, "the leaf's key"),
            (leaf, self.lab.pair[0], "other.test", True, "a pinned leaf's name is not looked at"),
            (leaf, attacker[0], "mx.receiver.test", False, "another key of the same name and CA"),
            (authority, self.lab.pair[0], "mx.receiver.test", True, "the CA's key and the right name"),
            (authority, self.lab.pair[0], "other.test", False, "the CA's key and a wrong name"),
        ):
            with self.subTest(why):
                done = self.lab.pinnace(
                    *("verify", "chain", "--pins", pins, "--chain", chain, "--name", name, "--json")
                )
                self.assertEqual(0 if expected else 1, done.returncode, done.stdout + done.stderr)
                self.assertEqual(expected, json.loads(done.stdout)["ok"])

    def test_help_is_there_for_every_command(self):
        for command in (
            (),
            ("relay",),
            ("gate",),
            ("config", "check"),
            *(("queue", name) for name in ("list", "show", "retry", "remove")),
            *(("pins", name) for name in ("list", "show", "forget", "advert")),
            ("lint", "pkp"),
            ("verify", "chain"),
        ):
            with self.subTest(" ".join(command)):
                done = self.lab.pinnace(*command, "--help")
                self.assertEqual(0, done.returncode, done.stderr)
                self.assertGreater(len(done.stdout), 100)

    def test_without_a_service_the_socket_is_named(self):
        done = self.lab.pinnace("queue", "list", "--control", "nobody.sock")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("nobody.sock", done.stdout + done.stderr)

    def test_an_unknown_message_is_an_error_that_names_it(self):
        relay = self.relay().start()
        for name in "show", "retry", "remove":
            done = relay.command("queue", name, "nosuchid")
            self.assertNotEqual(0, done.returncode, name)
            self.assertIn("nosuchid", done.stdout + done.stderr)

    # pinning-protocol 5.5: what the operator does to pins binds, and is in the log.
    def test_pins_of_the_operators_own_are_set_and_forgotten_and_logged(self):
        relay = self.relay().start()
        pin = pin_of(self.lab.backup_key)
        done = relay.command("pins", "set", "mx.receiver.test", "--pin", pin)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertRegex(relay.output(), r" operator_set_pins name=mx\.receiver\.test until=\d")
        self.gate().start()
        self.lab.send("bob@receiver.test")
        self.assertEqual("4.7.5", relay.wait_for_held("bob@receiver.test")["last_status"])
        done = relay.command("pins", "forget", "mx.receiver.test")
        self.assertEqual(0, done.returncode, done.stderr)
        forgotten = [line for line in relay.output().splitlines() if " operator_forget_pins " in line]
        self.assertEqual(1, len(forgotten))
        self.assertIn(pin, forgotten[0])
