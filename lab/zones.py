"""The lab's DNS: the signed zone "test.", its unsigned child "insecure.test.", and nsd to serve both.

    receiver.test     mail goes to mx.receiver.test, where the gate stands
    plain.test        mail goes to mx.plain.test, which advertises nothing; so do sender.test,
                      implicit.test (no MX), alias.test (its MX host is an alias), several.test
                      (the first of its hosts does not answer), insecure.test (not signed)
    null.test         takes no mail (RFC 7505)
    tampered.test     its MX record was changed after it was signed
    dead.test         nothing listens at its only host
"""

import os

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
insecure       NS   ns.insecure
ns.insecure    A    {nameserver}
"""

INSECURE = """$ORIGIN insecure.test.
$TTL 60
@              SOA  ns hostmaster 1 3600 600 86400 60
@              NS   ns
ns             A    {nameserver}
@              MX   10 mx.plain.test.
"""

NSD = """server:
  ip-address: {nameserver}@53
  username: ""
  database: ""
  zonesdir: "{folder}"
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: "test."
  zonefile: "test.signed"
zone:
  name: "insecure.test."
  zonefile: "insecure.zone"
"""


def write(folder, hosts):
    """Writes, signs and tampers; `hosts` holds the addresses receiver, plain, relay, dead. The path
    of the trust anchor."""
    names = {**hosts, "nameserver": ADDRESS, "folder": folder}
    os.makedirs(folder)
    for file, template in ("test.zone", ZONE), ("insecure.zone", INSECURE), ("nsd.conf", NSD):
        with open(os.path.join(folder, file), "w", encoding="ascii") as zone:
            zone.write(template.format(**names))
    keys = [
        run(
            ["ldns-keygen", *flags, "-a", "ECDSAP256SHA256", "test."], "make the zone's key", cwd=folder
        ).strip()
        for flags in (["-k"], [])
    ]
    run(
        ["ldns-signzone", "-n", "-s", "deadbeef", "-t", "0", "-f", "test.signed", "test.zone", *keys],
        "sign the zone",
        cwd=folder,
    )
    _tamper(os.path.join(folder, "test.signed"))
    anchor = os.path.join(folder, "ta.key")
    os.replace(os.path.join(folder, keys[0] + ".key"), anchor)
    return anchor


def _tamper(signed):
    with open(signed, encoding="ascii") as file:
        lines = file.read().splitlines(keepends=True)
    changed = [
        line.replace("10 mx.plain", "11 mx.plain")
        if line.startswith("tampered.test.") and "\tMX\t" in line
        else line
        for line in lines
    ]
    assert changed != lines, "the signed zone holds no MX record of tampered.test"
    with open(signed, "w", encoding="ascii") as file:
        file.writelines(changed)


def serve(watchman, folder, root):
    """Starts nsd from the unpacked tree."""
    nsd = os.path.join(root, "usr/sbin/nsd")
    program = Program(watchman, folder, "nsd", [nsd, "-d", "-c", os.path.join(folder, "nsd.conf")])
    program.wait_until(lambda: "nsd started" in program.output(), "nsd to listen")
    return program
