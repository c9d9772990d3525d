"""Servers, and attackers in their place, that break the rules of SMTP on purpose: whatever they say,
a message is delivered once or kept, and nothing is said to them that TLS should have hidden."""

import itertools
import re

from hostile import EHLO, GO_ON, GREETING, HEARD, HOLD, HONEST, OFFER, OK, RESET, TEXT, TLS, Answered, Drip
from hostile import HostileServer
from lab import DEAD
from programs import wait_for
from support import LabTest

MEBIBYTE = 1 << 20
UP_TO_MAIL = (GREETING, EHLO)
UP_TO_DATA = (GREETING, EHLO, OK, OK)
UP_TO_TEXT = (GREETING, EHLO, OK, OK, GO_ON, TEXT)
IN_TLS = (EHLO, OK, OK, GO_ON, TEXT)
NONSENSE = b"250-mx\r\n250-\r\n250-\x00\x01\xff\r\n250-SIZE " + b"9" * 60 + b"\r\n250-=\r\n250 -X Y\r\n"
# Of TLS: handshake_failure, close_notify, unrecognized_name, and the begin of a ServerHello.
RECORD = b"\x15\x03\x03\x00\x02"
ALERT, CLOSE_NOTIFY, WARNING = RECORD + b"\x02\x28", RECORD + b"\x01\x00", RECORD + b"\x01\x70"
HALF_HELLO = b"\x16\x03\x03\x00\x04\x02\x00\x00\x00"

# script, what becomes of the message ("held", "bounced", "delivered"), its status, and why
ANSWERS = (
    ((b"554 5.7.1 not you\r\n",), "bounced", "5.7.1", "a greeting of 554 (RFC 5321 3.1)"),
    ((b"521 no mail here\r\n",), "bounced", r"5\.", "a greeting of 521 (RFC 7504)"),
    ((b"421 4.3.2 later\r\n",), "held", r"4\.", "a greeting of 421"),
    ((b"450 later\r\n",), "held", r"4\.", "a greeting of 450"),
    ((b"250 hello\r\n",), "held", r"4\.", "a greeting of 250"),
    ((b"354 go on\r\n",), "held", r"4\.", "a greeting of 354"),
    ((b"SSH-2.0-OpenSSH_9.2\r\n",), "held", r"4\.", "another protocol"),
    ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), "held", r"4\.", "another protocol"),
    ((b"\x15\x03\x01\x00\x02\x02\x46",), "held", r"4\.", "TLS at once"),
    ((b"220",), "held", r"4\.", "a greeting cut off"),
    ((b"220 mx\n",), "held", r"4\.", "a bare LF"),
    ((b"220 mx\r",), "held", r"4\.", "a bare CR"),
    ((b"220 mx\r\r\n", HOLD), "held", r"4\.", "CR CR LF"),
    ((b"220 a\r\n250 b\r\n", HOLD), "held", r"4\.", "the reply to EHLO before EHLO"),
    ((b"220-a\r\n250 b\r\n", HOLD), "held", r"4\.", "two codes in one greeting"),
    ((GREETING, b"250-a\r\n550 b\r\n", HOLD), "held", r"4\.", "two codes in one reply"),
    ((GREETING, b"250-a\r\n 250 b\r\n", HOLD), "held", r"4\.", "a space before the code"),
    ((GREETING, b"2500 a\r\n", HOLD), "held", r"4\.", "a code of four digits"),
    ((GREETING, b"25 a\r\n", HOLD), "held", r"4\.", "a code of two digits"),
    ((GREETING, b"199 a\r\n", HOLD), "held", r"4\.", "a code below 200"),
    ((GREETING, b"600 a\r\n", HOLD), "held", r"4\.", "a code above 599"),
    ((GREETING, b"250+a\r\n", HOLD), "held", r"4\.", "neither space nor hyphen"),
    ((GREETING, b"\xff\xfe\xfd\r\n", HOLD), "held", r"4\.", "octets that are no reply"),
    ((*UP_TO_MAIL, b"354 go on\r\n", HOLD), "held", r"4\.", "354 to MAIL"),
    ((*UP_TO_MAIL, OK + OK, HOLD), "held", r"4\.", "the reply to RCPT before RCPT"),
    ((*UP_TO_MAIL, b"550 5.1.8 no\r\n", b"221 bye\r\n"), "bounced", "5.1.8", "MAIL refused"),
    ((*UP_TO_MAIL, b"421 4.3.2 later\r\n", HOLD), "held", r"4\.", "421 to MAIL"),
    ((GREETING, EHLO, OK, b"550 5.1.1 no\r\n", b"221 bye\r\n"), "bounced", "5.1.1", "RCPT refused"),
    ((GREETING, EHLO, OK, b"421 4.3.2 later\r\n", HOLD), "held", r"4\.", "421 to RCPT"),
    ((GREETING, EHLO, OK, OK, OK, HOLD), "held", r"4\.", "250 to DATA"),
    ((GREETING, EHLO, OK, OK, b"554 5.6.0 no\r\n", b"221 bye\r\n"), "bounced", "5.6.0", "DATA refused"),
    ((GREETING, EHLO, OK, OK, GO_ON + OK, TEXT, HOLD), "held", r"4\.", "250 before the text"),
    # Nobody can tell it from an answer that comes at once; only what is there before the last octet is sent.
    ((GREETING, EHLO, OK, OK, GO_ON, Answered(OK), TEXT, HOLD), "held|delivered", r"", "250 before the end"),
    ((*UP_TO_TEXT, Answered(GO_ON), HOLD), "held", r"4\.", "354 to the message"),
    ((*UP_TO_TEXT, Answered(b"999 taken\r\n"), HOLD), "held", r"4\.", "no code for the message"),
    ((*UP_TO_TEXT, Answered(b"250-taken\r\n550 not\r\n"), HOLD), "held", r"4\.", "two codes for the message"),
    ((*UP_TO_TEXT, Answered(b"250-taken\r\n")), "held", r"4\.", "half a reply for the message"),
    ((*UP_TO_TEXT, Answered(b"250 taken")), "held", r"4\.", "a reply without its end for the message"),
    ((*UP_TO_TEXT, Answered(b"554 5.7.1 spam\r\n")), "bounced", "5.7.1", "the message refused, and closed"),
    ((*UP_TO_TEXT, Answered(b"421 4.3.2 later\r\n")), "held", r"4\.", "421 to the message"),
    ((*UP_TO_TEXT, Answered(OK)), "delivered", r"2\.", "closed behind its 250"),
    ((*UP_TO_TEXT, Answered(OK), b"\x00\xff not a reply\r\n"), "delivered", r"2\.", "nonsense to QUIT"),
    (
        (GREETING, NONSENSE, OK, OK, GO_ON, TEXT, Answered(OK)),
        "delivered",
        r"2\.",
        "an EHLO list of nonsense",
    ),
    ((b"220-a\r\n220-b\r\n220 c\r\n", b"250\r\n", b"250 \r\n", b"250-\r\n250\r\n", GO_ON, TEXT, Answered(OK)),
     "delivered", r"2\.", "replies without text"),
)


class HostileServers(LabTest):
    def setUp(self):
        super().setUp()
        name = "hostile-" + self.id().rsplit(".", 1)[-1][:30]
        self.peer = HostileServer(DEAD, self.lab.certificates.self_signed(name, "mx.dead.test"))
        self.addCleanup(self.peer.close)
        self.numbers = itertools.count(1)
        self.client = None

    def start(self, **changes):
        limits = {"greeting_timeout": "1s"}
        self.server = self.relay(
            limits=limits, delivery={"command_timeout": "3s", **changes.pop("delivery", {})}, **changes
        ).start()

    def outcome(self, *scripts):
        """Sends a message to this server: what became of it, its status and the line of the log."""
        self.peer.play(*scripts)
        recipient = f"case-{next(self.numbers)}@dead.test"
        self.server.command("queue", "retry", "--all")  # whatever the last one did, this one is tried
        if self.client is None:
            self.client = self.smtp()
        self.client.sendmail("alice@sender.test", [recipient], "Subject: x\r\n\r\nsecret\r\n.\r\nx\r\n")
        seen = re.compile(rf"(?m)^.* (deferred|failed|delivered) id=(\S+) to={recipient} .*status=(\S+) .*$")
        event, identity, status = wait_for(
            lambda: seen.search(self.server.output()), f"the outcome of {recipient}"
        ).groups()
        if event == "deferred":
            self.server.command("queue", "remove", identity)
        return {"deferred": "held", "failed": "bounced", "delivered": "delivered"}[event], status

    def assert_serves(self):
        self.assertTrue(self.server.program.running())
        self.assertEqual(("delivered", "2.0.0"), self.outcome(HONEST[:5] + (TEXT, Answered(OK), HONEST[-1])))

    def test_whatever_is_answered_a_message_is_delivered_once_or_kept(self):
        self.start()
        for script, becomes, status, why in ANSWERS:
            with self.subTest(why):
                became = self.outcome(script)
                self.assertRegex(became[0], f"^({becomes})$", became)
                self.assertRegex(became[1], "^" + status)
        self.assert_serves()

    # RFC 5321 4.2.5 and 7.8: a connection that ends proves nothing.
    def test_a_close_or_a_reset_anywhere_holds_the_message(self):
        self.start()
        steps = (GREETING, EHLO, OK, OK, GO_ON, TEXT)
        for count, end in itertools.product(range(len(steps) + 1), ((), (RESET,))):
            with self.subTest(count=count, end=end):
                became = self.outcome(steps[:count] + end)
                self.assertEqual("held", became[0], became)
                self.assertRegex(became[1], "^4[.]4[.][12]")
        self.assert_serves()

    # Bounded memory and bounded time, however much or however slowly a server talks.
    def test_a_server_that_talks_for_ever_is_left(self):
        self.start(delivery={"transaction_timeout": "3s"})
        self.assert_serves()
        before = self.server.program.memory_peak()
        for script, why in (
            ((GREETING, b"250-mx\r\n", Drip(b"250-more and more\r\n" * 1000)), "lines of one reply"),
            ((GREETING, b"250-", Drip(b"a" * 65536)), "one line"),
            ((Drip(b"220-hello\r\n" * 1000),), "a greeting"),
            ((*UP_TO_DATA, GO_ON, Drip(b"354 go\r\n" * 1000)), "replies while the text is sent"),
            ((Drip(b"220 mx.dead.test slowly", 0.2),), "a greeting, an octet at a time"),
            ((GREETING, b"250-mx", Drip(b" slowly", 0.2)), "the reply to EHLO, an octet at a time"),
            ((*UP_TO_MAIL, b"250", Drip(b" slowly", 0.2)), "the reply to MAIL, an octet at a time"),
            ((*UP_TO_TEXT, Drip(b"250-slowly\r\n", 0.2)), "the reply to the message, an octet at a time"),
            ((HOLD,), "nothing at all"),
        ):
            with self.subTest(why):
                became = self.outcome(script)
                self.assertEqual("held", became[0], became)
        self.assertLess(self.server.program.memory_peak() - before, 8 * MEBIBYTE)
        self.assert_serves()

    # RFC 3207 6, CVE-2021-38371 and its kin (NO STARTTLS, Poddebniak et al. 2021): where TLS is a must
    # no way around it gets an address or a text.
    def test_no_way_around_tls_that_is_a_must(self):
        self.start(rule=[{"domain": "dead.test", "tls": "encrypt"}])
        begun = (GREETING, OFFER)
        for script, why in (
            ((GREETING, EHLO, HOLD), "not offered"),
            ((GREETING, b"250-mx\r\n250-XSTARTTLS\r\n250 STARTTLSX\r\n", HOLD), "something like it"),
            ((GREETING, b"502 no EHLO\r\n", OK, OK, HOLD), "only HELO"),
            ((*begun, b"454 4.7.0 not now\r\n", OK, HOLD), "refused for now"),
            ((*begun, b"502 5.5.1 no\r\n", OK, HOLD), "refused for good"),
            ((*begun, OK, OK, HOLD), "answered with 250"),
            ((GREETING, OFFER + b"220 go\r\n", HOLD), "answered before it is said"),
            ((*begun, b"220 go\r\n" + EHLO, HOLD), "a reply for inside TLS behind it"),
            ((*begun, b"220 go\r\n" + OK * 5 + GO_ON + OK, HOLD), "a whole session behind it"),
            ((*begun, b"220 go\r\n2", HOLD), "half a reply behind it"),
            ((*begun, b"220 go\r\n", HEARD, Answered(EHLO), HOLD), "a reply in place of a ServerHello"),
            ((*begun, b"220 go\r\n", HEARD, Answered(HALF_HELLO), HOLD), "half a ServerHello"),
            ((*begun, b"220 go\r\n", HEARD, Answered(ALERT)), "an alert, handshake_failure"),
            ((*begun, b"220 go\r\n", HEARD, Answered(CLOSE_NOTIFY)), "an alert, close_notify"),
            ((*begun, b"220 go\r\n", HEARD, Answered(WARNING), HOLD), "a warning, and silence"),
            ((*begun, b"220 go\r\n", HEARD, Answered(b"\xff" * 20_000)), "noise"),
            ((*begun, b"220 go\r\n"), "closed"),
            ((*begun, b"220 go\r\n", RESET), "reset"),
            ((*begun, b"220 go\r\n", HOLD), "silence"),
            ((b"220 mx\r\n" + OFFER + b"220 go\r\n", HOLD), "all before anything was asked"),
            ((b"250 mx\r\n", OK, OK, OK, HOLD), "as if the session were authenticated already"),
        ):
            with self.subTest(why):
                became = self.outcome(script)
                self.assertEqual("held", became[0], became)
                said = [line.split(b" ")[0].upper() for line in self.peer.heard]
                self.assertLessEqual(set(said) & {b"MAIL", b"RCPT", b"DATA", b"BDAT", b"HELO"}, set(), said)
                self.assertNotIn(b"secret", b"".join(self.peer.heard))
        for script, why in (
            ((*begun, b"220 go\r\n", TLS, Answered(EHLO), HOLD), "a reply inside TLS before EHLO"),
            ((*begun, b"220 go\r\n", TLS), "closed behind the handshake"),
            ((*begun, b"220 go\r\n", TLS, *IN_TLS), "closed before the answer"),
            ((*begun, b"220 go\r\n", TLS, *IN_TLS, RESET), "reset before the answer"),
        ):
            with self.subTest(why):
                became = self.outcome(script)
                self.assertEqual("held", became[0], became)
        with self.subTest("EHLO refused inside TLS"):
            became = self.outcome((*begun, b"220 go\r\n", TLS, b"502 no\r\n", OK, HOLD))
            self.assertEqual("bounced", became[0], became)
            self.assertFalse([line for line in self.peer.heard if line.startswith((b"HELO", b"MAIL"))])
        with self.subTest("no close_notify behind the 250"):
            became = self.outcome((*begun, b"220 go\r\n", TLS, *IN_TLS, Answered(OK)))
            self.assertEqual("delivered", became[0], became)

    # RFC 7435: where nothing demands TLS a broken one is no worse than none; but what may be an attack on
    # a session is not taken for an answer.
    def test_without_a_must_broken_tls_is_passed_over(self):
        self.start()
        begun = (GREETING, OFFER)
        honest = HONEST[:5] + (TEXT, Answered(OK), HONEST[-1])
        for script, why in (
            ((*begun, b"220 go\r\n", HEARD, Answered(ALERT)), "an alert"),
            ((*begun, b"220 go\r\n", HEARD, Answered(EHLO)), "a reply in place of a ServerHello"),
            ((*begun, b"454 4.7.0 not now\r\n", OK, OK, GO_ON, TEXT, Answered(OK)), "refused"),
        ):
            with self.subTest(why):
                self.assertEqual("delivered", self.outcome(script, honest)[0])
        with self.subTest("injected"):
            self.assertEqual("held", self.outcome((*begun, b"220 go\r\n" + EHLO, HOLD), honest)[0])
