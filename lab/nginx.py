"""nginx, run from its unpacked tree: HTTPS hosts at one address, each with a certificate of its own and
one text, as MTA-STS has them (RFC 8461 3.3).

It asks for SNI: whoever names none of its hosts gets no certificate at all. All its files lie in the
given folder.
"""

import os
from typing import NamedTuple

from programs import Program

ADDRESS = "127.77.0.60"
PATH = "/.well-known/mta-sts.txt"
TEXT = "alias {text};"  # the answer that is the host's text

CONFIGURATION = """daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 512; }}
http {{
  log_format fetches '$host $uri $status';
  access_log {folder}/access.log fetches;
  client_body_temp_path {folder}/client;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server_names_hash_bucket_size 128;
  types {{ }}
  default_type text/plain;
  server {{
    listen {address}:443 ssl default_server;
    ssl_reject_handshake on;
  }}
{servers}}}
"""

# What "/there" is for: answers that are the text in another way than they should be.
SERVER = """  server {{
    listen {address}:443 ssl;
    server_name {name};
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    location = {path} {{ {answer} }}
    location = /there {{ alias {text}; }}
  }}
"""


class WebHost(NamedTuple):
    """`pair` as of Certificates; `answer` nginx's directives for the path of a policy."""

    name: str
    pair: tuple
    text: str
    answer: str = TEXT


class Nginx:
    def __init__(self, watchman, folder, root, hosts):
        os.makedirs(folder)
        self.watchman, self.folder = watchman, folder
        nginx, configuration = os.path.join(root, "usr/sbin/nginx"), self._path("nginx.conf")
        self.command = [nginx, "-e", "stderr", "-p", folder, "-c", configuration]
        for host in hosts:
            self.write(host.name, host.text)
        servers = "".join(self._server(host) for host in hosts)
        with open(configuration, "w", encoding="ascii") as file:
            file.write(CONFIGURATION.format(folder=folder, address=ADDRESS, servers=servers))
        self.program = None
        self.start()

    def _server(self, host):
        text = self._path(host.name)
        return SERVER.format(
            address=ADDRESS,
            name=host.name,
            certificate=host.pair[0],
            key=host.pair[1],
            path=PATH,
            text=text,
            answer=host.answer.format(text=text),
        )

    def _path(self, name):
        return os.path.join(self.folder, name)

    def start(self):
        """Returns when it listens."""
        self.program = Program(self.watchman, self.folder, "nginx", self.command)
        self.program.wait_until(lambda: "start worker process " in self.program.output(), "nginx to listen")

    def stop(self):
        """Nobody listens at its address then; start() brings it back."""
        self.program.stop()

    def write(self, name, text):
        """From the next answer on, this is the text of that host."""
        with open(self._path(name) + ".new", "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.replace(self._path(name) + ".new", self._path(name))

    def fetches(self, name):
        """One line for each answer of that host: its name, the path, the status."""
        if not os.path.exists(self._path("access.log")):
            return []
        with open(self._path("access.log"), encoding="utf-8", errors="replace") as log:
            return [line.rstrip("\n") for line in log if line.split(" ", 1)[0] == name]


class MailNginx:
    """nginx as an MX with the files that `pinnace publish nginx` wrote into `folder`, changed in nothing but where
    its own lie."""

    OWN = "daemon off;\nuser root;\nworker_processes 1;\npid nginx.pid;\nerror_log stderr info;\n"

    def __init__(self, watchman, folder, root):
        os.symlink(os.path.join(root, "usr/lib/nginx/modules"), os.path.join(folder, "modules"))
        with open(os.path.join(folder, "nginx.conf"), encoding="ascii") as file:
            printed = file.read()
        path = os.path.join(folder, "lab.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(self.OWN + printed)
        nginx = os.path.join(root, "usr/sbin/nginx")
        self.program = Program(watchman, folder, "nginx", [nginx, "-e", "stderr", "-p", folder, "-c", path])
        self.program.wait_until(lambda: "start worker process " in self.program.output(), "nginx to listen")

    def stop(self):
        return self.program.stop()
