#include "tersegrad/comm/transport/ending.hpp"

#include <fmt/format.h>

#include <new>

namespace terse {

Ending Ending::of_exception() {
  try {
    throw;
  } catch (const CalledOff& e) {
    return {Kind::called_off, e.what()};
  } catch (const Timeout& e) {
    return {Kind::timeout, e.what()};
  } catch (const UsageError& e) {
    return {Kind::usage, e.what()};
  } catch (const std::bad_alloc&) {
    return {Kind::error, "out of memory"};
  } catch (const std::exception& e) {
    return {Kind::error, e.what()};
  } catch (...) {
    return {Kind::error, "an exception that is no std::exception"};
  }
}

Ending summary(Endings endings) {
  Ending worst;
  std::size_t alike = 0;
  for (std::size_t rank = 0; rank < endings.size(); ++rank) {
    if (!endings[rank] || endings[rank]->kind < worst.kind) continue;
    const auto& [kind, text] = *endings[rank];
    if (kind > worst.kind) {
      const bool alone = kind != Ending::Kind::timeout;
      worst = {kind, alone ? fmt::format("worker {}: {}", rank, text) : text};
    } else if (kind == Ending::Kind::timeout) {
      worst.text += "; " + text;
    }
    if (endings.front() && endings.front()->text == text) ++alike;
  }
  if (alike == endings.size()) worst.text = endings.front()->text;
  return worst;
}

void throw_summary(Endings endings) {
  const auto [kind, text] = summary(endings);
  if (kind == Ending::Kind::done) return;
  if (kind == Ending::Kind::usage) throw UsageError(text);
  throw Error(text);
}

std::string stuck_text(Endings endings, int rank, std::chrono::milliseconds deadline) {
  const auto [kind, text] = summary(endings);
  std::string missing;
  for (std::size_t i = 0; i < endings.size(); ++i) {
    if (!endings[i]) missing += fmt::format("{}{}", missing.empty() ? "" : ", ", i);
  }
  return fmt::format("{}; and {:.3g} s later not every worker has returned: {}",
                     kind == Ending::Kind::done ? fmt::format("worker {} is done", rank) : text,
                     std::chrono::duration<double>(deadline).count(),
                     missing.empty() ? "messages are still in flight" : missing);
}

}  // namespace terse
