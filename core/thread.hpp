// Starting a thread, with an error that says what it was for.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "tersegrad/core/error.hpp"

namespace terse {

// Error, naming `purpose`, if the system gives no more threads.
template <class Body>
std::thread start_thread(std::string_view purpose, Body body) {
  try {
    return std::thread(std::move(body));
  } catch (const std::system_error& e) {
    throw Error(
        fmt::format("no thread can be started for {}: {}; take fewer workers or threads, or "
                    "raise the limits of the system (ulimit -u, ulimit -v)",
                    purpose, e.code().message()));
  }
}

}  // namespace terse
