#!/usr/bin/python3
"""Traces each MUST of a standard that binds us to the code that obeys it and the test that shows it.

    tools/rfcmap.py              writes docs/compliance.md from docs/requirements/*.toml
    tools/rfcmap.py --check      says only whether the file is what would be written
    tools/rfcmap.py --rfc DIR    where the texts of the RFCs are: the sections are then held to them

Either way it ends with 1 and a line for each gap: a keyword without an entry, code or a test that is not
there, an entry that names neither test nor reason, or that still waits for something. The form of an entry
is in docs/requirements/README.md.
"""

import argparse
import ast
import os
import re
import sys
import tomllib
from collections import Counter

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REQUIREMENTS = os.path.join("docs", "requirements")
OUTPUT = os.path.join("docs", "compliance.md")
LEVELS = {"MUST", "MUST NOT", "SHALL", "SHALL NOT", "REQUIRED"}
KEYWORD = re.compile(r"\b(MUST|SHALL|REQUIRED)\b")
RFC_HEADING = re.compile(r"^(?:Appendix )?(\d+(?:\.\d+)*|[A-Z](?:\.\d+)*)\.? {1,3}[A-Z\"\d]")
MARKDOWN_HEADING = re.compile(r"^#+ (\d+(?:\.\d+)*)\. ")
PAGE_BREAK = re.compile(r"^RFC \d+ .* \d{4}$|\[Page \d+\]$")
COLUMNS = ("| | | requirement | code | test, or why there is none |", "|---|---|---|---|---|")
HEAD = """# Compliance

Written by `tools/rfcmap.py` from [docs/requirements](requirements/README.md); `make compliance` writes it
anew. What binds a sender of mail, and this project where it receives: each requirement with the code that
obeys it and the test that shows it, or the reason why it has none.
"""
FIELDS = {"section", "id", "level", "text", "code", "test", "reason", "pending"}


class Problems:
    def __init__(self):
        self.lines = []

    def add(self, where, what):
        self.lines.append(f"{where}: {what}")


class Tree:
    """The files that entries name, each read once."""

    def __init__(self, root):
        self.root, self.known = root, {}

    def read(self, path):
        if path not in self.known:
            try:
                with open(os.path.join(self.root, path), encoding="utf-8") as file:
                    self.known[path] = file.read()
            except OSError:
                self.known[path] = None
        return self.known[path]

    def has_test(self, path, name):
        suite, _, test = name.partition(".")
        if path.endswith(".cpp"):
            written = rf"\bTEST(_F|_P)?\(\s*{re.escape(suite)}\s*,\s*{re.escape(test)}\s*\)"
            return re.search(written, self.read(path)) is not None
        return any(
            isinstance(found, ast.ClassDef)
            and found.name == suite
            and any(isinstance(part, ast.FunctionDef) and part.name == test for part in found.body)
            for found in ast.parse(self.read(path)).body
        )


def keywords_of(text, heading):
    """How often a keyword stands in each section that has one, in the text's order."""
    counts, section = {}, "0"
    for paragraph in re.split(r"\n[ \t]*\n", text):
        lines = [line for line in paragraph.splitlines() if not PAGE_BREAK.search(line)]
        for line in lines:
            if found := heading.match(line):
                section = found.group(1)
        body = " ".join(line.strip() for line in lines)
        if "key words" in body and "MUST NOT" in body:
            continue  # RFC 2119 names them all
        number = len(KEYWORD.findall(body))
        if number:
            counts[section] = counts.get(section, 0) + number
    return counts


def check_text(name, data, tree, rfc, problems):
    """The header's sections against the text, where it is at hand."""
    path = data.get("text", "")
    inside = path.startswith("docs/")
    if not inside and not rfc:
        return
    text = tree.read(path) if inside else Tree(rfc).read(path)
    if text is None:
        where = "the repository" if inside else rfc
        return problems.add(name, f"its text {path!r} is not in {where}")
    found = keywords_of(text.replace("\f", "\n"), MARKDOWN_HEADING if path.endswith(".md") else RFC_HEADING)
    said = data.get("keywords", {})
    for section in [*found, *(s for s in said if s not in found)]:
        right, wrong = found.get(section, 0), said.get(section, 0)
        if right != wrong:
            remedy = f'write "{section}" = {right}, and look there' if right else "take it out"
            problems.add(name, f"section {section} of the text has {right} keywords, not {wrong}: {remedy}")


def check_place(where, kind, place, tree, problems):
    """One "FILE: WHAT" of an entry."""
    path, _, what = place.partition(": ")
    if tree.read(path) is None:
        return problems.add(where, f"{kind} {path} does not exist: name the file as seen from the root")
    if not what:
        return problems.add(where, f'{kind} "{place}" names only a file: write "FILE: WHAT"')
    if kind == "code":
        if what not in tree.read(path):
            problems.add(where, f'{path} does not hold "{what}": name what stands there now')
        return
    name, _, case = what.partition(": ")
    if not tree.has_test(path, name):
        problems.add(where, f"{path} has no test {name}: write it, or name the one that there is")
    elif case and case not in tree.read(path):
        problems.add(where, f'{path} has no case "{case}": name what stands there now')


def check_entry(name, entry, data, seen, tree, problems):
    where = f"{name}: {entry.get('id', 'an entry without id')}"
    section = entry.get("section", "")
    prefix = f"{name.removesuffix('.toml')}-{section}-"
    if not re.fullmatch(re.escape(prefix) + r"\d+", entry.get("id", "")):
        problems.add(where, f"the id is {prefix} and a number")
    if entry.get("id") in seen:
        problems.add(where, "another entry has this id: number them on")
    seen.add(entry.get("id"))
    if section not in data.get("keywords", {}):
        problems.add(where, f"section {section} is not among [keywords]: is it another one's?")
    if entry.get("level") not in LEVELS:
        problems.add(where, f"level is one of {', '.join(sorted(LEVELS))}")
    if not entry.get("text") or "\n" in entry["text"]:
        problems.add(where, "text is one line in our own words")
    for field in entry.keys() - FIELDS:
        problems.add(where, f"the field {field} is not known")
    if "pending" in entry:
        return problems.add(where, f"waits for {entry['pending']}: then name code and test instead")
    if "reason" in entry:
        if "test" in entry or not entry["reason"]:
            problems.add(where, "a reason stands where there is no test, and says why")
    elif not entry.get("code") or not entry.get("test"):
        problems.add(where, "has no test: name code and test, or a reason")
    for kind in ("code", "test"):
        for place in entry.get(kind, []):
            check_place(where, kind, place, tree, problems)


def check_document(name, data, seen, tree, rfc, problems):
    check_text(name, data, tree, rfc, problems)
    if not data.get("title") or not data.get("text") or not data.get("keywords"):
        problems.add(name, "title, text and [keywords] are expected at the top")
    entries = Counter(entry.get("section") for entry in data.get("requirement", []))
    for entry in data.get("requirement", []):
        check_entry(name, entry, data, seen, tree, problems)
    others = set()
    for other in data.get("not_for_senders", []):
        section = other.get("section", "")
        others.add(section)
        if not other.get("reason"):
            problems.add(name, f"section {section} is not for senders: for what reason?")
        if section in entries:
            problems.add(name, f"section {section} has entries, so it is for senders")
        if section not in data.get("keywords", {}):
            problems.add(name, f"not_for_senders: section {section} is not among [keywords]")
    for section, number in data.get("keywords", {}).items():
        if section in others:
            continue
        if section not in entries:
            problems.add(name, f"section {section} has no entry: write one, or why it is not for senders")
        elif entries[section] < number:
            found = f"{number} keywords and {entries[section]} entries"
            problems.add(name, f"section {section} has {found}: write one for each")


def load(root, problems):
    folder = os.path.join(root, REQUIREMENTS)
    documents = {}
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".toml"):
            continue
        try:
            with open(os.path.join(folder, name), "rb") as file:
                documents[name] = tomllib.load(file)
        except tomllib.TOMLDecodeError as error:
            problems.add(name, f"is no TOML: {error}")
    if not documents:
        problems.add(REQUIREMENTS, "there are no requirements")
    return documents


def cell(text):
    return text.replace("|", "\\|")


def link(place, is_test):
    path, _, what = place.partition(": ")
    name, _, case = what.partition(": ") if is_test else (what, "", "")
    return f"[{path}](../{path}): `{cell(name)}`" + (f", “{cell(case)}”" if case else "")


def outcome(entry):
    if "pending" in entry:
        return f"**pending**: {cell(entry['pending'])}"
    if "reason" in entry:
        return f"none: {cell(entry['reason'])}"
    return "<br>".join(link(place, True) for place in entry["test"])


def row(entry):
    number = entry["id"].rpartition("-")[2]
    code = "<br>".join(link(place, False) for place in entry.get("code", []))
    return f"| {number} | {entry['level']} | {cell(entry['text'])} | {code} | {outcome(entry)} |"


def order(section):
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in section.split(".")]


def render(documents):
    lines = [HEAD, "| document | requirements | tested | excepted | pending | sections for others |"]
    lines.append("|---|---|---|---|---|---|")
    for name, data in documents.items():
        entries = data.get("requirement", [])
        pending = sum("pending" in entry for entry in entries)
        excepted = sum("reason" in entry for entry in entries)
        tested, others = len(entries) - pending - excepted, len(data.get("not_for_senders", []))
        title = f"[{data['title']}](requirements/{name})"
        lines.append(f"| {title} | {len(entries)} | {tested} | {excepted} | {pending} | {others} |")
    for data in documents.values():
        lines += ["", f"## {data['title']}"]
        entries, others = data.get("requirement", []), data.get("not_for_senders", [])
        for section in sorted({entry["section"] for entry in entries}, key=order):
            lines += ["", f"### Section {section}", "", *COLUMNS]
            lines += [row(entry) for entry in entries if entry["section"] == section]
        if others:
            lines += ["", "### Sections that bind others", "", "| | why |", "|---|---|"]
            lines += [f"| {other['section']} | {cell(other['reason'])} |" for other in others]
    return "\n".join(lines) + "\n"


def arguments():
    as_it_is = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_it_is)
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--rfc", help="the folder of rfcNNNN.txt; ../shared/rfc if it is there")
    parser.add_argument("--root", default=SOURCE, help="of the sources")
    return parser.parse_args()


def main():
    given = arguments()
    beside = os.path.join(given.root, os.pardir, "shared", "rfc")
    rfc = given.rfc or (beside if os.path.isdir(beside) else None)
    problems, tree, seen = Problems(), Tree(given.root), set()
    documents = load(given.root, problems)
    for name, data in documents.items():
        check_document(name, data, seen, tree, rfc, problems)
    output = os.path.join(given.root, OUTPUT)
    try:
        written = render(documents)
    except KeyError as missing:
        problems.add(OUTPUT, f"cannot be written: an entry has no {missing}")
    else:
        if not given.check:
            with open(output, "w", encoding="utf-8") as file:
                file.write(written)
        elif tree.read(OUTPUT) != written:
            problems.add(OUTPUT, "is not what docs/requirements says: run make compliance")
    for problem in problems.lines:
        print(problem)
    print(
        f"requirements: {len(seen)} in {len(documents)} documents, {len(problems.lines)} problems"
        + ("" if rfc else "; the texts of the RFCs are not at hand and not compared")
    )
    return 1 if problems.lines else 0


if __name__ == "__main__":
    sys.exit(main())
