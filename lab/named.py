"""BIND's named, which takes updates (RFC 2136) for one zone, and its nsupdate; run from the unpacked tree."""

import os
import subprocess

from programs import Program

ADDRESS, PORT = "127.0.0.1", 2653  # it listens at addresses of interfaces only
CONFIGURATION = """options {{
  directory "{folder}"; pid-file none; session-keyfile none; recursion no;
  listen-on port {port} {{ {address}; }}; listen-on-v6 {{ none; }};
}};
controls {{ }};
zone "{zone}" {{ type primary; file "zone"; allow-update {{ 127.0.0.0/8; }}; allow-transfer {{ 127.0.0.0/8; }}; }};
"""


class Named:
    def __init__(self, watchman, folder, root, zone, records):
        os.makedirs(folder)
        self.zone, self.programs = zone, os.path.join(root, "usr")
        self.environment = {"LD_LIBRARY_PATH": os.path.join(root, "usr/lib/x86_64-linux-gnu")}
        configuration = CONFIGURATION.format(folder=folder, zone=zone, address=ADDRESS, port=PORT)
        head = f"$ORIGIN {zone}\n$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A {ADDRESS}\n"
        for name, text in {"named.conf": configuration, "zone": head + records}.items():
            with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                file.write(text)
        command = [os.path.join(self.programs, "sbin/named"), "-g", "-c", os.path.join(folder, "named.conf")]
        self.program = Program(watchman, folder, "named", command, self.environment)
        self.program.wait_until(lambda: " running" in self.program.output(), "named to run")

    def stop(self):
        return self.program.stop()

    def update(self, script):
        """Has nsupdate run it; its exit code and what it said."""
        done = subprocess.run(
            [os.path.join(self.programs, "bin/nsupdate"), "-v"],
            input=f"server {ADDRESS} {PORT}\n{script}",
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        return done.returncode, done.stderr

    def records(self):
        """{(owner, type, data)} of all TLSA and TXT records."""
        done = subprocess.run(
            [os.path.join(self.programs, "bin/dig"), f"@{ADDRESS}", "-p", str(PORT), self.zone, "AXFR", "+noall", "+answer"],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        found = set()
        for line in done.stdout.splitlines():
            owner, _, _, kind, data = line.split(None, 4)
            if kind == "TLSA":
                found.add((owner, kind, "".join(data.lower().split())))
            elif kind == "TXT":
                found.add((owner, kind, data))
        return found
