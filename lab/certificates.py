"""The lab's certificates: a CA that the relay trusts, the receiver's keys, the attacker's."""

import base64
import hashlib
import os

from programs import run


class Certificates:
    """Files in one folder. A "pair" is two paths: the certificate's chain and its key, both PEM."""

    def __init__(self, folder):
        os.makedirs(folder)
        self.folder = folder
        self.root = self._self_signed("ca", "Lab root CA", ca=True)
        self.roots_file = self.root[0]

    def _path(self, name):
        return os.path.join(self.folder, name)

    def key(self, name):
        """Makes a P-256 key."""
        path = self._path(name + ".key")
        run(
            ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path],
            "make a key",
        )
        return path

    def _self_signed(self, name, subject, ca=False):
        key, certificate = self.key(name), self._path(name + ".pem")
        extensions = (
            ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"]
            if ca
            else ["-addext", f"subjectAltName=DNS:{subject}"]
        )
        run(
            [
                "openssl",
                "req",
                "-x509",
                "-new",
                "-key",
                key,
                "-subj",
                f"/CN={subject}",
                "-days",
                "30",
                *extensions,
                "-out",
                certificate,
            ],
            "sign a certificate",
        )
        return certificate, key

    def self_signed(self, name, host):
        return self._self_signed(name, host)

    def issued(self, name, host, key=None, days=30, names=None):
        """A pair that the lab's CA signed for this host; for a key of one's own when given. `names` are
        its DNS-IDs, or addresses, where they are others: without any its subject alone names the host."""
        key = key or self.key(name)
        request, certificate = self._path(name + ".csr"), self._path(name + ".pem")
        extensions = self._path(name + ".ext")
        names = [host] if names is None else names
        alternatives = ",".join(f"{'IP' if name[-1].isdigit() else 'DNS'}:{name}" for name in names)
        with open(extensions, "w", encoding="ascii") as file:
            file.write("basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
            file.write(f"subjectAltName={alternatives}\n" if alternatives else "")
        run(
            ["openssl", "req", "-new", "-key", key, "-subj", f"/CN={host}", "-out", request],
            "ask for a certificate",
        )
        run(
            [
                "openssl",
                "x509",
                "-req",
                "-in",
                request,
                "-CA",
                self.root[0],
                "-CAkey",
                self.root[1],
                "-CAcreateserial",
                "-days",
                str(days),  # below zero: it is over
                "-extfile",
                extensions,
                "-out",
                certificate,
            ],
            "issue a certificate",
        )
        with open(self.root[0], encoding="ascii") as root, open(certificate, "a", encoding="ascii") as chain:
            chain.write(root.read())
        return certificate, key


def _octets(pem):
    return base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-")))


def _public_key(key):
    return _octets(run(["openssl", "pkey", "-in", key, "-pubout"], "read a key"))


def _pin(public_key):
    return base64.b64encode(hashlib.sha256(public_key).digest()).decode()


def pin_of(key):
    """The pin of a key's file: the SHA-256 of its SubjectPublicKeyInfo, in base64."""
    return _pin(_public_key(key))


def pin_of_certificate(pem):
    """The pin of the key in a certificate's text."""
    return _pin(_octets(run(["openssl", "x509", "-noout", "-pubkey"], "read a certificate", input=pem)))


def tlsa_of(key, usage=3, digest="sha256"):
    """The data of a TLSA record (RFC 6698) for a key's file: "3 1 1 ab12..."."""
    matching = {"sha256": 1, "sha512": 2}[digest]
    return f"{usage} 1 {matching} {hashlib.new(digest, _public_key(key)).hexdigest()}"
