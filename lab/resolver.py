"""A validating resolver for programs that ask one over the network: an unbound that trusts the lab's zone."""

import os

import zones
from programs import Program, run, wait_for

ADDRESS = "127.77.0.54"

CONFIGURATION = """server:
  interface: {address}
  access-control: 127.0.0.0/8 allow
  do-daemonize: no
  use-syslog: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  do-not-query-localhost: no
  local-zone: "test." nodefault
  trust-anchor-file: "{anchor}"
  cache-max-ttl: 1
  cache-max-negative-ttl: 1
  val-bogus-ttl: 1
  qname-minimisation: no
remote-control:
  control-enable: no
stub-zone:
  name: "test."
  stub-addr: {server}@53
"""


class Resolver:
    def __init__(self, lab):
        folder = lab.path("resolver")
        os.makedirs(folder)
        path = os.path.join(folder, "unbound.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(
                CONFIGURATION.format(
                    address=ADDRESS, folder=folder, anchor=lab.anchor, server=zones.ADDRESS
                )
            )
        unbound = os.path.join(lab.root, "usr/sbin/unbound")
        self.program = Program(lab.watchman, folder, "unbound", [unbound, "-d", "-c", path])
        lab.started.append(self)
        self.resolv_conf = os.path.join(folder, "resolv.conf")
        with open(self.resolv_conf, "w", encoding="ascii") as file:
            file.write(f"nameserver {ADDRESS}\noptions trust-ad timeout:2 attempts:2\n")
        wait_for(self._answers, lambda: f"unbound to answer; its log:\n{self.program.output()[-1500:]}")

    @staticmethod
    def _answers():
        return "ns.test" in run(["drill", f"@{ADDRESS}", "test.", "NS"], "ask unbound")

    def stop(self):
        self.program.stop()
