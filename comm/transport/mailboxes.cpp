#include "tersegrad/comm/transport/mailboxes.hpp"

#include <algorithm>
#include <utility>

namespace terse {

void MessageQueue::push(Message message) {
  if (count_ == slots_.size()) {
    std::rotate(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(head_), slots_.end());
    head_ = 0;
    slots_.resize(std::max<std::size_t>(4, 2 * slots_.size()));
  }
  slots_[(head_ + count_++) % slots_.size()] = std::move(message);
}

Message MessageQueue::pop() {
  Message message = std::move(slots_[head_]);
  head_ = (head_ + 1) % slots_.size();
  --count_;
  return message;
}

}  // namespace terse
