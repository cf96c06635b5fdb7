// Writes the event file that tests/inspect/read_events.py expects.
//
//   write_events FOLDER
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include "tersegrad/inspect/tensorboard.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: write_events FOLDER\n", stderr);
    return 2;
  }
  constexpr double kBegin = 1600000000.25;
  terse::EventFile file(argv[1], kBegin);
  for (int step = 0; step < 200; ++step) {
    file.scalar("loss", step, kBegin + step, 1 / static_cast<float>(step + 1));
  }
  std::vector<float> values;
  for (int i = -500; i <= 1000; ++i) values.push_back(static_cast<float>(i) / 64);
  values.push_back(std::numeric_limits<float>::quiet_NaN());
  values.push_back(std::numeric_limits<float>::infinity());
  file.histogram("gradient/größe", 1'000'000'000'000, kBegin, values);
  file.histogram("empty", 0, kBegin, {});
  file.finish();
}
