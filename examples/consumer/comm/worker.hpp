// What each of the workers does.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>

#include "data/loader.hpp"
#include "nn/models.hpp"
#include "optim/compressor.hpp"
#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/comm/transport/worker.hpp"
#include "tersegrad/data/loader.hpp"

namespace stripes {

inline terse::Tensor images_of(const terse::Batch& batch) {
  return terse::Tensor::from({batch.size(), batch.channels, batch.height, batch.width},
                             batch.images);
}

// The share of `images` whose greatest score is that of their class.
inline double accuracy(StripeNet& net, const terse::ImageDataset& images) {
  const terse::NoGrad no_grad;
  terse::EvaluationLoader loader(images, {});
  std::int64_t right = 0;
  while (const terse::Batch* batch = loader.next()) {
    const terse::Tensor y = net(images_of(*batch));
    for (std::int64_t i = 0; i < batch->size(); ++i) {
      const auto scores = y.data().subspan(static_cast<std::size_t>(i * images.classes),
                                           static_cast<std::size_t>(images.classes));
      right += std::ranges::max_element(scores) - scores.begin() ==
               batch->labels[static_cast<std::size_t>(i)];
    }
  }
  return static_cast<double>(right) / static_cast<double>(images.size());
}

// Trains with the other workers. Returns the accuracy on `test`, which is the same on all of them.
inline double train(terse::Worker& me, const terse::TopologyPlan& plan,
                    const terse::ImageDataset& images, const terse::ImageDataset& test) {
  terse::nn::Init init(1);
  StripeNet net(images.classes, init);
  terse::ParameterBuffer parameters(terse::nn::parameters(net));
  const auto rule = terse::make_update_rule("sgd:momentum=0.9");
  terse::DistributedOptimizer optimizer(me, parameters, *rule, std::make_unique<Turns>(),
                                        plan.join(me), {.seed = 1});
  terse::Loader loader(
      images, terse::make_partition("iid", images.labels,
                                    {.worker = me.rank(), .workers = me.size(), .batch = 16}, 1));
  constexpr int kSteps = 150;
  for (int step = 1; step <= kSteps; ++step) {
    const terse::Batch& batch = loader.next();
    optimizer.zero_grad();
    const terse::Tensor loss = terse::cross_entropy(net(images_of(batch)), batch.labels);
    loss.backward();
    optimizer.step(0.05F);
    if (me.rank() == 0 && step % 50 == 0) {
      std::printf("step %3d: loss %.3f, packet %zu bytes (uncompressed %zu)\n", step,
                  static_cast<double>(loss.item()), optimizer.message_bytes(),
                  sizeof(float) * parameters.values().size());
    }
  }
  return accuracy(net, test);
}

}  // namespace stripes
