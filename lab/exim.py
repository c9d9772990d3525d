"""A sending Exim, run from its unpacked tree: unlike Postfix it sends by BDAT, and passes DSN parameters on.

It needs no user and no installed file: nss_wrapper shows it the user it was built for. All its files lie in
the given folder.
"""

import os
import pwd

from programs import run

USER = "mail"  # one every Debian has, in place of Debian-exim

CONFIGURATION = """primary_hostname = {hostname}
exim_user = {user}
exim_group = {user}
never_users =
keep_environment =
spool_directory = {folder}/spool
log_file_path = {folder}/exim-%s.log
dsn_advertise_hosts = *
accept_8bitmime = true
acl_smtp_rcpt = accept
acl_smtp_data = accept
begin acl
begin routers
smarthost:
  driver = manualroute
  route_list = * {relay}
  transport = relay
  self = send
begin transports
relay:
  driver = smtp
  port = {port}
begin retry
"""


class Exim:
    def __init__(self, folder, root, hostname, relay, port):
        self.folder, self.root = folder, root
        user = pwd.getpwnam(USER)
        os.makedirs(os.path.join(folder, "spool"))
        os.chmod(folder, 0o755)
        for path in (folder, os.path.join(folder, "spool")):
            os.chown(path, user.pw_uid, user.pw_gid)
        self._write(
            "exim.conf",
            CONFIGURATION.format(hostname=hostname, user=USER, folder=folder, relay=relay, port=port),
        )
        names = ("root", 0), ("Debian-exim", user.pw_uid), (USER, user.pw_uid)
        self._write("passwd", "".join(f"{name}:x:{i}:{i}::/nonexistent:/bin/false\n" for name, i in names))
        self._write("group", "".join(f"{name}:x:{i}:\n" for name, i in names))

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as file:
            file.write(text)

    def _run(self, *arguments, text=""):
        configuration = os.path.join(self.folder, "exim.conf")
        environment = {
            "PATH": "/usr/bin:/bin",
            "LD_LIBRARY_PATH": os.path.join(self.root, "usr/lib/x86_64-linux-gnu"),
            "LD_PRELOAD": "libnss_wrapper.so",
            "NSS_WRAPPER_PASSWD": os.path.join(self.folder, "passwd"),
            "NSS_WRAPPER_GROUP": os.path.join(self.folder, "group"),
        }
        program = os.path.join(self.root, "usr/sbin/exim4")
        run([program, "-C", configuration, *arguments], "run Exim", input=text, env=environment)

    def submit(self, session):
        """A whole SMTP session (text with LF) on Exim's standard input. What it took it has tried to hand
        on, once, when this returns; its log."""
        self._run("-odq", "-bs", text=session)
        # Not at once: it would execute itself anew, as a program that does not heed the environment.
        self._run("-q")
        with open(os.path.join(self.folder, "exim-main.log"), encoding="utf-8") as log:
            return log.read()
