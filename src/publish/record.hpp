// One record of the DNS that is to be published, and its forms.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "publish/settings.hpp"

namespace pinnace::publish {

struct Record {
  enum class Type : std::uint8_t { tlsa, txt };
  std::string owner;  // no trailing dot; of letters, digits, '-' and '_'
  Type type = Type::txt;
  std::string text;     // of TXT: the whole text, unquoted; of TLSA: its presentation form
  std::string comment;  // for people
  bool operator==(const Record&) const = default;
};
std::string_view to_string(Record::Type type);  // "TLSA", "TXT"

// What stands behind the type in a zone file and in a script for nsupdate. RFC 1035 3.3, 5.1: a text is
// strings of at most 255 octets in quotes. Nothing in it can end the string or the line.
std::string data(const Record& record);

// "_25._tcp.mx.example.org. 3600 IN TLSA 3 1 1 ..." on one line.
std::string zone_line(const Record& record, base::Seconds ttl);

// A record for every live and every backup key: RFC 7671 5.1 "3 1 1", 8.1 with the next key beside the live
// one long before it is used.
std::vector<Record> tlsa_records(const Host& host, std::uint16_t port);

// RFC 8461 3.1; RFC 8460 3. Only of a domain that has a policy, and that wants reports.
Record sts_record(const Domain& domain, const std::string& id);
Record tlsrpt_record(const Domain& domain);

// A URI as it may stand in a TLSRPT record: RFC 8460 3 wants ',', '!' and ';' escaped. Error "publish.uri":
// it is none that reports can go to.
base::Result<std::string> escaped_uri(std::string_view uri);

// All of the settings, hosts first. Two domains of one host have its records once.
std::vector<Record> records(const Settings& settings);

}  // namespace pinnace::publish
