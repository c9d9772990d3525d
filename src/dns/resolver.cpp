#include "dns/resolver.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unbound.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace pinnace::dns {
namespace {

constexpr const char* kRootAnchors[] = {"/var/lib/unbound/root.key", "/usr/share/dns/root.key"};
// The root's key-signing keys of 2017 and 2024 as DS records, where no package brought a file.
constexpr const char* kRootDs[] = {
    ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
};

struct CtxDeleter {
  void operator()(ub_ctx* ctx) const { ub_ctx_delete(ctx); }
};

std::string config_text(const Settings& s) {
  std::string out = "server:\n  do-not-query-localhost: no\n  module-config: \"validator iterator\"\n";
  for (const Stub& stub : s.stubs) out += fmt::format("  local-zone: \"{}\" nodefault\n", stub.zone);
  for (const Stub& stub : s.stubs) {
    out += fmt::format("stub-zone:\n  name: \"{}\"\n  stub-addr: {}\n", stub.zone, stub.address);
  }
  if (!s.forwarders.empty()) out += "forward-zone:\n  name: \".\"\n";
  for (const std::string& f : s.forwarders) out += fmt::format("  forward-addr: {}\n", f);
  return out;
}

bool plain(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) {
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
           std::string_view(".-_@:%").find(c) != std::string_view::npos;
  });
}

// libunbound takes stub zones from a file only.
base::Result<> configure(ub_ctx* ctx, const Settings& s) {
  for (const Stub& stub : s.stubs) {
    if (!plain(stub.zone) || !plain(stub.address)) {
      return base::fail("dns.config",
                        fmt::format("stub zone '{}' at '{}': a zone and ADDRESS@PORT are expected", stub.zone,
                                    stub.address));
    }
  }
  for (const std::string& f : s.forwarders) {
    if (!plain(f))
      return base::fail("dns.config", fmt::format("forwarder '{}': ADDRESS@PORT is expected", f));
  }
  // A file that lies nowhere: not every folder may be written.
  const int fd = ::memfd_create("pinnace-unbound", MFD_CLOEXEC);
  const std::string text = config_text(s);
  const bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int result = written ? ub_ctx_config(ctx, fmt::format("/proc/self/fd/{}", fd).c_str()) : UB_READFILE;
  if (fd >= 0) ::close(fd);
  if (result != 0) {
    return base::fail("dns.config",
                      fmt::format("the resolver refuses its settings: {}", ub_strerror(result)));
  }
  return {};
}

base::Result<> add_anchor(ub_ctx* ctx, const Settings& s) {
  if (!s.trust_anchor_file.empty()) {
    if (::access(s.trust_anchor_file.c_str(), R_OK) != 0 ||
        ub_ctx_add_ta_file(ctx, s.trust_anchor_file.c_str()) != 0) {
      return base::fail("dns.config", fmt::format("cannot read the trust anchor {}", s.trust_anchor_file));
    }
    return {};
  }
  for (const char* file : kRootAnchors) {
    if (::access(file, R_OK) == 0 && ub_ctx_add_ta_file(ctx, file) == 0) return {};
  }
  for (const char* ds : kRootDs) ub_ctx_add_ta(ctx, ds);
  return {};
}

std::string bounded(const char* text) { return text ? std::string(text).substr(0, 300) : std::string(); }

Answer to_answer(const ub_result& r, Type type) {
  constexpr std::size_t kMostRecords = 256;
  Answer out;
  out.security = r.secure ? Security::secure : r.bogus ? Security::bogus : Security::insecure;
  out.ttl = base::Seconds(std::clamp(r.ttl, 0, 86400));
  if (r.bogus) {
    out.detail = fmt::format("DNSSEC validation of {} failed: {}", bounded(r.qname), bounded(r.why_bogus));
    return out;
  }
  if (r.rcode == 3) {
    out.kind = Answer::Kind::no_domain;
    return out;
  }
  if (r.rcode != 0) {
    out.detail =
        fmt::format("the name server of {} answers with failure (rcode {})", bounded(r.qname), r.rcode);
    return out;
  }
  if (r.canonname) {
    out.canonical = bounded(r.canonname);
    if (out.canonical.ends_with('.')) out.canonical.pop_back();
  }
  for (std::size_t i = 0; r.data && r.data[i] && i < kMostRecords; ++i) {
    out.rdata.emplace_back(r.data[i], static_cast<std::size_t>(r.len[i]));
  }
  out.kind = r.havedata && !out.rdata.empty() && r.qtype == static_cast<int>(type) ? Answer::Kind::records
                                                                                   : Answer::Kind::no_data;
  return out;
}

}  // namespace

std::string_view to_string(Security security) {
  switch (security) {
    case Security::secure:
      return "secure";
    case Security::insecure:
      return "insecure";
    case Security::bogus:
      break;
  }
  return "bogus";
}

struct Resolver::Impl {
  // One lookup under way. It lives until libunbound has answered or the deadline has cancelled it.
  struct Pending {
    Impl* owner;
    Type type;
    io::OneShot<Answer> done;
    io::Steady::time_point deadline;
    int async_id = 0;
    std::string name;
  };

  io::Loop& loop;
  base::Milliseconds timeout;
  std::unique_ptr<ub_ctx, CtxDeleter> ctx;
  std::unique_ptr<io::Loop::Watch> watch;
  io::Timer ticker;
  std::map<Pending*, int> pending;
  bool ticking = false;

  Impl(io::Loop& l, base::Milliseconds t) : loop(l), timeout(t), ticker(l) {}

  static void on_answer(void* data, int error, ub_result* result) {
    auto* p = static_cast<Pending*>(data);
    Answer answer;
    if (error != 0 || !result) {
      answer.detail = fmt::format("the lookup of {} failed: {}", p->name, ub_strerror(error));
    } else {
      answer = to_answer(*result, p->type);
    }
    ub_resolve_free(result);
    p->owner->pending.erase(p);
    // Later, and not from within libunbound.
    p->owner->loop.post([p, a = std::move(answer)]() mutable { p->done.set(std::move(a)); });
  }

  // Ends what has waited too long.
  io::Task<void> tick() {
    while (!pending.empty()) {
      const bool elapsed = co_await ticker.wait(std::chrono::milliseconds(100));
      if (!elapsed) break;
      const auto now = io::Steady::now();
      std::vector<Pending*> late;
      for (const auto& [p, id] : pending) {
        if (p->deadline <= now) late.push_back(p);
      }
      for (Pending* p : late) {
        ub_cancel(ctx.get(), p->async_id);
        pending.erase(p);
        Answer answer;
        answer.detail = fmt::format("no answer for {} within {} ms", p->name, timeout.count());
        p->done.set(std::move(answer));
      }
    }
    ticking = false;
  }
};

Resolver::Resolver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Resolver::~Resolver() {
  impl_->watch.reset();
  // The tasks have gone, and what `p` leads to with them.
  for (const auto& [p, id] : impl_->pending) ub_cancel(impl_->ctx.get(), id);
}

base::Result<std::unique_ptr<Resolver>> Resolver::create(io::Loop& loop, const Settings& settings) {
  auto impl = std::make_unique<Impl>(loop, settings.timeout);
  impl->ctx.reset(ub_ctx_create());
  if (!impl->ctx) return base::fail("dns.config", "the resolver cannot be made: out of memory");
  if (auto done = configure(impl->ctx.get(), settings); !done) return std::unexpected(done.error());
  if (auto done = add_anchor(impl->ctx.get(), settings); !done) return std::unexpected(done.error());
  if (settings.stubs.empty() && settings.forwarders.empty()) ub_ctx_resolvconf(impl->ctx.get(), nullptr);
  ub_ctx_async(impl->ctx.get(), 1);
  Impl* raw = impl.get();
  const int fd = ub_fd(impl->ctx.get());
  if (fd < 0) return base::fail("dns.config", "the resolver cannot be started");
  impl->watch = loop.watch_readable(fd, [raw] { ub_process(raw->ctx.get()); });
  return std::unique_ptr<Resolver>(new Resolver(std::move(impl)));
}

io::Task<Answer> Resolver::query(std::string name, Type type) {
  Impl& impl = *impl_;
  Impl::Pending p{&impl, type, {}, io::Steady::now() + impl.timeout, 0, name};
  const std::string question = name + ".";
  const int result = ub_resolve_async(impl.ctx.get(), question.c_str(), static_cast<int>(type), 1, &p,
                                      &Impl::on_answer, &p.async_id);
  if (result != 0) {
    Answer failed;
    failed.detail = fmt::format("the lookup of {} cannot be started: {}", name, ub_strerror(result));
    co_return failed;
  }
  impl.pending.emplace(&p, p.async_id);
  if (!impl.ticking) {
    impl.ticking = true;
    impl.loop.spawn(impl.tick());
  }
  co_return co_await p.done;
}

}  // namespace pinnace::dns
