"""A small internet on 127.77.0.0/16: signed DNS, two receivers, a relay, a gate, an attacker.

    with Lab() as lab:
        lab.relay.start(); lab.gate.start()
        lab.send("bob@receiver.test")

With Lab(dane=True) the hosts of lab/dane.py are there too, as `lab.dane`; with Lab(sts=True) the
domains of lab/sts.py, as `lab.sts`.
A lab keeps everything in one folder below build/lab and stops whatever it started.
"""

import fcntl
import itertools
import os
import shutil
import subprocess
import time

import zones
from certificates import Certificates
from dane import DaneHosts
from nginx import Nginx
from postfix import Postfix
from programs import LabError, Watchman
from services import Interceptor, Service, run_pinnace
from sts import StsDomains

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RELAY, RELAY_PORT = "127.77.0.2", 2525
MX, MX_ASIDE = "127.77.0.10", "127.77.0.12"  # where the gate stands, and where it goes meanwhile
BACKEND = "127.77.0.11:10025"
PLAIN, DEAD = "127.77.0.20", "127.77.0.30"
SENDER = "alice@sender.test"
KEPT_RUNS = 5


class Lab:
    """Postfix and nsd run from the start; `relay` and `gate` are ready to be started."""

    def __init__(self, dane=False, sts=False, records=""):
        self.dane = dane  # becomes the hosts
        self.sts = sts  # becomes the domains
        self.records = records  # more of test.
        self.build = os.environ.get("PINNACE_BUILD", os.path.join(SOURCE, "build", "release"))
        self.home = os.path.join(SOURCE, "build", "lab")
        self.root = os.path.join(self.home, "root")
        self.started = []
        self.counter = itertools.count(1)
        self.watchman = self.lock = None

    def __enter__(self):
        self._check_machine()
        self.folder = self._make_folder()
        self.watchman = Watchman()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def _check_machine(self):
        if os.geteuid() != 0:
            raise LabError("the lab needs root: it listens on port 25 of 127.77.0.0/16 and runs Postfix")
        for path in (
            os.path.join(self.root, "usr/sbin/nginx"),
            os.path.join(self.root, "usr/sbin/nsd"),
            os.path.join(self.root, "usr/lib/postfix/sbin/master"),
        ):
            if not os.path.exists(path):
                raise LabError(f"{path} is missing: run tools/setup")
        for name in ("pinnace", "lab_interceptor"):
            self.binary(name)
        self.lock = open(os.path.join(self.home, "lab.lock"), "w", encoding="ascii")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LabError(
                "another lab of this clone is running, and both want the addresses 127.77.0.x"
            ) from error

    def _make_folder(self):
        runs = sorted(name for name in os.listdir(self.home) if name.startswith("run-"))
        for name in runs[: -KEPT_RUNS + 1]:
            shutil.rmtree(os.path.join(self.home, name))
        folder = os.path.join(self.home, f"run-{time.strftime('%m%d-%H%M%S', time.gmtime())}-{os.getpid()}")
        os.makedirs(folder)
        return folder

    def _start(self):
        self.certificates = Certificates(self.path("certificates"))
        self.pair = self.certificates.issued("mx", "mx.receiver.test")
        self.backup_key = self.certificates.key("backup")
        hosts = {"receiver": MX, "plain": PLAIN, "relay": RELAY, "dead": DEAD}
        self.zones = zones.Zones(self.path("dns"), hosts)
        self.zones.records += self.records
        if self.dane:
            self.dane = DaneHosts(self.certificates, self.zones)
        if self.sts:
            self.sts = StsDomains(self.certificates, self.zones)
        self.anchor = self.zones.sign()
        self.started.append(self.zones.serve(self.watchman, self.root))
        self.receiver = self._postfix(
            "receiver",
            hostname="mx.receiver.test",
            endpoint=BACKEND,
            domains=["receiver.test"],
            xclient="127.0.0.0/8",
        )
        self.plain = self._postfix(
            "plain",
            hostname="mx.plain.test",
            endpoint=f"{PLAIN}:25",
            domains=[
                "plain.test",
                "sender.test",
                "implicit.test",
                "alias.test",
                "several.test",
                "insecure.test",
                "tampered.test",
            ],
            pair=self.certificates.self_signed("plain", "mx.plain.test"),
        )
        receivers = [self.receiver, self.plain]
        if self.dane:
            self.dane.postfix = self._postfix("dane", **self.dane.postfix_settings())
            receivers.append(self.dane.postfix)
        if self.sts:
            self.sts.postfix = self._postfix("sts", **self.sts.postfix_settings())
            receivers.append(self.sts.postfix)
            self.sts.web = Nginx(self.watchman, self.path("nginx"), self.root, self.sts.web_hosts())
            self.started.append(self.sts.web)
        for receiver in receivers:
            receiver.wait_until_ready()
        self.relay = self.service("relay", "relay", self.relay_sections())
        self.gate = self.service("gate", "gate", self.gate_sections())

    def proxied_receiver(self):
        """Another Postfix for receiver.test, which reads the PROXY protocol."""
        postfix = self._postfix(
            "proxied",
            hostname="mx.receiver.test",
            endpoint="127.77.0.11:10026",
            domains=["receiver.test"],
            main="smtpd_upstream_proxy_protocol = haproxy\n",
        )
        postfix.wait_until_ready()
        return postfix

    def reports_receiver(self, user, control):
        """Another Postfix for receiver.test, which pipes what comes for tls@ to `pinnace report take`."""
        postfix = self._postfix(
            "reports",
            hostname="mx.receiver.test",
            endpoint="127.77.0.11:10027",
            domains=["receiver.test"],
            xclient="127.0.0.0/8",
            main="transport_maps = inline:{ tls@receiver.test=tlsrpt: }\n",
            master="tlsrpt unix - n n - 1 pipe\n"
            f"  flags= user={user} argv={self.binary('pinnace')} report take --control {control}\n",
        )
        postfix.wait_until_ready()
        return postfix

    def sending_postfix(self, main, endpoint="127.77.0.50:25"):
        """A Postfix that takes mail from this machine and sends it on as `main` says."""
        postfix = self._postfix(
            "sending",
            hostname="office.sender.test",
            endpoint=endpoint,
            domains=["office.sender.test"],
            main="mynetworks = 127.0.0.0/8\nsmtpd_recipient_restrictions = permit_mynetworks, reject\n" + main,
            master="smtp unix - - n - - smtp\n",
        )
        postfix.wait_until_ready()
        return postfix

    def service(self, kind, name, sections):
        """A pinnace service that is yet to be started."""
        return Service(self, name, kind, sections)

    def _postfix(self, name, **settings):
        postfix = Postfix(self.watchman, self.path("postfix-" + name), self.root, **settings)
        self.started.append(postfix)
        return postfix

    def stop(self):
        """Ends everything, the latest first."""
        while self.started:
            self.started.pop().stop()
        if self.watchman:
            self.watchman.dismiss()
            self.watchman = None
        if self.lock:
            self.lock.close()

    def path(self, name):
        return os.path.join(self.folder, name)

    def binary(self, name):
        path = os.path.join(self.build, name)
        if not os.path.exists(path):
            raise LabError(f"{path} is missing: run make build")
        return path

    def relay_sections(self, name="relay", **changes):
        """A relay's configuration. A change names a section: pins={"noting": "off"}, rule=[{...}]."""
        sections = {
            "relay": {
                "hostname": "relay.sender.test",
                "listen": [f"{RELAY}:{RELAY_PORT}"],
                "networks": ["127.0.0.0/8"],
                "data": self.path(name + "-data"),
                "control": name + ".sock",
            },
            "dns": {
                "trust_anchor_file": self.anchor,
                "stub": [{"zone": "test.", "address": f"{zones.ADDRESS}@53"}],
            },
            "delivery": {"source_address": RELAY, "connect_timeout": "5s"},
            # Long enough that nothing is tried again unless somebody asks for it.
            "queue": {"retry_initial": "1h"},
            "tls": {"roots": self.certificates.roots_file},
        }
        if self.sts:
            # Nobody's policy host has such an address on the real Internet.
            sections["sts"] = {"allow_addresses": ["127.77.0.0/16"]}
        for section, entries in changes.items():
            new = entries if isinstance(entries, list) else {**sections.get(section, {}), **entries}
            sections[section] = new
        return sections

    def gate_sections(self, pair=None, backup_key=None, listen=MX):
        pair = pair or self.pair
        return {
            "gate": {
                "hostname": "mx.receiver.test",
                "listen": [f"{listen}:25"],
                "backend": BACKEND,
                "client_address": "xclient",
                "certificate": pair[0],
                "key": pair[1],
                "backup_key": backup_key or self.backup_key,
                "control": "gate.sock",
            },
            "gate.advert": {"max_age": "60d", "ramp": [], "mode": "ENFORCE", "stsec_max_age": "365d"},
        }

    def intercept(self, attack, at=MX, **settings):
        """Puts the attacker in the gate's place, or another; nobody else must stand there."""
        return Interceptor(self, attack, f"{at}:25", **settings)

    def pinnace(self, *arguments):
        return run_pinnace(self, *arguments)

    def send(self, recipient, sender=SENDER, subject="A letter", expect=0):
        """Hands the relay one message with swaks; its Message-ID. `expect` is swaks' exit code: 0 when
        the relay took it, 24 and above when it refused."""
        identity = f"<{next(self.counter)}.{os.path.basename(self.folder)}@sender.test>"
        done = subprocess.run(
            [
                "swaks",
                "--server",
                RELAY,
                "--port",
                str(RELAY_PORT),
                "--helo",
                "client.sender.test",
                "--from",
                sender,
                "--to",
                recipient,
                "--header",
                f"Subject: {subject}",
                "--header",
                f"Message-ID: {identity}",
                "--body",
                f"Hello, this is {identity}.",
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode != expect:
            raise LabError(
                f"swaks ended with {done.returncode} instead of {expect}:\n{done.stdout}{done.stderr}"
            )
        return identity
