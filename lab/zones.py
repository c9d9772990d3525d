"""The lab's DNS: the signed zone "test.", its children, and nsd to serve them.

    receiver.test     mail goes to mx.receiver.test, where the gate stands
    plain.test        mail goes to mx.plain.test, which advertises nothing; so do sender.test,
                      implicit.test (no MX), alias.test (its MX host is an alias), several.test
                      (the first of its hosts does not answer), insecure.test (not signed)
    null.test         takes no mail (RFC 7505)
    tampered.test     its MX record was changed after it was signed
    dead.test         nothing listens at its only host
"""

import os
import re
import signal
from typing import NamedTuple

from programs import Program, run

ADDRESS = "127.77.0.53"

ZONE = """$ORIGIN test.
$TTL 60
@              SOA  ns hostmaster 1 3600 600 86400 60
@              NS   ns
ns             A    {nameserver}
receiver       MX   10 mx.receiver
mx.receiver    A    {receiver}
plain          MX   10 mx.plain
mx.plain       A    {plain}
sender         MX   10 mx.plain
relay.sender   A    {relay}
implicit       A    {plain}
alias          MX   10 mx.alias
mx.alias       CNAME mx.plain
several        MX   10 mx.dead
several        MX   20 mx.plain
dead           MX   10 mx.dead
mx.dead        A    {dead}
dst            MX   10 mx.dst
mx.dst         A    127.0.0.1
null           MX   0 .
tampered       MX   10 mx.plain
"""

CHILD = """$ORIGIN {zone}
$TTL 60
@              SOA  ns.test. hostmaster.test. 1 3600 600 86400 60
@              NS   ns.test.
"""

NSD = """server:
  ip-address: {nameserver}@53
  rrl-ratelimit: 0
  username: ""
  database: ""
  zonesdir: "{folder}"
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  server-count: 1
remote-control:
  control-enable: no
"""

NSD_ZONE = """zone:
  name: "{zone}"
  zonefile: "{file}"
"""


class Child(NamedTuple):
    """A zone below test. of its own. `delegation` is what test. says of it: "unsigned", or "signed"
    by a DS record; `served` what its name server has: a zone "unsigned", "opt-out" (RFC 5155, signed),
    "broken" (SERVFAIL), or "nowhere" (no server answers)."""

    zone: str
    records: str = ""
    delegation: str = "unsigned"
    served: str = "unsigned"


class Tampering(NamedTuple):
    """A record that is changed after it was signed."""

    owner: str
    type: str
    signed: str
    served: str


class Zones:
    """`names` holds the addresses receiver, plain, relay, dead. What more there is to be (records of
    test., children, tamperings, names for the braces) is added before sign(); sign() and reload()
    publish later changes of `names`."""

    def __init__(self, folder, names):
        os.makedirs(folder)
        self.folder = folder
        self.names = {**names, "nameserver": ADDRESS, "folder": folder}
        self.records = ZONE
        self.children = [Child("insecure.test.", "@ MX 10 mx.plain.test.\naliased CNAME mx.receiver.test.\n")]
        self.tamperings = [Tampering("tampered.test.", "MX", "10 mx.plain", "11 mx.plain")]
        self.keys = {}
        self.program = None

    def sign(self):
        """Writes, signs and tampers; the path of the trust anchor."""
        delegations = "".join(self._write_child(child) for child in self.children)
        self._write("test.zone", self.records.format(**self.names) + delegations)
        self._sign("test.", "test.zone", "test.signed")
        self._tamper("test.signed")
        zones = {"test.": "test.signed"}
        for child in self.children:
            if child.served != "nowhere":
                zones[child.zone] = child.zone + ("signed" if child.served == "opt-out" else "zone")
        configuration = NSD.format(**self.names)
        for zone, file in zones.items():
            configuration += NSD_ZONE.format(zone=zone, file=file)
        self._write("nsd.conf", configuration)
        return self._path(self._keys("test.")[0] + ".key")

    def serve(self, watchman, root):
        """Starts nsd from the unpacked tree."""
        nsd = os.path.join(root, "usr/sbin/nsd")
        self.program = Program(watchman, self.folder, "nsd", [nsd, "-d", "-c", self._path("nsd.conf")])
        self.program.wait_until(lambda: "nsd started" in self.program.output(), "nsd to listen")
        return self.program

    def reload(self, owner, record_type, data):
        """Has nsd read the zones again; returns when it answers with this data, or without any for ""."""
        self.program.process.send_signal(signal.SIGHUP)

        def answered():
            answer = run(["drill", "-Q", f"@{ADDRESS}", owner, record_type], "ask nsd").strip()
            return data in answer if data else not answer

        self.program.wait_until(answered, f"nsd to answer {owner} {record_type} with {data or 'nothing'}")

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _write(self, name, text):
        with open(self._path(name), "w", encoding="ascii") as file:
            file.write(text)

    def _keys(self, zone):
        """The names of the zone's key-signing and zone-signing key."""
        if zone not in self.keys:
            self.keys[zone] = [
                run(
                    ["ldns-keygen", *flags, "-a", "ECDSAP256SHA256", zone],
                    "make a zone's key",
                    cwd=self.folder,
                ).strip()
                for flags in (["-k"], [])
            ]
        return self.keys[zone]

    def _sign(self, zone, source, signed, *flags):
        run(
            [
                "ldns-signzone",
                "-n",
                *flags,
                "-s",
                "deadbeef",
                "-t",
                "0",
                "-f",
                signed,
                source,
                *self._keys(zone),
            ],
            "sign a zone",
            cwd=self.folder,
        )

    def _write_child(self, child):
        """Writes the child's own file; the lines of its parent."""
        lines = f"{child.zone} NS {'ns.dead.test.' if child.served == 'nowhere' else 'ns.test.'}\n"
        if child.delegation == "signed":
            with open(self._path(self._keys(child.zone)[0] + ".ds"), encoding="ascii") as file:
                lines += file.read()
        if child.served in ("unsigned", "opt-out"):
            text = (CHILD + child.records).format(**self.names, zone=child.zone)
            self._write(child.zone + "zone", text)
        if child.served == "opt-out":
            self._sign(child.zone, child.zone + "zone", child.zone + "signed", "-p")
        return lines

    def _tamper(self, name):
        with open(self._path(name), encoding="ascii") as file:
            text = file.read()
        for tampering in self.tamperings:
            owner, record_type, signed, served = (part.format(**self.names) for part in tampering)
            record = re.compile(rf"^({re.escape(owner)}\t.*\t{record_type}\t){re.escape(signed)}", re.MULTILINE)
            text, found = record.subn(rf"\g<1>{served}", text)
            assert found == 1, f"{name} holds {found} records {owner} {record_type} {signed}"
        self._write(name, text)
