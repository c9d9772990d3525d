"""What the tests of real programs share: a lab for each class, and a bare SMTP conversation."""

import re
import socket
import smtplib
import unittest

from lab import RELAY, RELAY_PORT, Lab
from programs import wait_for


class LabTest(unittest.TestCase):
    """Postfix and nsd run for the whole class; each test starts the relays and gates it needs, with
    data of their own, and whatever it started is stopped after it."""

    @classmethod
    def setUpClass(cls):
        cls.lab = cls.enterClassContext(Lab())

    def setUp(self):
        self.servers = len(self.lab.started)
        self.addCleanup(self._stop_services)

    def _stop_services(self):
        while len(self.lab.started) > self.servers:
            self.lab.started.pop().stop()

    def relay(self, **changes):
        """A new relay, ready to be started. A change names a section of its configuration."""
        name = re.sub(r"\W", "-", self.id().rsplit(".", 1)[-1])[:60]
        self.lab.relay = self.lab.service("relay", name, self.lab.relay_sections(name, **changes))
        return self.lab.relay

    def gate(self, **settings):
        """The gate, ready to be started."""
        self.lab.gate.configure(self.lab.gate_sections(**settings))
        return self.lab.gate

    def smtp(self, host=RELAY, port=RELAY_PORT):
        client = smtplib.SMTP(host, port, "client.sender.test", timeout=20)
        self.addCleanup(client.close)
        return client

    def assert_once(self, receiver, identity):
        """The message is in that receiver's maildir, once."""
        token = f"Message-ID: {identity}".encode()
        receiver.wait_for_message(token)
        self.assertEqual(1, sum(token in message for message in receiver.messages()), identity)


class PolicyTest(LabTest):
    """What the relay did with mail to `receiver`, a Postfix, and under which policy. The class's
    subclasses set it."""

    receiver = None

    def deliveries(self, recipient):
        """The relay's log lines of what it delivered to this address."""
        lines = self.lab.relay.output().splitlines()
        return [line for line in lines if " delivered " in line and recipient in line]

    def assert_delivered(self, recipient, identity, verified_by, policy):
        """Once, inside TLS; `verified_by` and `policy` are patterns of the log line's fields."""
        self.assert_once(self.receiver, identity)
        line = wait_for(lambda: self.deliveries(recipient), f"the log's line of {identity}")[-1]
        self.assertRegex(line, f'verified_by="?{verified_by}"? policy="?{policy}"? ')
        self.assertRegex(line, r" tls=TLSv1\.[23]/")

    def assert_held(self, recipient, status, reason):
        def held():
            return [entry for entry in self.lab.relay.held(recipient) if re.search(reason, entry["reason"])]

        entry = wait_for(held, lambda: f"{recipient} to be held for {reason}: {self.lab.relay.held(recipient)}")[-1]
        self.assertEqual(status, entry["last_status"], entry)

    def received(self, identity):
        return any(identity.encode() in message for message in self.receiver.messages())

    def retry(self):
        done = self.lab.relay.command("queue", "retry", "--all")
        self.assertEqual(0, done.returncode, done.stderr)


class Conversation:
    """A TCP connection to which any octets can be sent."""

    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=20)
        self.file = self.socket.makefile("rb")

    def send(self, octets):
        self.socket.sendall(octets)

    def reply(self):
        """All lines of one reply as text; "" when the peer closed, which is a reset where it had more to read."""
        lines = []
        try:
            while line := self.file.readline(4096):
                lines.append(line.decode("utf-8", "replace"))
                if line[3:4] != b"-":
                    break
        except ConnectionResetError:
            pass
        return "".join(lines)

    def ask(self, command):
        self.send(command.encode() + b"\r\n")
        return self.reply()

    def close(self):
        self.file.close()
        self.socket.close()
