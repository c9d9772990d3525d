"""An Exim, run from its unpacked tree: unlike Postfix it sends by BDAT and speaks PRDR, and its TLS is GnuTLS'."""

import os

from peer import Peer


class Exim(Peer):
    NAME = "exim"
    USERS = {"Debian-exim": "mail"}
    OWNER = "Debian-exim"
    FOLDERS = ("var/spool/exim4", "var/log/exim4")
    COMMAND = ("/usr/sbin/exim4", "-bdf", "-q1h")
    FILE = "exim4/exim4.conf"
    CONFIGURATION = """primary_hostname = {hostname}
local_interfaces = <; [{address}]:{port}
never_users =
keep_environment =
log_selector = +pipelining +smtp_confirmation +tls_certificate_verified
tls_advertise_hosts = *
tls_certificate = {folder}/certificate.pem
tls_privatekey = {folder}/key.pem
dsn_advertise_hosts = *
chunking_advertise_hosts = *
pipelining_advertise_hosts = *
prdr_enable = true
accept_8bitmime = true
host_lookup =
message_size_limit = 100M
# What comes at once is delivered at once, however many connections and messages.
smtp_accept_max = 1000
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
remote_max_parallel = 20
queue_run_max = 20
split_spool_directory = true
domainlist ours = <, {domains}
addresslist recipients = <, {recipients}
acl_smtp_rcpt = recipients
acl_smtp_data = accept
begin acl
recipients:
  require verify = recipient
  accept
begin routers
ours:
  driver = accept
  domains = +ours
  condition = ${{if match_address{{$local_part@$domain}}{{+recipients}}}}
  transport = mailbox
  no_more
smarthost:
  driver = manualroute
  domains = ! +ours
  route_list = * {smarthost} byname
  transport = relay
  self = send
begin transports
mailbox:
  driver = appendfile
  directory = {folder}/mailbox
  maildir_format
  user = {mailbox_owner}
  envelope_to_add
relay:
  driver = smtp
  port = {smarthost_port}
  hosts_require_tls = *
  hosts_try_fastopen =
  hosts_try_prdr = *
  tls_verify_certificates = /etc/ssl/certs/ca-certificates.crt
  tls_verify_hosts = *
  connection_max_messages = 500
begin retry
* * F,1h,1h
"""

    def log(self):
        path = os.path.join(self.folder, "var/log/exim4/mainlog")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as log:
            return log.read()
