// What identifies a run on a page: its name, its command, and what distinguishes it from others.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace terse::run {

// A word for a shell, quoted if it has other characters than those of specs and paths.
std::string shell_word(const std::string& word);
std::string shell_command(std::span<const char* const> words);

// The spec as all_methods() has it, else without the options that are defaults; the spec itself if
// the compressor is not known.
std::string short_spec(const std::string& compressor);

// The command that makes a run with this configuration: `train` with the flags that differ from the
// defaults, under mpirun if the workers were processes. The number of threads is left out.
std::string train_command(const nlohmann::json& config);

// Short names of runs, all different: the compressor, and further values or the folder if several
// runs have the same.
std::vector<std::string> labels_of(const std::vector<nlohmann::json>& configs,
                                   const std::vector<std::string>& names);

// The keys whose values are not the same in all configurations, with the value of each: null where
// it is missing. The key of a value in an object is "async.clock".
nlohmann::json differences_of(const std::vector<nlohmann::json>& configs);

// The keys that this version does not write.
std::vector<std::string> unknown_keys(const nlohmann::json& config);

}  // namespace terse::run
