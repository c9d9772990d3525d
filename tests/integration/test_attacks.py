"""That the attacks are real: whoever pins nothing loses mail to them. (That pins stop them is what
the demo's test shows.) And what a first contact with an attacker costs."""

import json

from certificates import pin_of
from lab import DEAD, MX, MX_ASIDE
from programs import wait_for
from support import LabTest

RECIPIENT = "bob@receiver.test"


class Attacks(LabTest):
    def setUp(self):
        super().setUp()
        certificates = self.lab.certificates
        self.name = self.id().rsplit(".", 1)[-1]
        self.own = certificates.self_signed(self.name + "-own", "mx.receiver.test")
        self.trusted = certificates.issued(self.name + "-ca", "mx.receiver.test")
        self.forged = [
            f"PKP PIN-SHA256={pin_of(key)}" for key in (self.trusted[1], certificates.key(self.name))
        ]
        self.forged.append("PKP MAX-AGE=5184000")

    def loses_a_message_to(self, attack, **settings):
        """A relay without pins meets the attack: what the attacker was handed."""
        interceptor = self.lab.intercept(attack, **settings)
        self.lab.send(RECIPIENT)
        wait_for(
            lambda: any(line.startswith("DATA") for line in interceptor.taken()),
            f"a message in the hands of {attack}",
        )
        self.lab.relay.wait_until_empty()
        interceptor.stop()
        return interceptor.taken()

    def test_without_pins_each_of_these_attackers_reads_the_mail(self):
        self.relay(pins={"noting": "off"}).start()
        self.gate(listen=MX_ASIDE).start()
        for attack, settings in (
            ("own-cert", {"pair": self.own}),
            ("ca-cert", {"pair": self.trusted}),
            ("strip-starttls", {}),
            ("forge-pkp", {"pair": self.trusted, "forged": self.forged}),
            ("strip-pkp", {"pair": self.trusted, "forward": f"{MX_ASIDE}:25"}),
        ):
            with self.subTest(attack):
                taken = self.loses_a_message_to(attack, **settings)
                self.assertIn(RECIPIENT, "".join(taken))

    # pinning-protocol 3: what was said before TLS plants no pins, though mail may go out in clear.
    def test_pins_shown_before_tls_are_never_noted(self):
        relay = self.relay().start()
        interceptor = self.lab.intercept("inject-before-tls", pair=self.trusted, forged=self.forged)
        self.lab.send(RECIPIENT)
        relay.wait_for_held(RECIPIENT)
        interceptor.wait_for_connections()
        self.assertEqual([], relay.ask("pins", "list"))
        self.assertEqual([], interceptor.taken())
        # 1.1: and that somebody did so is told, though the session came to nothing.
        self.assertRegex(relay.output(), r"advert_before_tls host=mx\.receiver\.test .*keyword=PKP")

    # pinning-protocol 3: a first contact that nothing authenticates cannot lock the domain out.
    def test_a_hostile_first_contact_does_not_lock_the_receiver_out(self):
        relay = self.relay().start()
        forged = [
            f"PKP PIN-SHA256={pin_of(key)}"
            for key in (self.own[1], self.lab.certificates.key(self.name + "-2"))
        ]
        self.loses_a_message_to("forge-pkp", pair=self.own, forged=[*forged, "PKP MAX-AGE=5184000"])
        self.assertNotIn("authenticated", json.dumps(relay.ask("pins", "list")))
        self.gate().start()
        identity = self.lab.send(RECIPIENT)
        self.assert_once(self.lab.receiver, identity)

    # pinning-protocol 1.4: an invalid advert plants nothing, and is told of.
    def test_an_invalid_advert_is_ignored_and_reported(self):
        relay = self.relay().start()
        self.loses_a_message_to("forge-pkp", pair=self.own, forged=["PKP PIN-SHA256=short MAX-AGE=60"])
        self.assertEqual([], relay.ask("pins", "list"))
        self.assertRegex(relay.output(), r" pins_advert_invalid host=mx\.receiver\.test .*PIN-SHA256=short")

    # pinning-protocol 5: the host is given up before MAIL FROM, and forgetting is the operator's way out.
    def test_a_forgotten_set_binds_no_longer(self):
        relay = self.relay().start()
        gate = self.gate().start()
        self.lab.send(RECIPIENT)
        relay.wait_until_empty()
        gate.stop()
        other = self.lab.certificates.issued(self.name + "-new", "mx.receiver.test")
        gate.configure(self.lab.gate_sections(other, self.lab.certificates.key(self.name + "-backup")))
        gate.start()
        identity = self.lab.send(RECIPIENT)
        self.assertIn("4.7.5", json.dumps(relay.wait_for_held(RECIPIENT)))
        # One line tells of the attempt: with whom, under which TLS, what vouched for it, and what was demanded.
        self.assertRegex(
            relay.output(),
            r"attempt_failed id=\S+ domain=receiver.test host=mx.receiver.test address=127.77.0.10 "
            r"tls=TLSv1.3/\S+ verified_by=webpki policy=\"?pkp-host.* mx=secure status=4.7.5",
        )
        done = relay.command("pins", "forget", "mx.receiver.test")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(0, relay.command("queue", "retry", "--all").returncode)
        self.assert_once(self.lab.receiver, identity)

    # pinning-protocol 5: MODE=REPORT is tested and reported, and keeps nothing back.
    def test_a_set_that_only_reports_keeps_nothing_back(self):
        relay = self.relay(pins={"noting": "first-use"}).start()
        gate = self.lab.gate
        sections = self.lab.gate_sections()
        gate.configure({**sections, "gate.advert": {**sections["gate.advert"], "mode": "REPORT"}})
        gate.start()
        self.lab.send(RECIPIENT)
        relay.wait_until_empty()
        gate.stop()
        taken = self.loses_a_message_to("ca-cert", pair=self.trusted)
        self.assertIn(RECIPIENT, "".join(taken))
        self.assertRegex(relay.output(), r' delivered .*policy="pkp-host \(tested\), stsec"')
        self.assertRegex(relay.output(), r"policy_tested_failed host=mx\.receiver\.test .*MODE=REPORT")

    # Bad input: hosts that keep the relay waiting hold no worker for ever; the next attempt begins anew.
    def test_an_attempt_that_took_its_time_tries_no_further_host(self):
        relay = self.relay(limits={"greeting_timeout": "2s"}, delivery={"attempt_timeout": "1s"}).start()
        silent = self.lab.intercept("silent", at=DEAD)
        identity = self.lab.send("sven@several.test")
        held = relay.wait_for_held("sven@several.test")
        self.assertIn("mx.dead.test", held["reason"])
        self.assertIsNone(self.lab.plain.find(identity.encode()))
        silent.stop()
        self.assertEqual(0, relay.command("queue", "retry", "--all").returncode)
        self.assert_once(self.lab.plain, identity)

    # Bad input: a reset at any octet loses nothing.
    def test_resets_at_many_places_lose_nothing(self):
        relay = self.relay(pins={"noting": "off"}).start()
        self.gate(listen=MX_ASIDE).start()
        identities = []
        for after in (1, 40, 150, 200, 800, 1500, 1900):
            interceptor = self.lab.intercept("drop", forward=f"{MX_ASIDE}:25", after=after)
            identities.append(self.lab.send(RECIPIENT))
            # Where the last try found nobody, it waits with the others.
            self.assertEqual(0, relay.command("queue", "retry", "--all").returncode)
            interceptor.wait_for_connections()
            interceptor.stop()
        honest = self.lab.intercept("drop", forward=f"{MX_ASIDE}:25", after=100_000_000)
        self.assertEqual(0, relay.command("queue", "retry", "--all").returncode)
        for identity in identities:
            self.lab.receiver.wait_for_message(f"Message-ID: {identity}".encode())
        honest.stop()

    def test_a_silent_receiver_costs_its_deadline_and_no_more(self):
        relay = self.relay(limits={"greeting_timeout": "1s"}).start()
        self.lab.intercept("silent")
        self.lab.send(RECIPIENT)
        identity = self.lab.send("carol@plain.test")
        self.assert_once(self.lab.plain, identity)
        self.assertRegex(relay.wait_for_held(RECIPIENT)["reason"], "(?i)time|silent|deadline|answer")

    def test_the_interceptor_at_the_gates_address_is_refused_while_the_gate_stands_there(self):
        self.gate().start()
        with self.assertRaisesRegex(Exception, f"cannot bind {MX}:25"):
            self.lab.intercept("strip-starttls")
