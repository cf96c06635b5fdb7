// Attacks: the behaviour of a Byzantine or faulty worker, for every compressor and topology.
//
//   "sign-flip:workers=3"      the last three workers send the negatives of their gradients
//
// The attackers are the last `workers` ranks, so worker 0, which reports, is the last that becomes
// one. With `at=n` the attack happens only at step n. With an asynchronous server a step is a step
// of that worker.
//
// Value attacks change the attacker's gradient in place, before the workers agree that it is finite
// and before encode. The attacker thus sends a valid encoding of a wrong gradient, and its error
// feedback accumulates the residual of the wrong gradient.
//
//   sign-flip                 -g
//   random                    Gaussian noise with the norm of g, drawn by (seed, worker, step); or
//                             with the standard deviation `scale`
//   zero                      0
//   scale:factor=f            f g
//   stale:steps=n             g of n steps ago, or the first g until n steps have passed
//   collude                   one Gaussian direction for all attackers and steps, drawn by the
//                             seed, with the norm of g; with `scale` all send the same vector
//   nan                       g with NaN at its first coordinate, or with `all` at every one
//
// An attacker knows its own gradient and the seed, and not the gradients of others: attackers can
// only agree in advance, as in `collude`. Attacks that need the mean and the deviation of the
// honest gradients (ALIE, Baruch et al., arXiv 1902.06156) are not available. Source of the others:
// Bernstein et al., arXiv 1810.05291; Blanchard et al., arXiv 1703.02757.
//
// Wire attacks change the packets that the attacker sends (faulty_endpoint.hpp), each with
// probability `rate`:
//
//   bit-flip:rate=r           each bit of the payload flips with probability r
//   drop, duplicate           the packet is not sent, or sent twice
//   delay:ms=t                the sender waits before it sends, in real or in virtual time
//   replay                    the payload of the previous step replaces this step's
//
// The checksum is computed again, so a receiver must decode the packet or reject it by its content.
// With checksum=keep the packet keeps the checksum that it had, and the receiver must detect that.
//
//   die:at=n                  the worker throws at the start of step n
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tersegrad/core/archive.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse {

struct Attack {
  enum class Kind : std::uint8_t {
    none,
    sign_flip,
    random,
    zero,
    scale,
    stale,
    collude,
    nan,
    bit_flip,
    drop,
    duplicate,
    delay,
    replay,
    die,
  };

  Kind kind = Kind::none;
  int workers = 1;                                 // number of attackers: the last ranks
  std::optional<std::uint64_t> at = std::nullopt;  // the only step of the attack; none: every step
  std::optional<double> scale = std::nullopt;      // random, collude: the standard deviation
  double factor = 1;                               // scale
  int steps = 1;                                   // stale
  bool all = false;                                // nan
  double rate = 1;                                 // wire attacks: per packet; bit_flip: per bit
  double milliseconds = 0;                         // delay
  bool keep_checksum = false;                      // bit_flip, replay

  bool hits(std::uint64_t step) const { return !at || *at == step; }
  bool on_wire() const { return kind >= Kind::bit_flip && kind <= Kind::replay; }
  // Whether `rank` of `size` workers is an attacker.
  bool by(int rank, int size) const { return kind != Kind::none && rank >= size - workers; }
};

// "" and "none" are no attack. Throws UsageError for an unknown name, key or value.
Attack parse_attack(std::string_view spec);
// parse_attack(to_string(attack)) is the same attack.
std::string to_string(const Attack& attack);
// Throws UsageError if the attack has more attackers than there are workers.
void check_attack(const Attack& attack, int workers);

// A row of the table of attacks, which `train --help` and the documentation list.
struct AttackEntry {
  std::string_view name;
  Attack::Kind kind;
  std::string_view summary;  // one line
  void (*read)(Options&, Attack&);
};
std::span<const AttackEntry> attack_registry();

// One worker's part in a value attack or a death. An honest worker's part does nothing.
class ValueAttack {
 public:
  ValueAttack(const Attack& attack, std::uint64_t seed, int rank, int workers);

  // Changes the gradients in place. Called once a step with all gradients of the worker. Throws
  // Error if the worker dies at this step.
  void apply(std::uint64_t step, std::span<const GradView> gradients);

  void serialize(Archive& archive);  // the past gradients of `stale`; otherwise nothing

 private:
  void replay(std::span<const GradView> gradients, bool hit);
  void draw(std::uint32_t worker, std::uint64_t step, std::span<const GradView> gradients);

  Attack attack_;  // none if the worker is honest
  std::uint64_t seed_;
  std::uint32_t worker_;
  std::uint64_t calls_ = 0;  // stale: number of calls of apply
  std::vector<float> past_;  // stale: the last `steps` gradients, that of call c at c % steps
};

}  // namespace terse
