#include "examples/run/state_collector.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tersegrad/core/error.hpp"

namespace terse::run {
namespace {

void append(std::vector<StatePart>& parts, std::vector<StatePart> more) {
  std::ranges::move(more, std::back_inserter(parts));
}

// A part travels as two messages about its sizes and its scope, and the bytes in pieces.
constexpr std::size_t kPiece = std::size_t{1} << 28;

void send_bytes(Worker& me, std::uint32_t step, std::span<const std::byte> bytes) {
  const PacketHeader header{
      .kind = PacketKind::control, .step = step, .worker = static_cast<std::uint16_t>(me.rank())};
  const std::uint64_t size = bytes.size();
  me.send(0, header, std::as_bytes(std::span(&size, 1)));
  for (; !bytes.empty(); bytes = bytes.subspan(std::min(kPiece, bytes.size()))) {
    me.send(0, header, bytes.first(std::min(kPiece, bytes.size())));
  }
}

std::vector<std::byte> receive_bytes(Worker& me, int from, std::uint32_t step) {
  const auto receive = [&](std::size_t bytes) {
    return me.recv(from, {.kind = PacketKind::control, .step = step, .payload_bytes = bytes});
  };
  std::uint64_t size = 0;
  std::memcpy(&size, receive(sizeof size).payload().data(), sizeof size);
  std::vector<std::byte> bytes;
  while (bytes.size() < size) {
    const auto piece = receive(std::min<std::size_t>(kPiece, size - bytes.size()));
    bytes.insert(bytes.end(), piece.payload().begin(), piece.payload().end());
  }
  return bytes;
}

}  // namespace

void StateCollector::add(Worker& me, RunState own, bool last) {
  processes_ ? send_to_first(me, std::move(own), last) : leave_at_board(me, std::move(own));
}

void StateCollector::leave_at_board(const Worker& me, RunState own) {
  const auto step = own.step;
  std::map<int, RunState> all;
  {
    const std::lock_guard lock(mutex_);
    auto& board = boards_[step];
    board.emplace(me.rank(), std::move(own));
    if (std::ssize(board) < me.size()) return;
    all = std::move(board);
    boards_.erase(step);
  }
  // No other checkpoint is written meanwhile, because this worker has no part in it yet.
  RunState state{.step = step, .log_bytes = all.at(0).log_bytes, .parts = {}};
  for (auto& [rank, part] : all) append(state.parts, std::move(part.parts));
  write_(state);
}

void StateCollector::send_to_first(Worker& me, RunState own, bool last) {
  const auto step = static_cast<std::uint32_t>(own.step);
  if (me.rank() != 0) {
    for (const auto& part : own.parts) {
      send_bytes(me, step, std::as_bytes(std::span(part.scope)));
      send_bytes(me, step, part.bytes);
    }
  } else {
    for (int from = 1; from < me.size(); ++from) {  // other workers have one part each
      const auto scope = receive_bytes(me, from, step);
      own.parts.push_back({std::string(reinterpret_cast<const char*>(scope.data()), scope.size()),
                           receive_bytes(me, from, step)});
    }
    write_(own);
  }
  if (last) me.barrier();
}

}  // namespace terse::run
