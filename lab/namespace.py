"""A mount namespace for servers that know their files by paths they were compiled with, or that insist on giving
root's rights up for good: nobody else sees it, and it ends with them.

The unpacked tree lies over /usr there, and the server's own folder is INSIDE, a place that every user can reach. What
the folder has as "etc" lies over /etc, and its "var" is /var.
"""

import os

INSIDE = "/mnt"
SCRIPT = """set -e
mount -t overlay overlay -o "lowerdir=$1:/usr" /usr
mount --bind "$2" "$3"
[ ! -d "$3/etc" ] || mount -t overlay overlay -o "lowerdir=$3/etc:/etc" /etc
[ ! -d "$3/var" ] || mount --bind "$3/var" /var
shift 3
exec setpriv --securebits -no_setuid_fixup "$@"
"""


def inside(root, folder, *command):
    """The command that runs this one there, as the same process."""
    tree = os.path.join(root, "usr")
    return ["unshare", "--mount", "sh", "-c", SCRIPT, "sh", tree, folder, INSIDE, *command]


def write_etc(folder, files):
    """Writes the files of the folder's "etc": {"hosts": "127.0.0.1 localhost\n"}."""
    for name, text in files.items():
        path = os.path.join(folder, "etc", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
