// A modelled network: when messages leave and arrive, in virtual seconds. Nothing sleeps.
//
// Every worker has one full-duplex network card, and the cards meet in a switch that never
// congests. What worker i sends to worker j at its time t, in a message of n bytes with its header:
//
//   start        s = max(t, i's card has sent what came before)
//   occupation   d = n / rate            rate: the least of i's card, j's card and the link
//   first byte   f = s + latency         + jitter + one `retry` for each round of retransmissions;
//                                        never before that of i's last message to j
//   arrival      a = max(f, j's card has received all whose first bytes came before) + d
//
// i's card is busy until s + d, j's until a. i goes on at t, for sending never waits; j, when it
// waits for the message, goes on at max(its own time, a). So a message alone takes latency + n /
// rate, a worker's messages leave one after the other, and those to one worker arrive one after the
// other (incast).
//
// Jitter is uniform in [0, jitter). Loss: a message is cut into frames of 1500 bytes; each is lost
// with probability `loss`, and the lost ones of a round go again in the next, until all are there.
// What goes again occupies both cards again. All draws are Philox's, keyed by sender, receiver and
// number of the message, so a run repeats.
//
// Not in the model: headers of lower layers, congestion in switches, slow start, processor time of
// a message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

namespace terse {

class Philox;

// As text, a list with commas, for instance `10Gbps,20us` or `1gbe,loss=0.001,slow=3:2`:
//
//   10gbe, 1gbe, 100mbps, wan   10 Gbit/s and 20 us; 1 and 50; 100 Mbit/s and 100 us; 50 and 30 ms
//   10Gbps          bits per second of every card [10 Gbit/s]
//   20us            latency of every link [20 us]
//   jitter=5us      every message is up to so much later [0]
//   loss=0.001      share of frames that get lost [0]
//   retry=1ms       until a round of lost frames goes again [two latencies]
//   slow=3:2        worker 3 takes twice the time for its local work; may stand several times
//   card=3:1Gbps    worker 3 has another card; likewise
//   link=0-3:1Gbps  a slower link between workers 0 and 3, or link=0-3:5ms a longer one; likewise
struct Network {
  struct Slow {
    int worker = 0;
    double times = 1;
    bool operator==(const Slow&) const = default;
  };
  struct Card {
    int worker = 0;
    double bits_per_second = 0;
    bool operator==(const Card&) const = default;
  };
  struct Link {  // in both directions
    int a = 0, b = 0;
    std::optional<double> bits_per_second, latency;
    bool operator==(const Link&) const = default;
  };

  double bits_per_second = 10e9;
  double latency = 20e-6;  // seconds, as all times
  double jitter = 0;
  double loss = 0;
  std::optional<double> retry = std::nullopt;
  std::vector<Slow> slow = {};
  std::vector<Card> cards = {};
  std::vector<Link> links = {};

  bool operator==(const Network&) const = default;
};

// UsageError for what is not of this form, with what would be right.
Network parse_network(std::string_view text);
std::string to_string(const Network& network);  // parse_network gives the same network again
double parse_seconds(std::string_view text);    // "5ms"; UsageError likewise

// The cards of all workers. Call it in the order of each worker's own time.
class NetworkCards {
 public:
  // UsageError if the network names a worker that there is not.
  NetworkCards(const Network& network, int workers, std::uint64_t seed);

  // How many times its usual time a worker takes for local work.
  double slowness(int worker) const { return slowness_[static_cast<std::size_t>(worker)]; }

  // No message takes less to its first byte.
  double least_latency() const;

  // Sends a message; the time of its first byte at the receiver.
  double send(int from, int to, std::size_t bytes, double now);

  // The next message that `to`'s card receives: the first byte decides, then the sender's rank. The
  // caller sees to it that no message with an earlier first byte can still be sent.
  struct Arrival {
    int from = 0;
    double time = 0;
  };
  Arrival receive(int to);

 private:
  struct Transit {
    double first_byte = 0, occupation = 0;
    int from = 0;
    std::uint64_t number = 0;
    bool operator>(const Transit& other) const;
  };
  struct Card {
    double rate = 0;                       // bytes a second
    double sent_until = 0, got_until = 0;  // busy until then
    std::uint64_t sent = 0;                // messages
    std::priority_queue<Transit, std::vector<Transit>, std::greater<>> coming;
  };

  std::uint64_t draw_lost(std::uint64_t frames, Philox& random) const;

  Network network_;
  std::uint64_t seed_;
  std::vector<double> slowness_;
  std::vector<Card> cards_;
  std::vector<double> last_first_byte_;  // of each pair; empty where messages cannot overtake
};

}  // namespace terse
