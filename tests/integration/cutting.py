"""A receiving server that breaks connections off anywhere, and knows exactly what it took."""

import re
import socket
import ssl
import struct
import threading
import time
from random import Random
from typing import NamedTuple

from programs import wait_for


class Cut(Exception):
    """The connection was broken off, by us or by the other end."""


class Arrival(NamedTuple):
    """A message that came to its end, and whether the 250 to it was sent whole."""

    at: float
    same: bool
    answered: bool


class CuttingReceiver:
    """Takes mail at an address, in TLS where it is given a `pair`. While `cutting` is set it breaks each
    second connection off after a number of octets of either direction, or right before, within or behind
    its answer to a message. `expected(recipient)` is the text that must come, if one is known; the relay
    puts one Received field before it. `arrivals[recipient]` are the messages that came."""

    def __init__(self, address, seed, expected, pair=None):
        self.tls = None
        if pair:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*pair)
        self.random, self.expected = Random(seed), expected
        self.cutting, self.arrivals, self.lock = True, {}, threading.Lock()
        self.cuts = 0
        self.listener = socket.create_server((address, 25))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def arrived(self, recipient):
        with self.lock:
            return list(self.arrivals.get(recipient, ()))

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.settimeout(30)
        with self.lock:
            session = _Session(self, connection, Random(self.random.random()))
        try:
            session.run()
        except (Cut, OSError):
            pass
        self.cuts += session.cut
        session.connection.close()

    def keep(self, recipient, text):
        """Notes a message before it is answered: the relay may be killed at any moment."""
        same = self._same(recipient, text)
        with self.lock:
            self.arrivals.setdefault(recipient, []).append(Arrival(time.time(), same, False))
            return len(self.arrivals[recipient]) - 1

    def answered(self, recipient, number):
        with self.lock:
            self.arrivals[recipient][number] = self.arrivals[recipient][number]._replace(answered=True)

    def _same(self, recipient, text):
        if self.expected is None:
            return True
        original = self.expected(recipient)
        trace = text[: len(text) - len(original)]
        one_field = re.fullmatch(rb"Received: [^\r\n]+(\r\n[ \t][^\r\n]+)*\r\n", trace)
        return bool(one_field) and text.endswith(original)


class _Session:
    PLACES = ("octets", "octets", "octets", "before", "within", "behind")  # the answer to a message

    def __init__(self, receiver, connection, random):
        self.receiver, self.connection, self.random = receiver, connection, random
        self.buffer, self.cut, self.in_tls = b"", False, False
        self.place = random.choice(self.PLACES) if receiver.cutting and random.random() < 0.5 else None
        # As many cuts in the first hundred octets as between a hundred thousand and a million.
        self.left = int(10 ** random.uniform(0, 6)) if self.place == "octets" else None

    def break_off(self):
        self.cut = True
        if self.random.random() < 0.5:  # a reset, and what is under way is lost
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Cut

    def spend(self, octets):
        """How many of so many octets may still pass."""
        if self.left is None:
            return octets
        passed = min(octets, self.left)
        self.left -= passed
        return passed

    def send(self, octets):
        passed = self.spend(len(octets))
        self.connection.sendall(octets[:passed])
        if passed < len(octets):
            self.break_off()

    def receive(self):
        octets = self.connection.recv(1 << 16)
        if not octets:
            raise Cut
        passed = self.spend(len(octets))
        self.buffer += octets[:passed]
        if passed < len(octets):
            self.break_off()

    def until(self, end):
        looked = 0
        while (at := self.buffer.find(end, looked)) < 0:
            looked = max(0, len(self.buffer) - len(end))
            self.receive()
        taken, self.buffer = self.buffer[: at + len(end)], self.buffer[at + len(end) :]
        return taken

    def run(self):
        self.send(b"220 mx.dead.test ESMTP\r\n")
        while True:
            line = self.until(b"\r\n")
            verb = line[:4].upper()
            if verb == b"EHLO":
                offer = b"250-STARTTLS\r\n" if self.receiver.tls and not self.in_tls else b""
                self.send(b"250-mx.dead.test\r\n" + offer + b"250-PIPELINING\r\n250 8BITMIME\r\n")
            elif verb == b"STAR":
                self.send(b"220 go\r\n")
                self.connection = self.receiver.tls.wrap_socket(self.connection, server_side=True)
                self.in_tls = True
            elif verb == b"RCPT":
                recipient = line[line.index(b"<") + 1 : line.index(b">")].decode()
                self.send(b"250 ok\r\n")
            elif verb == b"DATA":
                self.send(b"354 go on\r\n")
                self.take(recipient)
            elif verb == b"QUIT":
                self.send(b"221 bye\r\n")
                return
            else:
                self.send(b"250 ok\r\n")

    def take(self, recipient):
        self.buffer = b"\r\n" + self.buffer  # a text of no lines begins with its end
        stuffed = self.until(b"\r\n.\r\n")[2:-3]
        number = self.receiver.keep(recipient, re.sub(rb"(?m)^\.", b"", stuffed))
        answer = b"250 taken\r\n"
        if self.place == "before":
            self.break_off()
        if self.place == "within":
            self.connection.sendall(answer[: self.random.randrange(1, len(answer) - 1)])
            self.break_off()
        self.send(answer)
        self.receiver.answered(recipient, number)
        if self.place == "behind":
            self.break_off()


def wait_for_arrival(receiver, recipients, deadline):
    """Until each recipient's message has come and was answered."""
    missing = set(recipients)

    def all_there():
        missing.difference_update([r for r in missing if any(a.answered for a in receiver.arrived(r))])
        return not missing

    wait_for(all_there, lambda: f"{len(missing)} messages, for {sorted(missing)[:5]}", deadline, 0.1)
