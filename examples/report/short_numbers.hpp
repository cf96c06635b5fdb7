// JSON with shorter numbers, for pages.
#pragma once

#include <nlohmann/json.hpp>

namespace terse::run {

// Rounds the fractional numbers of a value, and of all values in it, to `digits` significant digits.
// A number that is whole then is written as an integer.
void shorten_numbers(nlohmann::json& value, int digits);

}  // namespace terse::run
