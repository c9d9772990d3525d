"""A receiving Postfix, run from its unpacked tree, that puts all its mail into one maildir.

It needs no user, no installed file and no log daemon of its own: two users every Debian has stand in
for Postfix's, and all paths lie in the given folder.
"""

import grp
import os
import pwd
import re

from maildir import Maildir
from programs import LabError, Program

# Postfix wants an owner of its queue that is nobody else's default user, and a group of its own.
OWNER, GROUP, MAILBOX_OWNER = "daemon", "sys", "mail"

MAIN = """compatibility_level = 3.6
config_directory = {folder}/config
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = {root}/usr/lib/postfix/sbin
command_directory = {root}/usr/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {folder}/config
import_environment = MAIL_CONFIG MAIL_LOGTAG LD_LIBRARY_PATH
export_environment = LD_LIBRARY_PATH
mail_owner = {owner}
setgid_group = {group}
default_privs = nobody
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
myhostname = {hostname}
mydestination =
mynetworks = 127.0.0.99/32
inet_interfaces = all
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {domains}
virtual_mailbox_base = {folder}
virtual_mailbox_maps = static:mailbox/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_authorized_xclient_hosts = {xclient}
smtpd_recipient_restrictions = check_recipient_access inline:{{
  {{nobody@{first} = 550 5.1.1 There is nobody here of that name}},
  {{later@{first} = 450 4.2.1 Come back later}} }}, reject_unauth_destination
message_size_limit = 104857600
virtual_mailbox_limit = 0
{tls}"""

MASTER = """{endpoint} inet n - n - - smtpd
postlog    unix-dgram n - n - 1 postlogd
cleanup    unix n - n - 0 cleanup
qmgr       unix n - n 300 1 qmgr
tlsmgr     unix - - n 1000? 1 tlsmgr
rewrite    unix - - n - - trivial-rewrite
bounce     unix - - n - 0 bounce
defer      unix - - n - 0 bounce
trace      unix - - n - 0 bounce
proxymap   unix - - n - - proxymap
error      unix - - n - - error
retry      unix - - n - - error
virtual    unix - n n - - virtual
anvil      unix - - n - 1 anvil
"""

QUEUE = (
    "active",
    "bounce",
    "corrupt",
    "defer",
    "deferred",
    "flush",
    "hold",
    "incoming",
    "maildrop",
    "pid",
    "private",
    "public",
    "saved",
    "trace",
)


def _own(path, user):
    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid)


def _write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _merged(text, more):
    """A main.cf in which what `more` sets stands in place of what `text` does."""
    entries = {}
    for entry in re.finditer(r"^(\w+) *=.*(?:\n[ \t].*)*", f"{text}\n{more}", re.MULTILINE):
        entries[entry[1]] = entry[0]
    return "\n".join(entries.values()) + "\n"


class Postfix(Maildir):
    """`endpoint` is "address:port"; `pair` a certificate and key, without which it offers no TLS;
    `main` and `master` are lines added to the files of those names."""

    def __init__(
        self, watchman, folder, root, *, hostname, endpoint, domains, pair=None, xclient="", main="", master=""
    ):
        self.folder, self.watchman = folder, watchman
        self.mailbox = os.path.join(folder, "mailbox", "new")
        self.hostname, self.endpoint, self.root = hostname, endpoint, root
        mailbox_owner = pwd.getpwnam(MAILBOX_OWNER)
        tls = (
            "smtpd_tls_security_level = none\n"
            if pair is None
            else f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {pair[1]}, {pair[0]}\n"
        )
        self._make_folders()
        _write(
            os.path.join(folder, "config", "main.cf"),
            _merged(MAIN.format(
                folder=folder,
                root=root,
                owner=OWNER,
                group=grp.getgrnam(GROUP).gr_name,
                hostname=hostname,
                domains=" ".join(domains),
                first=domains[0],
                uid=mailbox_owner.pw_uid,
                gid=mailbox_owner.pw_gid,
                xclient=xclient,
                tls=tls,
            )            , main),
        )
        _write(os.path.join(folder, "config", "master.cf"), MASTER.format(endpoint=endpoint) + master)
        self.program = None
        self.start()

    def _make_folders(self):
        for name in ("config", "queue", "data", "mailbox"):
            os.makedirs(os.path.join(self.folder, name))
        os.chmod(self.folder, 0o755)
        for name in QUEUE:
            os.mkdir(os.path.join(self.folder, "queue", name))
            if name != "pid":  # the master, root, writes that one
                _own(os.path.join(self.folder, "queue", name), OWNER)
        _own(os.path.join(self.folder, "data"), OWNER)
        _own(os.path.join(self.folder, "mailbox"), MAILBOX_OWNER)

    def start(self):
        """Returns before it listens, so that several can start at once; see wait_until_ready."""
        master = os.path.join(self.root, "usr/lib/postfix/sbin/master")
        config = os.path.join(self.folder, "config")
        self.log_start = len(self.log())
        self.program = Program(
            self.watchman,
            self.folder,
            "postfix",
            self.wrapped([master, "-d", "-c", config]),
            {"LD_LIBRARY_PATH": os.path.join(self.root, "usr/lib/postfix"), "MAIL_CONFIG": config},
        )

    def wrapped(self, command):
        """The command that runs this one where it is to run."""
        return command

    def wait_until_ready(self):
        try:
            self.program.wait_until(
                lambda: "daemon started" in self.log()[self.log_start :],
                f"Postfix to listen at {self.endpoint}",
            )
        except LabError as error:
            raise LabError(f"{error}\n{self.log()[-1500:]}") from error

    def stop(self):
        self.program.stop()

    def log(self):
        path = os.path.join(self.folder, "mail.log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as log:
            return log.read()
