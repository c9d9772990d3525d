"""An orderly stop: what is under way comes to its end, and nothing new begins."""

import re
import signal
import socket
import threading
import time

from lab import DEAD, RELAY, RELAY_PORT
from programs import wait_for
from support import Conversation, LabTest

STOPPING = re.compile(r"^\S+Z info stopping\b", re.MULTILINE)


class Stop(LabTest):
    def begin_stop(self, relay):
        relay.program.process.send_signal(signal.SIGTERM)
        wait_for(lambda: STOPPING.search(relay.output()), "the relay to begin its stop")

    def conversation(self, *commands):
        conversation = Conversation(RELAY, RELAY_PORT)
        self.addCleanup(conversation.close)
        self.assertRegex(conversation.reply(), "^220 ")
        for command in commands:
            self.assertRegex(conversation.ask(command), "^[23]", command)
        return conversation

    # RFC 5321 3.8: who has no message under way is told 421; who has one gets his 250 first.
    def test_a_message_under_way_is_taken_and_idle_clients_are_sent_away(self):
        relay = self.relay().start()
        greeted = self.conversation()
        idle = self.conversation("EHLO a")
        sending = self.conversation(
            "EHLO a", "MAIL FROM:<alice@sender.test>", "RCPT TO:<bob@dead.test>", "DATA"
        )
        sending.send(b"Subject: under way\r\n\r\n")
        self.begin_stop(relay)
        self.assertRegex(greeted.reply(), "^421 4.3.2 ")
        self.assertRegex(idle.reply(), "^421 4.3.2 ")
        self.assertEqual("", idle.reply())
        with self.assertRaises(ConnectionRefusedError):
            Conversation(RELAY, RELAY_PORT)
        sending.send(b"the rest\r\n.\r\n")
        self.assertRegex(sending.reply(), "^250 ")
        self.assertRegex(sending.reply(), "^421 4.3.2 ")
        self.assertEqual("", sending.reply())
        self.assertEqual(0, relay.stop())
        self.assertEqual(["bob@dead.test"], [m["recipients"][0]["address"] for m in relay.start().queue()])

    def test_a_delivery_under_way_ends_and_is_not_made_again(self):
        with socket.create_server((DEAD, 25)) as listener:
            relay = self.relay().start()
            self.lab.send("bob@dead.test")
            listener.settimeout(20)
            peer, _ = listener.accept()
            peer.settimeout(20)
            file = peer.makefile("rb")
            peer.sendall(b"220 mx.dead.test\r\n")
            for answer in (b"250 mx.dead.test\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"):
                self.assertTrue(file.readline())
                peer.sendall(answer)
            while file.readline() != b".\r\n":
                pass
            self.begin_stop(relay)
            self.assertTrue(relay.program.running())
            peer.sendall(b"250 taken\r\n")
            self.assertEqual(b"QUIT\r\n", file.readline())
            peer.sendall(b"221 bye\r\n")
            peer.close()
            self.assertEqual(0, relay.program.process.wait(20))
            self.assertRegex(relay.output(), r"(?m) info delivered .*to=bob@dead\.test")
            self.assertEqual([], relay.start().queue())

    # A client that goes on for ever does not keep the relay from its end; it has no 250, and sends again.
    def test_a_stop_waits_no_longer_than_ten_seconds(self):
        relay = self.relay().start()
        stuck = self.conversation(
            "EHLO a", "MAIL FROM:<alice@sender.test>", "RCPT TO:<bob@dead.test>", "DATA"
        )
        ended = threading.Event()

        def drip():
            try:
                while not ended.wait(0.2):
                    stuck.send(b"x")
            except OSError:
                pass

        thread = threading.Thread(target=drip)
        thread.start()
        start = time.monotonic()
        self.begin_stop(relay)
        self.assertEqual(0, relay.program.process.wait(14))
        self.assertLess(time.monotonic() - start, 13)
        ended.set()
        thread.join()
        self.assertNotIn("250", self.rest(stuck))
        self.assertEqual([], relay.start().queue())

    @staticmethod
    def rest(conversation):
        try:
            return conversation.reply()
        except OSError:
            return ""
