// A year of a gate and its operator, for many seeds: senders note what they hear by the rules of noting, and
// whatever is done to the gate, none of them ever meets a key that it would refuse.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "pins/noting.hpp"
#include "pins/rotation.hpp"

namespace pinnace::pins {
namespace {

using namespace std::chrono_literals;
using Days = std::chrono::days;

const base::Time kStart = base::Time(base::Seconds(1'767'225'600));

// A certificate with its key, and the key of the CA above it where the chain has one.
struct Certificate {
  Pin leaf;
  std::optional<Pin> ca;
  int serial = 0;
  Vouchers vouchers() const { return ca ? Vouchers{leaf, *ca} : Vouchers{leaf}; }
};

// What lies on the gate's disk: a certificate of each algorithm, and backups, the oldest first.
struct Files {
  std::vector<Certificate> certificates;
  std::vector<Pin> backups;

  std::vector<Vouchers> vouchers() const {
    std::vector<Vouchers> out;
    for (const Certificate& c : certificates) out.push_back(c.vouchers());
    return out;
  }
  std::vector<Pin> leaves() const {
    std::vector<Pin> out;
    for (const Certificate& c : certificates) out.push_back(c.leaf);
    return out;
  }
  std::string digests() const {
    std::string out;
    for (const Certificate& c : certificates) out += std::to_string(c.serial) + " ";
    return out;
  }
};

struct Settings {
  Schedule schedule;
  Scope scope = Scope::host;
};

// What a session is given at its handshake.
struct Face {
  Files files;
  Advert advert;
};

// The gate: what it holds in memory is gone when it stops, what it wrote is not.
struct Gate {
  Settings settings;
  Files files;
  std::string disk;             // the ledger as it was written last; empty: none
  std::optional<Files> served;  // the copy of what it served last
  bool disk_full = false;

  bool running = false;
  Ledger ledger, durable;
  Files live;
  std::optional<Files> held;
  struct Commit {
    Ledger ledger;
    base::Time done;
  };
  std::optional<Commit> commit;
  base::Time due{};  // when the ledger is written next
  int held_back = 0, taken_by_itself = 0, renewed = 0, lost = 0;

  Advert advert(base::Time now) {
    Advert out;
    const auto add = [&](const Pin& pin) {
      if (std::none_of(out.pins.begin(), out.pins.end(), [&](const auto& p) { return p.pin == pin; }))
        out.pins.push_back({pin, std::nullopt});
    };
    for (const Pin& pin : live.leaves()) add(pin);
    for (const Pin& pin : live.backups) add(pin);
    if (held) {
      for (const Pin& pin : held->leaves()) add(pin);
    }
    const Terms terms = ledger.terms(settings.schedule, now);
    out.max_age = terms.max_age;
    out.mode = terms.mode;
    out.scope = settings.scope;
    return out;
  }

  // pinning-protocol 7: a backup in no certificate of the chain.
  static bool sound(const Files& f) {
    Advert a;
    a.max_age = 1h;
    for (const Pin& pin : f.leaves()) a.pins.push_back({pin, std::nullopt});
    for (const Pin& pin : f.backups) a.pins.push_back({pin, std::nullopt});
    std::vector<Pin> all;
    for (const Certificate& c : f.certificates)
      for (const Pin& pin : c.vouchers()) all.push_back(pin);
    return check_own_advert(a, all).has_value();
  }

  void take(base::Time now) {
    if (live.digests() != files.digests()) ++renewed;
    served = files;
    live = files;
    held.reset();
    ledger.serve(live.digests(), now);
    due = now;
  }
  void write_now() {
    disk = ledger.encode();
    durable = ledger;
    commit.reset();
  }

  // True: what the files hold is served from now on.
  bool load(base::Time now, bool break_promises) {
    if (!sound(files)) return false;
    if (break_promises) {
      ledger.break_for(files.vouchers(), now);
      write_now();
    }
    if (ledger.obstacle(files.vouchers(), now)) {
      ++held_back;
      held = files;
      return false;
    }
    take(now);
    return true;
  }

  // False: it will not start.
  bool start(base::Time now, bool break_promises) {
    ledger = disk.empty() ? Ledger() : Ledger::decode(disk).value();
    commit.reset();
    held.reset();
    live = {};
    if (ledger.empty() && served) {
      ++lost;
      ledger.assume(served->leaves(), std::max<base::Seconds>(settings.schedule.max_age, Days(90)), now);
    }
    durable = ledger;
    if (!load(now, break_promises)) {
      if (!served || !sound(*served) || ledger.obstacle(served->vouchers(), now)) return false;
      live = *served;
      ledger.serve(live.digests(), now);
    }
    running = true;
    due = now;
    return true;
  }

  // What its timer does.
  void tick(base::Time now, base::Milliseconds disk_takes) {
    if (commit && commit->done <= now) {
      durable = std::move(commit->ledger);
      disk = durable.encode();
      commit.reset();
    }
    if (held && sound(*held) && !ledger.obstacle(held->vouchers(), now)) {
      files = *held;
      ++taken_by_itself;
      take(now);
      due = now;
    }
    if (due > now) return;
    const Advert a = advert(now);
    if (!commit && !disk_full && ledger.cover(a, now)) commit = Commit{ledger, now + disk_takes};
    due = now + (a.withdraws() ? base::Seconds(1h) : margin(*a.max_age));
  }

  std::optional<Advert> said(const Face& face, base::Time now) const {
    return durable.covers(face.advert, now) ? std::optional(face.advert) : std::nullopt;
  }
};

struct Sender {
  NotingSettings noting;
  bool authenticated = false;
  std::optional<PinSet> host, domain;
  bool host_excused = false, domain_excused = false;  // the operator broke what it holds
  base::Time next_visit{};
  base::Milliseconds most_between{};

  static bool matches(const PinSet& set, const Vouchers& shown, base::Time now) {
    const std::vector<Pin> pins = set.live_pins(now);
    return std::any_of(pins.begin(), pins.end(),
                       [&](const Pin& p) { return std::find(shown.begin(), shown.end(), p) != shown.end(); });
  }
  void note_one(std::optional<PinSet>& set, bool& excused, Scope scope, const Vouchers& shown,
                const std::optional<Advert>& advert, base::Time now) const {
    Session s;
    s.tls_complete = s.clean_start = true;
    s.chain = shown;
    s.authenticated = authenticated;
    s.host = "mx.receiver.test";
    s.existing_matches = !set || matches(*set, shown, now);
    if (advert) {
      for (const AdvertisedPin& p : advert->pins)
        if (std::find(shown.begin(), shown.end(), p.pin) != shown.end()) s.matching.push_back(p.pin);
    }
    const Noted noted = note(noting, {scope, scope == Scope::host ? "mx.receiver.test" : "receiver.test"},
                             set, advert, s, now);
    if (noted.change == Noted::Change::none) return;
    set = noted.change == Noted::Change::store ? noted.set : std::nullopt;
    excused = false;
  }
  void hear(const Vouchers& shown, const std::optional<Advert>& advert, base::Time now) {
    std::optional<Advert> read;
    if (advert) {  // as it comes over the wire
      std::vector<std::string> lines;
      for (const std::string& line : ehlo_lines(*advert)) lines.push_back(line.substr(4));
      read = parse_advert(lines).advert;
      ASSERT_TRUE(read);
    }
    note_one(host, host_excused, Scope::host, shown, read, now);
    if (!read || read->scope == Scope::domain)
      note_one(domain, domain_excused, Scope::domain, shown, read, now);
  }
  // Whether it would keep its mail back from this certificate.
  bool refuses(const Vouchers& shown, base::Time now) const {
    return (host && !host_excused && host->enforced(now) && !matches(*host, shown, now)) ||
           (domain && !domain_excused && domain->enforced(now) && !matches(*domain, shown, now));
  }
  void excuse(const std::vector<Vouchers>& certificates, base::Time now) {
    for (const Vouchers& c : certificates) {
      host_excused = host_excused || (host && !matches(*host, c, now));
      domain_excused = domain_excused || (domain && !matches(*domain, c, now));
    }
  }
};

class Year {
 public:
  Year(unsigned seed, bool may_break) : random_(seed), may_break_(may_break) {
    const bool both = coin();
    gate_.files.certificates.push_back(certificate());
    if (both) gate_.files.certificates.push_back(certificate());
    gate_.files.backups.push_back(key());
    configure();
    for (int i = 0; i < 14; ++i) {
      Sender s;
      if (coin()) s.noting.policy = Policy::first_use;
      if (coin()) s.noting.max_age_limit = base::Seconds(9'999'999'999);  // it does not clamp
      s.authenticated = coin();
      s.most_between = std::array<base::Milliseconds, 4>{2h, 48h, 24h * 20, 24h * 130}[number(4)];
      s.next_visit = now_ + any(s.most_between);
      senders_.push_back(s);
    }
    // The one that holds promises longest, and comes back least.
    senders_[0].noting.policy = Policy::first_use;
    senders_[0].noting.max_age_limit = base::Seconds(9'999'999'999);
    senders_[0].most_between = 24h * 130;
    restart();
  }

  void live_through() {
    base::Time operate = now_ + any(96h);
    const base::Time end = kStart + Days(366);
    while (now_ < end && !testing::Test::HasFatalFailure()) {
      base::Time next = std::min(end, operate);
      for (const Sender& s : senders_) next = std::min(next, s.next_visit);
      if (gate_.running) next = std::min(next, wake());
      for (const Lingering& l : lingering_) next = std::min(next, l.at);
      now_ = std::max(now_, next);
      const int taken = gate_.taken_by_itself;
      if (gate_.running)
        gate_.tick(wall(), base::Milliseconds(number(20) == 0 ? number(90'000'000) : number(50)));
      if (taken != gate_.taken_by_itself) check("a certificate that had waited was taken");
      for (Sender& s : senders_)
        if (s.next_visit <= now_) visit(s);
      end_sessions();
      if (operate <= now_) {
        operate_once();
        check(last_);
        operate = now_ + any(number(3) == 0 ? 1h : 24h * 12);
      }
    }
  }
  const Gate& gate() const { return gate_; }
  int told = 0, enforced = 0, swaps = 0;

 private:
  struct Lingering {
    std::size_t sender;
    Face face;
    std::size_t shown;
    base::Time at;
    bool clock_set = false;  // forward, behind it
  };

  bool coin() { return number(2) == 0; }
  int number(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  base::Milliseconds any(base::Milliseconds most) {
    return base::Milliseconds(
        1 + static_cast<std::int64_t>(random_() % static_cast<unsigned long>(most.count())));
  }
  base::Time wall() const { return now_ + offset_; }
  base::Time wake() const {
    base::Time t = gate_.due - offset_;
    if (gate_.commit) t = std::min(t, gate_.commit->done - offset_);
    if (gate_.held) {
      if (const auto o = gate_.ledger.obstacle(gate_.held->vouchers(), wall()))
        t = std::min(t, o->until - offset_);
    }
    return std::max(t, now_ + 1ms);
  }
  Pin key() {
    Pin p;
    const int n = ++keys_;
    p.sha256[0] = static_cast<std::uint8_t>(n);
    p.sha256[1] = static_cast<std::uint8_t>(n >> 8);
    made_[p] = now_;
    return p;
  }
  Certificate certificate() { return certificate_for(key()); }
  Certificate certificate_for(Pin leaf) {
    static const Pin kCa = [] {
      Pin p;
      p.sha256[5] = 1;
      return p;
    }();
    Certificate c{leaf, std::nullopt, ++serial_};
    if (number(3) == 0) c.ca = kCa;
    return c;
  }

  void configure() {
    const base::Seconds ages[] = {Days(1), Days(2), Days(7), Days(30), Days(60), Days(90), 0s};
    Settings& s = gate_.settings;
    s.schedule.max_age = ages[number(number(8) == 0 ? 7 : 6)];
    s.schedule.ramp.clear();
    if (coin()) s.schedule.ramp = {Days(1), Days(7), Days(60)};
    s.schedule.mode =
        std::array<std::optional<Mode>, 3>{std::nullopt, Mode::enforce, Mode::enforce}[number(3)];
    if (number(10) == 0) s.schedule.mode = Mode::report;
    s.scope = coin() ? Scope::host : Scope::domain;
  }

  // At no moment would any sender fail.
  void check(const char* after) {
    for (std::size_t i = 0; i < senders_.size(); ++i) check(i, after);
  }
  void check(std::size_t i, const char* after) {
    if (gate_.running) {
      for (const Certificate& c : gate_.live.certificates) {
        ASSERT_FALSE(senders_[i].refuses(c.vouchers(), now_))
            << "sender " << i << " on day " << (now_ - kStart) / Days(1) << " after: " << after
            << ", last done: " << last_;
      }
    }
  }

  void visit(Sender& s) {
    s.next_visit = now_ + any(s.most_between);
    if (!gate_.running) return;
    const std::size_t shown =
        static_cast<std::size_t>(number(static_cast<int>(gate_.live.certificates.size())));
    const Face face{gate_.live, gate_.advert(wall())};
    const std::size_t index = static_cast<std::size_t>(&s - senders_.data());
    if (number(6) == 0) {
      // Some say EHLO late, even in the very last moment in which the advert may be said.
      const base::Time last = gate_.durable.covered_until(face.advert) - offset_;
      lingering_.push_back({index, face, shown, coin() && last > now_ ? last : now_ + any(72h), false});
      return;
    }
    hear(index, face, shown);
  }
  void hear(std::size_t sender, const Face& face, std::size_t shown) {
    const auto advert = gate_.said(face, wall());
    told += advert ? 1 : 0;
    Sender& s = senders_[sender];
    s.hear(face.files.certificates[shown].vouchers(), advert, now_);
    enforced += s.host && s.host->enforced(now_) ? 1 : 0;
    check(sender, "it noted what it heard");
  }
  void end_sessions() {
    for (std::size_t i = 0; i < lingering_.size();) {
      if (lingering_[i].at > now_) {
        ++i;
        continue;
      }
      const Lingering l = lingering_[i];
      lingering_.erase(lingering_.begin() + static_cast<std::ptrdiff_t>(i));
      hear(l.sender, l.face, l.shown);
      if (l.clock_set) offset_ = 1h;
    }
  }

  void restart(bool break_promises = false) {
    gate_.running = false;
    lingering_.clear();
    if (break_promises) excuse();
    if (gate_.start(wall(), break_promises)) return;
    repair();
    ASSERT_TRUE(gate_.start(wall(), false)) << "with what it served before it must start, after " << last_;
  }
  void reload(bool break_promises = false) {
    if (!gate_.running) return restart(break_promises);
    if (break_promises && Gate::sound(gate_.files)) excuse();
    gate_.load(wall(), break_promises);
  }
  void excuse() {
    for (Sender& s : senders_) s.excuse(gate_.files.vouchers(), now_);
  }
  // The operator puts back what was served, and makes a backup if there is none.
  void repair() {
    if (gate_.served) gate_.files = *gate_.served;
    if (!Gate::sound(gate_.files)) gate_.files.backups.push_back(key());
  }
  Certificate& one() {
    return gate_.files
        .certificates[static_cast<std::size_t>(number(static_cast<int>(gate_.files.certificates.size())))];
  }

  void operate_once() {
    Files& files = gate_.files;
    switch (number(may_break_ ? 19 : 18)) {
      case 0:
        last_ = "a renewal with the same key";
        one() = certificate_for(one().leaf);
        return reload();
      case 1:
        last_ = "a renewal with the promised backup";
        if (files.backups.empty()) return;
        one() = certificate_for(files.backups.front());
        files.backups.erase(files.backups.begin());
        if (number(3) != 0) files.backups.push_back(key());
        return reload();
      case 2:
        last_ = "a renewal with a new key";
        if (coin()) offset_ = 0ms;
        // Somebody hears the advert without it in the last moment in which it may be said.
        if (gate_.running) {
          const Face face{gate_.live, gate_.advert(wall())};
          const base::Time last = gate_.durable.covered_until(face.advert) - offset_;
          if (last > now_) lingering_.push_back({0, face, 0, last, coin()});
        }
        one() = certificate();
        return reload();
      case 3:
        last_ = "files exchanged";
        if (files.backups.empty()) return;
        std::swap(one().leaf, files.backups.front());
        return coin() ? reload() : restart();
      case 4:
        last_ = "the backup deleted";
        files.backups.clear();
        return reload();
      case 5:
      case 6:
        last_ = "a restart";
        return restart();
      case 7: {
        last_ = "the machine is off for a while";
        gate_.running = false;
        lingering_.clear();
        now_ += any(number(3) == 0 ? 24h * 40 : 12h);
        return restart();
      }
      case 8:
        // At the worst moment: what was said by a slow clock is over by a fast one.
        last_ = "the clock is set";
        offset_ =
            gate_.running && gate_.held ? 1h : std::array<base::Milliseconds, 3>{0ms, 30min, 1h}[number(3)];
        return;
      case 9:
        last_ = "the ledger lost";
        gate_.running = false;
        gate_.disk.clear();
        // With all else that the gate had kept: the operator sees to it that the right files are there, and
        // rebuilds.
        if (coin()) {
          const Files was = *gate_.served;
          files = was;
          if (!Gate::sound(files)) files.backups.push_back(key());
        }
        return restart();
      case 10:
      case 11:
        last_ = "keys rotate";
        return rotate(false);
      case 12:
        last_ = "keys rotate, too early";
        return rotate(true);
      case 13:
        last_ = "another configuration";
        configure();
        return restart();
      case 14:
        last_ = "the disk is full, or no more";
        gate_.disk_full = !gate_.disk_full;
        return;
      case 15:
        last_ = "repaired";
        repair();
        return reload();
      case 16: {
        last_ = "a certificate more, or one fewer";
        if (files.certificates.size() > 1) {
          files.certificates.pop_back();
        } else {
          files.certificates.push_back(
              coin() && !files.backups.empty() ? certificate_for(files.backups.back()) : certificate());
        }
        return reload();
      }
      case 17: {
        // The new advert is heard or not before it is written: then the gate dies, and the old files are
        // back.
        last_ = "a change taken back in a hurry";
        if (!gate_.running || files.backups.empty()) return;
        const Files before = files;
        one() = certificate_for(files.backups.front());
        files.backups = {key()};
        reload();
        gate_.tick(wall(), 1h);
        for (Sender& s : senders_)
          if (coin()) visit(s);
        files = before;
        return restart();
      }
      default:
        last_ = "--break-promises";
        one() = coin() && !files.backups.empty() ? certificate_for(files.backups.back()) : certificate();
        return coin() ? reload(true) : restart(true);
    }
  }

  void rotate(bool hasty) {
    if (!gate_.running) return;
    Files& files = gate_.files;
    if (files.digests() != gate_.live.digests()) repair();
    const std::size_t which = static_cast<std::size_t>(number(static_cast<int>(files.certificates.size())));
    const Pin leaf = files.certificates[which].leaf;
    std::vector<Key> keys = {{"live", "any", leaf, made_[leaf], true, false, true, true}};
    for (const Pin& pin : files.backups)
      keys.push_back({"spare", "any", pin, made_[pin], false, false, true, true});
    if (retired_) keys.push_back({"old", "any", *retired_, made_[*retired_], false, true, true, true});
    for (const RotationStep& step : rotation(keys, "any", gate_.ledger, 1h, wall())) {
      switch (step.act) {
        case RotationStep::Act::make_backup:
        case RotationStep::Act::make_next:
          files.backups.push_back(key());
          break;
        case RotationStep::Act::destroy:
          if (step.when <= wall() || hasty) retired_.reset();
          break;
        case RotationStep::Act::swap:
          if (step.when <= wall() || hasty) {
            const bool due =
                step.when <= wall() && gate_.ledger.obstacle(files.vouchers(), wall()) == std::nullopt;
            const auto oldest = std::min_element(
                files.backups.begin(), files.backups.end(),
                [&](const Pin& a, const Pin& b) { return std::pair(made_[a], a) < std::pair(made_[b], b); });
            retired_ = leaf;
            files.certificates[which] = certificate_for(*oldest);
            files.backups.erase(oldest);
            reload();
            swaps += due ? 1 : 0;
            // What the plan said was true.
            if (due && Gate::sound(files)) {
              ASSERT_FALSE(gate_.held);
            }
            return;
          }
          break;
        default:
          break;
      }
    }
    reload();
  }

  std::mt19937_64 random_;
  bool may_break_;
  base::Time now_ = kStart;
  base::Milliseconds offset_{0};  // of the gate's clock
  Gate gate_;
  std::vector<Sender> senders_;
  std::vector<Lingering> lingering_;
  std::map<Pin, base::Time> made_;
  std::optional<Pin> retired_;
  int keys_ = 0, serial_ = 0;
  const char* last_ = "the first start";
};

void live_through_many(bool may_break) {
  int told = 0, enforced = 0, held_back = 0, by_itself = 0, renewed = 0, lost = 0, swaps = 0;
  for (unsigned seed = 1; seed <= 16; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Year year(seed, may_break);
    year.live_through();
    if (testing::Test::HasFatalFailure()) return;
    told += year.told;
    enforced += year.enforced;
    swaps += year.swaps;
    held_back += year.gate().held_back;
    by_itself += year.gate().taken_by_itself;
    renewed += year.gate().renewed;
    lost += year.gate().lost;
  }
  // All of it happened.
  EXPECT_GT(told, 10000);
  EXPECT_GT(enforced, 10000);
  EXPECT_GT(held_back, 100);
  EXPECT_GT(by_itself, 4);
  EXPECT_GT(renewed, 100);
  EXPECT_GT(lost, 30);
  EXPECT_GT(swaps, 10);
}

// pinning-protocol 7: each promise is remembered, and no certificate goes in that breaks one.
TEST(LedgerProperty, InAYearNoSenderIsShownAKeyThatItWouldRefuse) { live_through_many(false); }

// Who breaks promises has broken those alone.
TEST(LedgerProperty, WithPromisesBrokenTheOthersHold) { live_through_many(true); }

}  // namespace
}  // namespace pinnace::pins
