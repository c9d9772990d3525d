"""Mail hosts with TLSA records (RFC 7672), honest ones and broken ones, in one Postfix.

    dane         its key's record matches; daneta: that of the CA which issued its certificate
    wrongtlsa    a record of another key; digests: the stronger of two digests is another key's
    unusable     only records that SMTP has no use for; unusableplain: so, and without STARTTLS
    notls        a record, and no STARTTLS
    expired      an expired certificate with its key's record; expiredta: with its CA's record
    othername    a certificate of the CA in the record, for another name
    badsignature its TLSA record was changed after it was signed to one that matches
    servfail     the server of its TLSA record's zone fails; silent: it does not answer
    stripped     its zone has a DS record and is served unsigned; strippedtlsa: that of its TLSA record
    insecuremx   its zone is not signed, that of its MX host, with a TLSA record, is
    insecurehost its MX host's zone is not signed; a TLSA record there is of no account
    expanded     its MX host is an alias of a host with a TLSA record; a false one at the alias
    original     its MX host is an alias of a host without one; the alias has it
    optout       its zone is signed with opt-out: that there is no TLSA record is not proved
    fallback     the first of its two hosts has a record of another key; skipped: its lookup fails
    bogusalias   its MX host is an alias of a name whose signatures are missing
    changing     its key and its TLSA record change: change_key(), publish()
    taken        nobody is at its host: an attacker's place
"""

import os
import re

from certificates import tlsa_of
from zones import Child, Tampering

ADDRESS, ADDRESS_TA, ADDRESS_CLEAR, ADDRESS_EXPIRED, ADDRESS_EXPIRED_TA, ADDRESS_CHANGING, ADDRESS_OTHER = (
    f"127.77.0.{number}" for number in range(40, 47)
)
TAKEN = "127.77.0.47"
CHANGING_TTL = 1  # seconds

RECORDS = """
dane                        MX   10 mx.dane
mx.dane                     A    {dane}
_25._tcp.mx.dane            TLSA {dane_key}
daneta                      MX   10 mx.daneta
mx.daneta                   A    {dane_ta}
_25._tcp.mx.daneta          TLSA {dane_ca}
wrongtlsa                   MX   10 mx.wrongtlsa
mx.wrongtlsa                A    {dane}
_25._tcp.mx.wrongtlsa       TLSA {dane_other}
digests                     MX   10 mx.digests
mx.digests                  A    {dane}
_25._tcp.mx.digests         TLSA {dane_key}
_25._tcp.mx.digests         TLSA {dane_other_512}
unusable                    MX   10 mx.unusable
mx.unusable                 A    {dane}
_25._tcp.mx.unusable        TLSA {dane_pkix_ta}
_25._tcp.mx.unusable        TLSA {dane_pkix_ee}
unusableplain               MX   10 mx.unusableplain
mx.unusableplain            A    {dane_clear}
_25._tcp.mx.unusableplain   TLSA {dane_pkix_ee}
notls                       MX   10 mx.notls
mx.notls                    A    {dane_clear}
_25._tcp.mx.notls           TLSA {dane_key}
expired                     MX   10 mx.expired
mx.expired                  A    {dane_expired}
_25._tcp.mx.expired         TLSA {dane_expired_key}
expiredta                   MX   10 mx.expiredta
mx.expiredta                A    {dane_expired_ta}
_25._tcp.mx.expiredta       TLSA {dane_ca}
othername                   MX   10 mx.othername
mx.othername                A    {dane_othername}
_25._tcp.mx.othername       TLSA {dane_ca}
badsignature                MX   10 mx.badsignature
mx.badsignature             A    {dane}
_25._tcp.mx.badsignature    TLSA {dane_other}
servfail                    MX   10 mx.servfail
mx.servfail                 A    {dane}
silent                      MX   10 mx.silent
mx.silent                   A    {dane}
ns.dead                     A    {dead}
strippedtlsa                MX   10 mx.strippedtlsa
mx.strippedtlsa             A    {dane}
insecurehost                MX   10 mx.insecuremx
expanded                    MX   10 mx.expanded
mx.expanded                 CNAME mx.dane
_25._tcp.mx.expanded        TLSA {dane_other}
original                    MX   10 mx.original
mx.original                 CNAME mx.bare
mx.bare                     A    {dane}
_25._tcp.mx.original        TLSA {dane_key}
fallback                    MX   10 mx.wrongtlsa
fallback                    MX   20 mx.dane
skipped                     MX   10 mx.servfail
skipped                     MX   20 mx.dane
bogusalias                  MX   10 mx.bogusalias
mx.bogusalias               CNAME mx.stripped
changing                    MX   10 mx.changing
mx.changing                 A    {dane_changing}
{dane_changing_tlsa}
taken                       MX   10 mx.taken
mx.taken                    A    {dane_taken}
_25._tcp.mx.taken           TLSA {dane_taken_key}
"""

CHILDREN = [
    Child("_tcp.mx.servfail.test.", delegation="signed", served="broken"),
    Child("_tcp.mx.silent.test.", delegation="signed", served="nowhere"),
    Child("_tcp.mx.strippedtlsa.test.", "_25 TLSA {dane_key}\n", delegation="signed"),
    Child("stripped.test.", "@ MX 10 mx.dane.test.\nmx A {dane}\n", delegation="signed"),
    Child(
        "insecuremx.test.",
        "@ MX 10 mx.dane.test.\nmx A {dane}\n_25._tcp.mx TLSA {dane_other}\n",
    ),
    Child(
        "optout.test.",
        "@ MX 10 mx\nmx A {dane}\n",
        delegation="signed",
        served="opt-out",
    ),
]

DOMAINS = [f"{name}.test" for name in dict.fromkeys(re.findall(r"^(\S+) +MX", RECORDS, re.MULTILINE))] + [
    child.zone.rstrip(".") for child in CHILDREN if " MX " in child.records
]

SMTPD = """{address}:25 inet n - n - - smtpd
  -o smtpd_tls_security_level={level}
  -o smtpd_tls_chain_files={chain}
"""


class DaneHosts:
    """Adds its records to the zones. `postfix` is set by the lab when it runs."""

    def __init__(self, certificates, zones):
        self.certificates, self.zones, self.postfix = certificates, zones, None
        self.pair = certificates.self_signed("dane", "mx.dane.test")
        self.taken = certificates.self_signed("dane-taken", "mx.taken.test")
        self.other_key = certificates.key("dane-other")
        self.chains = {
            ADDRESS_TA: certificates.issued("dane-ta", "mx.daneta.test"),
            ADDRESS_EXPIRED: certificates.issued("dane-expired", "mx.expired.test", days=-1),
            ADDRESS_EXPIRED_TA: certificates.issued("dane-expired-ta", "mx.expiredta.test", days=-1),
            ADDRESS_OTHER: certificates.issued("dane-othername", "mx.somebody-else.test"),
        }
        self.changing_chain = os.path.join(certificates.folder, "dane-changing-chain.pem")
        self.change_key("dane-changing-1")
        zones.records += RECORDS
        zones.children += CHILDREN
        zones.tamperings.append(
            Tampering("_25._tcp.mx.badsignature.test.", "TLSA", "{dane_other}", "{dane_key}")
        )
        zones.names.update(self._names())
        self._set_changing(self.changing_key)

    def _names(self):
        key = self.pair[1]
        return {
            "dane": ADDRESS,
            "dane_ta": ADDRESS_TA,
            "dane_clear": ADDRESS_CLEAR,
            "dane_expired": ADDRESS_EXPIRED,
            "dane_expired_ta": ADDRESS_EXPIRED_TA,
            "dane_changing": ADDRESS_CHANGING,
            "dane_othername": ADDRESS_OTHER,
            "dane_taken": TAKEN,
            "dane_key": tlsa_of(key),
            "dane_ca": tlsa_of(self.certificates.root[1], usage=2),
            "dane_other": tlsa_of(self.other_key),
            "dane_other_512": tlsa_of(self.other_key, digest="sha512"),
            "dane_pkix_ta": tlsa_of(self.certificates.root[1], usage=0),
            "dane_pkix_ee": tlsa_of(key, usage=1),
            "dane_expired_key": tlsa_of(self.chains[ADDRESS_EXPIRED][1]),
            "dane_taken_key": tlsa_of(self.taken[1]),
        }

    def postfix_settings(self):
        endpoints = [
            SMTPD.format(address=address, level="may", chain=f"{key},{certificate}")
            for address, (certificate, key) in self.chains.items()
        ]
        endpoints.append(SMTPD.format(address=ADDRESS_CLEAR, level="none", chain=""))
        # One session a process: each reads the chain's file anew.
        changing = SMTPD.format(address=ADDRESS_CHANGING, level="may", chain=self.changing_chain)
        endpoints.append(changing + "  -o max_use=1\n")
        return {
            "hostname": "mx.dane.test",
            "endpoint": f"{ADDRESS}:25",
            "domains": DOMAINS,
            "pair": self.pair,
            "master": "".join(endpoints),
        }

    def change_key(self, name, key=None):
        """From the next session on the host of changing.test has this key, or a new one: `changing_key`."""
        certificate, key = self.certificates.issued(name, "mx.changing.test", key)
        with open(self.changing_chain + ".new", "w", encoding="ascii") as chain:
            for path in (key, certificate):
                with open(path, encoding="ascii") as part:
                    chain.write(part.read())
        os.replace(self.changing_chain + ".new", self.changing_chain)
        self.changing_key = key

    def _set_changing(self, *keys):
        self.zones.names["dane_changing_tlsa"] = "\n".join(
            f"_25._tcp.mx.changing {CHANGING_TTL} TLSA {tlsa_of(key)}" for key in keys
        )

    def publish(self, *keys):
        """Signs the zone anew with the TLSA records of these keys for changing.test."""
        self._set_changing(*keys)
        self.zones.sign()
        self.zones.reload("_25._tcp.mx.changing.test", "TLSA", tlsa_of(keys[-1]).split()[-1])
