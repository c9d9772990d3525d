"""An OpenSMTPD, run from its unpacked tree: a server that offers neither PIPELINING nor CHUNKING."""

from peer import Peer


class OpenSmtpd(Peer):
    NAME = "opensmtpd"
    USERS = {"opensmtpd": "daemon", "opensmtpq": "sys"}
    OWNER = "root"
    FOLDERS = ("var/spool", "var/run", "var/lib/opensmtpd/empty")
    COMMAND = ("/usr/sbin/smtpd", "-d")
    FILE = "smtpd.conf"
    CONFIGURATION = """pki "{hostname}" cert "{folder}/certificate.pem"
pki "{hostname}" key "{folder}/key.pem"
table domains {{ {domains} }}
table recipients {{ {recipients} }}
smtp max-message-size 100M
smtp limit max-mails 100000
# One connection every two seconds, and a pause of three behind each, without it.
mta limit conn-delay-relay 0 reconn-delay-route 0 session-mail-max 10000
listen on {address} port {port} tls pki "{hostname}" hostname "{hostname}"
listen on {address} port 10025 proxy-v2 hostname "{hostname}"
action "mailbox" maildir "{folder}/mailbox" virtual {{ "@" = {mailbox_owner} }}
action "relay" relay host "smtp+tls://{smarthost}:{smarthost_port}" tls helo "{hostname}"
match from any for any rcpt-to <recipients> action "mailbox"
match from any ! for domain <domains> action "relay"
"""
