// The topologies that there are, for TopologyPlan::join alone.
#pragma once

#include <memory>
#include <vector>

#include "tersegrad/comm/topology/topology.hpp"

namespace terse {

// Where the workers of a `local` run lay their packets. Barriers separate writing and reading.
struct LocalBoard {
  std::vector<Packet> up;  // slot w is written by worker w and read by worker 0
  Packet down;             // written by worker 0 and read by all
};

std::unique_ptr<Topology> make_local_topology(Worker& me, std::shared_ptr<LocalBoard> board);
std::unique_ptr<Topology> make_ring_topology(Worker& me, AllReduce kind, const LinkSpeed& link);
std::unique_ptr<Topology> make_server_topology(Worker& me, int servers);

}  // namespace terse
