#include "tersegrad/core/archive.hpp"

#include <gtest/gtest.h>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

struct State {
  std::uint64_t step = 0;
  std::vector<float> residual;
  void serialize(Archive& archive) {
    archive.item("step", step);
    archive.item("residual", residual);
  }
  std::uint64_t hash() {
    HashArchive archive;
    serialize(archive);
    return archive.hash();
  }
};

TEST(Archive, LoadsWhatWasSaved) {
  State state{7, {1, 2, 3}};
  SaveArchive save;
  state.serialize(save);
  State loaded;
  LoadArchive load(save.buffer());
  loaded.serialize(load);
  EXPECT_TRUE(load.done());
  EXPECT_EQ(loaded.step, 7U);
  EXPECT_EQ(loaded.residual, state.residual);
  EXPECT_EQ(loaded.hash(), state.hash());
}

TEST(Archive, TheHashSeesEveryBit) {
  State a{7, {1, 2, 3}}, b{7, {1, 2, -3}}, c{8, {1, 2, 3}}, d{7, {1, 2}};
  EXPECT_NE(a.hash(), b.hash());
  EXPECT_NE(a.hash(), c.hash());
  EXPECT_NE(a.hash(), d.hash());
  State zero{0, {0.0F}}, minus_zero{0, {-0.0F}};
  EXPECT_NE(zero.hash(), minus_zero.hash());
}

TEST(Archive, ACutOrForeignBufferIsAnError) {
  State state{7, {1, 2, 3}};
  SaveArchive save;
  state.serialize(save);
  for (std::size_t n = 0; n < save.buffer().size(); ++n) {
    State loaded;
    LoadArchive load(std::span(save.buffer()).first(n));
    EXPECT_THROW(loaded.serialize(load), Error) << n;
  }
  std::uint64_t other = 0;
  LoadArchive load(save.buffer());
  EXPECT_THROW(load.item("other", other), Error);
}

}  // namespace
}  // namespace terse
