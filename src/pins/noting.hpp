// When a sender notes pins, and what becomes of a note (pinning-protocol, "Noting").
// Pure: time, the session's facts and the record come in; the new record and what is
// to be reported come out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pins/pin_set.hpp"

namespace pinnace::pins {

enum class Policy : std::uint8_t { off, authenticated, confirmed, first_use };

struct NotingSettings {
  Policy policy = Policy::confirmed;
  std::uint32_t confirm_sessions = 3;
  base::Seconds confirm_for = std::chrono::hours(24);
  base::Seconds max_age_limit = std::chrono::days(60);  // RFC 7469 4.1
  base::Seconds stsec_limit = std::chrono::days(366);
};

// What one session showed.
struct Session {
  bool tls_complete = false;      // the handshake ended well
  bool clean_start = false;       // nothing unprotected was buffered when TLS began (RFC 3207 4.2)
  std::vector<Pin> chain;         // keys of every certificate of the chain
  std::vector<Pin> matching;      // advertised pins that this session matches (section 2)
  bool existing_matches = false;  // the record's live pins match this session
  bool invalid_advert = false;    // something was advertised, and it was invalid
  bool authenticated = false;     // by other means, for the name the set binds
  std::string host;               // MX host
  std::string from;               // its address, for people
};

struct Binding {
  Scope scope = Scope::host;
  std::string name;
};

struct Event {
  enum class Kind { noted, replaced, confirmed, withdrawn, dropped, not_advertised, not_noted };
  Kind kind;
  std::string sentence;
};
std::string_view to_string(Event::Kind kind);

struct Noted {
  enum class Change { none, store, erase };
  Change change = Change::none;
  std::optional<PinSet> set;  // with store
  std::vector<Event> events;
  std::string why_not;  // an advert was there and is not noted
};

// `advert`: nothing where the server advertised nothing, or nothing valid.
Noted note(const NotingSettings& settings, const Binding& binding, const std::optional<PinSet>& existing,
           const std::optional<Advert>& advert, const Session& session, base::Time now);

// Why an advert with these facts would not be noted by a sender that knows nothing yet; empty: it would.
// Conditions 1 to 3.
std::string reason_not_to_note(const Advert& advert, const Session& session);

// STSEC inside TLS: what is to be remembered of it; nothing: forget (MAX-AGE=0).
std::optional<StsecRecord> note_stsec(const NotingSettings& settings, const std::string& host,
                                      const Stsec& stsec, base::Time now);

// What a receiver owes: its live chain must match the advert, and a backup must be in it whose key
// is in no certificate of the chain. The first key of `chain` is the leaf's.
base::Result<> check_own_advert(const Advert& advert, const std::vector<Pin>& chain);

}  // namespace pinnace::pins
