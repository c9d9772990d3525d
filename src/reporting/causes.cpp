#include "reporting/causes.hpp"

#include <array>

namespace pinnace::reporting {
namespace {

struct Known {
  std::string_view kind;
  Cause cause;
};

// RFC 8460 4.3, and pinning-protocol 5.4.
constexpr std::array<Known, 13> kKnown = {{
    {"starttls-not-supported",
     {"The host did not offer STARTTLS.",
      "A host answers on port 25 that is not the gate; TLS is off on it; or something on the way takes "
      "STARTTLS "
      "away, which is an attack or a firewall that looks into SMTP.",
      "Compare the MX hosts with those that run the gate. If all offer STARTTLS from elsewhere, suspect the "
      "sender's network or the way there."}},
    {"certificate-host-mismatch",
     {"The certificate has another name than the host that was looked for.",
      "The MX record names the host otherwise than its certificate, or the MTA-STS policy lists a host that "
      "is not "
      "the one of the MX record.",
      "Get a certificate with every MX host's name, or correct the MX record or the policy's mx lines."}},
    {"certificate-expired",
     {"The certificate was no longer valid.",
      "It was not renewed, or it was and the server has not read it since.",
      "Renew it, then reload the gate; have the renewal's hook do both."}},
    {"certificate-not-trusted",
     {"No authority that the sender trusts vouches for the certificate.",
      "The intermediate certificates are missing behind the leaf, the certificate is self-signed, or a new "
      "authority is not yet known everywhere.",
      "Serve the full chain (fullchain.pem). A self-signed certificate is good with DANE and pins, and never "
      "with MTA-STS."}},
    {"validation-failure",
     {"The handshake or the certificate failed for a reason that has no name of its own.",
      "See the reason that is given: often a version or cipher that the two sides do not share.",
      "Look for the host and the time in the gate's log."}},
    {"tlsa-invalid",
     {"The certificate does not match the TLSA records.",
      "The key was changed before the records were, or one of several hosts has another certificate.",
      "Publish the records of the new key two TTLs before it is used; 'pinnace check' compares them with "
      "what is "
      "served."}},
    {"dnssec-invalid",
     {"The DNS answers did not validate.",
      "Signatures of the zone have expired, or the DS record at the parent belongs to another key.",
      "Sign the zone again, or correct the DS record. Until then DANE senders keep their mail."}},
    {"dane-required",
     {"The sender asks for DANE, and there are no usable TLSA records.",
      "The sender has a rule for this domain, and the records were removed or have unusable parameters.",
      "Publish TLSA records '3 1 1' for every MX host, or agree on the rule with the sender."}},
    {"sts-policy-fetch-error",
     {"The MTA-STS policy could not be fetched.",
      "https://mta-sts.DOMAIN/.well-known/mta-sts.txt does not answer, has an invalid certificate, or "
      "redirects.",
      "Fetch it with 'pinnace check DOMAIN'. A sender that still has a policy of before goes on with that."}},
    {"sts-policy-invalid",
     {"The MTA-STS policy is not to its grammar.",
      "A missing 'version: STSv1', an mx line that is no name, or a web page in the policy's place.",
      "Check it with 'pinnace lint sts-policy'."}},
    {"sts-webpki-invalid",
     {"The web server that has the MTA-STS policy showed a certificate that does not hold.",
      "It has expired, or does not name mta-sts.DOMAIN.",
      "Renew that certificate; it is another one than the MX host's."}},
    {"pkp-mismatch",
     {"The host's key is none of those that the sender holds pinned.",
      "The key was changed while senders still held the promise of the old one; one of several hosts has "
      "another "
      "key; or somebody stands between the sender and the host.",
      "If the key of the host is yours, put the promised one back, or wait until the last promise is over: "
      "the "
      "mail waits in the senders' queues. If it is not, the sender met somebody else."}},
    {"not-detailed",
     {"The sender counts failures of which it says no more.", "Its reports have a sum without details.",
      "Look for the sender and the day in the gate's log."}},
}};

constexpr Cause kUnknown = {"A result that RFC 8460 does not know.", "It is named as the sender named it.",
                            "Ask the sender, under the contact in its report."};

}  // namespace

const Cause& cause_of(std::string_view kind) {
  for (const Known& known : kKnown) {
    if (known.kind == kind) return known.cause;
  }
  return kUnknown;
}

}  // namespace pinnace::reporting
