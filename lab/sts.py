"""Domains with MTA-STS (RFC 8461), honest ones and broken ones: TXT records, a policy host each in one
nginx (lab/nginx.py), and their mail hosts in one Postfix.

A domain's mail host is mx.DOMAIN with a certificate of the lab's CA that names it, its policy host
mta-sts.DOMAIN, and its policy enforces, unless its line in DOMAINS says otherwise. Where a policy is not
to be had or not to be heeded, it forbids the mail host, so that a delivery shows that nobody heeded it.
"""

from typing import NamedTuple

from certificates import pin_of, tlsa_of
from nginx import ADDRESS as WEB
from nginx import TEXT, WebHost
from zones import Child

VALID, WRONG_NAME, CN_ONLY, PATTERN, SELF_SIGNED, EXPIRED, CLEAR = (
    f"127.77.0.{number}" for number in range(61, 68)
)
TAKEN = "127.77.0.68"  # of mx.attacker.test: nobody is there
NO_WEB = "127.77.0.69"  # nobody is there either
TTL = 1  # seconds
TXT = "v=STSv1; id=1;"


def policy(*patterns, mode="enforce", max_age=86400, more=(), end="\r\n"):
    """The text of a policy; `more` are lines behind the others."""
    listed = [f"mx: {pattern}" for pattern in patterns]
    lines = ["version: STSv1", f"mode: {mode}", *listed, f"max_age: {max_age}", *more]
    return "".join(line + end for line in lines)


FORBIDDING = policy("mx.elsewhere.test")


class Domain(NamedTuple):
    """`policy` may hold {pin} and {other_pin}; `txt` are the records at _mta-sts; `host` is the address of
    its mail host, `mx` that host's name within the domain; `web` the policy host's address, `certificate`
    which of the policy hosts' it has, `answer` nginx's directives; `records` stand in the zone besides."""

    policy: str = FORBIDDING
    txt: tuple = (TXT,)
    host: str = VALID
    mx: str = "mx"
    web: str = WEB
    certificate: str = "valid"
    answer: str = TEXT
    records: str = ""


DOMAINS = {
    # Delivered because the policy is met.
    "good": Domain(policy("mx.good.test")),
    "wildcard": Domain(policy("*.wildcard.test")),
    "wildcardcert": Domain(policy("mx.wildcardcert.test")),
    "lf": Domain(policy("mx.lf.test", end="\n"), answer="charset utf-8; " + TEXT),
    "unknownfields": Domain(
        policy("mx.unknownfields.test", more=("colour: blue", "x-1: a: b")), ("v=STSv1; id=1; colour=blue;",)
    ),
    "dupfields": Domain(
        policy("mx.dupfields.test", more=("mode: none", "max_age: 0", "version: STSv2")),
        ("v=STSv1; id=1; id=2;",),
    ),
    "mixed": Domain(
        policy("mx.mixed.test"),
        records="mixed.test. {ttl} MX 5 first.mixed.test.\nfirst.mixed.test. {ttl} A {valid}\n",
    ),
    "delegated": Domain(
        policy("mx.delegated.test"),
        (),
        web="",
        records="_mta-sts.delegated.test. {ttl} CNAME _mta-sts.good.test.\n"
        "mta-sts.delegated.test. {ttl} CNAME mta-sts.good.test.\n",
    ),
    "pinned": Domain(policy("mx.pinned.test", more=("pin-sha256: {other_pin}", "pin-sha256: {pin}"))),
    # Held because it is not.
    "unlisted": Domain(),
    "deep": Domain(policy("*.deep.test"), mx="mx.below"),
    "wrongname": Domain(policy("mx.wrongname.test"), host=WRONG_NAME),
    "cnonly": Domain(policy("mx.cnonly.test"), host=CN_ONLY),
    "patterncert": Domain(policy("*.patterncert.test"), host=PATTERN),
    "selfsigned": Domain(policy("mx.selfsigned.test"), host=SELF_SIGNED),
    "overdue": Domain(policy("mx.overdue.test"), host=EXPIRED),
    "cleartext": Domain(policy("mx.cleartext.test"), host=CLEAR),
    "wrongpin": Domain(policy("mx.wrongpin.test", more=("pin-sha256: {other_pin}",))),
    # Policies that are not enforced, or that are none.
    "testing": Domain(policy("mx.testing.test", mode="testing"), host=WRONG_NAME),
    "none": Domain(policy("mx.elsewhere.test", mode="none"), host=WRONG_NAME),
    "sub.good": Domain(txt=()),
    "twotxt": Domain(txt=("v=STSv1; id=1;", "v=STSv1; id=2;")),
    "httpsdown": Domain(web=NO_WEB),
    "redirect": Domain(answer="return 301 /there;"),
    "notfound": Domain(answer="error_page 404 /there; return 404;"),
    "oversize": Domain(policy("mx.elsewhere.test", more=[f"x-{n}: {'x' * 60}" for n in range(1000)])),
    "contenttype": Domain(answer="default_type text/html; " + TEXT),
    "webexpired": Domain(certificate="expired"),
    "webwrongname": Domain(certificate="wrongname"),
    "webcnonly": Domain(certificate="cnonly"),
    "webselfsigned": Domain(certificate="selfsigned"),
    # DANE besides (RFC 8461 2).
    "danedecides": Domain(records="_25._tcp.mx.danedecides.test. {ttl} TLSA {tlsa}\n"),
    "danefails": Domain(
        policy("mx.danefails.test"), records="_25._tcp.mx.danefails.test. {ttl} TLSA {other_tlsa}\n"
    ),
    # What tests change.
    "kept": Domain(policy("mx.kept.test")),
    "renewed": Domain(policy("mx.renewed.test")),
    "brief": Domain(policy("mx.elsewhere.test", max_age=2)),
    "slow": Domain(
        policy("mx.slow.test", more=[f"x-{n}: {'x' * 60}" for n in range(8)]),
        answer="limit_rate 300; " + TEXT,
    ),
}

# These are zones of their own and not signed.
INSECURE = {
    "unsigned": Domain(policy("mx.unsigned.test")),
    "unsignedunlisted": Domain(),
    "forged": Domain(policy("*.forged.test")),
    # The forger's host has TLSA records of its own, which say nothing of the domain (RFC 7672 2.2.1).
    "diverted": Domain(
        policy("mx.diverted.test"), mx="", records="diverted.test. {ttl} MX 10 mx.danedecides.test.\n"
    ),
}

SMTPD = """{address}:25 inet n - n - - smtpd
  -o smtpd_tls_security_level={level}
  -o smtpd_tls_chain_files={chain}
"""


class StsDomains:
    """Adds its records to the zones. `postfix` and `web`, the nginx, are set by the lab when they run."""

    def __init__(self, certificates, zones):
        self.certificates, self.zones, self.postfix, self.web = certificates, zones, None, None
        self.domains = {**DOMAINS, **INSECURE}
        self.txt = {name: list(domain.txt) for name, domain in self.domains.items()}
        self.mx = {name: f"{domain.mx}.{name}.test." for name, domain in self.domains.items() if domain.mx}
        self._make_mail_pairs()
        self._make_web_pairs()
        other_key = certificates.key("sts-other")
        key = self.pair[1]
        self.names = {
            "ttl": TTL,
            "valid": VALID,
            "pin": pin_of(key),
            "other_pin": pin_of(other_key),
            "tlsa": tlsa_of(key),
            "other_tlsa": tlsa_of(other_key),
        }
        zones.records += "{sts}mx.attacker A " + TAKEN + "\n"
        zones.children += [Child(f"{name}.test.", f"{{sts_{name}}}") for name in INSECURE]
        self._write_records()

    def _make_mail_pairs(self):
        issued = self.certificates.issued
        valid = [
            f"{domain.mx}.{name}.test"
            for name, domain in self.domains.items()
            if domain.mx and domain.host == VALID and name != "wildcardcert"
        ]
        self.pair = issued("sts", "mx.good.test", names=[*valid, "first.mixed.test", "*.wildcardcert.test"])
        self.chains = {
            WRONG_NAME: issued("sts-wrongname", "mx.somebody-else.test"),
            CN_ONLY: issued("sts-cnonly", "mx.cnonly.test", names=[]),
            # Another name that the pattern matches, and the recipient domain.
            PATTERN: issued(
                "sts-pattern", "patterncert.test", names=["other.patterncert.test", "patterncert.test"]
            ),
            SELF_SIGNED: self.certificates.self_signed("sts-selfsigned", "mx.selfsigned.test"),
            EXPIRED: issued("sts-expired", "mx.overdue.test", days=-1),
        }
        self.attacker = issued("sts-attacker", "mx.attacker.test")

    def _make_web_pairs(self):
        issued = self.certificates.issued
        names = [
            f"mta-sts.{name}.test"
            for name, domain in self.domains.items()
            if domain.certificate == "valid"
        ]
        self.web_pairs = {
            "valid": issued("sts-web", "mta-sts.good.test", names=names),
            "expired": issued("sts-web-expired", "mta-sts.webexpired.test", days=-1),
            "wrongname": issued("sts-web-wrongname", "webwrongname.test"),
            "cnonly": issued("sts-web-cnonly", "mta-sts.webcnonly.test", names=[]),
            "selfsigned": self.certificates.self_signed("sts-web-selfsigned", "mta-sts.webselfsigned.test"),
        }

    def web_hosts(self):
        return [
            WebHost(
                f"mta-sts.{name}.test",
                self.web_pairs[domain.certificate],
                domain.policy.format(**self.names),
                domain.answer,
            )
            for name, domain in self.domains.items()
        ]

    def postfix_settings(self):
        endpoints = [
            SMTPD.format(address=address, level="may", chain=f"{key},{certificate}")
            for address, (certificate, key) in self.chains.items()
        ]
        endpoints.append(SMTPD.format(address=CLEAR, level="none", chain=""))
        return {
            "hostname": "mx.good.test",
            "endpoint": f"{VALID}:25",
            "domains": [f"{name}.test" for name in self.domains],
            "pair": self.pair,
            "master": "".join(endpoints),
        }

    def _records_of(self, name):
        domain = self.domains[name]
        lines = [f'_mta-sts.{name}.test. {TTL} TXT "{text}"\n' for text in self.txt[name]]
        if name in self.mx:
            lines.append(f"{name}.test. {TTL} MX 10 {self.mx[name]}\n")
        if domain.mx:
            lines.append(f"{domain.mx}.{name}.test. {TTL} A {domain.host}\n")
        if domain.web:
            lines.append(f"mta-sts.{name}.test. {TTL} A {domain.web}\n")
        return "".join(lines) + domain.records.format(**self.names)

    def _write_records(self):
        self.zones.names["sts"] = "".join(self._records_of(name) for name in DOMAINS)
        self.zones.names.update({f"sts_{name}": self._records_of(name) for name in INSECURE})

    def _publish(self, owner, record_type, data):
        self._write_records()
        self.zones.sign()
        self.zones.reload(owner, record_type, data)

    def renew(self, name, identity):
        """Publishes this id of the domain's policy."""
        self.txt[name] = [f"v=STSv1; id={identity};"]
        self._publish(f"_mta-sts.{name}.test", "TXT", f"id={identity};")

    def withdraw(self, name):
        """Takes the domain's TXT record away."""
        self.txt[name] = []
        self._publish(f"_mta-sts.{name}.test", "TXT", "")

    def forge(self, name, host="mx.attacker.test."):
        """The domain's MX record is another's from now on."""
        self.mx[name] = host
        self._publish(f"{name}.test", "MX", host)

    def change_policy(self, name, text):
        """The policy host serves this from now on; the TXT record stays."""
        self.web.write(f"mta-sts.{name}.test", text)

    def fetches(self, name):
        """The answers that the domain's policy host gave."""
        return self.web.fetches(f"mta-sts.{name}.test")
