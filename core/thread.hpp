// Starts threads. The error of a failure states the purpose of the thread.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "tersegrad/core/error.hpp"

namespace terse {

// Starts a thread that runs `body`. Throws Error, which names `purpose`, if the system refuses.
template <class Body>
std::thread start_thread(std::string_view purpose, Body body) {
  try {
    return std::thread(std::move(body));
  } catch (const std::system_error& e) {
    throw Error(
        fmt::format("cannot start a thread for {}: {}; use fewer workers or threads, or raise the "
                    "limits of the system (ulimit -u, ulimit -v)",
                    purpose, e.code().message()));
  }
}

}  // namespace terse
