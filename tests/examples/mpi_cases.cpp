// mpi_cases CASE: the cases that mpi_test runs with workers in separate processes. Deadline: 2 s.
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <map>
#include <string>
#include <thread>

#include "examples/run/program.hpp"
#include "tersegrad/comm/transport/mpi_transport.hpp"
#include "tersegrad/core/error.hpp"

namespace {

using namespace terse;
using std::chrono::milliseconds;

Packet wait_for(Worker& me, int from) {
  return me.recv(from, {.kind = PacketKind::up, .step = 7});
}

// Byte i of a message from worker `from` to worker `to`.
std::byte byte_of(int from, int to, std::size_t i) {
  return static_cast<std::byte>(31 * i + (i >> 12) + 7 * static_cast<std::size_t>(from) +
                                static_cast<std::size_t>(to));
}

// Every worker sends large and small messages to every other one before any worker receives.
void exchange(Worker& me) {
  constexpr std::size_t kSizes[] = {20'000'000, 0, 1, 70'000, 4'000};
  Packet packet;
  for (int round = 0; round < 3; ++round) {
    for (const std::size_t size : kSizes) {
      for (int to = 0; to < me.size(); ++to) {
        if (to == me.rank()) continue;
        me.send(to, {.step = 7}, size, [&](Packet& out) {
          for (std::size_t i = 0; i < size; ++i) out.payload()[i] = byte_of(me.rank(), to, i);
        });
      }
    }
    if (round == 1) me.barrier();
    for (int from = 0; from < me.size(); ++from) {
      if (from == me.rank()) continue;
      for (const std::size_t size : kSizes) {
        me.recv(from, {.step = 7, .payload_bytes = size}, packet);
        for (std::size_t i = 0; i < size; ++i) {
          check(packet.payload()[i] == byte_of(from, me.rank(), i), "byte {} of {} is wrong", i,
                size);
        }
      }
    }
    me.flush();
  }
  if (me.rank() == 0) std::printf("all %d workers have all\n", me.size());
}

void wait_idly(Worker& me) {
  if (me.rank() == 0) {
    std::this_thread::sleep_for(milliseconds(1500));
  }
  me.barrier();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double seconds =
      static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
      1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  if (me.rank() == 1) std::printf("%.3f\n", seconds);
}

const std::map<std::string, void (*)(Worker&)> kCases = {
    {"exchange", exchange},
    {"idle", wait_idly},
    {"throw",
     [](Worker& me) {
       check(me.rank() != 1, "the disk is full");
       wait_for(me, 1);
     }},
    {"throw in the middle of large messages",
     [](Worker& me) {
       for (int to = 0; to < me.size(); ++to) {
         if (to != me.rank()) me.send(to, {.step = 7}, 3'000'000, [](Packet&) {});
       }
       check<UsageError>(me.rank() != 2, "a flag was wrong");
       wait_for(me, 2);
       me.barrier();
     }},
    {"kill",
     [](Worker& me) {
       if (me.rank() == 1) std::raise(SIGKILL);
       wait_for(me, 1);
     }},
    {"stall",
     [](Worker& me) {
       if (me.rank() == 1) std::this_thread::sleep_for(std::chrono::seconds(50));
       wait_for(me, 1);
     }},
    {"compute for longer than the deadline",
     [](Worker& me) {
       const auto end = std::chrono::steady_clock::now() + milliseconds(5000);
       while (me.rank() == 1 && std::chrono::steady_clock::now() < end) {
       }
       me.barrier();
     }},
    {"suspended together",  // by mpi_test, which waits for the line of output
     [](Worker& me) {
       me.barrier();
       if (me.rank() == 0) std::printf("together\n");
       std::fflush(stdout);
       std::this_thread::sleep_for(milliseconds(700 * me.rank()));
       me.barrier();
       if (me.rank() == 0) std::printf("later\n");
     }},
    {"suspended alone",
     [](Worker& me) {
       if (me.rank() == 1) std::raise(SIGSTOP);
       me.barrier();
     }},
    {"wake after the deadline",
     [](Worker& me) {
       if (me.rank() == 1) std::this_thread::sleep_for(milliseconds(3700));
       me.barrier();
     }},
    {"leave",
     [](Worker& me) {
       if (me.rank() != 1) wait_for(me, 1);
     }},
    {"another step",
     [](Worker& me) {
       if (me.rank() == 1) me.send(0, {.step = 6}, {});
       if (me.rank() == 0) wait_for(me, 1);
       me.barrier();
     }},
};

}  // namespace

int main(int argc, char** argv) {
  MpiSession session;
  return run::run_program(
      "mpi_cases",
      [&] {
        check<UsageError>(argc == 2 && kCases.contains(argv[1]), "expected the name of a case");
        run_mpi_workers(session, {.deadline = milliseconds(2000)}, kCases.at(argv[1]));
      },
      session.rank() == 0);
}
