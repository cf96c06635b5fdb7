// A model of a network: when messages leave and arrive, in virtual seconds. No thread sleeps.
//
// Every worker has one full-duplex NIC. The NICs are connected by a switch without congestion.
// Worker i sends a message of n bytes, header included, to worker j at i's time t:
//
//   start        s = max(t, time at which i's NIC has sent its earlier messages)
//   occupation   d = n / rate            rate: the minimum of i's NIC, j's NIC and the link
//   first byte   f = s + latency + jitter + retry · (rounds of retransmissions),
//                    and not before the first byte of i's previous message to j
//   arrival      a = max(f, time at which j's NIC has received the messages with earlier first
//                           bytes) + d
//
// i's NIC is busy until s + d, and j's NIC until a. Sending never waits, so i continues at t. If j
// waits for the message, j continues at max(its own time, a). A message alone thus takes latency +
// n / rate; the messages of one sender leave one after the other, and the messages to one receiver
// arrive one after the other (incast).
//
// Jitter is uniform in [0, jitter). Loss: a message is cut into frames of 1500 bytes. Each frame is
// lost with probability `loss`; the lost frames of a round are sent again in the next round, until
// none is lost. Retransmitted frames occupy both NICs again. All draws come from Philox, keyed by
// sender, receiver and message number, so a run repeats.
//
// Not modelled: headers of lower layers, congestion in switches, slow start, and the processor time
// of a message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace terse {

class Archive;

class Philox;

// The parameters of the model. Their text form is a list of items with commas, for instance
// `10Gbps,20us` or `1gbe,loss=0.001,slow=3:2`; defaults are in brackets:
//
//   10gbe           10 Gbit/s and 20 us
//   1gbe            1 Gbit/s and 50 us
//   100mbps         100 Mbit/s and 100 us
//   wan             50 Mbit/s and 30 ms
//   10Gbps          bits per second of every NIC [10 Gbit/s]
//   20us            latency of every link [20 us]
//   jitter=5us      upper bound of the random delay of a message [0]
//   loss=0.001      probability that a frame is lost [0]
//   retry=1ms       delay until a round of lost frames is sent again [two latencies]
//   slow=3:2        worker 3 takes twice the time for local work; may be repeated
//   card=3:1Gbps    the NIC of worker 3 has another rate; may be repeated
//   link=0-3:1Gbps  the link between workers 0 and 3 is slower, or with link=0-3:5ms has another
//                   latency; may be repeated
struct Network {
  struct Slow {
    int worker = 0;
    double times = 1;
    bool operator==(const Slow&) const = default;
  };
  struct Nic {
    int worker = 0;
    double bits_per_second = 0;
    bool operator==(const Nic&) const = default;
  };
  struct Link {  // holds for both directions
    int a = 0, b = 0;
    std::optional<double> bits_per_second, latency;
    bool operator==(const Link&) const = default;
  };

  double bits_per_second = 10e9;
  double latency = 20e-6;  // seconds, like all times here
  double jitter = 0;
  double loss = 0;
  std::optional<double> retry = std::nullopt;
  std::vector<Slow> slow = {};
  std::vector<Nic> nics = {};
  std::vector<Link> links = {};

  bool operator==(const Network&) const = default;
};

// Throws UsageError, with the expected form, for a text that cannot be parsed.
Network parse_network(std::string_view text);
std::string to_string(const Network& network);  // parse_network gives the same network again
double parse_seconds(std::string_view text);    // "5ms" is 0.005; throws UsageError too

// The NICs of all workers. The calls for one worker must be in the order of its own time.
class NetworkNics {
 public:
  // Throws UsageError if the network names a worker whose number is not below `workers`.
  NetworkNics(const Network& network, int workers, std::uint64_t seed);

  // The factor by which the worker's local work is slowed down.
  double slowness(int worker) const { return slowness_[static_cast<std::size_t>(worker)]; }

  // A lower bound of the seconds from a send to its first byte at the receiver.
  double least_latency() const;

  // Sends a message of `bytes` bytes.
  struct Sent {
    double first_byte = 0;                         // its time at the receiver
    std::optional<double> arrival = std::nullopt;  // set if receive() shall not be called for it
  };
  Sent send(int from, int to, std::size_t bytes, double now);

  // Receives the next message to `to`. Messages are ordered by their first bytes, then by the ranks
  // of their senders. The caller must make sure that no message with an earlier first byte can
  // still be sent, and that at least one message is under way to `to`.
  struct Arrival {
    int from = 0;
    double time = 0;
  };
  Arrival receive(int to);

  // The state of the worker's NIC, without the messages under way to it: they must be sent again.
  // `early` are those that it has received, in the order of each sender. The first messages that
  // the senders then send are those, and `send` returns their arrivals.
  void serialize(int worker, Archive& archive, std::span<const Arrival> early);
  // The state of all NICs and the messages under way.
  void serialize(Archive& archive);

 private:
  struct Transit {
    double first_byte = 0, occupation = 0;
    int from = 0;
    std::uint64_t number = 0;
    bool operator>(const Transit& other) const;
  };
  struct Nic {
    double rate = 0;                       // bytes per second
    double sent_until = 0, got_until = 0;  // when sending and receiving end
    std::uint64_t sent = 0;                // messages
    std::priority_queue<Transit, std::vector<Transit>, std::greater<>> coming;
    std::deque<Arrival> early;  // see serialize
  };

  void serialize_nic(int worker, Archive& archive);
  std::uint64_t draw_lost(std::uint64_t frames, Philox& random) const;

  Network network_;
  std::uint64_t seed_;
  std::vector<double> slowness_;
  std::vector<Nic> nics_;
  // By (sender, receiver). Empty without jitter and loss: messages cannot overtake each other then.
  std::vector<double> last_first_byte_;
};

}  // namespace terse
