// The messages that are under way between the workers of one process.
#pragma once

#include <cstddef>
#include <vector>

#include "tersegrad/optim/packet.hpp"

namespace terse {

// A packet under way. The times are virtual, and zero without a modelled network.
struct Message {
  Packet packet;
  double first_byte = 0;  // when the first byte reaches the receiving NIC
  double arrival = 0;     // when the last byte has arrived; known once that NIC has received it
};

// A first-in-first-out queue in a ring of slots. The ring only grows, so the steady state allocates
// nothing.
class MessageQueue {
 public:
  bool empty() const { return count_ == 0; }
  void push(Message message);
  Message pop();
  Message& at(std::size_t place) { return slots_[(head_ + place) % slots_.size()]; }

 private:
  std::vector<Message> slots_;
  std::size_t head_ = 0, count_ = 0;
};

// The messages of one sender to one receiver.
struct Mailbox {
  MessageQueue queue;
  std::size_t arrived = 0;    // messages at the head of the queue whose `arrival` is known
  std::vector<Packet> spare;  // memory of messages that were received, for the sender to reuse
};

// One mailbox for each ordered pair of workers.
class Mailboxes {
 public:
  explicit Mailboxes(int workers)
      : workers_(static_cast<std::size_t>(workers)), boxes_(workers_ * workers_) {}

  Mailbox& at(int from, int to) {
    return boxes_[static_cast<std::size_t>(from) * workers_ + static_cast<std::size_t>(to)];
  }

 private:
  std::size_t workers_;
  std::vector<Mailbox> boxes_;
};

}  // namespace terse
