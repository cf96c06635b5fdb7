#include "examples/report/step_line.hpp"

#include <charconv>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace terse::run {
namespace {

enum class Section { top, time, virtual_time };

// Where a number of the line is stored, by its section and its key.
class Targets {
 public:
  explicit Targets(StepLine& line) : line_(line) {}

  // nullptr: the key is not known.
  double* find(Section section, std::string_view key) {
    switch (section) {
      case Section::virtual_time:
        return part(line_.virtual_times, key);
      case Section::time:
        if (auto* found = part(line_.times, key)) return found;
        return find_in({{"seconds", &line_.seconds},
                        {"hidden", &line_.hidden},
                        {"virtual_seconds", &line_.virtual_seconds},
                        {"samples_per_second", &unused_}},
                       key);
      case Section::top:
        break;
    }
    return find_in({{"step", &line_.step},
                    {"loss", &line_.loss},
                    {"lr", &line_.lr},
                    {"bytes_sent", &line_.bytes_sent},
                    {"message_bytes", &line_.message_bytes},
                    {"skipped_steps", &unused_},
                    {"mean_staleness", &unused_}},
                   key);
  }

 private:
  static double* find_in(std::initializer_list<std::pair<std::string_view, double*>> known,
                         std::string_view key) {
    for (const auto& [name, value] : known) {
      if (name == key) return value;
    }
    return nullptr;
  }
  static double* part(PartTimes& times, std::string_view key) {
    for (std::size_t i = 0; i < kParts; ++i) {
      if (key == kPartNames[i]) return &times.seconds[i];
    }
    return nullptr;
  }

  StepLine& line_;
  double unused_ = 0;
};

class Scanner {
 public:
  Scanner(std::string_view text, StepLine& line) : rest_(text), line_(line), targets_(line) {}

  bool run() { return object(Section::top) && rest_.empty() && has_lr_; }

 private:
  bool take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  bool object(Section section) {
    if (!take("{")) return false;
    do {
      if (!member(section)) return false;
    } while (take(","));
    return take("}");
  }

  bool member(Section section) {
    if (!take("\"")) return false;
    const auto key = rest_.substr(0, rest_.find('"'));
    rest_.remove_prefix(key.size());
    if (!take("\":")) return false;
    if (section == Section::top && key == "time") return object(Section::time);
    if (section == Section::time && key == "virtual") {
      line_.has_virtual_times = true;
      return object(Section::virtual_time);
    }
    has_lr_ = has_lr_ || (section == Section::top && key == "lr");
    auto* target = targets_.find(section, key);
    return target != nullptr && (take("null") || number(*target));
  }

  bool number(double& value) {
    const auto digit = rest_.starts_with('-') ? 1U : 0U;
    if (rest_.size() <= digit || rest_[digit] < '0' || rest_[digit] > '9') return false;
    const auto* end = rest_.data() + rest_.size();
    const auto [stop, error] = std::from_chars(rest_.data(), end, value);
    rest_.remove_prefix(static_cast<std::size_t>(stop - rest_.data()));
    return error == std::errc();
  }

  std::string_view rest_;
  StepLine& line_;
  Targets targets_;
  bool has_lr_ = false;
};

void copy_numbers(const nlohmann::json& object, Section section, Targets& targets) {
  for (const auto& [key, value] : object.items()) {
    auto* target = value.is_number() ? targets.find(section, key) : nullptr;
    if (target != nullptr) *target = value.get<double>();
  }
}

}  // namespace

bool scan_step_line(std::string_view text, StepLine& line) {
  line = {};
  return Scanner(text, line).run();
}

StepLine step_line_of(const nlohmann::json& json) {
  StepLine line;
  Targets targets(line);
  copy_numbers(json, Section::top, targets);
  const auto time = json.find("time");
  if (time == json.end() || !time->is_object()) return line;
  copy_numbers(*time, Section::time, targets);
  const auto parts = time->find("virtual");
  if (parts == time->end() || !parts->is_object()) return line;
  line.has_virtual_times = true;
  copy_numbers(*parts, Section::virtual_time, targets);
  return line;
}

}  // namespace terse::run
