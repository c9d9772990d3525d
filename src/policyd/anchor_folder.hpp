// The files that answers name for tafile=: written before the answer is given, and removed an hour after the
// last answer that names them is over. Postfix's own user reads them. On the loop's thread; the disk's work
// is done on another.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "io/worker.hpp"
#include "postfix/telling.hpp"

namespace pinnace::policyd {

class AnchorFolder {
 public:
  // Answers name the files by another folder where Postfix, in its chroot, sees this one so: only the last
  // part of a path counts here.
  AnchorFolder(io::Loop& loop, std::string folder) : folder_(std::move(folder)), worker_(loop) {}

  // Makes the folder where there is none, and finds what earlier runs left. Before the loop runs. Error
  // "policyd.anchors".
  base::Result<> open(base::Time now);

  // Each file is there, whole and on disk, when this ends well, and stays until `until`.
  io::Task<base::Result<>> write(std::vector<postfix::AnchorFile> files, base::Time until);
  // Of an answer that is known already. False: a file is not there.
  bool keep(const std::vector<std::string>& paths, base::Time until);
  void clean(base::Time now);

  std::size_t size() const { return needed_.size(); }

 private:
  std::string place(const std::string& path) const;

  std::string folder_;
  std::unordered_map<std::string, base::Time> needed_;  // until when, by name
  io::Worker worker_;
};

}  // namespace pinnace::policyd
