"""TLS sessions towards real servers that are resumed, and those that are not."""

from certificates import pin_of
from lab import MX
from programs import wait_for
from support import LabTest


ONE_EACH = {"messages_per_connection": 1}  # else a session waits a little for the next message


class Resumption(LabTest):
    def tls_of(self, recipient, count):
        """The field tls= of each of so many deliveries to this address."""

        def delivered():
            lines = self.lab.relay.output().splitlines()
            return [line for line in lines if " info delivered " in line and f" to={recipient} " in line]

        wait_for(lambda: len(delivered()) >= count, f"{count} deliveries to {recipient}")
        return [line.split(" tls=")[1].split()[0] for line in delivered()]

    def deliver(self, recipient, receiver, count=1):
        for _ in range(count):
            self.assert_once(receiver, self.lab.send(recipient))
            self.lab.relay.wait_until_empty()

    def test_a_session_with_postfix_is_resumed_under_the_same_decision_only(self):
        relay = self.relay(delivery=ONE_EACH, rule=[{"domain": "plain.test", "tls": "encrypt"}]).start()
        self.deliver("rita@plain.test", self.lab.plain, 4)
        # Postfix gives one ticket with a full handshake and none with a resumed one; each is used once.
        for full, tls in zip((True, False, True, False), self.tls_of("rita@plain.test", 4), strict=True):
            self.assertRegex(tls, r"^TLSv1\.3/\w+$" if full else r"^TLSv1\.3/\w+/resumed$")
        # More is demanded now: what was proven under less counts for nothing.
        rule = {"domain": "plain.test", "tls": "encrypt", "min_protocol": "TLSv1.2"}
        relay.configure({**relay.sections, "rule": [rule]})
        self.assertEqual(0, relay.command("rule", "reload").returncode)
        self.deliver("rosa@plain.test", self.lab.plain, 2)
        full, resumed = self.tls_of("rosa@plain.test", 2)
        self.assertNotIn("resumed", full)
        self.assertIn("/resumed", resumed)

    def test_none_is_resumed_where_the_operator_says_so(self):
        self.relay(delivery={**ONE_EACH, "resumption_lifetime": "0s"}).start()
        self.deliver("ruth@plain.test", self.lab.plain, 2)
        self.assertNotIn("resumed", " ".join(self.tls_of("ruth@plain.test", 2)))

    # The gate's pins are enforced: its own sessions are resumed, an interceptor cannot resume them, and a
    # change of the pins ends them.
    def test_pins_bind_a_resumed_session_as_any_other(self):
        gate = self.gate().start()
        relay = self.relay(delivery=ONE_EACH, pins={"noting": "first-use"}).start()
        self.deliver("rolf@receiver.test", self.lab.receiver, 3)
        first, second, third = self.tls_of("rolf@receiver.test", 3)
        self.assertNotIn("resumed", first)
        self.assertNotIn("resumed", second, "pins are in force since the first")
        self.assertIn("/resumed", third)
        gate.stop()
        interceptor = self.lab.intercept(
            "ca-cert", pair=self.lab.certificates.issued("resumer", "mx.receiver.test")
        )
        self.lab.send("rolf@receiver.test")
        held = relay.wait_for_held("rolf@receiver.test")
        self.assertEqual("4.7.5", held["last_status"], held)
        self.assertEqual([], interceptor.taken())
        interceptor.stop()
        gate.start()
        relay.command("queue", "retry", "--all")
        relay.wait_until_empty()
        self.assertNotIn("resumed", self.tls_of("rolf@receiver.test", 4)[-1])
        # Pins that the receiver does not have: nothing kept saves it.
        other = pin_of(self.lab.certificates.key("nobody"))
        done = relay.command("pins", "set", "mx.receiver.test", "--pin", other)
        self.assertEqual(0, done.returncode, done.stderr)
        self.lab.send("rolf@receiver.test")
        held = relay.wait_for_held("rolf@receiver.test")
        self.assertIn("does not match 1 pins of host mx.receiver.test", held["reason"])
        self.assertEqual(MX, held["reason"].split(" at ")[1].split()[0])
