"""Users who log in to the relay: swaks, a real Postfix, and guessers."""

import base64
import os
import re
import smtplib
import ssl
import subprocess

from lab import RELAY
from programs import wait_for
from support import Conversation, LabTest

SUBMISSION, SUBMISSIONS = 2587, 2465
PASSWORD = "pa55 wörd"


class Submission(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pair = cls.lab.certificates.issued("relay", "relay.sender.test")
        # yescrypt, by crypt(3); and one of our own.
        ann = "ann:$y$j9T$F5Jx5fExrKuPp53xLKQ..1$4cT1XRLT6DySXCxUCKRWFonjJQoecjIoQys0VZwcGL."
        bob = cls.user_line("bob@sender.test", "secret") + ":bob@sender.test,@plain.test"
        cls.users = cls.lab.path("users")
        cls.write_users(f"# who may\n{ann}\n{bob}\n")

    @classmethod
    def user_line(cls, name, password):
        made = subprocess.run(
            [cls.lab.binary("pinnace"), "user", "hash", name],
            input=password + "\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return made.stdout.strip()

    @classmethod
    def write_users(cls, text, mode=0o640):
        with open(cls.users + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(cls.users + ".new", mode)
        os.rename(cls.users + ".new", cls.users)

    def listeners(self, **changes):
        common = {"name": "users", "kind": "submission", "addresses": [f"{RELAY}:{SUBMISSION}"], **changes}
        first = {"name": "users-tls", "kind": "submissions", "addresses": [f"{RELAY}:{SUBMISSIONS}"]}
        return [common, first]

    def submission(self, **changes):
        return self.relay(
            relay={"certificate": self.pair[0], "key": self.pair[1], "users": self.users},
            listener=self.listeners(**changes),
        )

    def swaks(self, *arguments, port=SUBMISSION, sender="ann@sender.test"):
        """swaks' exit code, and what was said."""
        done = subprocess.run(
            ["swaks", "--server", RELAY, "--port", str(port), "--helo", "client.sender.test",
             "--from", sender, "--to", "carol@plain.test", *arguments],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def login(self, user="ann", password=PASSWORD):
        return ["--auth-user", user, "--auth-password", password]

    # RFC 4954, RFC 8314 3.3: either mechanism, either way to TLS; Received says that it was so (RFC 3848).
    def test_a_user_logs_in_and_sends(self):
        self.submission().start()
        for number, (mechanism, tls, port) in enumerate(
            (("PLAIN", "--tls", SUBMISSION), ("LOGIN", "--tls", SUBMISSION), ("PLAIN", "--tlsc", SUBMISSIONS))
        ):
            with self.subTest(mechanism=mechanism, port=port):
                identity = f"<submitted-{number}@sender.test>"
                code, said = self.swaks(
                    tls, "--auth", mechanism, *self.login(), "--header", f"Message-ID: {identity}", port=port
                )
                self.assertEqual(0, code, said)
                self.assert_once(self.lab.plain, identity)
                message = self.lab.plain.find(f"Message-ID: {identity}".encode())
                self.assertIn(b" with ESMTPSA id ", message)
                self.assertEqual(1, message.count(b"\nMessage-ID:"))

    # RFC 6409 4.3, RFC 3207 4: nothing without a login, no login without TLS; not from the relay's networks.
    def test_nobody_sends_without_a_login(self):
        self.submission().start()
        code, said = self.swaks()
        self.assertNotEqual(0, code)
        self.assertRegex(said, r"530 5\.7\.0 ")
        self.assertNotRegex(said, r"250.AUTH")
        code, said = self.swaks("--tls")
        self.assertNotEqual(0, code)
        self.assertRegex(said, r"530 5\.7\.0 ")
        client = self.smtp(port=SUBMISSION)
        client.ehlo()
        secret = base64.b64encode(b"\0ann\0" + PASSWORD.encode()).decode()
        self.assertEqual(538, client.docmd("AUTH", "PLAIN " + secret)[0])

    # RFC 6409 8.2, 8.3: added to what users submit, and never to what servers relay.
    def test_what_a_submitted_message_lacks_is_added(self):
        relay = self.submission()
        relay.start()
        bare = self.lab.path("bare.eml")
        with open(bare, "w", encoding="ascii") as file:
            file.write("Subject: bare\n\nbare-submitted\n")
        code, said = self.swaks("--tls", *self.login(), "--data", "@" + bare)
        self.assertEqual(0, code, said)
        message = self.lab.plain.wait_for_message(b"bare-submitted")
        self.assertRegex(message, rb"\nMessage-ID: <[0-9]+\.[0-9a-z]+@relay\.sender\.test>\n")
        self.assertRegex(message, rb"\nDate: \w{3}, \d{2} \w{3} \d{4} ")
        self.smtp().sendmail("alice@sender.test", ["carol@plain.test"], "Subject: x\r\n\r\nbare-relayed\r\n")
        message = self.lab.plain.wait_for_message(b"bare-relayed")
        self.assertNotIn(b"@relay.sender.test>\n", message.split(b"Subject: x")[1])
        self.assertNotRegex(message.split(b"\n\n")[0], rb"\nMessage-ID: <[0-9]+\.[0-9a-z]+@relay\.sender")

    # RFC 6409 6.1
    def test_a_user_sends_as_whom_the_file_says(self):
        self.submission().start()
        for sender, good in (
            ("bob@sender.test", True),
            ("who@plain.test", True),
            ("ann@sender.test", False),
            ("who@a.plain.test", False),
        ):
            with self.subTest(sender):
                code, said = self.swaks("--tls", *self.login("bob@sender.test", "secret"), sender=sender)
                self.assertEqual(good, code == 0, said)
                if not good:
                    self.assertRegex(said, r"550 5\.7\.1 ")

    # A front let him in; whom he may send as the file says here too. It need not have every user of the front's.
    def test_a_user_whom_a_front_names_is_held_to_the_file(self):
        self.relay(
            relay={"users": self.users},
            listener=[{"name": "front", "addresses": [f"{RELAY}:2526"], "xclient_from": ["127.0.0.0/8"]}],
        ).start()
        for attributes, sender, reply in (
            ("LOGIN=bob@sender.test", "bob@sender.test", "250 "),
            ("LOGIN=bob@sender.test", "ann@sender.test", r"550 5\.7\.1 "),
            ("LOGIN=bob@sender.test ADDR=192.0.2.1", "ann@sender.test", r"550 5\.7\.1 "),
            ("LOGIN=ann", "who@sender.test", "250 "),
            ("LOGIN=stranger", "who@sender.test", "250 "),
        ):
            with self.subTest(attributes, sender=sender):
                conversation = Conversation(RELAY, 2526)
                self.addCleanup(conversation.close)
                conversation.reply()
                self.assertRegex(conversation.ask("XCLIENT " + attributes), "^220 ")
                conversation.ask("EHLO a")
                self.assertRegex(conversation.ask(f"MAIL FROM:<{sender}>"), "^" + reply)
                if attributes.startswith("LOGIN=bob") and reply == "250 ":
                    self.assertRegex(conversation.ask("RSET"), "^250 ")
                    self.assertRegex(conversation.ask("XCLIENT HELO=other.test"), "^220 ")
                    conversation.ask("EHLO a")
                    self.assertRegex(conversation.ask("MAIL FROM:<ann@sender.test>"), "^550 ", "he is the same")

    # RFC 6531 3.7.4.2
    def test_a_refusal_names_no_address_beyond_ascii(self):
        self.relay(
            relay={"users": self.users},
            listener=[{"name": "front", "addresses": [f"{RELAY}:2526"], "xclient_from": ["127.0.0.0/8"]}],
        ).start()
        conversation = Conversation(RELAY, 2526)
        self.addCleanup(conversation.close)
        conversation.reply()
        conversation.ask("XCLIENT LOGIN=bob@sender.test")
        conversation.ask("EHLO a")
        reply = conversation.ask("MAIL FROM:<ä@sender.test> SMTPUTF8")
        self.assertRegex(reply, r"^550 5\.7\.1 ")
        self.assertTrue(reply.isascii(), reply)

    # RFC 4954 6: one answer for a wrong password and an unknown user, and a line of the log with both.
    def test_guessers_are_slowed_down_and_logged(self):
        relay = self.submission()
        relay.start()
        code, said = self.swaks("--tls", *self.login(password="wrong"))
        self.assertRegex(said, r"535 5\.7\.8 ")
        unknown = 'eve"\n x=1'
        client = self.smtp(port=SUBMISSION)
        context = ssl.create_default_context(cafile=self.lab.certificates.roots_file)
        context.check_hostname = False
        client.starttls(context=context)
        client.ehlo()
        attempt = "PLAIN " + base64.b64encode(f"\0{unknown}\0wrong".encode()).decode()
        answers = []
        while not answers or answers[-1][0] not in (421, -1):
            self.assertLess(len(answers), 10, answers)
            try:
                answers.append(client.docmd("AUTH", attempt))
            except smtplib.SMTPServerDisconnected:
                break
        self.assertEqual({535}, {code for code, _ in answers[:2]}, answers)
        self.assertLessEqual(len(answers), 4, "the session ends after a few")
        lines = [line for line in relay.output().splitlines() if " login_failed " in line]
        self.assertRegex(lines[0], r"client=127\.0\.0\.1 user=ann .*why=\"?wrong password")
        escaped = [line for line in lines if r'user="eve\"\x0a x=1"' in line]
        self.assertGreaterEqual(len(escaped), 2, lines)

    def test_a_changed_file_of_users_is_read(self):
        relay = self.submission()
        relay.start()
        before = open(self.users, encoding="utf-8").read()
        self.addCleanup(self.write_users, before)
        self.write_users(self.user_line("new", "fresh") + "\n")
        code, said = self.swaks("--tls", *self.login("new", "fresh"))
        self.assertEqual(0, code, said)
        self.write_users("broken\n")
        relay.program.process.send_signal(1)
        wait_for(lambda: "users_not_read" in relay.output(), "the broken file to be named")
        code, said = self.swaks("--tls", *self.login("new", "fresh"))
        self.assertEqual(0, code, said)

    # A Postfix that knows the relay as its smarthost with a login, as of a small office.
    def test_postfix_submits_with_a_login(self):
        self.submission().start()
        postfix = self.lab.sending_postfix(
            f"""relayhost = [{RELAY}]:{SUBMISSION}
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = inline:{{ {{ [{RELAY}]:{SUBMISSION} = bob@sender.test:secret }} }}
smtp_sasl_security_options = noanonymous
smtp_tls_security_level = encrypt
"""
        )
        client = self.smtp("127.77.0.50", 25)
        client.sendmail(
            "bob@sender.test", ["carol@plain.test"], "Message-ID: <office@sender.test>\r\n\r\nx\r\n"
        )
        try:
            message = self.lab.plain.wait_for_message(b"Message-ID: <office@sender.test>")
        except Exception as error:
            raise AssertionError(postfix.log()[-3000:]) from error
        self.assertIn(b" with ESMTPSA id ", message)

    # Nothing starts that could not take a login safely.
    def test_a_configuration_without_what_logins_need_is_named(self):
        for relay_section, expected, why in (
            ({"users": self.users}, r"kind.*relay\.certificate", "no certificate"),
            ({"certificate": self.pair[0], "key": self.pair[1]}, r"kind.*relay\.users", "no users"),
        ):
            with self.subTest(why):
                relay = self.relay(relay=relay_section, listener=self.listeners())
                check = self.lab.pinnace("config", "check", relay.config)
                self.assertNotEqual(0, check.returncode)
                self.assertRegex(check.stdout + check.stderr, r"\.toml:\d+: .*" + expected)
        for changes, expected in (
            ({"name": "relay"}, "another listener's name: the one at relay.listen"),
            ({"name": "users-tls"}, "another listener's name"),
            ({"name": "Users!"}, "small letters"),
            ({"kind": "smtps"}, '"submissions"'),
            ({"addresses": []}, "at least one"),
            ({"source_address": ["127.77.0.2", "127.77.0.3"]}, "at most one IPv4"),
        ):
            with self.subTest(changes):
                check = self.lab.pinnace("config", "check", self.submission(**changes).config)
                self.assertNotEqual(0, check.returncode)
                self.assertRegex(check.stdout + check.stderr, r"\.toml:\d+: .*" + re.escape(expected))

    def test_a_file_of_users_that_all_may_read_is_refused(self):
        relay = self.submission()
        os.chmod(self.users, 0o644)
        self.addCleanup(os.chmod, self.users, 0o640)
        relay.launch()
        self.addCleanup(relay.stop)
        self.assertNotEqual(0, relay.program.process.wait(20))
        self.assertRegex(relay.output(), "open to every user of this machine.*chmod o=")

    def test_a_hash_is_made_of_standard_input(self):
        self.assertRegex(self.user_line("ann", "x"), r"^ann:\$argon2id\$v=19\$m=19456,t=2,p=1\$")
        for name, given in (("a:b", "x\n"), ("ann", "\n"), ("ann", "x" * 256 + "\n")):
            done = subprocess.run(
                [self.lab.binary("pinnace"), "user", "hash", name],
                input=given, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            self.assertEqual((2, ""), (done.returncode, done.stdout), name)
