"""Next hops that the operator names: a Dovecot behind LMTP, and a Postfix in place of an MX."""

import re
import signal

from dovecot import Dovecot
from lab import PLAIN
from programs import wait_for
from support import LabTest

ENDPOINT = "127.77.0.60:24"


class RouteTest(LabTest):
    def send_to(self, recipients, mail=(), rcpt=()):
        identity = f"<{self.id().rsplit('.', 1)[-1]}@sender.test>"
        refused = self.smtp().sendmail(
            "alice@sender.test", recipients, f"Message-ID: {identity}\r\nSubject: x\r\n\r\nHello\r\n", mail, rcpt
        )
        self.assertEqual({}, refused)
        return identity.encode()

    def logged(self, event, recipient):
        """The relay's first log line of this event for this address."""
        pattern = re.compile(rf"^\S+ \S+ {event} .*\bto={re.escape(recipient)} .*$", re.MULTILINE)
        return wait_for(lambda: pattern.search(self.lab.relay.output()), f"{event} of {recipient}")[0]


class MailStore(RouteTest):
    def setUp(self):
        super().setUp()
        name = "dovecot-" + self.id().rsplit(".", 1)[-1][5:25]
        users = ["bob@local.test", "carol@local.test", "full@local.test"]
        self.store = Dovecot(self.lab.watchman, self.lab.path(name), self.lab.root, ENDPOINT, users)
        self.lab.started.append(self.store)

    def relay_to_store(self, where=None, **changes):
        route = [{"domain": "local.test", "lmtp": where or f"unix:{self.store.socket}"}]
        return self.relay(route=route, **changes).start()

    # RFC 2033 4.2: of one message one recipient is refused at RCPT, one after the text, and one has it.
    def test_each_recipient_has_his_own_answer(self):
        for chunking in True, False:
            with self.subTest(chunking=chunking):
                self.relay_to_store(delivery={"chunking": chunking})
                local = ["nobody@local.test", "full@local.test", "bob@local.test"]
                identity = self.send_to(local)
                self.store.wait_for_message("bob", identity)
                self.assertIn("5.1.1", self.logged("failed", "nobody@local.test"))
                self.assertRegex(self.logged("(failed|deferred)", "full@local.test"), r"[45]\.2\.2")
                self.assertIn(" tls=none ", self.logged("delivered", "bob@local.test"))
                self.assertEqual([], self.store.messages("full"))
                self.lab.plain.wait_for_message(b"Final-Recipient: rfc822; nobody@local.test", identity)
                self.lab.relay.stop()

    def test_a_store_that_is_down_gets_it_later(self):
        self.relay_to_store()
        self.store.stop()
        identity = self.send_to(["bob@local.test", "carol@local.test"])
        entry = self.lab.relay.wait_for_held("bob@local.test")
        self.assertEqual("4.4.1", entry["last_status"], entry)
        self.assertIn(self.store.socket, entry["reason"])
        self.store.start()
        self.lab.relay.command("queue", "retry", "--all")
        for user in "bob", "carol":
            self.store.wait_for_message(user, identity)
            self.assertEqual(1, len(self.store.messages(user)))
        self.lab.relay.wait_until_empty()

    # RFC 3461 5.2.3: nobody behind it would say so.
    def test_a_delivery_is_told_to_who_asked(self):
        self.relay_to_store(where=ENDPOINT)
        identity = self.send_to(["bob@local.test"], rcpt=["NOTIFY=SUCCESS"])
        self.store.wait_for_message("bob", identity)
        notice = self.lab.plain.wait_for_message(b"Final-Recipient: rfc822; bob@local.test", identity)
        self.assertIn(b"\nAction: delivered\n", notice)

    # A rule of the operator's binds his own hosts too, where a network is between.
    def test_a_rule_holds_over_tcp(self):
        rule = [{"domain": "local.test", "tls": "encrypt"}]
        self.relay_to_store(where=ENDPOINT, rule=rule)
        self.send_to(["bob@local.test"])
        entry = self.lab.relay.wait_for_held("bob@local.test")
        self.assertEqual("4.7.5", entry["last_status"], entry)
        self.assertEqual([], self.store.messages("bob"))
        self.lab.relay.stop()
        self.relay_to_store(rule=rule)
        self.store.wait_for_message("bob", self.send_to(["bob@local.test"]))


class FixedHost(RouteTest):
    # With the rules, all or nothing.
    def test_routes_are_read_again(self):
        relay = self.relay(route=[{"domain": "plain.test", "smtp": "127.77.0.30:25"}]).start()
        identity = self.send_to(["carol@plain.test"])
        self.logged("deferred", "carol@plain.test")
        good = {"domain": "plain.test", "smtp": f"{PLAIN}:25"}
        relay.configure({**relay.sections, "route": [good, {"domain": "other.test", "smtp": "unix:/x"}]})
        broken = relay.command("rule", "reload")
        self.assertEqual(1, broken.returncode)
        self.assertIn("a UNIX socket is expected behind lmtp only", broken.stderr)
        self.assertIn("[127.77.0.30]:25", relay.command("explain", "carol@plain.test").stdout)
        relay.configure({**relay.sections, "route": [good]})
        self.assertEqual(0, relay.command("rule", "reload").returncode)
        self.assertIn(f"[{PLAIN}]:25", relay.command("explain", "carol@plain.test").stdout)
        relay.command("queue", "retry", "--all")
        self.lab.plain.wait_for_message(b"Message-ID: " + identity)
        self.assertIn(" mx=route ", self.logged("delivered", "carol@plain.test"))
        # Without one it is the MX again.
        relay.configure({key: value for key, value in relay.sections.items() if key != "route"})
        relay.program.process.send_signal(signal.SIGHUP)
        wait_for(
            lambda: "route: " not in relay.command("explain", "carol@plain.test").stdout, "the route to be gone"
        )

    def test_in_place_of_an_mx(self):
        """The first of a route's hosts does not answer."""
        route = [{"domain": ".plain.test", "smtp": ["127.77.0.30:25", f"{PLAIN}:25"]}]
        self.relay(route=[*route, {"domain": "*", "smtp": "mx.plain.test:25"}]).start()
        identity = self.send_to(["carol@plain.test"])
        self.lab.plain.wait_for_message(b"Message-ID: " + identity)
        line = self.logged("delivered", "carol@plain.test")
        self.assertIn(" host=mx.plain.test ", line)
        self.assertIn(" mx=route ", line)
        # By the DNS there is no such domain; Postfix takes no mail for it.
        self.send_to(["carol@sub.plain.test"])
        self.assertIn(f" address={PLAIN} ", self.logged("deferred", "carol@sub.plain.test"))
        shown = self.lab.relay.command("explain", "carol@sub.plain.test").stdout
        self.assertIn("route: *.plain.test by smtp to [127.77.0.30]:25, then [127.77.0.20]:25", shown)
