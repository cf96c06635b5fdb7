// The verdicts of a paper as text for a terminal, as JSON, and as a Markdown page with pictures.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "examples/paper/claim.hpp"

namespace terse::paper {

struct Judged {
  const Paper* paper;
  const Claim* claim;
  Finding finding;
};

// Decides the claim. Throws Error with the command that measures its rows again if they lack a value
// that it reads.
Judged judge_claim(const Paper& paper, const Claim& claim, const Rows& rows);

// The command that measures the claim again.
std::string command_of(const Paper& paper, const Claim& claim);

// In 80 columns: name and verdict, what was claimed, what was measured.
std::string text_of(const Judged& judged);
// "23 claims: 18 × holds, 2 × does not hold here, 3 × cannot be told at this scale"
std::string summary(const std::vector<Judged>& all);
nlohmann::json to_json(const std::vector<Judged>& all);

// Writes NUMBER.md and the pictures of its claims into the folder.
void write_page(const Paper& paper, const std::vector<Judged>& all, const Rows& rows,
                const std::filesystem::path& folder);

// Draws the pictures and writes none: a quick run shows that they can be drawn.
void check_pictures(const std::vector<Judged>& all, const Rows& rows);

}  // namespace terse::paper
