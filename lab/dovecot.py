"""A mail store behind LMTP (RFC 2033): a Dovecot, run from its unpacked tree.

All its files lie in the given folder; see lab/namespace.py.
"""

import glob
import os
import pwd

from namespace import INSIDE, inside
from programs import Program, wait_for

OWNER = "mail"  # of the mailboxes; one every Debian has

CONFIGURATION = """protocols = lmtp
base_dir = {folder}/base
state_dir = {folder}/state
log_path = {folder}/dovecot-mail.log
default_internal_user = root
default_internal_group = root
default_login_user = nobody
default_vsz_limit = 0
ssl = no
auth_username_format = %Lu
mail_location = maildir:{folder}/mail/%n
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
first_valid_gid = 1
mail_plugins = quota
plugin {{
  quota = maildir:User quota
}}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
service lmtp {{
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = {address}
    port = {port}
  }}
}}
"""


class Dovecot:
    """`endpoint` is "address:port"; it listens at the UNIX socket `socket` too. Each of `users` is an address, and
    one whose local part is "full" may keep next to nothing; everybody else is refused at RCPT."""

    def __init__(self, watchman, folder, root, endpoint, users):
        self.watchman, self.folder, self.root = watchman, folder, root
        self.socket = os.path.join(folder, "lmtp")
        owner = pwd.getpwnam(OWNER)
        for name in ("base", "state", "mail"):
            os.makedirs(os.path.join(folder, name))
        os.chmod(folder, 0o755)
        os.chown(os.path.join(folder, "mail"), owner.pw_uid, owner.pw_gid)
        address, port = endpoint.split(":")
        self._write(
            "dovecot.conf",
            CONFIGURATION.format(
                folder=INSIDE, address=address, port=port, uid=owner.pw_uid, gid=owner.pw_gid
            ),
        )
        limits = {user: "userdb_quota_rule=*:bytes=100" if user.startswith("full@") else "" for user in users}
        self._write("users", "".join(f"{user}:::::{INSIDE}::{limits[user]}\n" for user in users))
        self.program = None
        self.start()

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as file:
            file.write(text)

    def start(self):
        command = inside(self.root, self.folder, "/usr/sbin/dovecot", "-F", "-c", f"{INSIDE}/dovecot.conf")
        self.program = Program(self.watchman, self.folder, "dovecot", command)
        self.program.wait_until(lambda: os.path.exists(self.socket), "Dovecot to listen for LMTP")

    def stop(self):
        self.program.stop()
        if os.path.exists(self.socket):
            os.remove(self.socket)

    def log(self):
        path = os.path.join(self.folder, "dovecot-mail.log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def messages(self, user):
        """The messages in the mailbox of this local part, as octets."""
        texts = []
        for path in glob.glob(os.path.join(glob.escape(self.folder), "mail", user, "*", "*")):
            if os.path.basename(os.path.dirname(path)) in ("new", "cur"):
                with open(path, "rb") as message:
                    texts.append(message.read())
        return texts

    def wait_for_message(self, user, token):
        wait_for(
            lambda: any(token in text for text in self.messages(user)),
            lambda: f"a message with {token} for {user}\n{self.log()[-1500:]}",
        )
