"""What a domain declares by DNS and HTTPS, and names: hostile and borderline input, by which rule it is
valid or not, matches or not."""

from offline import OfflineTest


U_LABEL = "b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.test"


class LintTest(OfflineTest):
    def lint(self, kind, cases):
        """`cases`: why, the input, and what is expected of the values, or None of an invalid one."""
        for why, text, expected in cases:
            with self.subTest(f"{why}: {text[:80]!r}"):
                octets = text.encode() if isinstance(text, str) else text
                found = self.answer(1 if expected is None else 0, "lint", kind, "-", stdin=octets)
                self.assertEqual(expected is not None, found["valid"], found)
                if expected is None:
                    self.assertTrue(found["problems"])
                else:
                    self.assertEqual(expected, {name: found[name] for name in expected})


class StsTxt(LintTest):
    def test_rfc_8461_3_1(self):
        one = {"v": "STSv1", "id": "1"}
        self.lint(
            "sts-txt",
            (
                ("the RFC's own", "v=STSv1; id=20160831085700Z;", {"id": "20160831085700Z"}),
                ("a line's end is none of the record", "v=STSv1; id=1;\n", one),
                ("nor is CRLF", "v=STSv1; id=1;\r\n", one),
                ("[sts-field-delim]", "v=STSv1;id=1", one),
                ("*WSP ; *WSP", "v=STSv1\t ; \tid=1 \t; ", one),
                ("*WSP only beside a semicolon", "v=STSv1; id=1 ", None),
                ("MUST begin with the version", " v=STSv1; id=1;", None),
                ("MUST begin with the version", "id=1; v=STSv1;", None),
                ('%s"v=STSv1"', "v=stsv1; id=1;", None),
                ('%s"v=STSv1"', "V=STSv1; id=1;", None),
                ('%s"v=STSv1"', "v =STSv1; id=1;", None),
                ("another version", "v=STSv2; id=1;", None),
                ("another version", "v=STSv11; id=1;", None),
                ("no version", "id=1;", None),
                ("1*(sts-field-delim sts-field)", "v=STSv1;", None),
                ("1*(sts-field-delim sts-field)", "v=STSv1", None),
                ("an empty field", "v=STSv1;; id=1;", None),
                ("an empty field", "v=STSv1; id=1;;", None),
                ("an empty field", "v=STSv1; id=1; ;", None),
                ("no semicolon", "v=STSv1 id=1", None),
                ("a comma", "v=STSv1, id=1", None),
                ("sts-id is required", "v=STSv1; x=1;", None),
                ('%s"id="', "v=STSv1; ID=1;", None),
                ("1*32", "v=STSv1; id=;", None),
                ("1*32", f"v=STSv1; id={'a' * 32};", {"id": "a" * 32}),
                ("1*32", f"v=STSv1; id={'a' * 33};", None),
                ("ALPHA / DIGIT", "v=STSv1; id=2016-08-31;", None),
                ("ALPHA / DIGIT", "v=STSv1; id=a_b;", None),
                ("ALPHA / DIGIT", "v=STSv1; id=\N{LATIN SMALL LETTER U WITH DIAERESIS};", None),
                ("no blanks beside =", "v=STSv1; id =1;", None),
                ("no blanks beside =", "v=STSv1; id= 1;", None),
                ("RFC 8461 3.2: the first counts", "v=STSv1; id=1; id=2;", one),
                ("RFC 8461 3.2: the first counts", "v=STSv1; id=1-2; id=1;", None),
                ("unknown fields", "v=STSv1; a.b-c_d=!x:y; id=1;", one | {"extensions": {"a.b-c_d": "!x:y"}}),
                ("the first of them counts", "v=STSv1; a=1; a=2; id=1;", one | {"extensions": {"a": "1"}}),
                ("unknown fields are to the grammar", "v=STSv1; id=1; x;", None),
                ("unknown fields are to the grammar", "v=STSv1; id=1; x=;", None),
                ("unknown fields are to the grammar", "v=STSv1; id=1; =x;", None),
                ("unknown fields are to the grammar", "v=STSv1; id=1; x=a b;", None),
                ("unknown fields are to the grammar", "v=STSv1; id=1; x=a=b;", None),
                ("unknown fields are to the grammar", "v=STSv1; id=1; -x=a;", None),
                ("a name has 32 characters", f"v=STSv1; id=1; {'x' * 32}=a;", one),
                ("a name has 32 characters", f"v=STSv1; id=1; {'x' * 33}=a;", None),
                ("a value may be long", f"v=STSv1; id=1; x={'a' * 5000}", one),
                ("MUST be US-ASCII", b"v=STSv1; id=1; x=\xff;", None),
                ("a NUL", b"v=STSv1; id=1;\0", None),
                ("a NUL", b"v=STSv1; id=1\0;", None),
                ("other records are discarded", "v=spf1 -all\nv=STSv1; id=1;\n", one),
                ("not one record", "v=STSv1; id=1;\nv=STSv1; id=2;\n", None),
                ("not one record", "v=STSv1; id=1;\nv=STSv1; id=1;\n", None),
                ('of several, those with "v=STSv1;"', "v=STSv1 ; id=2\nv=STSv1; id=1\n", one),
                ("no record", "", None),
                ("no record", "v=spf1 -all", None),
                ("strings are joined without blanks", '"v=STSv1; " "id=1;"', one),
                ("strings are joined without blanks", '"v=STSv1; id="\t"1" ";"\n', one),
                ("strings are joined without blanks", '"v=STSv1; i d=" "1"', None),
                ("a quote that does not end", '"v=STSv1; id=1;', None),
            ),
        )


class StsPolicy(LintTest):
    RFC = (
        "version: STSv1\nmode: testing\nmx: mx1.example.com\nmx: mx2.example.com\n"
        "mx: mx.backup-example.com\nmax_age: 1296000\n"
    )

    def test_rfc_8461_3_2(self):
        good = "version: STSv1\nmode: enforce\nmx: mx.x.test\nmax_age: 86400\n"
        values = {"version": "STSv1", "mode": "enforce", "mx": ["mx.x.test"], "max_age": 86400}
        self.lint(
            "sts-policy",
            (
                (
                    "appendix A",
                    self.RFC,
                    {
                        "mode": "testing",
                        "mx": ["mx1.example.com", "mx2.example.com", "mx.backup-example.com"],
                        "max_age": 1296000,
                    },
                ),
                ("LF", good, values),
                ("CRLF", good.replace("\n", "\r\n"), values),
                ("both", good.replace("\n", "\r\n", 2), values),
                ("CR is no sts-policy-term", good.replace("\n", "\r"), None),
                ("CR is no sts-policy-term", good[:-1] + "\r", None),
                ("CR twice", good.replace("\n", "\r\r\n"), None),
                ("[sts-policy-term]", good[:-1], values),
                ("not two of them", good + "\n", None),
                ("no empty lines", "\n" + good, None),
                ("no empty lines", good.replace("\nmx", "\n\nmx"), None),
                ("no empty lines", good + "  \n", None),
                ("*WSP behind a field", good.replace("\n", " \t\n"), values),
                ("no WSP in front", " " + good, None),
                ("no WSP in front of the colon", good.replace(":", " :"), None),
                ('":" *WSP', good.replace(": ", ":"), values),
                ('":" *WSP', good.replace(": ", ":\t  "), values),
                ("= is no colon", good.replace(": ", "="), None),
                ("names are case-sensitive", good.replace("mode", "Mode"), None),
                ("values are case-sensitive", good.replace("enforce", "Enforce"), None),
                ("values are case-sensitive", good.replace("STSv1", "stsv1"), None),
                ("a byte order mark", b"\xef\xbb\xbf" + good.encode(), None),
                ("order is free", "max_age: 86400\nmx: mx.x.test\nmode: enforce\nversion: STSv1\n", values),
                ("version: required", good.replace("version: STSv1\n", ""), None),
                ("mode: required", good.replace("mode: enforce\n", ""), None),
                ("max_age: required", good.replace("max_age: 86400\n", ""), None),
                ("mx: required", good.replace("mx: mx.x.test\n", ""), None),
                ("mx: required", good.replace("enforce", "testing").replace("mx: mx.x.test\n", ""), None),
                ("mx: not with none", "version: STSv1\nmode: none\nmax_age: 1\n", {"mode": "none", "mx": []}),
                ("the first counts", good + "version: STSv2\nmode: none\nmax_age: 1\nmode: bogus\n", values),
                ("the first counts", "mode: bogus\n" + good, None),
                ("the first counts", "max_age: x\n" + good, None),
                ("the first counts", good + "x: a\nx: b\n", {"extensions": {"x": "a"}}),
                ("unknown fields", good + "a.b_c-d: any: text; =\n", values),
                ("unknown fields", good + "x: \N{SNOWMAN} \N{GREEK SMALL LETTER ALPHA}\n", values),
                ("unknown fields", good + "0: 0\n", values),
                ("their names are to the grammar", good + "_x: a\n", None),
                ("their names are to the grammar", good + "x y: a\n", None),
                ("their names are to the grammar", good + f"{'x' * 33}: a\n", None),
                ("their values are to the grammar", good + "x:\n", None),
                ("their values are to the grammar", good + "x: a\tb\n", None),
                ("their values are to the grammar", good + "x: a\x7fb\n", None),
                ("their values are to the grammar", good.encode() + b"x: \xc3\x28\n", None),
                ("their values are to the grammar", good.encode() + b"x: \xed\xa0\x80\n", None),
                ("a NUL", good.encode() + b"x: a\0b\n", None),
                ("no colon", good + "x\n", None),
                ("a comment is none", "# policy\n" + good, None),
                ("HTML", "<html><body>404</body></html>", None),
                ("nothing", "", None),
                ("RFC 8461 3.3: 64 KiB", good + "x: " + "a" * (65536 - len(good) - 3), values),
                ("RFC 8461 3.3: 64 KiB", good + "x: " + "a" * (65536 - len(good) - 2), None),
            ),
        )

    def test_max_age(self):
        for text, expected in (
            ("0", 0),
            ("1", 1),
            ("31557600", 31557600),
            ("0031557600", 31557600),
            ("31557601", None),
            ("9999999999", None),
            ("00000000001", None),
            ("99999999999999999999", None),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("1e3", None),
            ("0x10", None),
            ("1 2", None),
            ("1w", None),
            ("", None),
            ("\N{ARABIC-INDIC DIGIT ONE}", None),
        ):
            policy = f"version: STSv1\nmode: none\nmax_age: {text}\n"
            values = None if expected is None else {"max_age": expected}
            self.lint("sts-policy", [("max_age", policy, values)])

    def test_mx(self):
        for text, good in (
            ("mx.x.test", True),
            ("*.x.test", True),
            ("localhost", True),
            ("xn--bcher-kva.test", True),
            ("1.2.x.test", True),
            ("a" * 63 + ".test", True),
            ("a" * 64 + ".test", False),
            ("*", False),
            ("*.", False),
            (".", False),
            (".x.test", False),
            ("*.*.x.test", False),
            ("mx.*.test", False),
            ("m*.x.test", False),
            ("*mx.x.test", False),
            ("mx..test", False),
            ("mx.x.test.", False),
            ("-mx.x.test", False),
            ("mx-.x.test", False),
            ("mx_1.x.test", False),
            (U_LABEL, False),
            ("192.0.2.1", False),
            ("[192.0.2.1]", False),
            ("[IPv6:2001:db8::1]", False),
            ("2001:db8::1", False),
            ("mx.x.test:25", False),
            ("10 mx.x.test", False),
            ("mx.x.test, mx.y.test", False),
            ('"mx.x.test"', False),
            ("user@x.test", False),
            ("", False),
        ):
            policy = f"version: STSv1\nmode: enforce\nmx: {text}\nmax_age: 1\n"
            self.lint("sts-policy", [("mx", policy, {"mx": [text]} if good else None)])


class TlsrptTxt(LintTest):
    def test_rfc_8460_3(self):
        one = {"v": "TLSRPTv1", "rua": ["mailto:a@x.test"]}
        two = {"rua": ["mailto:a@x.test", "https://x.test/v1"]}
        self.lint(
            "tlsrpt-txt",
            (
                (
                    "3.1.1",
                    "v=TLSRPTv1;rua=mailto:reports@example.com",
                    {"rua": ["mailto:reports@example.com"]},
                ),
                (
                    "3.1.2",
                    "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt",
                    {"rua": ["https://reporting.example.com/v1/tlsrpt"]},
                ),
                ("[field-delim]", "v=TLSRPTv1; rua=mailto:a@x.test;", one),
                ("*WSP ; *WSP", "v=TLSRPTv1 ;\trua=mailto:a@x.test ; ", one),
                ("*WSP only beside a semicolon", "v=TLSRPTv1; rua=mailto:a@x.test ", None),
                ("*WSP only beside a semicolon", "v=TLSRPTv1; rua= mailto:a@x.test", None),
                ("*WSP , *WSP", "v=TLSRPTv1; rua=mailto:a@x.test\t, https://x.test/v1", two),
                ("*WSP , *WSP", "v=TLSRPTv1; rua=mailto:a@x.test,https://x.test/v1", two),
                ("no URI between commas", "v=TLSRPTv1; rua=mailto:a@x.test,,https://x.test/v1", None),
                ("no URI behind a comma", "v=TLSRPTv1; rua=mailto:a@x.test,", None),
                ("no URI", "v=TLSRPTv1; rua=", None),
                ("no URI", "v=TLSRPTv1; rua=a@x.test", None),
                ("one is no URI", "v=TLSRPTv1; rua=mailto:a@x.test, b@x.test", None),
                ("blanks are escaped", "v=TLSRPTv1; rua=mailto:a@x.test https://x.test/", None),
                ("'!' is escaped", "v=TLSRPTv1; rua=mailto:a@x.test!10m", None),
                ("';' is escaped", "v=TLSRPTv1; rua=https://x.test/a;b", None),
                ("escapes", "v=TLSRPTv1; rua=https://x.test/%2c%3B", {"rua": ["https://x.test/%2c%3B"]}),
                ("a broken escape", "v=TLSRPTv1; rua=https://x.test/%2", None),
                ("schemes in any case", "v=TLSRPTv1; rua=MAILTO:a@x.test", {"rua": ["MAILTO:a@x.test"]}),
                ("= in a URI", "v=TLSRPTv1; rua=https://x.test/?a=b", {"rua": ["https://x.test/?a=b"]}),
                ("two schemes are supported", "v=TLSRPTv1; rua=http://x.test/", None),
                ("two schemes are supported", "v=TLSRPTv1; rua=ftp://x.test/,mailto:a@x.test", one),
                ("no address", "v=TLSRPTv1; rua=mailto:", None),
                ("no host", "v=TLSRPTv1; rua=https:///v1", None),
                ("rua is required", "v=TLSRPTv1; x=y", None),
                ("rua is required", "v=TLSRPTv1;", None),
                ("rua is required", "v=TLSRPTv1", None),
                ('%s"rua="', "v=TLSRPTv1; RUA=mailto:a@x.test", None),
                ('%s"v=TLSRPTv1"', "v=TLSRPTV1; rua=mailto:a@x.test", None),
                ('%s"v=TLSRPTv1"', "v=TLSRPTv2; rua=mailto:a@x.test", None),
                ('%s"v=TLSRPTv1"', " v=TLSRPTv1; rua=mailto:a@x.test", None),
                ("the version comes first", "rua=mailto:a@x.test; v=TLSRPTv1", None),
                ("an empty field", "v=TLSRPTv1;; rua=mailto:a@x.test", None),
                ("unknown fields", "v=TLSRPTv1; x=z; rua=mailto:a@x.test", one | {"extensions": {"x": "z"}}),
                ("unknown fields to the grammar", "v=TLSRPTv1; rua=mailto:a@x.test; x", None),
                ("unknown fields to the grammar", "v=TLSRPTv1; rua=mailto:a@x.test; x=", None),
                ("tlsrpt-field may repeat", "v=TLSRPTv1; rua=mailto:a@x.test; rua=https://x.test/v1", two),
                ("other records are discarded", "v=STSv1; id=1\nv=TLSRPTv1; rua=mailto:a@x.test\n", one),
                ("not one record", "v=TLSRPTv1; rua=mailto:a@x.test\n" * 2, None),
                ("strings are joined", '"v=TLSRPTv1; rua=mail" "to:a@x.test"', one),
                ("beyond ASCII", b"v=TLSRPTv1; rua=mailto:\xff@x.test", None),
                ("a NUL", b"v=TLSRPTv1; rua=mailto:a\0@x.test", None),
                ("no record", "", None),
            ),
        )


class Tlsa(LintTest):
    def test_presentation_form(self):
        sha256, sha512 = "ab" * 32, "cd" * 64
        ee = {"usage": 3, "selector": 1, "matching_type": 1, "data": sha256, "usable": True}
        self.lint(
            "tlsa",
            (
                ("RFC 7672 3.1.1", f"3 1 1 {sha256}", ee),
                ("digits in capitals", f"3 1 1 {sha256.upper()}\r\n", ee),
                ("RFC 1035 5.1: blanks within", f"3\t1  1 {sha256[:31]} {sha256[31:]}", ee),
                ("RFC 1035 5.1: lines", f"x.test. 60 IN TLSA (\n 3 1 1 {sha256[:32]}\n{sha256[32:]} )", ee),
                ("RFC 1035 5.1: comments", f"; the live key\n3 1 1 {sha256} ; P-256\n", ee),
                ("RFC 7672 3.1.2", f"2 0 2 {sha512}", {"usage": 2, "usable": True}),
                ("RFC 7672 3.1.3", f"0 0 1 {sha256}", {"usage": 0, "usable": False}),
                ("RFC 7672 3.1.3", f"1 1 1 {sha256}", {"usage": 1, "usable": False}),
                ("RFC 6698 2.1.1", f"4 1 1 {sha256}", {"usage": 4, "usable": False}),
                ("RFC 6698 2.1.1", f"255 1 1 {sha256}", {"usage": 255, "usable": False}),
                ("RFC 6698 2.1.2", f"3 2 1 {sha256}", {"selector": 2, "usable": False}),
                ("RFC 6698 2.1.3", f"3 1 3 {sha256}", {"matching_type": 3, "usable": False}),
                ("RFC 6698 2.1.3: 31 octets", f"3 1 1 {sha256[2:]}", {"usable": False}),
                ("RFC 6698 2.1.3: 33 octets", f"3 1 1 {sha256}ab", {"usable": False}),
                ("RFC 6698 2.1.3: SHA2-512", f"3 1 2 {sha256}", {"usable": False}),
                ("RFC 6698 2.1.4: no certificate", "3 0 0 00", {"usable": False}),
                ("RFC 6698 2.1.4: no key", f"2 1 0 {sha256}", {"usable": False}),
                ("8-bit unsigned", f"256 1 1 {sha256}", None),
                ("8-bit unsigned", f"-1 1 1 {sha256}", None),
                ("8-bit unsigned", f"3 1 +1 {sha256}", None),
                ("8-bit unsigned", f"3 0x1 1 {sha256}", None),
                ("RFC 7218: names are for people", f"DANE-EE SPKI SHA2-256 {sha256}", None),
                ("an odd digit", f"3 1 1 {sha256}a", None),
                ("no digit", f"3 1 1 {sha256}xy", None),
                ("no digit", f"3 1 1 {sha256} trailing", None),
                ("no digit", "3 1 1 " + ":".join(["ab"] * 32), None),
                ("no data", "3 1 1", None),
                ("no data", "3 1 1 ()", None),
                ("one record", f"3 1 1 {sha256}\n3 1 1 {sha256}\n", None),
                ("a parenthesis", f"3 1 1 ( {sha256}", None),
                ("another type", f"x. IN A 3 1 1 {sha256}", None),
                ("another class", f"x. CH TLSA 3 1 1 {sha256}", None),
                ("beyond UTF-8", b"3 1 \xff\xfe 00", None),
                ("a NUL", b"3 1 1 ab\0", None),
                ("nothing", "", None),
                ("too much", "3 0 0 " + "00" * 30000, None),
            ),
        )


class Match(OfflineTest):
    def test_mx(self):
        for host, patterns, match, why in (
            ("mail.example.com", ["*.example.com"], True, "RFC 8461 4.1"),
            ("example.com", ["*.example.com"], False, "RFC 8461 4.1"),
            ("foo.bar.example.com", ["*.example.com"], False, "RFC 8461 4.1"),
            ("mx.x.test", ["mx.y.test", "mx.x.test"], True, "one or more"),
            ("MX.x.TEST", ["mx.X.test"], True, "RFC 6125 6.4.1"),
            ("mx.x.test.", ["mx.x.test"], True, "the root's dot of an MX record"),
            ("mx.x.test", ["mx.x.test."], False, "Domain has no dot at its end"),
            ("mx.x.test..", ["mx.x.test"], False, "an empty label"),
            ("mx..x.test", ["*.x.test"], False, "an empty label"),
            (".x.test", ["*.x.test"], False, "an empty label"),
            ("*.x.test", ["*.x.test"], False, "a pattern is no host"),
            ("xx.test", ["*x.test"], False, "all of the label"),
            ("mx.x.test", ["m*.x.test"], False, "all of the label"),
            ("mx.x.test", ["*.*.test"], False, "the left-most label"),
            ("mx.x.test", ["mx.*.test"], False, "the left-most label"),
            ("mx.x.test", ["*"], False, "no pattern"),
            ("mx.x.test", [""], False, "no pattern"),
            ("mx.x.test", ["[mx.x.test]"], False, "no pattern"),
            ("mx.x.test", ["[mx.x.test,mx.y.test]"], False, "no pattern"),
            ("[mx.x.test]", ["mx.x.test"], False, "no host"),
            ("mx.x.test", ["mx.x.test,mx.y.test"], False, "no pattern"),
            ("mx.x.test", ["mx.x.test "], False, "no pattern"),
            ("192.0.2.1", ["192.0.2.1"], False, "an address is no name"),
            ("1.192.0.2", ["*.192.0.2"], False, "an address is no name"),
            ("", ["mx.x.test"], False, "no host"),
            (U_LABEL, ["xn--bcher-kva.test"], True, "RFC 6125 6.4.2"),
            ("xn--bcher-kva.test", [U_LABEL], False, "A-labels"),
            ("xn--bcher-kva.x.test", ["*.x.test"], True, "one label is as good as another"),
            (b"\xff\xfe", [b"\xfd*"], False, "JSON is UTF-8 nevertheless"),
        ):
            with self.subTest(f"{host!r} {patterns} {why}"):
                found = self.answer(0 if match else 1, "match", "mx", host, *patterns)
                self.assertEqual(match, found["match"])

    def test_name(self):
        for host, names, match, why in (
            ("mx.x.test", ["mx.x.test"], True, "RFC 6125 6.4.1"),
            ("MX.x.test.", ["mx.X.TEST"], True, "RFC 6125 6.4.1"),
            ("mx.x.test", ["y.test", "mx.x.test"], True, "any of them"),
            ("mx.x.test", ["*.x.test"], True, "RFC 6125 6.4.3"),
            ("mx.x.test", ["*.X.test"], True, "RFC 6125 6.4.3"),
            ("a.mx.x.test", ["*.x.test"], False, "RFC 6125 6.4.3 2"),
            ("x.test", ["*.x.test"], False, "RFC 6125 6.4.3 2"),
            ("mx.x.test", ["m*.x.test"], False, "RFC 7672 3.2.3"),
            ("mx.x.test", ["*x.x.test"], False, "RFC 7672 3.2.3"),
            ("mx.x.test", ["mx.*.test"], False, "RFC 6125 6.4.3 1"),
            ("mx.x.test", ["*.*.test"], False, "RFC 6125 6.4.3 1"),
            ("mx.x.test", ["**.x.test"], False, "RFC 6125 6.4.3"),
            ("x.test", ["*.test"], False, "RFC 6125 7.2: a whole top-level domain"),
            ("test", ["*"], False, "RFC 6125 7.2"),
            ("*.x.test", ["*.x.test"], False, "a wildcard is no host"),
            ("xn--bcher-kva.x.test", ["*.x.test"], True, "a whole label may be an A-label"),
            ("xn--bcher-kva.test", ["xn--bcher-*.test"], False, "RFC 6125 6.4.3 3"),
            (U_LABEL, ["xn--bcher-kva.test"], True, "RFC 6125 6.4.2"),
            ("mx.x.test", ["mx.x.test."], False, "RFC 5280 4.2.1.6: a dNSName has no dot at its end"),
            ("mx.x.test", [".x.test"], False, "a suffix is no name"),
            (".x.test", ["mx.x.test"], False, "a suffix is no host"),
            (".", ["mx.x.test"], False, "no host"),
            ("mx.x.test", ["[mx.x.test]"], False, "no name"),
            ("mx.x.test", [" mx.x.test"], False, "no name"),
            ("mx.x.test", ["mx.x.test\n"], False, "no name"),
            ("192.0.2.1", ["192.0.2.1"], False, "RFC 6125 6.4: addresses never"),
            ("192.0.2.1", ["*.0.2.1"], False, "RFC 6125 6.4: addresses never"),
            ("2001:db8::1", ["2001:db8::1"], False, "RFC 6125 6.4: addresses never"),
            (b"\xff", [b"\xfe\x01"], False, "JSON is UTF-8 nevertheless"),
        ):
            with self.subTest(f"{host!r} {names} {why}"):
                found = self.answer(0 if match else 1, "match", "name", "--san", *names, host)
                self.assertEqual(match, found["match"])
