"""A service as a process: whose it is, what it may still do, what systemd hears of it, and `--check`."""

import os
import pwd
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile

from lab import RELAY, RELAY_PORT
from programs import wait_for
from support import LabTest

LOW_PORT = 925  # root's alone
NOBODY = pwd.getpwnam("nobody")


def status(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return {key: value.split() for key, _, value in (line.partition(":") for line in file)}


def threads(pid):
    return [status(f"{pid}/task/{thread}") for thread in os.listdir(f"/proc/{pid}/task")]


class ProcessTest(LabTest):
    def setUp(self):
        super().setUp()
        reached = subprocess.run(
            ["setpriv", "--reuid=nobody", "--clear-groups", "test", "-x", self.lab.folder], check=False
        )
        if reached.returncode != 0:
            self.skipTest(f"nobody but root reaches {self.lab.folder}")

    def users_relay(self, **changes):
        """A relay that becomes nobody; its socket is in its data folder, which it may write."""
        relay = self.relay(process={"user": "nobody"}, **changes)
        data = os.path.relpath(relay.sections["relay"]["data"], self.lab.folder)  # a socket's path is short
        relay.sections["relay"]["control"] = os.path.join(data, "control.sock")
        relay.configure(relay.sections)
        os.chmod(relay.config, 0o644)
        return relay

    def assert_given_up(self, service):
        for thread in threads(service.program.pid):
            self.assertEqual([str(NOBODY.pw_uid)] * 4, thread["Uid"])
            self.assertEqual([str(NOBODY.pw_gid)] * 4, thread["Gid"])
            self.assertEqual([], thread["Groups"])
            self.assertEqual(["1"], thread["NoNewPrivs"])
            self.assertEqual(["2"], thread["Seccomp"], "a filter")
            for kind in "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb":
                self.assertEqual(["0" * 16], thread[kind], kind)


class Process(ProcessTest):
    def test_the_relay_starts_as_root_and_stays_nobody(self):
        listen = [f"{RELAY}:{RELAY_PORT}", f"{RELAY}:{LOW_PORT}"]
        certificate, key = self.lab.pair
        self.assertEqual(0, os.stat(key).st_uid)
        relay = self.users_relay(relay={"listen": listen, "certificate": certificate, "key": key}).start()
        self.assert_given_up(relay)
        self.assertEqual(NOBODY.pw_uid, os.stat(relay.sections["relay"]["data"]).st_uid)
        self.assertRegex(relay.output(), r' process uid=65534 confinement=".*seccomp')
        self.assertNotIn("runs_as_root", relay.output())
        # And it is a relay: TLS, DNS, its store, its rules.
        client = self.smtp(port=LOW_PORT)
        client.starttls()
        client.sendmail("alice@sender.test", ["carol@plain.test"], "Message-ID: <low@sender.test>\r\n\r\nx\r\n")
        self.assert_once(self.lab.plain, "<low@sender.test>")
        # The key is root's: the certificate stays, and what the rules say is read again all the same.
        self.assertEqual(0, relay.command("rule", "reload").returncode, relay.output()[-1000:])
        self.assertIn(" certificate_not_reloaded ", relay.output())
        self.smtp(port=LOW_PORT).starttls()
        self.assertEqual(0, relay.restart().stop(), relay.output()[-1000:])

    def test_the_gate_starts_as_root_and_stays_nobody(self):
        gate = self.gate()
        sections = self.lab.gate_sections()
        del sections["gate"]["control"]
        gate.configure({**sections, "process": {"user": "nobody"}})
        gate.start()
        self.assert_given_up(gate)
        self.relay().start()
        self.assert_once(self.lab.receiver, self.lab.send("bob@receiver.test"))

    def test_whoever_stays_root_is_warned_and_confined(self):
        relay = self.relay().start()
        self.assertIn(" warning runs_as_root ", relay.output())
        found = status(relay.program.pid)
        self.assertEqual(["0"] * 4, found["Uid"])
        self.assertEqual((["1"], ["2"]), (found["NoNewPrivs"], found["Seccomp"]))

    # Just then an operator wants to look in.
    def test_the_control_socket_outlives_a_want_of_descriptors(self):
        relay = self.relay().start()
        pid = relay.program.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
        control = os.path.join(self.lab.folder, relay.sections["relay"]["control"])
        with socket.socket(socket.AF_UNIX) as operator:
            operator.settimeout(10)
            folder = os.open(self.lab.folder, os.O_PATH)
            self.addCleanup(os.close, folder)
            operator.connect(f"/proc/self/fd/{folder}/{os.path.basename(control)}")
            operator.sendall(b'{"command": "status"}\n')
            wait_for(lambda: " accept_failed " in relay.output(), "the want of descriptors")
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            self.assertTrue(operator.recv(100), "an answer")
        self.assertEqual(0, relay.command("queue", "list").returncode)

    # Landlock lets it read what it was started with, wherever that lies.
    def test_what_rules_name_can_be_read_again(self):
        elsewhere = self.enterContext(tempfile.TemporaryDirectory())
        key = shutil.copy(os.path.join(self.lab.certificates.folder, "plain.pem"), elsewhere)
        relay = self.relay(rule=[{"domain": "plain.test", "pins": [key]}]).start()
        done = relay.command("rule", "reload")
        self.assertEqual(0, done.returncode, done.stderr)

    def test_the_sandbox_can_be_left_out(self):
        relay = self.relay(process={"sandbox": "off"}).start()
        found = status(relay.program.pid)
        self.assertEqual((["1"], ["0"]), (found["NoNewPrivs"], found["Seccomp"]))

    def test_a_folder_of_roots_is_named_with_the_remedy(self):
        relay = self.users_relay()
        data = relay.sections["relay"]["data"]
        os.mkdir(data, 0o700)
        for check in False, True:
            with self.subTest(check=check):
                done = self.lab.pinnace("relay", "--config", relay.config, *["--check"] * check)
                self.assertEqual(1, done.returncode)
                self.assertIn(f"chown -R nobody: {data}", done.stderr)

    def test_a_user_that_is_not_there_is_named_with_the_remedy(self):
        relay = self.relay(process={"user": "no-such-user"})
        for check in False, True:
            with self.subTest(check=check):
                done = self.lab.pinnace("relay", "--config", relay.config, *["--check"] * check)
                self.assertEqual(1, done.returncode)
                self.assertRegex(done.stderr, "no-such-user.*useradd")

    def test_open_files_are_allowed_for_as_the_settings_need(self):
        relay = self.relay(limits={"max_sessions": 3000}).start(["sh", "-c", 'ulimit -Sn 64; exec "$@"', "sh"])
        with open(f"/proc/{relay.program.pid}/limits", encoding="ascii") as limits:
            soft = next(line.split()[3] for line in limits if line.startswith("Max open files"))
        self.assertGreater(int(soft), 3000)
        self.assertNotIn("few_open_files", relay.output())

    def test_the_version_says_what_the_kernel_offers(self):
        done = self.lab.pinnace("--version")
        self.assertRegex(done.stdout, r"^\d+\.\d+\.\d+\n.*confinement.*: .*no_new_privs")


class Notify(ProcessTest):
    """systemd's end of sd_notify(3)."""

    def start_notified(self, service, **environment):
        self.path = self.lab.path("notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(os.unlink, self.path)
        self.addCleanup(self.socket.close)
        self.socket.settimeout(20)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        settings = [f"{name}={value}" for name, value in environment.items()]
        service.launch(["env", f"NOTIFY_SOCKET={self.path}", *settings])

    def hears(self, *expected):
        """Takes what comes until each of these came, in this order; all that came."""
        came = []
        for pattern in expected:
            while not came or not re.search(pattern, came[-1]):
                came.append(self.socket.recv(4096).decode())
            came.append("")
        return came

    def test_systemd_hears_of_each_step(self):
        relay = self.users_relay()
        self.start_notified(relay, WATCHDOG_USEC=300_000)
        self.hears("^READY=1$", "^WATCHDOG=1\nSTATUS=0 messages queued, 0 sessions$", "^WATCHDOG=1", "^WATCHDOG=1")
        relay.program.process.send_signal(signal.SIGHUP)
        self.hears(r"^RELOADING=1\nMONOTONIC_USEC=\d+$", "^READY=1$", "^WATCHDOG=1")
        self.assertIn(" rules_reloaded ", relay.output())
        relay.program.process.send_signal(signal.SIGTERM)
        self.hears("^STOPPING=1$")
        self.assertEqual(0, relay.stop())

    # What does not turn does not ping: systemd ends it then.
    def test_a_process_that_hangs_is_silent(self):
        relay = self.relay()
        self.start_notified(relay, WATCHDOG_USEC=300_000)
        self.hears("^READY=1$", "^WATCHDOG=1")
        relay.program.process.send_signal(signal.SIGSTOP)
        self.addCleanup(relay.program.process.send_signal, signal.SIGCONT)
        self.socket.settimeout(1)
        with self.assertRaises(TimeoutError):
            for _ in range(100):
                self.socket.recv(4096)


class Check(ProcessTest):
    def check(self, service):
        return self.lab.pinnace(service.kind, "--config", service.config, "--check")

    def test_what_can_be_started_is_ok_and_is_not_started(self):
        relay = self.users_relay()
        done = self.check(relay)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertIn("OK", done.stdout)
        self.assertFalse(os.path.exists(relay.sections["relay"]["data"]))
        gate = self.gate()
        self.assertEqual(0, self.check(gate).returncode, self.check(gate).stderr)

    def test_what_runs_already_is_ok(self):
        relay = self.users_relay().start()
        done = self.check(relay)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assert_once(self.lab.plain, self.lab.send("carol@plain.test"))

    def test_each_fault_is_named(self):
        self.relay().start()
        other = self.lab.service("relay", "faulty", self.lab.relay_sections("faulty"))
        for section, change, expected in (
            ("relay", {"certificate": "absent.pem", "key": "absent.key"}, r"absent\.pem"),
            ("relay", {}, f"{RELAY}:{RELAY_PORT}"),  # the other's
            ("relay", {"control": "/nowhere/relay.sock"}, "/nowhere"),
            ("tls", {"roots": "absent-roots.pem"}, r"absent-roots\.pem"),
            ("dns", {"trust_anchor_file": "absent.key"}, r"absent\.key"),
            ("log", {"file": "/nowhere/log"}, "/nowhere"),
            ("queue", {"lifetime": "soon"}, "lifetime"),
        ):
            with self.subTest(section=section, change=change):
                other.configure(self.lab.relay_sections("faulty", **{section: change}))
                done = self.check(other)
                self.assertEqual(1, done.returncode, done.stdout)
                self.assertRegex(done.stderr, expected)

    def test_users_that_only_root_may_read_are_named(self):
        users = self.lab.path("users")
        with open(users, "w", encoding="ascii") as file:
            file.write("# nobody yet\n")
        os.chmod(users, 0o600)
        relay = self.users_relay(relay={"users": users})
        done = self.check(relay)
        self.assertEqual(1, done.returncode, done.stdout)
        self.assertRegex(done.stderr, f"{re.escape(users)}: it cannot be read")

    def test_a_store_of_a_newer_version_is_named(self):
        relay = self.relay().start()
        relay.stop()
        data = relay.sections["relay"]["data"]
        ldb = os.path.join(self.lab.root, "usr/bin/ldb")
        subprocess.run([ldb, f"--db={data}", "put", "version", "99"], check=True, capture_output=True)
        done = self.check(relay)
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stderr, f"{re.escape(data)}.*99")
