"""Chains against TLSA records and trust anchors, without a network; what the commands refuse to read."""

import datetime
import hashlib
import os
import subprocess
import tempfile

from offline import OfflineTest, run

DAY = datetime.timedelta(days=1)


class Authority:
    """Certificates in one folder, made by openssl. A name is that of a file without its .pem."""

    def __init__(self, folder):
        self.folder = folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def pem(self, *names):
        return b"".join(self.read(name + ".pem") for name in names)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def write(self, name, octets):
        with open(self.path(name), "wb") as file:
            file.write(octets)
        return self.path(name)

    def openssl(self, *arguments, stdin=b""):
        return subprocess.run(
            ["openssl", *arguments], cwd=self.folder, input=stdin, capture_output=True, check=True
        ).stdout

    def make(self, name, issuer=None, days=100, common_name="nobody", **extensions):
        """A P-256 key, and a certificate for it by `issuer`, or by itself."""
        lines = "".join(f"{key}={value}\n" for key, value in extensions.items())
        self.write(name + ".ext", lines.encode())
        key, request = name + ".key", name + ".csr"
        self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        self.openssl("req", "-new", "-key", key, "-subj", f"/CN={common_name}", "-out", request)
        by = ("-CA", issuer + ".pem", "-CAkey", issuer + ".key", "-CAcreateserial") if issuer else ()
        signer = by or ("-signkey", key)
        self.openssl(
            *("x509", "-req", "-in", request, *signer, "-days", str(days)),
            *("-extfile", name + ".ext", "-out", name + ".pem"),
        )

    def authority(self, name, issuer=None, days=100):
        self.make(
            name,
            issuer,
            days,
            common_name=name,
            basicConstraints="critical,CA:TRUE",
            keyUsage="critical,keyCertSign",
        )

    def tlsa(self, usage, selector, matching, name):
        """The record that such a certificate matches."""
        if selector == 0:
            content = self.openssl("x509", "-in", name + ".pem", "-outform", "DER")
        else:
            key = self.openssl("x509", "-in", name + ".pem", "-noout", "-pubkey")
            content = self.openssl("pkey", "-pubin", "-outform", "DER", stdin=key)
        content = (content, hashlib.sha256(content).digest(), hashlib.sha512(content).digest())[matching]
        return f"{usage} {selector} {matching} {content.hex()}"


class VerifyTest(OfflineTest):
    @classmethod
    def setUpClass(cls):
        cls.made = made = Authority(cls.enterClassContext(tempfile.TemporaryDirectory()))
        made.authority("root")
        made.authority("intermediate", "root")
        made.authority("other")
        made.authority("short-root", days=10)
        made.authority("short-intermediate", "root", days=10)
        san = "DNS:mx.x.test"
        made.make("leaf", "intermediate", subjectAltName=san)
        made.make("short", "intermediate", days=10, subjectAltName=san)
        made.make("under-short-root", "short-root", subjectAltName=san)
        made.make("under-short-intermediate", "short-intermediate", subjectAltName=san)
        made.make("wildcard", "intermediate", subjectAltName="DNS:*.x.test")
        made.make("partial", "intermediate", subjectAltName="DNS:m*.x.test")
        made.make("common-name", "intermediate", common_name="mx.x.test", basicConstraints="CA:FALSE")
        made.make("address", "intermediate", common_name="mx.x.test", subjectAltName="IP:192.0.2.1")
        made.make("elsewhere", "intermediate", common_name="mx.x.test", subjectAltName="DNS:mx.y.test")
        made.make("client", "intermediate", subjectAltName=san, extendedKeyUsage="clientAuth")
        made.make("self-signed", subjectAltName=san, basicConstraints="CA:FALSE")
        made.make("under-leaf", "leaf", subjectAltName=san)
        cls.now = datetime.datetime.now(datetime.timezone.utc)  # when all of them are valid

    def at(self, days):
        return (self.now + days * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")

    def chain(self, names):
        return self.made.write("chain", self.made.pem(*names.split()))

    def verify(self, cases, *against):
        for why, chain, names, days, more, ok in cases:
            with self.subTest(f"{why}: {chain}"):
                files = against or ("--tlsa", self.made.write("tlsa", "\n".join(more).encode()))
                options = [option for name in names.split() for option in ("--name", name)]
                found = self.answer(
                    *(0 if ok else 1, "verify", "chain", *files, "--chain", self.chain(chain)),
                    *(*options, "--time", self.at(days)),
                )
                self.assertEqual(ok, found["ok"], found)
                self.assertTrue(ok or found["problems"], found)
                self.assertTrue(found["reason"])

    # RFC 7672 3.1.1, 3.2.1
    def test_usage_3(self):
        tlsa, mx = self.made.tlsa, "mx.x.test"
        cases = [
            (f"3 {selector} {matching}", "leaf", mx, 0, [tlsa(3, selector, matching, "leaf")], True)
            for selector in (0, 1)
            for matching in (0, 1, 2)
        ]
        ee = [tlsa(3, 1, 1, "leaf")]
        self.verify(
            cases
            + [
                ("no name", "leaf", "mx.y.test", 0, ee, True),
                ("an address for a name", "leaf", "192.0.2.1", 0, ee, True),
                ("no dates", "leaf", mx, 1000, ee, True),
                ("no dates", "leaf", mx, -1000, ee, True),
                ("no purpose", "client", mx, 0, [tlsa(3, 0, 1, "client")], True),
                ("no CA", "self-signed", mx, 0, [tlsa(3, 1, 1, "self-signed")], True),
                ("the leaf comes first", "intermediate leaf", mx, 0, ee, False),
                ("not a CA", "leaf intermediate", mx, 0, [tlsa(3, 1, 1, "intermediate")], False),
                ("another selector", "leaf", mx, 0, ["3 0 1" + ee[0][5:]], False),
                ("another key", "leaf", mx, 0, [tlsa(3, 1, 1, "other")], False),
                ("one of several", "leaf", mx, 0, [tlsa(3, 1, 1, "other"), *ee], True),
            ]
        )

    # RFC 7672 3.1.2, 3.2.2, 3.2.3; RFC 7671 5.2
    def test_usage_2(self):
        tlsa, mx, whole = self.made.tlsa, "mx.x.test", "leaf intermediate root"
        cases = [
            (f"2 {selector} {matching}", whole, mx, 0, [tlsa(2, selector, matching, name)], True)
            for selector in (0, 1)
            for matching in (0, 1, 2)
            for name in ("root", "intermediate")
        ]
        ta = [tlsa(2, 0, 1, "intermediate")]
        self.verify(
            cases
            + [
                ("the anchor is in the chain", "leaf intermediate", mx, 0, [tlsa(2, 0, 1, "root")], False),
                ("the anchor is in the chain", "leaf", mx, 0, ta, False),
                ("RFC 7671 5.2.2: but for 2 0 0", "leaf", mx, 0, [tlsa(2, 0, 0, "intermediate")], True),
                ("RFC 7671 5.2.3: and 2 1 0", "leaf", mx, 0, [tlsa(2, 1, 0, "intermediate")], True),
                ("the chain is whole", "leaf root", mx, 0, [tlsa(2, 0, 1, "root")], False),
                ("its order is free", "leaf root intermediate", mx, 0, [tlsa(2, 0, 1, "root")], True),
                ("a CA beside it", "leaf intermediate other", mx, 0, [tlsa(2, 0, 1, "other")], False),
                ("a leaf is no CA", "under-leaf leaf", mx, 0, [tlsa(2, 0, 1, "leaf")], False),
                ("nor its own", "leaf intermediate", mx, 0, [tlsa(2, 0, 1, "leaf")], False),
                ("nor its own", "self-signed", mx, 0, [tlsa(2, 0, 1, "self-signed")], False),
                ("dates", "short intermediate", mx, 20, ta, False),
                ("dates", "short intermediate", mx, 5, ta, True),
                ("dates", "leaf intermediate", mx, -1, ta, False),
                (
                    "dates of the anchor",
                    *("under-short-root short-root", mx, 20),
                    *([tlsa(2, 0, 1, "short-root")], False),
                ),
                (
                    "dates of the anchor",
                    *("under-short-intermediate short-intermediate", mx, 20),
                    *([tlsa(2, 1, 1, "short-intermediate")], False),
                ),
                ("purpose", "client intermediate", mx, 0, ta, False),
                ("another name", "leaf intermediate", "mx.y.test", 0, ta, False),
                ("a name below", "leaf intermediate", "a.mx.x.test", 0, ta, False),
                ("a suffix is no name", "leaf intermediate", ".x.test", 0, ta, False),
                ("a dot is no name", "leaf intermediate", ".", 0, ta, False),
                ("in any case", "leaf intermediate", "MX.X.test.", 0, ta, True),
                ("the second name", "leaf intermediate", "x.test mx.x.test", 0, ta, True),
                ("a wildcard", "wildcard intermediate", mx, 0, ta, True),
                ("a wildcard for one label", "wildcard intermediate", "a.mx.x.test", 0, ta, False),
                ("a wildcard for one label", "wildcard intermediate", "x.test", 0, ta, False),
                ("part of a label", "partial intermediate", mx, 0, ta, False),
                ("never the CN", "common-name intermediate", mx, 0, ta, False),
                ("never the CN", "address intermediate", mx, 0, ta, False),
                ("not beside one", "elsewhere intermediate", mx, 0, ta, False),
                ("addresses never", "address intermediate", "192.0.2.1", 0, ta, False),
                ("either usage", "leaf", mx, 0, [*ta, tlsa(3, 1, 1, "leaf")], True),
            ]
        )

    # RFC 7671 9; RFC 7672 2.2, 3.1.3
    def test_several_records(self):
        tlsa, mx = self.made.tlsa, "mx.x.test"
        ee = tlsa(3, 1, 1, "leaf")
        self.verify(
            [
                ("the strongest digest alone", "leaf", mx, 0, [ee, tlsa(3, 1, 2, "other")], False),
                ("of a usage and selector", "leaf", mx, 0, [ee, tlsa(3, 0, 2, "other")], True),
                ("of usable ones", "leaf", mx, 0, [ee, "3 1 2 00"], True),
                ("full values always", "leaf", mx, 0, [tlsa(3, 1, 0, "leaf"), tlsa(3, 1, 2, "other")], True),
                ("unusable ones are passed over", "leaf", mx, 0, [tlsa(1, 1, 1, "leaf"), ee], True),
                ("none is usable", "leaf", mx, 0, [tlsa(1, 1, 1, "leaf"), tlsa(0, 0, 1, "root")], False),
                ("none is usable", "leaf", mx, 0, ["3 1 1 00"], False),
                ("none at all", "leaf", mx, 0, [], False),
                ("comments", "leaf", mx, 0, ["# old", ee + " # new", "", "; none", "3 1 1 00"], True),
            ]
        )
        records = self.made.write("unusable", tlsa(1, 1, 1, "leaf").encode())
        options = ("--chain", self.chain("leaf"), "--name", mx)
        found = self.answer(1, "verify", "chain", "--tlsa", records, *options)
        self.assertFalse(found["usable"])
        self.assertIn("usage 1", found["problems"][0])
        self.assertIn("no TLSA record is usable", found["reason"])

    # RFC 8461 4.2
    def test_webpki(self):
        mx = "mx.x.test"
        self.verify(
            [
                ("whole", "leaf intermediate root", mx, 0, [], True),
                ("the root need not be sent", "leaf intermediate", mx, 0, [], True),
                ("an intermediate must", "leaf", mx, 0, [], False),
                ("another root", "under-short-root short-root", mx, 0, [], False),
                ("self-signed", "self-signed", mx, 0, [], False),
                ("MUST NOT be expired", "short intermediate", mx, 20, [], False),
                ("not yet valid", "leaf intermediate", mx, -1, [], False),
                ("purpose", "client intermediate", mx, 0, [], False),
                ("another name", "leaf intermediate", "mx.y.test", 0, [], False),
                ("one of several", "leaf intermediate", "mx.y.test mx.x.test", 0, [], True),
                ("in any case, with a dot", "leaf intermediate", "Mx.X.test.", 0, [], True),
                ("a wildcard", "wildcard intermediate", mx, 0, [], True),
                ("a wildcard for one label", "wildcard intermediate", "a.mx.x.test", 0, [], False),
                ("part of a label", "partial intermediate", mx, 0, [], False),
                ("a SAN it is", "common-name intermediate", mx, 0, [], False),
                ("a DNS-ID it is", "address intermediate", mx, 0, [], False),
                ("a DNS-ID it is", "address intermediate", "192.0.2.1", 0, [], False),
                ("a dot is not every name", "leaf intermediate", ".", 0, [], False),
                ("nor a suffix", "leaf intermediate", ".x.test", 0, [], False),
            ],
            *("--webpki", "--roots", self.made.path("root.pem")),
        )
        self.answer(
            *(1, "verify", "chain", "--webpki", "--roots", self.made.path("root.pem"), "--name", ""),
            *("--chain", self.chain("leaf intermediate")),
        )

    def test_pem(self):
        pem, ee = self.made.pem, self.made.write("ee", self.made.tlsa(3, 1, 1, "leaf").encode())
        damaged = b"-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n"
        for why, octets, good in (
            ("text around it", b"subject\n" + pem("leaf") + b"\nissuer\n" + pem("root") + b"end", True),
            ("CRLF", pem("leaf").replace(b"\n", b"\r\n"), True),
            ("a key beside it", self.made.read("leaf.key") + pem("leaf"), True),
            ("nothing", b"", False),
            ("no PEM", b"leaf", False),
            ("a key", self.made.read("leaf.key"), False),
            ("DER", self.made.openssl("x509", "-in", "leaf.pem", "-outform", "DER"), False),
            ("cut short", pem("leaf")[:300], False),
            ("no certificate", damaged, False),
            ("no certificate behind a good one", pem("leaf") + damaged, False),
            ("one cut short behind a good one", pem("leaf") + pem("root")[:300], False),
        ):
            with self.subTest(why):
                options = ("verify", "chain", "--tlsa", ee, "--chain", "-", "--name", "mx.x.test")
                if good:
                    self.answer(0, *options, stdin=octets)
                else:
                    self.refused(*options, stdin=octets, names="-: ")

    def test_wrong_usage(self):
        ee, leaf = self.made.write("ee", self.made.tlsa(3, 1, 1, "leaf").encode()), self.made.path("leaf.pem")
        bad, folder = self.made.write("bad", b"# one\n\n3 1 1 zz\n"), self.made.folder
        empty, nowhere = self.made.write("empty", b""), self.made.path("nowhere")
        chain = ("verify", "chain", "--chain", leaf, "--name", "mx.x.test")
        for names, arguments in (
            ("bad: line 3", (*chain, "--tlsa", bad)),
            (folder, (*chain, "--tlsa", folder)),
            (nowhere, (*chain, "--tlsa", nowhere)),
            (empty, (*chain, "--webpki", "--roots", empty)),
            (folder, (*chain, "--webpki", "--roots", folder)),
            (nowhere, (*chain, "--webpki", "--roots", nowhere)),
            (nowhere, ("verify", "chain", "--chain", nowhere, "--name", "mx.x.test", "--tlsa", ee)),
            (folder, ("verify", "chain", "--chain", folder, "--name", "mx.x.test", "--tlsa", ee)),
            ("--tlsa", chain),
            ("--webpki", (*chain, "--tlsa", ee, "--webpki")),
            ("--name", ("verify", "chain", "--chain", leaf, "--tlsa", ee)),
            ("--chain", ("verify", "chain", "--name", "mx.x.test", "--tlsa", ee)),
            ("--time", (*chain, "--tlsa", ee, "--time", "yesterday")),
            ("standard input", ("verify", "chain", "--chain", "-", "--name", "a", "--tlsa", "-")),
            ("--nonsense", (*chain, "--tlsa", ee, "--nonsense")),
            *(
                (names, ("lint", kind, *arguments))
                for kind in ("sts-txt", "sts-policy", "tlsrpt-txt", "tlsa")
                for names, arguments in (
                    ("FILE", ()),
                    (folder, (folder,)),
                    (nowhere, (nowhere,)),
                    ("--nonsense", ("--nonsense", empty)),
                    ("extra", (empty, "extra")),
                )
            ),
            ("", ("lint",)),
            ("", ("lint", "nothing", empty)),
            ("", ("match",)),
            ("PATTERN", ("match", "mx", "mx.x.test")),
            ("--nonsense", ("match", "mx", "mx.x.test", "mx.x.test", "--nonsense")),
            ("--san", ("match", "name", "mx.x.test")),
            ("HOST", ("match", "name", "--san", "mx.x.test")),
        ):
            with self.subTest(" ".join(arguments)):
                self.refused(*arguments, names=names)

    def test_help(self):
        for command in (
            *(("lint", kind) for kind in ("sts-txt", "sts-policy", "tlsrpt-txt", "tlsa")),
            ("match", "mx"),
            ("match", "name"),
            ("verify", "chain"),
        ):
            done = run(*command, "--help")
            self.assertEqual(0, done.returncode, command)
            self.assertIn(b"Exit code", done.stdout)

    def test_answers_for_people_hold_no_control_character(self):
        for arguments, stdin in (
            (("match", "mx", b"\x1b[31m\xff", b"\x07\xfe"), b""),
            (("match", "name", "--san", b"\x1b[31m\xff", b"\x07\xfe"), b""),
            (("lint", "tlsa", "-"), b"3 \x1b[31m\xff 1 00"),
            (("lint", "sts-txt", "-"), b"v=STSv1; id=\x1b[31m\xff"),
            (("lint", "sts-policy", "-"), b"version: \x1b[31m\xff"),
        ):
            with self.subTest(arguments):
                done = run(*arguments, stdin=stdin)
                self.assertEqual(1, done.returncode, done.stderr)
                text = done.stdout.decode("utf-8", "strict")
                self.assertNotRegex(text, r"[\x00-\x09\x0b-\x1f\x7f]")
