#include "http/fetcher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "http/public_address.hpp"
#include "http/transfer.hpp"

namespace pinnace::http {
namespace {

constexpr std::size_t kMostRunning = 256;
constexpr std::size_t kMostOpen = 4096;  // running or waiting for a turn
constexpr base::Milliseconds kLongestPoll = std::chrono::seconds(10);

using Done = std::shared_ptr<io::OneShot<base::Result<Response>>>;

struct Job {
  std::unique_ptr<Transfer> transfer;
  Done done;
};

struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

CURLM* new_multi() {
  static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
  CURLM* multi = kReady == CURLE_OK ? curl_multi_init() : nullptr;
  if (!multi) throw std::bad_alloc();
  return multi;
}

// What goes into a URL as it stands.
bool is_plain(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) {
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
           std::string_view("-._/").find(c) != std::string_view::npos;
  });
}

base::Result<> check(Request& request, const Settings& settings) {
  const auto fail = [&](std::string_view code, std::string why) {
    return base::fail(code, fmt::format("https://{}{}: {}", request.host, request.path, why));
  };
  if (request.host.empty() || !is_plain(request.host) || request.host.find('/') != std::string::npos ||
      !request.path.starts_with('/') || !is_plain(request.path)) {
    return base::fail("http.transfer", "a host's name and a plain path are expected");
  }
  if (request.addresses.empty()) return fail("http.address", "the host has no address");
  const io::IpAddress first = request.addresses[0];
  std::erase_if(request.addresses, [&](const auto& a) { return !may_connect(a, settings.allowed); });
  if (!request.addresses.empty()) return {};
  return fail("http.address",
              fmt::format("{} is {}, which no public host has", first.str(), not_public(first)));
}

}  // namespace

struct Fetcher::Impl {
  Impl(io::Loop& l, tls::TrustStore r, Settings s)
      : loop(l), roots(std::move(r)), settings(std::move(s)), multi(new_multi()), thread([this] {
          work();
        }) {}

  Done begin(Request request);
  void answer(Job job, base::Result<Response> result);
  bool take_new();
  void start_waiting();
  void take_ended();
  int poll_time() const;
  void work();

  io::Loop& loop;
  const tls::TrustStore roots;
  const Settings settings;
  std::unique_ptr<CURLM, MultiDeleter> multi;

  std::mutex mutex;
  std::vector<Job> incoming;
  std::size_t open = 0;
  bool stopping = false;

  // The thread's own.
  std::deque<Job> waiting;  // by deadline: they came in this order
  std::map<CURL*, Job> running;
  std::thread thread;
};

// What will be set, or is: with an error, where nothing can be asked.
Done Fetcher::Impl::begin(Request request) {
  const auto done = std::make_shared<io::OneShot<base::Result<Response>>>();
  if (auto good = check(request, settings); !good) {
    done->set(std::unexpected(good.error()));
    return done;
  }
  const auto deadline = io::Steady::now() + settings.timeout;
  auto transfer = std::make_unique<Transfer>(std::move(request), settings, roots, deadline);
  {
    const std::lock_guard lock(mutex);
    if (open == kMostOpen) {
      done->set(base::fail("http.transfer", "too many HTTPS requests wait for their turn"));
      return done;
    }
    ++open;
    incoming.emplace_back(std::move(transfer), done);
  }
  curl_multi_wakeup(multi.get());
  return done;
}

void Fetcher::Impl::answer(Job job, base::Result<Response> result) {
  {
    const std::lock_guard lock(mutex);
    --open;
  }
  loop.post([done = std::move(job.done), r = std::move(result)]() mutable { done->set(std::move(r)); });
}

bool Fetcher::Impl::take_new() {
  const std::lock_guard lock(mutex);
  for (Job& job : incoming) waiting.push_back(std::move(job));
  incoming.clear();
  return !stopping;
}

void Fetcher::Impl::start_waiting() {
  while (!waiting.empty()) {
    const bool late = waiting.front().transfer->deadline() <= io::Steady::now();
    if (!late && running.size() == kMostRunning) return;
    Job job = std::move(waiting.front());
    waiting.pop_front();
    if (late) {
      auto error = job.transfer->too_late();
      answer(std::move(job), std::move(error));
      continue;
    }
    CURL* easy = job.transfer->start();
    if (easy && curl_multi_add_handle(multi.get(), easy) == CURLM_OK) {
      running.emplace(easy, std::move(job));
    } else {
      auto error = job.transfer->end(CURLE_FAILED_INIT);
      answer(std::move(job), std::move(error));
    }
  }
}

void Fetcher::Impl::take_ended() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    auto ended = running.extract(message->easy_handle);
    curl_multi_remove_handle(multi.get(), ended.key());
    auto result = ended.mapped().transfer->end(code);
    answer(std::move(ended.mapped()), std::move(result));
  }
}

// Nobody who waits for a turn is told too late that there was none.
int Fetcher::Impl::poll_time() const {
  base::Milliseconds time = kLongestPoll;
  if (!waiting.empty()) {
    const auto left =
        std::chrono::ceil<base::Milliseconds>(waiting.front().transfer->deadline() - io::Steady::now());
    time = std::clamp(left, base::Milliseconds(0), time);
  }
  return static_cast<int>(time.count());
}

void Fetcher::Impl::work() {
  while (take_new()) {
    start_waiting();
    int count = 0;
    curl_multi_perform(multi.get(), &count);
    take_ended();
    const bool room = running.size() < kMostRunning && !waiting.empty();
    if (!room) curl_multi_poll(multi.get(), nullptr, 0, poll_time(), nullptr);
  }
  for (const auto& [easy, job] : running) curl_multi_remove_handle(multi.get(), easy);
  running.clear();
}

Fetcher::Fetcher(io::Loop& loop, tls::TrustStore roots, Settings settings)
    : impl_(std::make_unique<Impl>(loop, std::move(roots), std::move(settings))) {}

Fetcher::~Fetcher() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  curl_multi_wakeup(impl_->multi.get());
  impl_->thread.join();
}

io::Task<base::Result<Response>> Fetcher::get(Request request) {
  const Done done = impl_->begin(std::move(request));
  // Named first: g++ 12 waits on a copy of what `*done` gives.
  io::OneShot<base::Result<Response>>& arrival = *done;
  co_return co_await arrival;
}

}  // namespace pinnace::http
