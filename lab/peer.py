"""What the lab's other mail servers beside Postfix have in common: each takes mail for its recipients, and sends all
other mail to one smarthost over TLS, whose certificate it verifies by the lab's CA and the smarthost's name.

They run in a namespace of their own (lab/namespace.py) and write below their own folder alone.
"""

import os
import pwd
import shutil
import socket
from typing import NamedTuple

from maildir import Maildir
from namespace import INSIDE, inside, write_etc
from programs import LabError, Program
from zones import ADDRESS as NAME_SERVER

MAILBOX_OWNER = "mail"  # one every Debian has


class Place(NamedTuple):
    """Where a peer stands. Endpoints are "address:port"; `recipients` are addresses."""

    hostname: str
    endpoint: str
    recipients: list
    smarthost: str
    smarthost_endpoint: str


class Peer(Maildir):
    """A subclass sets `NAME`; `USERS`, the users it was built for, each with the one that stands in for it; `OWNER`,
    that of them which reads the key and has `FOLDERS`; `COMMAND`; `CONFIGURATION`, a text with names in braces, and
    `FILE`, where that lies below /etc."""

    def __init__(self, watchman, folder, root, place, pair, roots):
        if not os.path.exists(self.program_in(root)):
            raise LabError(f"{self.program_in(root)} is missing: run tools/setup")
        self.watchman, self.folder, self.root, self.place = watchman, folder, root, place
        self.endpoint = place.endpoint
        self.mailbox = os.path.join(folder, "mailbox", "new")
        ids = {user: pwd.getpwnam(substitute).pw_uid for user, substitute in self.USERS.items()}
        ids |= {user: pwd.getpwnam(user).pw_uid for user in ("root", "nobody", MAILBOX_OWNER)}
        self.key_owner = ids[self.OWNER]
        owners = {"mailbox": ids[MAILBOX_OWNER], **{name: ids[self.OWNER] for name in self.FOLDERS}}
        for name, owner in owners.items():
            os.makedirs(os.path.join(folder, name))
            os.chown(os.path.join(folder, name), owner, owner)
        os.chmod(folder, 0o755)
        with open(roots, encoding="ascii") as file:
            authorities = file.read()
        files = {
            "passwd": "".join(f"{user}:x:{i}:{i}::/:/bin/false\n" for user, i in ids.items()),
            "group": "".join(f"{user}:x:{i}:\n" for user, i in ids.items()),
            "hosts": f"127.0.0.1 localhost\n{self._smarthost()[0]} {place.smarthost}\n",
            "resolv.conf": f"nameserver {NAME_SERVER}\n",
            "mailname": f"{place.hostname}\n",
            "ssl/certs/ca-certificates.crt": authorities,
        }
        address, port = place.endpoint.split(":")
        configuration = self.CONFIGURATION.format(
            folder=INSIDE,
            hostname=place.hostname,
            address=address,
            port=port,
            recipients=", ".join(place.recipients),
            domains=", ".join(sorted({recipient.split("@")[1] for recipient in place.recipients})),
            smarthost=place.smarthost,
            smarthost_port=self._smarthost()[1],
            mailbox_owner=MAILBOX_OWNER,
        )
        write_etc(folder, {**files, self.FILE: configuration})
        self.program = None
        self.start(pair)

    @classmethod
    def program_in(cls, root):
        return os.path.join(root, cls.COMMAND[0].lstrip("/"))

    def _smarthost(self):
        return self.place.smarthost_endpoint.split(":")

    def start(self, pair):
        """`pair` is a certificate and its key; it may be another at each start."""
        for source, name in zip(pair, ("certificate.pem", "key.pem")):
            path = os.path.join(self.folder, name)
            shutil.copyfile(source, path)
            os.chmod(path, 0o600)
            os.chown(path, self.key_owner, self.key_owner)
        command = inside(self.root, self.folder, *self.COMMAND)
        self.program = Program(self.watchman, self.folder, self.NAME, command)
        self.program.wait_until(self._greets, f"{self.NAME} to listen at {self.endpoint}")

    def _greets(self):
        address, port = self.endpoint.split(":")
        try:
            with socket.create_connection((address, int(port)), timeout=5) as connection:
                return connection.recv(4) == b"220 "
        except OSError:
            return False

    def stop(self):
        self.program.stop()

    def restart(self, pair):
        self.stop()
        self.start(pair)

    def log(self):
        return self.program.output()
