"""The demo: mail delivered under noted pins, and held while somebody sits in between.

Ends with 0 only if everything it shows happened. tests/integration/test_demo.py holds it to that.
"""

import json
import re
import signal
import sys
from collections import Counter
from typing import NamedTuple

from certificates import pin_of
from lab import MX, MX_ASIDE, RELAY, Lab
from programs import LabError
from timeline import Failed, Timeline

RECEIVER, PLAIN = "bob@receiver.test", "carol@plain.test"


class Trial(NamedTuple):
    attack: str  # as lab_interceptor names it
    title: str
    reason: str  # a regular expression that the operator's reason matches
    tls: str  # and one for how far the attacker's TLS got
    pair: str = ""  # which certificate it shows


TRIALS = (
    Trial(
        "own-cert", "An attacker in the receiver's place, with its own certificate", r"pin", "TLSv1", "own"
    ),
    Trial(
        "ca-cert",
        "... with a valid certificate for the right name, from a CA that the relay trusts",
        r"pin",
        "TLSv1",
        "ca",
    ),
    Trial("strip-starttls", "... who does not offer STARTTLS", r"STARTTLS", "none"),
    Trial("refuse-starttls", "... who refuses STARTTLS", r"STARTTLS", "none", "ca"),
    Trial(
        "replay",
        "... with the receiver's own certificate, but not its key",
        r"key|handshake",
        "failed",
        "replay",
    ),
    Trial(
        "strip-pkp", "... passing all on to the real receiver, without the PKP lines", r"pin", "TLSv1", "ca"
    ),
    Trial("forge-pkp", "... with a valid certificate, advertising pins for it", r"pin", "TLSv1", "ca"),
    Trial(
        "inject-before-tls",
        "... sending forged pins in clear, before TLS begins",
        r"before TLS|STARTTLS|clear|plain",
        "none|failed",
        "ca",
    ),
)


class Scenario:
    def __init__(self, lab, timeline):
        self.lab, self.timeline = lab, timeline
        self.sent = {}  # Message-ID: the maildir's Postfix where it belongs
        certificates = lab.certificates
        self.pairs = {
            "own": certificates.self_signed("attacker-own", "mx.receiver.test"),
            "ca": certificates.issued("attacker-ca", "mx.receiver.test"),
            "replay": (lab.pair[0], None),
        }
        self.forged = [
            f"PKP PIN-SHA256={pin_of(key)}" for key in (self.pairs["ca"][1], certificates.key("forged"))
        ]
        self.forged += ["PKP MAX-AGE=5184000", "STSEC MAX-AGE=31536000"]

    def run(self):
        self.first_contact()
        self.under_pins()
        for trial in TRIALS:
            self.attacked(trial)
        self.honest_again()
        self.rotation()
        self.count()

    def send(self, recipient):
        identity = self.lab.send(recipient)
        self.sent[identity] = self.lab.receiver if recipient == RECEIVER else self.lab.plain
        self.timeline.note(f"swaks -> relay: letter {len(self.sent)} for {recipient} is accepted")
        return identity

    def arrives(self, identity):
        receiver = self.sent[identity]
        message = self.timeline.becomes(
            lambda: receiver.find(f"Message-ID: {identity}".encode()),
            f"letter {len(self.sent)} is in the maildir of {receiver.hostname}",
            lambda: f"the relay's queue is {self.lab.relay.queue()}",
        )
        self.timeline.check(
            RELAY.encode() in message, f"Postfix saw it come from {RELAY}", "its header does not say so"
        )

    def noted(self):
        """The relay's record of the receiver's pins, or none."""
        return next(
            (
                entry
                for entry in self.lab.relay.ask("pins", "list")
                if "mx.receiver.test" in json.dumps(entry)
            ),
            None,
        )

    def notes(self, *keys):
        noted = json.dumps(self.noted())
        return all(pin_of(key) in noted for key in keys)

    def first_contact(self):
        self.timeline.heading("First contact: the relay meets mx.receiver.test, a gate before a Postfix")
        self.lab.relay.start()
        self.lab.gate.start()
        self.timeline.check(self.noted() is None, "the relay knows no pins yet")
        self.arrives(self.send(RECEIVER))
        self.timeline.becomes(
            lambda: self.notes(self.lab.pair[1], self.lab.backup_key),
            "`pinnace pins list` shows the receiver's key and its backup",
            lambda: str(self.noted()),
        )

    def under_pins(self):
        self.timeline.heading("Delivery under pins, and to a receiver that advertises nothing")
        self.arrives(self.send(RECEIVER))
        self.arrives(self.send(PLAIN))
        self.lab.relay.wait_until_empty()

    def attacked(self, trial):
        self.timeline.heading(trial.title)
        lab = self.lab
        lab.gate.stop()
        aside = trial.attack == "strip-pkp"
        if aside:
            lab.gate.configure(lab.gate_sections(listen=MX_ASIDE))
            lab.gate.start()
        interceptor = lab.intercept(
            trial.attack,
            pair=self.pairs.get(trial.pair),
            forged=self.forged,
            forward=f"{MX_ASIDE}:25" if aside else None,
        )
        self.timeline.attack(f"interceptor at {MX}:25: {trial.attack}")
        earlier = len(lab.relay.held(RECEIVER))
        self.send(RECEIVER)
        if earlier:
            # It waits with those before it, until the destination's pause ends or an operator ends it.
            self.timeline.note("pinnace queue retry --domain receiver.test")
            lab.relay.command("queue", "retry", "--domain", "receiver.test")
        held = self.timeline.becomes(
            lambda: [one for one in lab.relay.held(RECEIVER)[earlier:] if re.search(trial.reason, one["reason"], re.I)],
            "it is put off",
            lambda: f"the end of the relay's log is\n{lab.relay.output()[-1500:]}",
        )[-1]
        self.timeline.check(
            "4.7.5" in json.dumps(held),
            "with 4.7.5, and the reason that an operator reads:",
            json.dumps(held),
        )
        self.timeline.quote(held["reason"])
        self.timeline.check(
            re.search(trial.reason, held["reason"], re.IGNORECASE),
            "the reason names the attack",
            f"{held['reason']!r} does not match {trial.reason!r}",
        )
        met = interceptor.wait_for_connections()
        self.timeline.check(
            all(re.match(trial.tls, connection["tls"]) for connection in met),
            f"the attacker was met (TLS: {met[0]['tls']})",
            json.dumps(met),
        )
        self.timeline.check(
            not interceptor.taken(), "and got nothing, not even MAIL FROM", str(interceptor.taken())
        )
        interceptor.stop()
        if aside:
            lab.gate.stop()
            lab.gate.configure(lab.gate_sections())

    def honest_again(self):
        self.timeline.heading("The honest receiver is back")
        lab = self.lab
        lab.gate.start()
        held = len(lab.relay.held(RECEIVER))
        self.timeline.check(held == len(TRIALS), f"all {held} messages are still held")
        self.timeline.note("pinnace queue retry --all")
        done = lab.relay.command("queue", "retry", "--all")
        self.timeline.check(done.returncode == 0, "the relay is told to try again", done.stderr)
        self.timeline.becomes(
            lambda: not lab.relay.queue(),
            f"all {held} are delivered: the queue is empty",
            lambda: f"it holds {lab.relay.queue()}",
        )

    def rotation(self):
        self.timeline.heading("Rotation: the backup key goes live, a new backup takes its place")
        lab = self.lab
        renewed = lab.certificates.issued("mx-renewed", "mx.receiver.test", key=lab.backup_key)
        new_backup = lab.certificates.key("backup-2")
        lab.gate.configure(lab.gate_sections(renewed, new_backup))
        lab.gate.restart()
        self.arrives(self.send(RECEIVER))
        # One that had been put off would wait an hour.
        self.timeline.becomes(
            lambda: not lab.relay.queue(), "at its first attempt", lambda: str(lab.relay.queue())
        )
        self.timeline.becomes(
            lambda: self.notes(renewed[1], new_backup),
            "`pinnace pins list` shows the new live key and the new backup",
            lambda: str(self.noted()),
        )

    def count(self):
        self.timeline.heading("Counting")
        for receiver in (self.lab.receiver, self.lab.plain):
            due = [identity for identity, where in self.sent.items() if where is receiver]
            arrived = Counter(
                identity
                for message in receiver.messages()
                for identity in re.findall(rb"^Message-ID: (\S+)", message, re.MULTILINE)
            )
            once = [identity for identity in due if arrived[identity.encode()] == 1]
            self.timeline.check(
                len(once) == len(due) == arrived.total(),
                f"{len(due)} messages sent to {receiver.hostname}, {len(once)} arrived, each once",
                f"{dict(arrived)}",
            )


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    timeline = Timeline()
    folder = "nowhere yet"
    try:
        with Lab() as lab:
            folder = lab.folder
            timeline.heading("The lab: nsd with a signed zone, two receiving Postfix, on 127.77.0.0/16")
            timeline.note(f"logs and configurations are in {folder}")
            Scenario(lab, timeline).run()
    except (Failed, LabError) as failure:
        print(f"\ndemo: FAILED: {failure}\ndemo: logs are in {folder}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; everything is stopped", file=sys.stderr)
        return 130
    print(
        f"\nAll {timeline.checks} checks hold: {len(TRIALS)} attacks, nothing taken, nothing lost. "
        "Everything is stopped."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
