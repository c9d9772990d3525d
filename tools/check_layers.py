#!/usr/bin/python3
"""Holds src/ to src/layers.txt: a folder includes only the folders named for it, libraries stay behind
the folder that wraps them, and a known trap of g++ 12 stays out. Ends with 1 and a line for each breach."""

import os
import re
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# The headers of a library, and the folders that may include them.
WRAPPED = {
    r"boost/asio": {"io"},
    r"boost/json": {"api", "app", "tlsrpt"},
    r"openssl/": {"tls"},
    r"curl/": {"http"},
    r"boost/beast": {"http"},
    r"zlib\.h": {"tlsrpt"},
    r"unbound\.h": {"dns"},
    r"rocksdb/": {"store"},
    r"spdlog/": {"base"},
    r"(systemd/|seccomp\.h|linux/landlock\.h)": {"process"},
    r"idn2\.h": {"names"},
    r"toml\+\+/": {"app"},
    r"CLI/": {"app"},
    r"(argon2|crypt)\.h": {"auth"},
}
PURE = {"base", "names", "smtp", "pins", "dane", "sts", "tlsrpt", "mime", "policy", "publish", "socketmap", "postfix"}  # no sockets, no wall clock
IMPURE = re.compile(r"<(sys/socket|netinet/\w+|poll|sys/epoll)\.h>|system_clock::now|\bstd::time\(|::time\(")
# g++ 12 destroys some temporaries of a co_await wrongly (docs/decisions/0001-own-task-type.md).
TRAP = re.compile(r"\b(if|while)\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\bco_await\b")
TERNARY = re.compile(r"\bco_await\b[^;]*\([^;]*\?[^;]*:")
LAMBDA = re.compile(r"\bco_await\b[^;]*\(\[[^\]]")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def read_layers():
    layers, above = {}, set()
    with open(os.path.join(SOURCE, "src", "layers.txt"), encoding="utf-8") as file:
        for line in file:
            line = line.split("#")[0].strip()
            if not line:
                continue
            name, _, rest = line.partition(":")
            wanted = set(rest.split())
            for missing in wanted - above:
                yield_problem(f"src/layers.txt: {name} wants {missing}, which does not stand above it")
            layers[name] = wanted
            above.add(name)
    return layers


PROBLEMS = []


def yield_problem(text):
    PROBLEMS.append(text)


def check_file(path, folder, layers):
    shown = os.path.relpath(path, SOURCE)
    is_test = path.endswith("_test.cpp") or "fixture" in os.path.basename(path)
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            where = f"{shown}:{number}"
            if TRAP.search(line):
                yield_problem(f"{where}: co_await in a condition: name the result first")
            if TERNARY.search(line):
                yield_problem(f"{where}: a conditional in a co_await's arguments: name it first")
            if LAMBDA.search(line):
                yield_problem(f"{where}: a lambda that holds something in a co_await's arguments: name it first")
            if folder in PURE and IMPURE.search(line) and shown != "src/base/clock.cpp" and not is_test:
                yield_problem(f"{where}: {folder} knows no sockets and no wall clock")
            found = INCLUDE.match(line)
            if not found:
                continue
            name = found.group(2)
            if found.group(1) == '"':
                other = name.split("/")[0]
                if other != folder and other not in layers[folder]:
                    yield_problem(f"{where}: {folder} may not include {other} (src/layers.txt)")
                continue
            for pattern, folders in WRAPPED.items():
                if re.match(pattern, name) and folder not in folders and not is_test:
                    yield_problem(f"{where}: <{name}> belongs to {', '.join(sorted(folders))} alone")


def main():
    layers = read_layers()
    root = os.path.join(SOURCE, "src")
    for folder in sorted(os.listdir(root)):
        if not os.path.isdir(os.path.join(root, folder)):
            continue
        if folder not in layers:
            yield_problem(f"src/{folder}: not named in src/layers.txt")
            continue
        for name in sorted(os.listdir(os.path.join(root, folder))):
            if re.search(r"(^|_)(utils?|helpers?|common|misc)\.", name):
                yield_problem(f"src/{folder}/{name}: a name that says nothing")
            if name.endswith((".cpp", ".hpp")):
                check_file(os.path.join(root, folder, name), folder, layers)
    for problem in PROBLEMS:
        print(problem)
    print(f"layers: {len(layers)} folders, {len(PROBLEMS)} problems")
    return 1 if PROBLEMS else 0


if __name__ == "__main__":
    sys.exit(main())
