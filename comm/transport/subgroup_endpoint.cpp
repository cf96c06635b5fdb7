#include "tersegrad/comm/transport/subgroup_endpoint.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "tersegrad/core/error.hpp"

namespace terse {

SubgroupEndpoint::SubgroupEndpoint(Endpoint& below, std::vector<int> ranks)
    : below_(below), ranks_(std::move(ranks)) {
  const auto own = std::ranges::find(ranks_, below_.rank());
  internal_check(std::ranges::is_sorted(ranks_) && own != ranks_.end(),
                 "subgroup: expected ascending ranks with worker {} among them; got {} ranks",
                 below_.rank(), ranks_.size());
  rank_ = static_cast<int>(own - ranks_.begin());
}

int SubgroupEndpoint::take_any(const Expected& expected, Packet& into) {
  const int from = below_.take_any(expected, into);
  const auto place = std::ranges::find(ranks_, from);
  check<PacketError>(place != ranks_.end(),
                     "recv: worker {} got a packet from worker {}, which has left", below_.rank(),
                     from);
  return static_cast<int>(place - ranks_.begin());
}

void SubgroupEndpoint::barrier() {
  const Expected expected{.kind = PacketKind::control, .payload_bytes = 0};
  for (int hop = 1; hop < size(); hop *= 2) {
    const int to = (rank_ + hop) % size(), from = (rank_ + size() - hop) % size();
    Packet packet = lend(to);
    packet.start({.kind = PacketKind::control, .worker = static_cast<std::uint16_t>(rank_)}, 0);
    packet.seal();
    post(to, std::move(packet));
    take(from, expected, in_);
    check_expected(in_, rank_, from, expected);
  }
}

void keep_only(Worker& me, std::vector<int> ranks) {
  me.wrap_endpoint(std::make_unique<SubgroupEndpoint>(me.endpoint(), std::move(ranks)));
}

}  // namespace terse
