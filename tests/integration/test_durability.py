"""What the relay accepted survives whatever happens to it."""

import os
import signal
import threading
import smtplib

from lab import RELAY, RELAY_PORT
from programs import run
from support import LabTest

RECIPIENT = "bob@receiver.test"


class Durability(LabTest):
    def test_held_mail_survives_a_kill(self):
        relay = self.relay().start()
        identities = [self.lab.send(RECIPIENT) for _ in range(3)]
        relay.wait_for_held(RECIPIENT)
        self.assertEqual(-signal.SIGKILL, relay.stop(signal.SIGKILL))
        relay.start()
        self.assertEqual(3, len(relay.queue()))
        self.gate().start()
        self.assertEqual(0, relay.command("queue", "retry", "--all").returncode)
        for identity in identities:
            self.assert_once(self.lab.receiver, identity)
        relay.wait_until_empty()

    def test_noted_pins_survive_a_kill(self):
        relay = self.relay().start()
        self.gate().start()
        self.lab.send(RECIPIENT)
        relay.wait_until_empty()
        noted = relay.ask("pins", "list")
        self.assertTrue(noted)
        relay.stop(signal.SIGKILL)
        relay.start()
        self.assertEqual(noted, relay.ask("pins", "list"))

    # pinning-protocol 10.11: what was noted and cannot be read is never taken for nothing noted.
    def test_a_set_that_cannot_be_read_holds_the_mail(self):
        relay = self.relay().start()
        self.gate().start()
        self.lab.send(RECIPIENT)
        relay.wait_until_empty()
        relay.stop()
        data = relay.sections["relay"]["data"]
        store = next(folder for folder, _, files in os.walk(data) if "CURRENT" in files)
        ldb = [os.path.join(self.lab.root, "usr/bin/ldb"), f"--db={store}", "--column_family=pins"]
        noted = run([*ldb, "scan", "--no_value"], "list the noted pins").split()
        self.assertIn("host/mx.receiver.test", noted)
        run([*ldb, "put", "host/mx.receiver.test", "garbage"], "write to the store")
        relay.start()
        identity = self.lab.send(RECIPIENT)
        held = relay.wait_for_held(RECIPIENT)
        self.assertEqual("4.3.0", held["last_status"], held)
        self.assertFalse(any(identity.encode() in message for message in self.lab.receiver.messages()))

    # 250 is said after the message is durable, so a kill in the middle of a stream of mail loses none
    # that was acknowledged.
    def test_a_kill_under_load_loses_nothing_acknowledged(self):
        relay = self.relay().start()
        acknowledged, enough = [], threading.Event()

        def load(worker):
            try:
                client = smtplib.SMTP(RELAY, RELAY_PORT, "client.sender.test", timeout=20)
                for number in range(10_000):
                    identity = f"<load-{worker}-{number}@sender.test>"
                    client.sendmail(
                        "alice@sender.test",
                        ["carol@plain.test"],
                        f"Message-ID: {identity}\r\nSubject: load\r\n\r\nx\r\n",
                    )
                    acknowledged.append(identity)
                    if len(acknowledged) >= 150:
                        enough.set()
            except (smtplib.SMTPException, OSError):
                pass  # the relay is gone

        workers = [threading.Thread(target=load, args=(worker,)) for worker in range(4)]
        for worker in workers:
            worker.start()
        self.assertTrue(enough.wait(60))
        relay.stop(signal.SIGKILL)
        for worker in workers:
            worker.join(30)
        relay.start()
        self.assertEqual(0, relay.command("queue", "retry", "--all").returncode)
        relay.wait_until_empty(60)
        arrived = self.lab.plain.messages()
        text = b"".join(arrived)
        lost = [identity for identity in acknowledged if identity.encode() not in text]
        self.assertEqual([], lost, f"of {len(acknowledged)}")

    def test_an_orderly_stop_ends_with_0_and_loses_nothing(self):
        relay = self.relay().start()
        self.lab.send(RECIPIENT)
        relay.wait_for_held(RECIPIENT)
        self.assertEqual(0, relay.stop())
        self.assertEqual(1, len(relay.start().queue()))

    def test_a_message_removed_by_the_operator_stays_removed(self):
        relay = self.relay().start()
        self.lab.send(RECIPIENT)
        relay.wait_for_held(RECIPIENT)
        self.assertEqual(0, relay.command("queue", "remove", relay.queue()[0]["id"]).returncode)
        relay.stop(signal.SIGKILL)
        self.assertEqual([], relay.start().queue())

    def test_the_socket_of_the_command_line_is_the_owners_only(self):
        self.relay().start()
        mode = os.stat(self.lab.path(self.lab.relay.sections["relay"]["control"])).st_mode
        self.assertEqual(0, mode & 0o077, oct(mode))
