"""A server that says what a script says, and notes what it hears."""

import socket
import ssl
import struct
import threading
import time

GREETING = b"220 mx.dead.test ESMTP\r\n"
EHLO = b"250-mx.dead.test\r\n250-SIZE 9999999\r\n250 8BITMIME\r\n"
OFFER = b"250-mx.dead.test\r\n250 STARTTLS\r\n"
OK = b"250 2.0.0 ok\r\n"
GO_ON = b"354 go on\r\n"
HONEST = (GREETING, EHLO, OK, OK, GO_ON, OK, b"221 bye\r\n")

# Steps that are no octets.
TLS = "handshake"  # of the server's side
RESET = "reset"
HOLD = "hold"  # say nothing until the client goes away
HEARD = "heard"  # wait for octets, such as a ClientHello
TEXT = "text"  # read up to the end of data


class Drip:
    """These octets again and again, one each `pause` seconds, or all at once."""

    def __init__(self, octets, pause=0.0):
        self.octets, self.pause = octets, pause


class Answered:
    """Octets said without waiting for a line first."""

    def __init__(self, octets):
        self.octets = octets


class HostileServer:
    """Each connection goes by the next of `scripts`, and by the last for ever. A script is a list of
    steps; the first is done at once, octets behind it when a line was heard. At its end it closes."""

    def __init__(self, address, pair):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*pair)
        self.context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
        self.scripts, self.heard, self.lock = [], [], threading.Lock()
        self.listener = socket.create_server((address, 25))
        threading.Thread(target=self._accept, daemon=True).start()

    def play(self, *scripts):
        with self.lock:
            self.scripts, self.heard = list(scripts), []

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                heard = self.heard
            threading.Thread(target=self._serve, args=(connection, script, heard), daemon=True).start()

    def _serve(self, connection, script, heard):
        connection.settimeout(20)
        try:
            _Session(self, connection, heard).run(script)
        except OSError:  # ssl.SSLError is one
            connection.close()


class _Session:
    def __init__(self, server, connection, heard):
        self.server, self.connection, self.heard, self.buffer = server, connection, heard, b""

    def line(self):
        while b"\n" not in self.buffer:
            octets = self.connection.recv(1 << 16)
            if not octets:
                raise ConnectionError
            self.buffer += octets
        line, _, self.buffer = self.buffer.partition(b"\n")
        self.heard.append(line.rstrip(b"\r"))
        return line

    def run(self, script):
        first = True
        for step in script:
            if isinstance(step, bytes):
                if not first:
                    self.line()
                self.connection.sendall(step)
            elif isinstance(step, Answered):
                self.connection.sendall(step.octets)
            elif isinstance(step, Drip):
                self.drip(step)
            elif step == TLS:
                self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
                self.buffer = b""
            elif step == HEARD:
                self.connection.recv(1 << 16)
            elif step == TEXT:
                while self.line() != b".\r":
                    pass
            elif step == HOLD:
                while self.connection.recv(1 << 16):
                    pass
            elif step == RESET:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            first = False
        self.connection.close()

    def drip(self, step):
        while True:
            for octet in step.octets if step.pause else [None]:
                self.connection.sendall(bytes([octet]) if step.pause else step.octets)
                time.sleep(step.pause)
