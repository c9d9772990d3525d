"""A certification authority that speaks ACME (RFC 8555), Debian's pebble, and its clients certbot and lego,
all run from their unpacked trees.

The authority looks names up in the lab's DNS and fetches the http-01 challenge from port 80 of where they
lead, so whoever asks must hold that address. Its roots are new with each start.
"""

import json
import os
import ssl
import subprocess
import urllib.request

import zones
from programs import LabError, Program

ADDRESS = "127.77.0.70"
PORT, MANAGEMENT_PORT = 14000, 15000
EMAIL = "postmaster@receiver.test"
TREE = "usr/lib/python3/dist-packages"


class Pebble:
    def __init__(self, lab):
        self.lab = lab
        certificate, key = lab.certificates.issued("acme", "acme.test", names=["acme.test", ADDRESS])
        folder = lab.path("acme")
        os.makedirs(folder)
        configuration = os.path.join(folder, "pebble.json")
        settings = {
            "listenAddress": f"{ADDRESS}:{PORT}",
            "managementListenAddress": f"{ADDRESS}:{MANAGEMENT_PORT}",
            "certificate": certificate,
            "privateKey": key,
            "httpPort": 80,
            "tlsPort": 443,
        }
        with open(configuration, "w", encoding="ascii") as file:
            json.dump({"pebble": settings}, file)
        pebble = os.path.join(lab.root, "usr/bin/pebble")
        if not os.path.exists(pebble):
            raise LabError(f"{pebble} is missing: run tools/setup")
        command = [pebble, "-config", configuration, "-dnsserver", f"{zones.ADDRESS}:53"]
        # It neither dawdles nor refuses good nonces now and then, which would test its clients; who has shown
        # that a name is theirs need not do it again.
        environment = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "100"}
        self.program = Program(lab.watchman, folder, "pebble", command, environment)
        lab.started.append(self)
        ready = "ACME directory available"
        self.program.wait_until(lambda: ready in self.program.output(), "pebble to listen")
        self.directory = f"https://{ADDRESS}:{PORT}/dir"
        self.root = os.path.join(folder, "root.pem")
        with open(self.root, "w", encoding="ascii") as file:
            file.write(self._get("/roots/0"))

    def _get(self, path):
        context = ssl.create_default_context(cafile=self.lab.certificates.roots_file)
        url = f"https://{ADDRESS}:{MANAGEMENT_PORT}{path}"
        with urllib.request.urlopen(url, context=context, timeout=20) as answer:
            return answer.read().decode("ascii")

    def stop(self):
        self.program.stop()


class Client:
    """What the two have in common: a folder of their own, and the address to which the name leads."""

    def __init__(self, pebble, name, address):
        self.pebble, self.lab, self.address = pebble, pebble.lab, address
        self.folder = self.lab.path(name)
        os.makedirs(self.folder)

    def _run(self, command, environment):
        """The completed process."""
        return subprocess.run(
            command,
            cwd=self.lab.folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


class Certbot(Client):
    def run(self, verb, *arguments, environment=None):
        """`certbot VERB ARGUMENTS`, its folders, the authority and where it listens set."""
        asking = ["--non-interactive", "--server", self.pebble.directory]
        for option, name in ("--config-dir", "etc"), ("--work-dir", "work"), ("--logs-dir", "logs"):
            asking += [option, os.path.join(self.folder, name)]
        if verb == "certonly":
            asking += ["--standalone", "--http-01-address", self.address, "--agree-tos", "--email", EMAIL]
        return self._run(
            # Debian's own Python, whose version the unpacked modules are for.
            ["/usr/bin/python3", os.path.join(self.lab.root, "usr/bin/certbot"), verb, *asking, *arguments],
            {
                "PYTHONPATH": os.path.join(self.lab.root, TREE),
                "REQUESTS_CA_BUNDLE": self.lab.certificates.roots_file,
                **(environment or {}),
            },
        )


class Lego(Client):
    def run(self, *arguments, environment=None):
        """`lego ARGUMENTS`, its folder, the authority and where it listens set."""
        return self._run(
            [
                os.path.join(self.lab.root, "usr/bin/lego"),
                *("--path", self.folder, "--server", self.pebble.directory, "--accept-tos", "--email", EMAIL),
                *("--http", "--http.port", f"{self.address}:80"),
                *arguments,
            ],
            {"LEGO_CA_CERTIFICATES": self.lab.certificates.roots_file, **(environment or {})},
        )
