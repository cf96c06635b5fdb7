// Attacks: what a hostile or broken worker does, for every compressor and topology.
//
//   "sign-flip:workers=3"      the last three workers send the opposite of their gradients
//
// The attackers are the last `workers` ranks: worker 0, who reports, is the last to turn. `at=n`
// leaves all steps but n alone. To an asynchronous server a step is one of the worker's own.
//
// Value attacks change the attacker's gradient where it lies, before anybody looks at it: before
// the workers agree that it is finite, and before encode. So they say what a compressor makes of a
// wrong gradient, and error feedback makes up for what was left unsaid of the wrong one.
//
//   sign-flip                 -g
//   random                    Gaussian noise as long as g, drawn by (seed, worker, step); or with
//                             the standard deviation `scale`
//   zero                      0
//   scale:factor=f            f g
//   stale:steps=n             g of n steps ago; until there is one, the first
//   collude                   one Gaussian direction for all attackers and steps, drawn by the
//                             seed, as long as g; with `scale` also of one length: the same vector
//   nan                       g with NaN in its first place, or with `all` in every place
//
// An attacker knows its own gradient and the seed, and nothing of the others': `collude` is what
// can be agreed on beforehand. Attacks that need the honest gradients' mean and spread (ALIE,
// Baruch et al., arXiv 1902.06156) are not available to it. Sources of the blind ones: Bernstein et
// al., arXiv 1810.05291; Blanchard et al., arXiv 1703.02757.
//
// Wire attacks change the attacker's packets as they leave it (faulty_endpoint.hpp), each with the
// probability `rate`:
//
//   bit-flip:rate=r           each bit of the payload flips with probability r
//   drop, duplicate           the packet is sent never, or twice
//   delay:ms=t                the sender waits before it sends: asleep, or in virtual time
//   replay                    the packet of the step before in its place, labelled as this step's
//
// The checksum is made right again, so that the packet must be understood or refused for what it
// says. With checksum=keep a packet stays as it was sealed, and the receiver must find that out.
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
  int workers = 1;                                 // the last so many ranks
  std::optional<std::uint64_t> at = std::nullopt;  // this step alone; none: every step
  std::optional<double> scale = std::nullopt;      // random, collude: the standard deviation
  double factor = 1;                               // scale
  int steps = 1;                                   // stale
  bool all = false;                                // nan
  double rate = 1;                                 // wire: of packets, of bit_flip: of bits
  double milliseconds = 0;                         // delay
  bool keep_checksum = false;                      // bit_flip, replay

  bool hits(std::uint64_t step) const { return !at || *at == step; }
  bool on_wire() const { return kind >= Kind::bit_flip && kind <= Kind::replay; }
  // Of so many workers.
  bool by(int rank, int size) const { return kind != Kind::none && rank >= size - workers; }
};

// "" and "none" are no attack; UsageError for an unknown name, key or value.
Attack parse_attack(std::string_view spec);
// parse_attack(to_string(attack)) is the same attack.
std::string to_string(const Attack& attack);
// UsageError if there are not so many workers.
void check_attack(const Attack& attack, int workers);

// For people: `train --help` and the pages.
struct AttackEntry {
  std::string_view name;
  Attack::Kind kind;
  std::string_view summary;  // one line
  void (*read)(Options&, Attack&);
};
std::span<const AttackEntry> attack_registry();

// One worker's part in a value attack or a death: none, if it is honest.
class ValueAttack {
 public:
  ValueAttack(const Attack& attack, std::uint64_t seed, int rank, int workers);

  // Once a step, with all of the worker's gradients. An Error if the worker dies now.
  void apply(std::uint64_t step, std::span<const GradView> gradients);

  void serialize(Archive& archive);  // what `stale` remembers; nothing for an honest worker

 private:
  void replay(std::span<const GradView> gradients, bool hit);
  void draw(std::uint32_t worker, std::uint64_t step, std::span<const GradView> gradients);

  Attack attack_;  // none, if the worker is honest
  std::uint64_t seed_;
  std::uint32_t worker_;
  std::uint64_t calls_ = 0;  // stale
  std::vector<float> past_;  // of the last `steps` calls, that of call c in place c % steps
};

}  // namespace terse
