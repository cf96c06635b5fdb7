// The error text of a run of workers.
#pragma once

#include <exception>
#include <string>

#include "tersegrad/comm/transport/run_workers.hpp"

namespace terse {

inline std::string error_of(const WorkerOptions& options, FunctionRef<void(Worker&)> body) {
  try {
    run_workers(options, body);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "no error";
}

inline bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace terse
