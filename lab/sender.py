"""A Postfix that sends: it takes mail from this machine, finds MX hosts by the lab's resolver, and asks a policy
server how to reach them.

It runs in a mount namespace, which has the lab's resolv.conf; one of another Debian release in a chroot besides.
"""

import json
import os
import re
import smtplib
import subprocess

from postfix import Postfix
from programs import LabError, wait_for

ADDRESS = "127.77.0.50"
SENDER = "alice@office.sender.test"

MAIN = """mynetworks = 127.0.0.0/8
smtpd_recipient_restrictions = permit_mynetworks, reject
smtp_bind_address = {address}
smtp_dns_support_level = dnssec
smtp_host_lookup = dns
smtp_tls_security_level = may
smtp_tls_loglevel = 1
smtp_tls_CAfile = {roots}
smtp_tls_fingerprint_digest = sha256
smtp_tls_policy_maps = {maps}
smtp_connection_cache_on_demand = no
smtp_connect_timeout = 5s
smtp_helo_timeout = 10s
# Nothing is tried again unless somebody asks for it.
minimal_backoff_time = 1h
maximal_backoff_time = 1h
queue_run_delay = 1h
"""

MASTER = """pickup  unix n - n 60 1 pickup
smtp    unix - - n - - smtp
flush   unix n - n 1000? 0 flush
showq   unix n - n - - showq
"""

# $1: resolv.conf; $2: the other release's tree, or nothing; $3: the lab's folder.
SCRIPT = """set -e
resolv=$1 tree=$2 folder=$3
shift 3
[ -n "$tree" ] || { mount --bind "$resolv" /etc/resolv.conf; exec "$@"; }
mkdir -p "$tree$folder"
mount --bind "$folder" "$tree$folder"
mount --rbind /dev "$tree/dev"
mount --bind /proc "$tree/proc"
[ -e "$tree/etc/resolv.conf" ] || : >"$tree/etc/resolv.conf"
mount --bind "$resolv" "$tree/etc/resolv.conf"
exec chroot "$tree" "$@"
"""


class Sender(Postfix):
    """`tree` is a Debian in which a Postfix is installed; without it the lab's own is run."""

    def __init__(self, lab, resolver, maps, tree="", main=""):
        self.lab, self.resolver, self.tree, self.maps = lab, resolver, tree, maps
        self.sent = 0
        super().__init__(
            lab.watchman,
            lab.path("postfix-sender"),
            "/" if tree else lab.root,
            hostname="office.sender.test",
            endpoint=f"{ADDRESS}:25",
            domains=["office.sender.test"],
            main=MAIN.format(address=ADDRESS, roots=lab.certificates.roots_file, maps=maps) + main,
            master=MASTER,
        )
        lab.started.append(self)
        self.wait_until_ready()

    def wrapped(self, command):
        arguments = self.resolver.resolv_conf, self.tree, self.lab.folder
        return ["unshare", "--mount", "sh", "-c", SCRIPT, "sh", *arguments, *command]

    def tool(self, name, *arguments, stdin=None):
        """Runs one of its programs where it runs itself; the completed process."""
        environment = f"LD_LIBRARY_PATH={self.root}/usr/lib/postfix", f"MAIL_CONFIG={self.folder}/config"
        inside = ["nsenter", "--target", str(self.program.pid), "--mount", "--root", "--wd=/"]
        return subprocess.run(
            [*inside, "env", *environment, f"{self.root}/usr/sbin/{name}", *arguments],
            capture_output=True,
            text=True,
            input=stdin,
            timeout=60,
            check=False,
        )

    def ask(self, maps):
        """From now on it asks these for policies."""
        self.tool("postconf", "-e", f"smtp_tls_policy_maps={maps}")
        self.program.stop()
        self.start()
        self.wait_until_ready()

    def told(self, domain):
        """What the policy server tells it of the domain now; "" for nothing, None where it cannot say."""
        maps = self.tool("postconf", "-h", "smtp_tls_policy_maps").stdout.strip()
        done = self.tool("postmap", "-q", domain, maps)
        if done.returncode == 0:
            return done.stdout.strip()
        return None if "fatal:" in done.stderr else ""

    def wait_until_told(self, domain, pattern):
        """`pattern` matches the whole answer; None: there must be none that can be given."""
        seen = []

        def fits():
            seen.append(self.told(domain))
            return seen[-1] is None if pattern is None else re.fullmatch(pattern, seen[-1] or "")

        wait_for(fits, lambda: f"{domain} to be told as {pattern}; it is {seen[-1]!r}", pause=0.1)
        return seen[-1]

    def finger(self, domain, told):
        """Whether posttls-finger, held to this answer, verifies a host of the domain; its output."""
        level, *attributes = told.split()
        options, match = ["-l", level, "-d", "sha256", "-t", "10", "-T", "10"], []
        for attribute in attributes:
            name, _, value = attribute.partition("=")
            if name == "match":
                match += re.split(r"[:|]" if level != "fingerprint" else r"\|", value)
            elif name == "tafile":
                options += ["-A", value]
            elif name == "servername":
                options += ["-s", value]
        if level == "secure" and "-A" not in options:
            options += ["-F", self.lab.certificates.roots_file]
        done = self.tool("posttls-finger", "-c", "-C", *options, domain, *match)
        return done.stdout + done.stderr

    def send(self, recipient):
        """Hands it one message; its Message-ID."""
        self.sent += 1
        identity = f"<{self.sent}.{os.path.basename(self.lab.folder)}@office.sender.test>"
        text = f"Message-ID: {identity}\r\nSubject: A letter\r\n\r\nHello, this is {identity}.\r\n"
        with smtplib.SMTP(ADDRESS, 25, "client.sender.test", timeout=20) as client:
            client.sendmail(SENDER, [recipient], text)
        return identity

    def stop(self):
        super().stop()
        if self.tree:
            os.removedirs(self.tree + self.lab.folder)  # where the lab's folder was, and what was made for it

    def queue(self):
        done = self.tool("postqueue", "-j")
        if done.returncode != 0:
            raise LabError(f"postqueue ended with {done.returncode}: {done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def held(self, recipient):
        """Why each of its messages to this address was put off."""
        return [
            one["delay_reason"]
            for message in self.queue()
            for one in message["recipients"]
            if one["address"] == recipient and one.get("delay_reason")
        ]

    def wait_for_held(self, recipient, reason):
        def held():
            return [text for text in self.held(recipient) if re.search(reason, text)]

        return wait_for(
            held,
            lambda: f"{recipient} to be held for {reason}: {self.held(recipient)}\n{self.log()[-1500:]}",
            pause=0.1,
        )[-1]

    def flush(self):
        """Tries all that it holds again."""
        done = self.tool("postqueue", "-f")
        if done.returncode != 0:
            raise LabError(f"postqueue ended with {done.returncode}: {done.stderr.strip()}")

    def forget(self):
        """Its queue is empty again."""
        self.tool("postsuper", "-d", "ALL")
