// The end of a worker over MPI.
//
// An end on the wire: u8 kind, u64 messages that were sent to the receiver before, text.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tersegrad/comm/transport/mpi_endpoint.hpp"
#include "tersegrad/core/bytes.hpp"

namespace terse {
namespace {

constexpr std::size_t kLongestText = 4000;  // bytes

}  // namespace

void MpiEndpoint::read_end(MPI_Message& message, const MPI_Status& status) {
  receive(message, status, bytes_);
  ByteReader in(bytes_);
  const auto kind = in.get<std::uint8_t>();
  Peer& from = peer(status.MPI_SOURCE);
  from.sent_by_it = in.get<std::uint64_t>();
  const auto text = in.take(std::min(in.left(), kLongestText));
  from.end = {static_cast<Ending::Kind>(std::min<std::uint8_t>(kind, 4)),
              {reinterpret_cast<const char*>(text.data()), text.size()}};
  if (from.end->kind != Ending::Kind::done) failed_ = status.MPI_SOURCE;
}

void MpiEndpoint::read_ends() {
  MPI_Message message;
  MPI_Status status;
  while (arrived(MPI_ANY_SOURCE, kEnd, message, status)) read_end(message, status);
}

// Whether every other worker has ended, and all messages from it and to it have arrived.
bool MpiEndpoint::all_over() {
  reclaim();
  return sending_.empty() && std::ranges::all_of(peers_, [](const Peer& each) {
           return each.end && each.taken == each.sent_by_it;
         });
}

bool MpiEndpoint::leave(Ending own) {
  stop_heart();  // the end has the number of messages sent before it
  Lock lock(mutex_);
  own.text.resize(std::min(own.text.size(), kLongestText));
  std::vector<ByteVector> messages(peers_.size());
  std::vector<MPI_Request> requests(peers_.size(), MPI_REQUEST_NULL);
  for (int other = 0; other < size_; ++other) {
    if (other == rank_) continue;
    auto& bytes = messages[static_cast<std::size_t>(other)];
    bytes.resize(1 + sizeof(std::uint64_t) + own.text.size());
    ByteWriter out(bytes);
    out.put(own.kind);
    out.put(peer(other).sent);
    out.put(std::as_bytes(std::span<const char>(own.text)));
    check_mpi(MPI_Isend(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, other, kEnd, comm_,
                        &requests[static_cast<std::size_t>(other)]),
              "MPI_Isend");
  }
  peer(rank_).end = std::move(own);

  StallTimer timer(deadline_);
  auto next_look_for_stalls = Clock::now() + timer.slice();
  const auto gone = [&] {
    int all = 0;
    check_mpi(MPI_Testall(size_, requests.data(), &all, MPI_STATUSES_IGNORE), "MPI_Testall");
    return all != 0;
  };
  for (int look = 0; !(gone() && all_over()); ++look) {
    if (const auto now = Clock::now(); now >= next_look_for_stalls) {
      if (stalled(Activity::kAnyone, timer)) return false;
      next_look_for_stalls = now + timer.slice();
    }
    MPI_Message message;
    MPI_Status status;
    while (arrived(MPI_ANY_SOURCE, MPI_ANY_TAG, message, status)) {
      if (status.MPI_TAG == kEnd) {
        read_end(message, status);
      } else {
        receive(message, status, bytes_);
      }
    }
    rest(lock, look);
  }
  return true;
}

std::vector<std::optional<Ending>> MpiEndpoint::endings() const {
  std::vector<std::optional<Ending>> all;
  for (const auto& each : peers_) all.push_back(each.end);
  return all;
}

}  // namespace terse
