"""tools/rfcmap.py finds each kind of gap. Without a lab."""

import os
import subprocess
import sys
import tempfile
import unittest

from lab import SOURCE

GOOD = """title = "RFC 1: Things"
text = "rfc1.txt"
[keywords]
"1.2" = 2
"3" = 1
[[not_for_senders]]
section = "3"
reason = "binds a receiver"
[[requirement]]
section = "1.2"
id = "rfc1-1.2-1"
level = "MUST"
text = "a thing is done"
code = ["src/thing.cpp: void do_thing("]
test = ["src/thing_test.cpp: Thing.IsDone: at once", "tests/test_thing.py: Thing.test_it_is_done"]
[[requirement]]
section = "1.2"
id = "rfc1-1.2-2"
level = "MUST NOT"
text = "another thing is not done"
reason = "no program can know"
"""
RFC = """1.  Things

   The key words "MUST", "MUST NOT" and "REQUIRED" are to be understood.

1.2 More Things

   One MUST do a thing.  Another

Author                       Informational                      [Page 1]
\f
RFC 1                            Things                      March 1999

   MUST NOT be done.

3.  Receivers

   A receiver SHALL rest.
"""
FILES = {
    "docs/requirements/rfc1.toml": GOOD,
    "src/thing.cpp": "void do_thing() {}\n",
    "src/thing_test.cpp": 'TEST(Thing, IsDone) { const char* why = "at once"; }\n',
    "tests/test_thing.py": "class Thing:\n    def test_it_is_done(self):\n        pass\n",
    "rfc/rfc1.txt": RFC,
}


class RfcMap(unittest.TestCase):
    def setUp(self):
        # In a folder of its own: what lies beside a clone may be read.
        self.root = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "clone")
        os.mkdir(self.root)
        for path, text in FILES.items():
            self.write(path, text)

    def write(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def rfcmap(self, *arguments):
        return subprocess.run(
            [sys.executable, os.path.join(SOURCE, "tools", "rfcmap.py"), "--root", self.root, *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def assert_good(self, *arguments):
        done = self.rfcmap(*arguments)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def assert_gap(self, expected, *arguments):
        done = self.rfcmap(*arguments)
        self.assertEqual(1, done.returncode, done.stdout + done.stderr)
        self.assertEqual("", done.stderr)
        self.assertRegex(done.stdout, expected)

    def test_what_is_whole_passes(self):
        said = self.assert_good("--rfc", os.path.join(self.root, "rfc"))
        self.assertIn("2 in 1 documents, 0 problems", said)
        self.assertIn("not compared", self.assert_good("--check"))

    def test_each_gap_is_named_with_its_entry(self):
        self.assert_good()
        for old, new, expected, why in (
            ('reason = "no program can know"', "", r"rfc1-1\.2-2: has no test", "neither test nor reason"),
            ('reason = "no program can know"', 'reason = ""', "rfc1-1.2-2: a reason", "an empty reason"),
            ('reason = "no program can know"', 'pending = "rules"', "rfc1-1.2-2: waits for rules", "pending"),
            ("Thing.IsDone", "Thing.IsNot", r"rfc1-1\.2-1: \S+ has no test Thing.IsNot", "no such gtest"),
            ("test_it_is_done", "test_it", "test_thing.py has no test Thing.test_it:", "no Python test"),
            ("Thing.test_it", "Other.test_it", "has no test Other.test_it_is_done", "no such class"),
            (": at once", ": later", r'has no case "later"', "no such case"),
            ("void do_thing(", "void do_all(", r'src/thing.cpp does not hold "void do_all\("', "no symbol"),
            ("src/thing.cpp", "src/gone.cpp", r"rfc1-1\.2-1: code src/gone.cpp does not exist", "no file"),
            ("src/thing.cpp: void do_thing(", "src/thing.cpp", "names only a file", "a file and no symbol"),
            ("rfc1-1.2-2", "rfc1-1.2-1", r"rfc1-1\.2-1: another entry has this id", "an id twice"),
            ("rfc1-1.2-2", "rfc1-3-2", r"the id is rfc1-1\.2- and a number", "an id of another section"),
            ('level = "MUST NOT"', 'level = "SHOULD"', "rfc1-1.2-2: level is one of", "an unknown level"),
            ('text = "another', 'words = "another', "the field words is not known", "an unknown field"),
            ('"3" = 1', '"3" = 1\n"4" = 1', "section 4 has no entry", "a section that nobody looked at"),
            ('"1.2" = 2', '"1.2" = 3', "1.2 has 3 keywords and 2 entries", "a keyword that is missed"),
            ('section = "3"', 'section = "1.2"', "section 1.2 has entries", "for senders and not"),
            ('reason = "binds a receiver"', "", "section 3 is not for senders: for what reason", "no reason"),
            ("[keywords]", "[keywords", "rfc1.toml: is no TOML", "a broken file"),
        ):
            with self.subTest(why):
                self.assertIn(old, GOOD)
                self.write("docs/requirements/rfc1.toml", GOOD.replace(old, new))
                self.assert_gap(expected, "--check")

    def test_the_texts_are_compared_where_they_are_at_hand(self):
        rfc = os.path.join(self.root, "rfc")
        for old, new, expected, why in (
            ('"1.2" = 2', '"1.2" = 1', r'text has 2 keywords, not 1: write "1\.2" = 2', "one is missed"),
            ('"3" = 1', '"3" = 1\n"4" = 1', "text has 0 keywords, not 1: take it out", "no section"),
        ):
            with self.subTest(why):
                self.write("docs/requirements/rfc1.toml", GOOD.replace(old, new))
                self.assert_gap(expected, "--rfc", rfc)
        self.write("docs/requirements/rfc1.toml", GOOD)
        self.write("rfc/rfc1.txt", RFC + "\n4.  New\n\n   It is REQUIRED.\n")
        self.assert_gap('section 4 of the text has 1 keywords, not 0: write "4" = 1', "--rfc", rfc)
        os.remove(os.path.join(rfc, "rfc1.txt"))
        self.assert_gap("'rfc1.txt' is not in", "--rfc", rfc)

    def test_the_written_file_is_held_to_the_requirements(self):
        self.assert_gap("compliance.md: is not what docs/requirements says: run make compliance", "--check")
        self.assert_good()
        self.assert_good("--check")
        with open(os.path.join(self.root, "docs", "compliance.md"), encoding="utf-8") as file:
            written = file.read()
        self.assertIn("| [RFC 1: Things](requirements/rfc1.toml) | 2 | 1 | 1 | 0 | 1 |", written)
        code, test = "[src/thing.cpp](../src/thing.cpp)", "[src/thing_test.cpp](../src/thing_test.cpp)"
        self.assertIn(f"| 1 | MUST | a thing is done | {code}: `void do_thing(` |", written)
        self.assertIn(f"{test}: `Thing.IsDone`, “at once”<br>", written)
        self.assertIn("| none: no program can know |", written)
        self.write("docs/requirements/rfc1.toml", GOOD.replace("a thing is done", "a thing is well done"))
        self.assert_gap("run make compliance", "--check")
        self.assert_good()
        self.assert_good("--check")


if __name__ == "__main__":
    unittest.main()
