"""The lab's own programs: `pinnace relay` and `pinnace gate`, and the interceptor."""

import json
import os
import re
import signal
import subprocess

from programs import LabError, Program, wait_for

READY = re.compile(r"^\S+Z info ready\b", re.MULTILINE)


def to_toml(sections):
    """{"relay": {"listen": [...]}, "gate.advert": {...}, "rule": [{...}, {...}]} as TOML."""

    def value(item):
        if isinstance(item, dict):
            return "{" + ", ".join(f"{key} = {value(inner)}" for key, inner in item.items()) + "}"
        if isinstance(item, list):
            return "[" + ", ".join(value(inner) for inner in item) + "]"
        return json.dumps(item)

    lines = []
    for section, entries in sections.items():
        tables = entries if isinstance(entries, list) else [entries]
        for table in tables:
            lines.append(f"[[{section}]]" if isinstance(entries, list) else f"[{section}]")
            lines += [f"{key} = {value(entry)}" for key, entry in table.items()]
    return "\n".join(lines) + "\n"


class Service:
    """A pinnace service with its configuration <name>.toml and its socket <name>.sock, both in the
    lab's folder, which is its working directory: a socket's path must be short."""

    def __init__(self, lab, name, kind, sections):
        self.lab, self.name, self.kind = lab, name, kind
        self.config = os.path.join(lab.folder, name + ".toml")
        self.configure(sections)
        self.program = None

    def configure(self, sections):
        self.sections = sections
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(to_toml(sections))

    def launch(self, wrapper=()):
        """Starts it and returns at once; `wrapper` is a command that ends by running its arguments."""
        self.program = Program(
            self.lab.watchman,
            self.lab.folder,
            self.name,
            [*wrapper, self.lab.binary("pinnace"), self.kind, "--config", self.config],
        )
        self.lab.started.append(self)
        return self

    def start(self, wrapper=()):
        self.launch(wrapper)
        self.program.wait_until(lambda: READY.search(self.program.output()), "its event 'ready'")
        return self

    def stop(self, number=signal.SIGTERM):
        """Ends it if it runs; its exit code, 0 after an orderly stop."""
        if self in self.lab.started:
            self.lab.started.remove(self)
        return self.program.stop(number) if self.program else 0

    def restart(self):
        self.stop()
        return self.start()

    def output(self):
        return self.program.output()

    def command(self, *arguments):
        """Runs `pinnace <arguments> --control <its socket>`; the completed process."""
        return self.lab.pinnace(*arguments, "--control", self.sections[self.kind]["control"])

    def ask(self, *arguments):
        """As command, with --json: what it answers."""
        done = self.command(*arguments, "--json")
        if done.returncode != 0:
            raise LabError(
                f"pinnace {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}"
            )
        return json.loads(done.stdout)

    def queue(self):
        return self.ask("queue", "list")

    def held(self, recipient):
        """The queued recipients of this address that were tried and put off."""
        return [
            entry
            for message in self.queue()
            for entry in message["recipients"]
            if entry["address"] == recipient and entry["reason"]
        ]

    def wait_for_held(self, recipient, deadline=20.0):
        return wait_for(
            lambda: self.held(recipient),
            lambda: f"mail for {recipient} to be put off by {self.name}; "
            f"the end of its log:\n{self.output()[-1500:]}",
            deadline,
        )[-1]

    def wait_until_empty(self, deadline=20.0):
        wait_for(
            lambda: not self.queue(),
            lambda: f"{self.name} to deliver all; it still holds\n" + json.dumps(self.queue(), indent=1),
            deadline,
        )


class Interceptor:
    """The attacker at an address. See lab/attack.hpp for the attacks."""

    def __init__(
        self, lab, attack, listen, *, pair=None, name="mx.receiver.test", forged=(), forward=None, after=None
    ):
        self.lab, self.attack = lab, attack
        self.record = os.path.join(lab.folder, f"taken-{attack}.txt")
        command = [
            lab.binary("lab_interceptor"),
            "--attack",
            attack,
            "--listen",
            listen,
            "--name",
            name,
            "--record",
            self.record,
        ]
        if pair:
            command += ["--cert", pair[0]] + (["--key", pair[1]] if pair[1] else [])
        for line in forged:
            command += ["--forged", line]
        if forward:
            command += ["--forward", forward]
        if after is not None:
            command += ["--after", str(after)]
        self.program = Program(lab.watchman, lab.folder, "interceptor", command)
        lab.started.append(self)
        self.program.wait_until(lambda: '"ready"' in self.program.output(), f"it to listen at {listen}")

    def connections(self):
        """One object for each connection that ended: attack, tls, commands, took."""
        return [
            json.loads(line) for line in self.program.output().splitlines() if line.startswith('{"attack"')
        ]

    def wait_for_connections(self, count=1, deadline=20.0):
        wait_for(
            lambda: len(self.connections()) >= count,
            f"{count} connections to the interceptor ({self.attack})",
            deadline,
        )
        return self.connections()

    def taken(self):
        """Each MAIL, RCPT and message it was handed; what of a message's sender it came to know."""
        if not os.path.exists(self.record):
            return []
        with open(self.record, encoding="utf-8", errors="replace") as record:
            return record.read().splitlines()

    def stop(self):
        if self in self.lab.started:
            self.lab.started.remove(self)
        return self.program.stop()


def run_pinnace(lab, *arguments):
    return subprocess.run(
        [lab.binary("pinnace"), *arguments],
        cwd=lab.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
