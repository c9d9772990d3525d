"""What an operator does to the queue, and what a destination that cannot be reached costs."""

import os
import subprocess

from programs import wait_for
from support import LabTest

RECIPIENT = "carol@plain.test"


class QueueCommands(LabTest):
    def change(self, operation, *selection):
        return self.lab.relay.ask("queue", operation, *selection)

    def identities(self):
        return {message["id"]: message for message in self.lab.relay.queue()}

    def mail(self, senders):
        for sender in senders:
            self.lab.send(RECIPIENT, sender=sender)

    def stop_plain(self):
        self.lab.plain.stop()
        self.addCleanup(self.start_plain)

    def start_plain(self):
        if not self.lab.plain.program.running():
            self.lab.plain.start()
            self.lab.plain.wait_until_ready()

    # RFC 5321 4.5.4.1: with Postfix down all wait together for one reason; when it is back, one is tried
    # and the others follow.
    def test_mail_for_a_dead_destination_waits_together_and_follows_when_it_is_back(self):
        relay = self.relay().start()
        self.stop_plain()
        self.mail(["a@sender.test"])
        relay.wait_for_held(RECIPIENT)
        self.mail(f"s{n}@sender.test" for n in range(9))
        held = relay.held(RECIPIENT)
        self.assertEqual(10, len(held))
        self.assertEqual({"4.4.1"}, {entry["last_status"] for entry in held})
        self.assertEqual(9, sum(entry["attempts"] == 0 for entry in held), "one was tried for all")
        self.assertEqual(1, relay.output().count(" destination_waits "))
        stats = relay.ask("queue", "stats")
        self.assertEqual(10, stats["messages"])
        self.assertEqual([{"name": "plain.test", "messages": 10}], stats["destinations"])
        self.start_plain()
        self.change("retry", "--all")
        relay.wait_until_empty()

    def test_a_selection_is_held_kept_over_a_restart_released_and_logged_with_who_did_it(self):
        relay = self.relay().start()
        self.stop_plain()
        self.mail(["a@sender.test", "b@sender.test", "b@other.test"])
        wait_for(lambda: len(relay.held(RECIPIENT)) == 3, "all three to wait")
        before = self.identities()
        dry = self.change("hold", "--sender", "@sender.test", "--dry-run")
        self.assertEqual((2, 0), (dry["matched"], dry["changed"]))
        self.assertFalse(any(message["held"] for message in before.values()))
        done = self.change("hold", "--sender", "@sender.test")
        self.assertEqual((2, 2), (done["matched"], done["changed"]))
        self.assertRegex(relay.output(), rf" operator_hold .*user={os.getuid()}\b")
        relay.stop()
        self.start_plain()
        relay.start()
        wait_for(lambda: len(relay.queue()) == 2, "what is not held to be delivered")
        self.assertTrue(all(message["held"] for message in relay.queue()))
        self.assertEqual(2, len(relay.ask("queue", "list", "--held")))
        self.change("remove", "--sender", "a@sender.test")
        self.change("release", "--held", "--domain", "plain.test")
        relay.wait_until_empty()
        self.assertEqual(1, relay.output().count(" operator_remove "))

    def test_without_a_selection_nothing_is_changed(self):
        relay = self.relay().start()
        for name in "hold", "release", "retry", "requeue", "remove":
            done = relay.command("queue", name)
            self.assertEqual(1, done.returncode, name)
            self.assertIn("nothing is selected", done.stderr)

    def test_a_message_is_exported_as_it_came(self):
        relay = self.relay().start()
        self.stop_plain()
        with self.smtp() as client:
            client.ehlo()
            text = b"Subject: 8 bit\r\n\r\n" + "Grüße, ".encode() * 9000 + b"\r\n"
            text = text.replace(b", ", b",\r\n")
            client.sendmail("a@sender.test", [RECIPIENT], text, ["BODY=8BITMIME"])
        relay.wait_for_held(RECIPIENT)
        (identity,) = self.identities()
        control = relay.sections["relay"]["control"]
        done = subprocess.run(
            [self.lab.binary("pinnace"), "queue", "export", identity, "--control", control],
            cwd=self.lab.folder,
            capture_output=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertTrue(done.stdout.endswith(text), done.stdout[:300])
        self.assertIn(b"Received: ", done.stdout[:300])
        done = relay.command("queue", "requeue", "--reason", "no such reason")
        self.assertIn("0 of 0", done.stdout)
