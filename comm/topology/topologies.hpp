// The constructors of all topologies, called only by TopologyPlan.
#pragma once

#include <memory>
#include <vector>

#include "tersegrad/comm/topology/topology.hpp"

namespace terse {

// The packets of a `local` run, shared by its workers. Barriers separate writes and reads.
struct LocalBoard {
  std::vector<Packet> up;  // slot w is written by worker w and read by worker 0
  Packet down;             // written by worker 0 and read by all
};

std::unique_ptr<Topology> make_local_topology(Worker& me, std::shared_ptr<LocalBoard> board);
std::unique_ptr<Topology> make_ring_topology(Worker& me, AllReduce kind, const LinkSpeed& link);
std::unique_ptr<Topology> make_server_topology(Worker& me, int servers);

}  // namespace terse
