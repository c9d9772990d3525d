"""What a service writes to its log: as JSON, for the journal, and anew after a rotation."""

import json
import os
import signal

from lab import RELAY, RELAY_PORT
from programs import wait_for
from support import Conversation, LabTest


class Log(LabTest):
    def conversation(self):
        conversation = Conversation(RELAY, RELAY_PORT)
        self.addCleanup(conversation.close)
        self.assertRegex(conversation.reply(), "^220 ")
        return conversation

    def test_json_is_an_object_a_line_whatever_a_client_says(self):
        relay = self.relay(relay={"networks": ["127.77.0.77/32"]}, log={"format": "json"}).launch()

        def events(name):
            objects = [json.loads(line) for line in relay.output().splitlines()]
            return [found for found in objects if found["event"] == name]

        relay.program.wait_until(lambda: events("ready"), "its event 'ready'")
        conversation = self.conversation()
        for octets in (
            b'EHLO a","event":"forged\r\n',
            b"MAIL FROM:<>\r\n",
            'RCPT TO:<"\\"}{\\\\"@xn--mller-kva.test>\r\n'.encode(),
        ):
            conversation.send(octets)
            conversation.reply()
        denied = wait_for(lambda: events("relaying_denied"), "the refusal in the log")[0]
        self.assertEqual({"time", "level", "event", "client", "helo", "detail"}, set(denied))
        self.assertRegex(denied["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual("info", denied["level"])
        self.assertIn('"\\"}{\\\\"@', denied["detail"])
        self.assertEqual([], events("forged"))

    # sd-daemon(3): a priority before each line, where standard error is the journal's stream.
    def test_the_journal_gets_priorities(self):
        relay = self.relay(relay={"networks": ["127.77.0.77/32"]})
        command = ["sh", "-c", 'JOURNAL_STREAM=$(stat -Lc %d:%i /dev/stderr) exec "$@"', "sh"]
        relay.launch(command)
        relay.program.wait_until(lambda: "<6>ready service=relay" in relay.output(), "its event 'ready'")
        relay.stop()
        for line in relay.output().splitlines():
            self.assertRegex(line, r"^<[3467]>[a-z_]+")

    def test_a_stream_of_another_process_is_no_journal(self):
        command = ["env", "JOURNAL_STREAM=1:2"]
        relay = self.relay().start(command)
        self.assertNotIn("<6>", relay.output())

    def test_a_rotated_file_is_let_go(self):
        path = self.lab.path("rotated.log")
        relay = self.relay(log={"file": path}).launch()

        def read(name):
            try:
                with open(name, encoding="utf-8") as file:
                    return file.read()
            except FileNotFoundError:
                return ""

        relay.program.wait_until(lambda: " ready " in read(path), "its event 'ready'")
        for number in signal.SIGUSR1, signal.SIGHUP:
            with self.subTest(number):
                before = read(path)
                os.rename(path, path + ".1")
                relay.program.process.send_signal(number)
                relay.program.wait_until(lambda: " log_reopened" in read(path), "a new log file")
                self.assertEqual(before, read(path + ".1"))
        relay.stop()
        self.assertIn(" stopped", read(path))
