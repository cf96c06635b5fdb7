#include "tersegrad/comm/transport/worker.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "tersegrad/comm/transport/shared_memory.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/safetensors.hpp"

namespace terse {
namespace {

// Throws PacketError unless the checksum is that of the bytes. seal() overwrites the stated
// checksum with the computed one. That changes nothing in a sound packet, and this packet belongs
// to the receiver.
void verify_checksum(Packet& packet, int receiver, int sender) {
  constexpr std::size_t kOffset = 20;
  const auto checksum = [&] {
    std::uint32_t value = 0;
    std::memcpy(&value, packet.bytes().data() + kOffset, sizeof value);
    return value;
  };
  const auto stated = checksum();
  packet.seal();
  const auto computed = checksum();
  check<PacketError>(stated == computed,
                     "recv: worker {} got a broken packet from worker {}: its checksum must be "
                     "{:#010x}; got {:#010x}",
                     receiver, sender, computed, stated);
}

}  // namespace

void Worker::send(int to, const Packet& packet) {
  send(to, packet.header(), packet.payload());
}

void Worker::send(int to, const PacketHeader& header, std::span<const std::byte> payload) {
  const PauseLocalWork pause(virtual_clock());
  Packet packet = start(to, header, payload.size());
  std::copy(payload.begin(), payload.end(), packet.payload().begin());
  post(to, std::move(packet), header.kind);
}

void Worker::send(int to, const PacketHeader& header, std::size_t payload_bytes,
                  FunctionRef<void(Packet&)> fill) {
  Packet packet = start(to, header, payload_bytes);
  fill(packet);
  post(to, std::move(packet), header.kind);
}

Packet Worker::start(int to, const PacketHeader& header, std::size_t payload_bytes) {
  const PauseLocalWork pause(virtual_clock());
  internal_check(to >= 0 && to < size() && to != rank(),
                 "send: worker {} of {}: expected another worker as receiver; got worker {}",
                 rank(), size(), to);
  Packet packet = endpoint_->lend(to);
  packet.start(header, payload_bytes);
  return packet;
}

void Worker::post(int to, Packet packet, PacketKind kind) {
  const PauseLocalWork pause(virtual_clock());
  if (verify_ != Verify::header) packet.seal();
  count_sent(packet, kind);
  endpoint_->post(to, std::move(packet));
}

void Worker::recv(int from, const Expected& expected, Packet& into) {
  internal_check(from >= 0 && from < size() && from != rank(),
                 "recv: worker {} of {}: expected another worker as sender; got worker {}", rank(),
                 size(), from);
  const PauseLocalWork pause(virtual_clock());
  endpoint_->take(from, expected, into);
  admit(from, expected, into);
}

int Worker::recv_any(Expected expected, FunctionRef<std::uint64_t(int from)> step_of,
                     Packet& into) {
  const int from = endpoint_->take_any(expected, into);
  expected.step = step_of(from);
  admit(from, expected, into);
  return from;
}

void Worker::admit(int from, const Expected& expected, Packet& packet) {
  if (verify_ == Verify::checksum) verify_checksum(packet, rank(), from);
  check_expected(packet, rank(), from, expected);
  if (expected.kind != PacketKind::control) {
    ++counters_.messages_received;
    counters_.bytes_received += packet.size_bytes();
  }
}

Packet Worker::recv(int from, const Expected& expected) {
  Packet packet;
  recv(from, expected, packet);
  return packet;
}

// ---- one-sided access ---------------------------------------------------------------------------

void Worker::expose(std::span<const std::byte> values, std::span<std::byte> results,
                    const Expected& expected, FunctionRef<void()> body) {
  internal_check(shares_memory(), "expose: expected shared memory; worker {} has none", rank());
  internal_check(values.size() == results.size(),
                 "expose: expected as many bytes of results as of values; got {} bytes of values "
                 "and {} of results",
                 values.size(), results.size());
  auto& shared = *endpoint_->shared_memory();
  auto& own = shared.window(rank());
  own.open(values, results, expected);
  shared.begin_reading();
  bool reading = true;
  try {
    endpoint_->barrier();  // all windows are open
    check_windows(expected);
    body();
    reading = false;
    shared.end_reading();
    endpoint_->barrier();  // no worker reads any more
  } catch (...) {
    shared.call_off(std::current_exception());
    if (reading) shared.end_reading();
    shared.wait_until_nobody_reads();
    throw;
  }
  own.close();
  counters_.messages_sent += own.reads;
  counters_.payload_bytes_sent += own.bytes_read;
  counters_.bytes_sent += own.bytes_read + own.reads * Packet::kHeaderBytes;
  counters_.messages_received += own.writes;
  counters_.bytes_received += own.bytes_written + own.writes * Packet::kHeaderBytes;
}

void Worker::check_windows(const Expected& expected) {
  for (int peer = 0; peer < size(); ++peer) {
    const auto& window = endpoint_->shared_memory()->window(peer);
    const auto& got = window.label;
    check<PacketError>(
        got.step == expected.step && got.kind == expected.kind && got.phase == expected.phase,
        "expose: worker {} opens {} of phase {}, step {} and worker {} opens {} of phase {}, step "
        "{}; expected the same",
        rank(), to_string(expected.kind), expected.phase, expected.step, peer, to_string(got.kind),
        got.phase, got.step);
    const auto opened = window.values.size(), wanted = expected.payload_bytes.value_or(opened);
    check<PacketError>(opened == wanted,
                       "expose: worker {} opens {} bytes to worker {}; expected {} bytes", peer,
                       opened, rank(), wanted);
  }
}

// Returns the peer's window. InternalError if it has fewer bytes.
SharedMemory::Window& Worker::window(int peer, std::size_t first, std::size_t bytes) {
  auto& theirs = endpoint_->shared_memory()->window(peer);
  const auto size = theirs.values.size();
  internal_check(peer != rank() && first <= size && bytes <= size - first,
                 "expose: worker {} accesses {} bytes at offset {}; expected a range within the {} "
                 "bytes of another worker; got worker {}",
                 rank(), bytes, first, size, peer);
  return theirs;
}

std::span<const std::byte> Worker::read_values(int peer, std::size_t first, std::size_t bytes) {
  auto& theirs = window(peer, first, bytes);
  count_read(theirs, bytes);
  return theirs.values.subspan(first, bytes);
}

std::span<const std::byte> Worker::read_results(int peer, std::size_t first, std::size_t bytes) {
  auto& theirs = window(peer, first, bytes);
  count_read(theirs, bytes);
  return theirs.results.subspan(first, bytes);
}

std::span<std::byte> Worker::write_results(int peer, std::size_t first, std::size_t bytes) {
  auto& theirs = window(peer, first, bytes);
  ++theirs.writes;
  theirs.bytes_written += bytes;
  ++counters_.messages_sent;
  counters_.payload_bytes_sent += bytes;
  counters_.bytes_sent += bytes + Packet::kHeaderBytes;
  return theirs.results.subspan(first, bytes);
}

void Worker::count_read(SharedMemory::Window& theirs, std::size_t bytes) {
  ++theirs.reads;
  theirs.bytes_read += bytes;
  ++counters_.messages_received;
  counters_.bytes_received += bytes + Packet::kHeaderBytes;
}

// -------------------------------------------------------------------------------------------------

void Worker::count_sent(const Packet& packet, PacketKind kind) {
  if (kind == PacketKind::control) {
    ++counters_.control_messages;
    counters_.control_bytes += packet.size_bytes();
    return;
  }
  ++counters_.messages_sent;
  counters_.bytes_sent += packet.size_bytes();
  counters_.payload_bytes_sent += packet.payload().size();
}

void Worker::reset_accounts() {
  counters_ = {};
  clock_.reset();
  second_clock_.reset();
}

void Worker::without_time(FunctionRef<void()> body) {
  if (virtual_clock() == nullptr) return body();
  const auto serialize = [this](Archive& archive) { endpoint_->serialize(archive); };
  const auto before = safetensors_of(serialize);
  barrier();  // no message of the last step is under way
  body();
  barrier();  // and none of the body
  load_safetensors("virtual time", before, serialize);
  endpoint_->rejoin();
}

void Worker::serialize(Archive& archive) {
  counters_.serialize(archive);
  clock_.serialize(archive);
  {
    const auto scope = archive.scope("second");
    second_clock_.serialize(archive);
  }
  endpoint_->serialize(archive);
}

void check_expected(const Packet& packet, int receiver, int sender, const Expected& expected) {
  const auto got = packet.header();
  const auto wanted_step = static_cast<std::uint32_t>(expected.step);
  check<PacketError>(got.step == wanted_step,
                     "recv: worker {} got a packet of step {} from worker {}; expected step {}",
                     receiver, got.step, sender, wanted_step);
  check<PacketError>(got.kind == expected.kind,
                     "recv: worker {} got a packet of kind {} from worker {}; expected kind {}",
                     receiver, to_string(got.kind), sender, to_string(expected.kind));
  check<PacketError>(got.phase == expected.phase,
                     "recv: worker {} got a packet of phase {} from worker {}; expected phase {}",
                     receiver, got.phase, sender, expected.phase);
  if (!expected.payload_bytes) return;
  check<PacketError>(packet.payload().size() == *expected.payload_bytes,
                     "recv: worker {} got a payload of {} bytes from worker {}; expected {} bytes",
                     receiver, packet.payload().size(), sender, *expected.payload_bytes);
}

}  // namespace terse
