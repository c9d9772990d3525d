"""A load of mail whose every octet is known, and a disk that fails."""

import os
import re
import smtplib
import threading
from random import Random

from lab import RELAY, RELAY_PORT
from support import Conversation

# Any octet but NUL, CR and LF, and more dots than there would be.
TABLE = bytes(octet if octet not in (0, 10, 13) else ord(".") for octet in range(256))


class Load:
    """Several senders at once. `acknowledged` are the recipients of messages that got 250; `refused`
    are other replies. The text for a recipient follows from the seed and its number."""

    def __init__(self, seed, arrived, senders=4, most_underway=150):
        self.seed, self.arrived, self.most_underway = seed, arrived, most_underway
        self.acknowledged, self.refused = [], []
        self.lock, self.ended, self.counter = threading.Lock(), threading.Event(), 0
        self.threads = [threading.Thread(target=self._send_all) for _ in range(senders)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def end(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(60)

    def text(self, recipient):
        random = Random(f"{self.seed}/{recipient}")
        most = random.choices((1, 2_000, 200_000, 3_000_000), (1, 10, 4, 1))[0]
        octets = random.randbytes(random.randint(1, most)).translate(TABLE)
        lines, at = [], 0
        while at < len(octets):
            length = random.choice((1, 20, 70, 900))
            lines.append(octets[at : at + length])
            at += length
        return b"\r\n".join(lines) + b"\r\n"

    def _next_recipient(self):
        with self.lock:
            self.counter += 1
            return f"storm-{self.counter}@dead.test"

    def _send_all(self):
        conversation = None
        while not self.ended.is_set():
            if len(self.acknowledged) - self.arrived() > self.most_underway:
                self.ended.wait(0.05)
                continue
            try:
                if conversation is None:
                    conversation = Conversation(RELAY, RELAY_PORT)
                    conversation.reply()
                    conversation.ask("EHLO client.sender.test")
                if not self._send(conversation, self._next_recipient()):
                    raise OSError
            except OSError:  # the relay is gone, or wants nothing
                if conversation:
                    conversation.close()
                conversation = None
                self.ended.wait(0.02)
        if conversation:
            conversation.close()

    def _send(self, conversation, recipient):
        for command in (
            "MAIL FROM:<alice@sender.test> BODY=8BITMIME",
            f"RCPT TO:<{recipient}>",
            "DATA",
        ):
            reply = conversation.ask(command)
            if reply[:1] not in ("2", "3"):
                self.refused.append(reply)
                return False
        conversation.send(re.sub(rb"(?m)^\.", b"..", self.text(recipient)) + b".\r\n")
        reply = conversation.reply()
        # Half a 250 is none: the sender would come again.
        if not reply.startswith("250 ") or not reply.endswith("\r\n"):
            self.refused.append(reply)
            return False
        with self.lock:
            self.acknowledged.append(recipient)
        return True


class FailingDisk:
    """tests/faults/disk_faults.cpp under a relay's data. `order`: see there."""

    def __init__(self, lab, data):
        self.folder, self.data = lab.path("faults"), data
        os.makedirs(self.folder, exist_ok=True)
        self.library = lab.binary("disk_faults.so")
        self.order("n")
        with open(os.path.join(self.folder, "synced"), "w", encoding="ascii"):
            pass

    def order(self, what):
        # In place: the program has the file mapped.
        descriptor = os.open(os.path.join(self.folder, "order"), os.O_WRONLY | os.O_CREAT, 0o600)
        os.pwrite(descriptor, what.encode(), 0)
        os.close(descriptor)

    def wrapper(self):
        return [
            "env",
            f"LD_PRELOAD={self.library}",
            f"PINNACE_FAULTS={self.folder}",
            f"PINNACE_FAULTS_UNDER={self.data}",
        ]

    def cut_power(self):
        """To be called when the relay was killed: what was not synced is gone. How many octets."""
        with open(os.path.join(self.folder, "synced"), encoding="ascii") as file:
            sizes = {int(line.split()[0]): int(line.split()[1]) for line in file if line.endswith("\n")}
        lost = 0
        for name in os.listdir(self.data):
            path = os.path.join(self.data, name)
            status = os.stat(path)
            kept = sizes.get(status.st_ino, 0)
            if kept < status.st_size:
                lost += status.st_size - kept
                os.truncate(path, kept)
        return lost


def refusal(host=RELAY, port=RELAY_PORT):
    """What the relay says to a whole new message: its reply's code, 0 where it only hangs up."""
    try:
        with smtplib.SMTP(host, port, "client.sender.test", timeout=20) as client:
            client.sendmail("alice@sender.test", ["probe@dead.test"], "Subject: x\r\n\r\nx\r\n")
            return 250
    except smtplib.SMTPRecipientsRefused as error:
        return min(code for code, _ in error.recipients.values())
    except smtplib.SMTPResponseException as error:
        return error.smtp_code
    except (OSError, smtplib.SMTPException):
        return 0
