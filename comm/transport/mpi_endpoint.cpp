#include "tersegrad/comm/transport/mpi_endpoint.hpp"

#include <fmt/core.h>

#include <climits>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/thread.hpp"

namespace terse {

void check_mpi(int code, std::string_view call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw Error(
      fmt::format("{}: {}", call, std::string_view(text, static_cast<std::size_t>(length))));
}

MpiEndpoint::MpiEndpoint(const MpiSession& session, std::chrono::milliseconds deadline)
    : rank_(session.rank()),
      size_(session.size()),
      serves_threads_(session.serves_threads()),
      deadline_(deadline),
      peers_(static_cast<std::size_t>(session.size())) {
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &comm_), "MPI_Comm_dup");
  check_mpi(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  if (serves_threads_ && size_ > 1) heart_ = start_thread("heartbeats", [this] { beat(); });
}

bool MpiEndpoint::others_may_act() const {
  check<UsageError>(serves_threads_,
                    "buckets: expected an MPI with MPI_THREAD_SERIALIZED; this one serves only "
                    "one thread of a process; leave the buckets out");
  return true;
}

// ---- sending ------------------------------------------------------------------------------------

Packet MpiEndpoint::lend(int to) {
  const Lock lock(mutex_);
  return spare(to);
}

Packet MpiEndpoint::spare(int to) {
  read_ends();
  throw_if_failed();
  return recycled(to);
}

Packet MpiEndpoint::recycled(int to) {
  reclaim();
  auto& spare = peer(to).spare;
  if (spare.empty()) return {};
  Packet packet = std::move(spare.back());
  spare.pop_back();
  return packet;
}

void MpiEndpoint::send(int to, Tag tag, Packet packet) {
  check(packet.size_bytes() <= INT_MAX,
        "worker {}: expected at most {} bytes in a message of MPI; got a packet of {} bytes for "
        "worker {}; take a compressor with smaller packets, or divide the model over more servers",
        rank_, INT_MAX, packet.size_bytes(), to);
  sending_.push_back({MPI_REQUEST_NULL, to, std::move(packet)});
  Sending& last = sending_.back();
  const auto bytes = last.packet.bytes();
  check_mpi(MPI_Isend(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, to, tag, comm_,
                      &last.request),
            "MPI_Isend");
  ++peer(to).sent;
}

// Takes back the memory of messages that have gone.
void MpiEndpoint::reclaim() {
  for (std::size_t i = 0; i < sending_.size();) {
    int gone = 0;
    check_mpi(MPI_Test(&sending_[i].request, &gone, MPI_STATUS_IGNORE), "MPI_Test");
    if (gone == 0) {
      ++i;
      continue;
    }
    peer(sending_[i].to).spare.push_back(std::move(sending_[i].packet));
    if (i + 1 < sending_.size()) sending_[i] = std::move(sending_.back());
    sending_.pop_back();
  }
}

void MpiEndpoint::flush() {
  Lock lock(mutex_);
  wait(
      lock, std::nullopt,
      [&] {
        reclaim();
        return sending_.empty();
      },
      [&] {
        return fmt::format("worker {} waits until worker {} takes its message", rank_,
                           sending_.front().to);
      });
}

// ---- receiving ----------------------------------------------------------------------------------

bool MpiEndpoint::arrived(int from, int tag, MPI_Message& message, MPI_Status& status) {
  int flag = 0;
  check_mpi(MPI_Improbe(from, tag, comm_, &flag, &message, &status), "MPI_Improbe");
  return flag != 0;
}

void MpiEndpoint::receive(MPI_Message& message, const MPI_Status& status, ByteVector& bytes) {
  MPI_Count count = 0;
  check_mpi(MPI_Get_elements_x(&status, MPI_BYTE, &count), "MPI_Get_elements_x");
  check<PacketError>(count >= 0 && count <= INT_MAX,
                     "worker {} got a message of {} bytes from worker {}; expected at most {}",
                     rank_, count, status.MPI_SOURCE, INT_MAX);
  bytes.resize(static_cast<std::size_t>(count));
  check_mpi(MPI_Mrecv(bytes.data(), static_cast<int>(count), MPI_BYTE, &message, MPI_STATUS_IGNORE),
            "MPI_Mrecv");
  if (status.MPI_TAG != kEnd) ++peer(status.MPI_SOURCE).taken;
}

void MpiEndpoint::take(int from, const Expected& expected, Packet& into) {
  Lock lock(mutex_);
  take_from(lock, from, from, fmt::format("worker {}", from), expected, into);
}

int MpiEndpoint::take_any(const Expected& expected, Packet& into) {
  Lock lock(mutex_);
  return take_from(lock, MPI_ANY_SOURCE, std::nullopt, "any worker", expected, into);
}

int MpiEndpoint::take_from(Lock& lock, int source, std::optional<int> from, const std::string& whom,
                           const Expected& expected, Packet& into) {
  MPI_Message message;
  MPI_Status status;
  wait(
      lock, from, [&] { return arrived(source, kPacket, message, status); },
      [&] {
        return fmt::format("worker {} waits for {} (packet {} of phase {}, step {})", rank_, whom,
                           to_string(expected.kind), expected.phase, expected.step);
      });
  ByteVector bytes = into.release();
  into.start({}, 0);
  receive(message, status, bytes);
  try {
    into = Packet::parse(std::move(bytes));
  } catch (const PacketError& e) {
    throw PacketError(fmt::format("worker {} got a broken packet from worker {}: {}", rank_,
                                  status.MPI_SOURCE, e.what()));
  }
  return status.MPI_SOURCE;
}

// Dissemination: after hop k a worker has heard, directly or indirectly, of the 2^k before it.
void MpiEndpoint::barrier() {
  Lock lock(mutex_);
  for (int hop = 1; hop < size_; hop *= 2) {
    const int to = (rank_ + hop) % size_, from = (rank_ + size_ - hop) % size_;
    send(to, kBarrier, spare(to));
    MPI_Message message;
    MPI_Status status;
    wait(
        lock, from, [&] { return arrived(from, kBarrier, message, status); },
        [&] { return fmt::format("worker {} waits at the barrier for worker {}", rank_, from); });
    receive(message, status, bytes_);
  }
}

}  // namespace terse
