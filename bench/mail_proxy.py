"""nginx's mail proxy before an SMTP server, from its unpacked tree (tools/setup bench). It asks by HTTP where each
session goes; the answer comes from nginx itself."""

import os
import socket

from programs import Program

MODULE = "usr/lib/nginx/modules/ngx_mail_module.so"

CONFIGURATION = """daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
load_module {module};
events {{ worker_connections 32768; }}
http {{
  access_log off;
  client_body_temp_path {folder}/client;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{auth};
    location / {{
      add_header Auth-Status OK;
      add_header Auth-Server {backend_address};
      add_header Auth-Port {backend_port};
      return 204;
    }}
  }}
}}
mail {{
  server_name mx.receiver.test;
  auth_http 127.0.0.1:{auth}/;
  ssl_protocols TLSv1.3;
  ssl_certificate {certificate};
  ssl_certificate_key {key};
  server {{
    listen {endpoint};
    protocol smtp;
    smtp_auth none;
    xclient off;
    starttls on;
    # With 4 KB a message is two writes, and the second waits for the ACK of the first: 400 messages a second.
    smtp_client_buffer 16k;
    proxy_buffer 16k;
  }}
}}
"""


class MailProxy:
    @staticmethod
    def there(root):
        return os.path.exists(os.path.join(root, MODULE))

    def __init__(self, watchman, folder, root, endpoint, backend, pair):
        os.makedirs(folder)
        address, port = backend.split(":")
        path = os.path.join(folder, "nginx.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(CONFIGURATION.format(
                folder=folder, module=os.path.join(root, MODULE), endpoint=endpoint,
                auth=int(endpoint.split(":")[1]) + 100, backend_address=address, backend_port=port,
                certificate=pair[0], key=pair[1]))
        self.endpoint = endpoint
        command = [os.path.join(root, "usr/sbin/nginx"), "-p", folder, "-c", path, "-e", "stderr"]
        self.program = Program(watchman, folder, "nginx-mail", command)
        self.program.wait_until(self._greets, "nginx's mail proxy")

    def _greets(self):
        address, port = self.endpoint.split(":")
        try:
            with socket.create_connection((address, int(port)), timeout=5) as connection:
                return connection.recv(4) == b"220 "
        except OSError:
            return False

    def stop(self):
        self.program.stop()
