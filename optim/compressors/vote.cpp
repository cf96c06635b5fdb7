// signSGD with majority vote.
//
//   worker w:  send sign(g_w)                                    one bit per coordinate
//   exchange:  V_i = number of + votes - number of - votes       in integers
//              send sign(V_i); a tie is a fair coin, + or 0      one bit per coordinate
//   worker:    mean = sign(V)
//
// With `exchange=slices` every worker counts the votes for a slice of the coordinates. With
// `exchange=gather` over a ring every worker receives all packets and counts all votes, as in the
// papers' clusters; over a server the server counts. The result has the same bits.
//
// vote:beta=b is Signum: it sends sign(v_w), v_w = b v_w + (1 - b) g_w, v_w = 0 at first. With
// `warmup` it sends sign(g_w) in its first C(b) steps (decorators/momentum.hpp), while v_w
// accumulates.
//
// A zero votes by a coin of its worker (`zero=random`). If zeros voted + (`zero=plus`, as in public
// code), a parameter whose gradient stays zero would move by -lr in every step. With coins it walks
// at random, about lr sqrt(K) in K steps. With `zero=zero` a zero does not vote, which takes a
// second plane of bits. The coins of different workers are independent: coins that all workers
// share would let silent workers outvote the others. They take a third more time to encode than
// `zero=plus`, and two thirds more if half of the values are zero. NaN votes +.
//
// Only a coin or 0 for a tie makes the vote of 2l workers no worse than that of 2l - 1; a tie that
// counts as + drifts upwards. All workers share the coin of a tie. Every coin belongs to a
// coordinate of the model.
//
// Payload: the bits of all tensors without gaps in 32-bit words, 4 ceil(d/32) bytes per plane. Of
// two planes the first marks the votes (or results) that are not zero.
// A worker sends (W-1)/W · (up + down) in slices over a ring or a server, and (W-1) · up in a gather
// over a ring.
// Time: one pass; combine O(W d/32) of all slices together, or of each worker in a gather.
// Source: Bernstein et al., arXiv 1802.04434 (Signum) and 1810.05291, algorithm 1.
#include <fmt/format.h>

#include <array>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/decorators/momentum.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/coins.hpp"
#include "tersegrad/optim/kernels/tally.hpp"

namespace terse {
namespace {

using kernels::words_for;

constexpr std::array<std::string_view, 3> kRules{"zero", "plus", "random"};
constexpr std::array<std::string_view, 2> kExchanges{"slices", "gather"};
constexpr std::size_t kMostVoters = 65535;  // the most that a tally counts

// The result of a tie, the vote of a zero gradient, and how packets are exchanged.
struct Rules {
  std::string tie = "random", zero = "random", exchange = "slices";
  std::string text() const {
    return fmt::format("tie={},zero={},exchange={}", tie, zero, exchange);
  }
};

// One or two planes of votes in a payload.
struct Ballot {
  std::span<const std::uint32_t> nonzero;  // empty if all votes are + or -
  std::span<const std::uint32_t> negative;

  Ballot() = default;
  Ballot(std::span<const std::uint32_t> words, std::int64_t planes)
      : nonzero(planes == 2 ? words.first(words.size() / 2) : words.first(0)),
        negative(words.subspan(nonzero.size())) {}

  void expect_padding_of(std::int64_t coordinates) const {
    if (!nonzero.empty()) expect_padding(nonzero, coordinates);
    expect_padding(negative, coordinates);
  }
  // values = the votes from coordinate `first` on: +1, -1, or 0 for none.
  void unpack(std::int64_t first, std::span<float> values) const {
    if (nonzero.empty()) return kernels::unpack_signs(negative, first, 1.0F, values);
    kernels::unpack_ternary(nonzero, negative, first, values);
  }
};

// The result of the votes on a block of coordinates. If none of the three bits is set, plus wins.
struct Outcome {
  kernels::TallyBlock minus;   // more votes for minus
  kernels::TallyBlock tie;     // as many for plus as for minus, and at least one each
  kernels::TallyBlock silent;  // no votes
};

// Counts words [begin, end) of all ballots, at most kTallyWords, if every worker votes: compares
// the number of minus votes with half of the voters.
void count_all(std::span<const Ballot> ballots, std::int64_t begin, std::int64_t end,
               Outcome& outcome) {
  const auto voters = static_cast<std::uint32_t>(ballots.size());
  const kernels::Tally minus(voters, static_cast<int>(end - begin),
                             [&](std::size_t v, const kernels::TallyLanes& lanes, auto& to) {
                               lanes.load(ballots[v].negative.data() + begin, to);
                             });
  minus.compare(voters / 2, outcome.minus, outcome.tie);
  if (voters % 2 == 1) outcome.tie.fill(0);
  outcome.silent.fill(0);
}

// The same if workers may abstain: compares the number of minus votes with that of plus votes.
void count_voters(std::span<const Ballot> ballots, std::int64_t begin, std::int64_t end,
                  Outcome& outcome) {
  const auto n = static_cast<int>(end - begin);
  const kernels::Tally plus(ballots.size(), n,
                            [&](std::size_t v, const kernels::TallyLanes& lanes, auto& to) {
                              kernels::TallyLanes::Words negative;
                              lanes.load(ballots[v].nonzero.data() + begin, to);
                              lanes.load(ballots[v].negative.data() + begin, negative);
                              to &= ~negative;
                            });
  const kernels::Tally minus(ballots.size(), n,
                             [&](std::size_t v, const kernels::TallyLanes& lanes, auto& to) {
                               kernels::TallyLanes::Words negative;
                               lanes.load(ballots[v].nonzero.data() + begin, to);
                               lanes.load(ballots[v].negative.data() + begin, negative);
                               to &= negative;
                             });
  minus.compare(plus, outcome.minus, outcome.tie);
  kernels::TallyBlock some, none;
  minus.compare(std::uint32_t{0}, some, none);
  for (std::size_t w = 0; w < none.size(); ++w) {
    outcome.silent[w] = outcome.tie[w] & none[w];
    outcome.tie[w] &= ~none[w];
  }
}

// The mean gradient sign(V), decoded block by block.
class UnpackedVotes final : public GradientSource {
 public:
  UnpackedVotes() = default;
  explicit UnpackedVotes(const Ballot& ballot) : ballot_(ballot) {}
  std::span<const float> read(std::int64_t first, std::span<float> scratch) const override {
    ballot_.unpack(first, scratch);
    return scratch;
  }

 private:
  Ballot ballot_;
};

class Vote final : public Compressor {
 public:
  Vote(std::uint16_t number, Rules rules) : number_(number), rules_(std::move(rules)) {}

  std::string spec() const override { return "vote:beta=0," + rules_.text(); }
  Traits traits(std::uint64_t) const override {
    return {.sliceable = rules_.exchange == "slices", .scale_free = true};
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override;
  void combine(const Round& round, std::span<const GradView> shape, std::span<const Packet> up,
               std::span<const float> weights, Packet& down) override;

  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> shape) override {
    return votes_.at(round.first) = UnpackedVotes(result(round, down, shape));
  }

  void reconstruct(const Round& round, const Packet& own,
                   std::span<const GradView> out) const override {
    unpack(ballot(round, own, up_planes(), out), out);
  }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    if (up_planes() == 2) list.words("nonzero bits", words_for(count(shape)));
    list.words("sign bits", words_for(count(shape)));
    return list.take();
  }

 private:
  std::int64_t up_planes() const { return rules_.zero == "zero" ? 2 : 1; }
  std::int64_t down_planes(std::size_t voters) const {
    return up_planes() == 2 || (rules_.tie == "zero" && voters % 2 == 0) ? 2 : 1;
  }

  Ballot ballot(const Round& round, const Packet& packet, std::int64_t planes,
                std::span<const GradView> shape) const;
  Ballot result(const Round& round, const Packet& down, std::span<const GradView> shape) const;
  static void unpack(const Ballot& ballot, std::span<const GradView> out);

  std::uint16_t number_;
  Rules rules_;
  SourcePerBucket<UnpackedVotes> votes_;
};

void Vote::encode(const Round& round, std::span<const GradView> grads, Packet& up) {
  const auto words = static_cast<std::size_t>(words_for(count(grads)));
  const auto planes = static_cast<std::size_t>(up_planes());
  const auto ballot = start_packet(round, number_, grads.size(), planes * words, up).rest();
  std::ranges::fill(ballot, 0U);
  const auto negative = ballot.last(words);
  const bool toss = rules_.zero == "random";
  const kernels::Coins coins(round.seed, round.step, Purpose::compress, round.worker);
  std::int64_t at = 0;  // the tensor's first bit in a plane
  for (const auto& grad : grads) {
    if (planes == 2) kernels::pack_nonzero(grad.data, at, ballot.first(words));
    if (toss) {
      kernels::pack_negative_or_toss(grad.data, at, coins, round.first, negative);
    } else {
      kernels::pack_negative(grad.data, at, negative);
    }
    at += std::ssize(grad.data);
  }
}

void Vote::combine(const Round& round, std::span<const GradView>, std::span<const Packet> up,
                   std::span<const float>, Packet& down) {
  check<PacketError>(!up.empty() && up.size() <= kMostVoters,
                     "vote: expected 1 to {} votes; got {}", kMostVoters, up.size());
  const auto words = words_for(round.count);
  const auto tensors = up.front().header().tensors;
  std::vector<Ballot> ballots;
  for (const auto& packet : up) {
    packet.expect(number_, round.phase, tensors);
    ballots.emplace_back(expect_words(packet, up_planes() * words), up_planes());
    ballots.back().expect_padding_of(round.count);
  }

  const auto planes = down_planes(up.size());
  auto header = header_for(round, number_, PacketKind::down, tensors);
  header.contributors = static_cast<std::uint16_t>(up.size());
  down.start(header, static_cast<std::size_t>(planes * words) * sizeof(std::uint32_t));
  const auto nonzero = down.words().first(planes == 2 ? words : 0);
  const auto negative = down.words().last(words);
  const bool coins_decide = rules_.tie == "random" && (up_planes() == 2 || up.size() % 2 == 0);
  const kernels::Coins coins(round.seed, round.step, Purpose::tie);
  const bool may_abstain = up_planes() == 2, ties_are_zero = rules_.tie == "zero";
  kernels::for_each_tally_block(words, [&](std::int64_t begin, std::int64_t end) {
    Outcome outcome;
    if (may_abstain) {
      count_voters(ballots, begin, end, outcome);
    } else {
      count_all(ballots, begin, end, outcome);
    }
    kernels::TallyBlock toss{};
    if (coins_decide) coins.from(round.first + begin * 32, std::span(toss).first(end - begin));
    for (auto w = begin; w < end; ++w) {
      const auto tie = outcome.tie[w - begin], silent = outcome.silent[w - begin];
      negative[w] = outcome.minus[w - begin] | (tie & toss[w - begin]);
      if (planes == 2) nonzero[w] = ~(ties_are_zero ? tie | silent : silent);
    }
  });
  if (round.count % kernels::kWordBits != 0) {
    const auto used = ~(~std::uint32_t{0} << (round.count % kernels::kWordBits));
    negative.back() &= used;
    if (planes == 2) nonzero.back() &= used;
  }
}

Ballot Vote::ballot(const Round& round, const Packet& packet, std::int64_t planes,
                    std::span<const GradView> shape) const {
  packet.expect(number_, round.phase, shape.size());
  const auto n = count(shape);
  const Ballot ballot(expect_words(packet, planes * words_for(n)), planes);
  ballot.expect_padding_of(n);
  return ballot;
}

Ballot Vote::result(const Round& round, const Packet& down, std::span<const GradView> shape) const {
  const auto words = words_for(count(shape));
  const bool two = down.words().size() == static_cast<std::size_t>(2 * words);
  // With tie=zero the number of planes depends on the voters: an odd number of them never ties.
  const bool may = two ? up_planes() == 2 || rules_.tie == "zero" : up_planes() == 1;
  check<PacketError>(may || words == 0,
                     "packet: expected a vote of {} bit planes with {} words each; got {} words",
                     two ? 1 : 2, words, down.words().size());
  return ballot(round, down, two ? 2 : 1, shape);
}

void Vote::unpack(const Ballot& ballot, std::span<const GradView> out) {
  std::int64_t at = 0;  // the tensor's first bit in a plane
  for (const auto& view : out) {
    ballot.unpack(at, view.data);
    at += std::ssize(view.data);
  }
}

}  // namespace

std::unique_ptr<Compressor> make_vote(std::uint16_t number, Options& options,
                                      std::unique_ptr<Compressor>) {
  const auto beta = options.number("beta", 0, 0, 1);
  const bool warmup = options.flag("warmup", false);
  Rules rules;
  rules.tie = options.choice("tie", rules.tie, kRules);
  rules.zero = options.choice("zero", rules.zero, kRules);
  rules.exchange = options.choice("exchange", rules.exchange, kExchanges);
  auto vote = std::make_unique<Vote>(number, rules);
  if (beta == 0) return vote;
  // Signum: the momentum stage, written as this paper writes it.
  check<UsageError>(
      !warmup || beta < 1,
      "vote: expected beta below 1 with warmup; got {}, with which the warm-up never ends", beta);
  const auto spec = fmt::format("vote:beta={},warmup={},{}", beta, warmup, rules.text());
  return make_momentum(
      {.beta = beta, .warmup_steps = warmup ? signum_warmup_steps(beta) : std::uint64_t{0}},
      std::move(vote), spec);
}

}  // namespace terse
