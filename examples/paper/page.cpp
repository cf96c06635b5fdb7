#include "examples/paper/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "examples/run/text.hpp"
#include "tersegrad/core/files.hpp"

namespace terse::paper {
namespace {

std::size_t count(const std::vector<Judged>& all, Verdict verdict) {
  return static_cast<std::size_t>(std::ranges::count(
      all, verdict, [](const Judged& judged) { return judged.finding.verdict; }));
}

std::string picture_of(const Paper& paper, const Claim& claim) {
  return fmt::format("{}-{}.svg", paper.number, claim.name);
}

// A label and a text that is wrapped beside it.
std::string labelled(const std::string& label, const std::string& text) {
  constexpr std::size_t kLabel = 12, kWidth = 80;
  std::string result;
  for (const auto& line : run::wrapped(text, kWidth - kLabel)) {
    result += fmt::format("{:<{}}{}\n", result.empty() ? label : "", kLabel, line);
  }
  return result;
}

// Wrapped as the project's pages are.
std::string in_lines(const std::string& text) {
  std::string result;
  for (const auto& line : run::wrapped(text, 112)) result += (result.empty() ? "" : "\n") + line;
  return result;
}

// A bar would end the cell of a Markdown table.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
    text.insert(at, 1, '\\');
  }
  return text;
}

}  // namespace

std::string command_of(const Paper& paper, const Claim& claim) {
  return fmt::format("paper {} --claim {} --again", paper.number, claim.name);
}

std::string text_of(const Judged& judged) {
  return fmt::format("\n{:<40} {}\n", judged.claim->name, to_string(judged.finding.verdict)) +
         labelled("  claimed", judged.claim->claimed) +
         labelled("  measured", judged.finding.measured);
}

std::string summary(const std::vector<Judged>& all) {
  std::string text = run::count_text(all.size(), "claim");
  for (const auto verdict : {Verdict::holds, Verdict::fails, Verdict::open}) {
    text += fmt::format("{}{} × {}", verdict == Verdict::holds ? ": " : ", ", count(all, verdict),
                        to_string(verdict));
  }
  return text;
}

nlohmann::json to_json(const std::vector<Judged>& all) {
  auto claims = nlohmann::json::array();
  for (const auto& [paper, claim, finding] : all) {
    claims.push_back({{"name", claim->name},
                      {"claimed", claim->claimed},
                      {"measured", finding.measured},
                      {"verdict", to_string(finding.verdict)},
                      {"command", command_of(*paper, *claim)}});
  }
  return {{"claims", std::move(claims)}};
}

void write_page(const Paper& paper, const std::vector<Judged>& all, const Rows& rows,
                const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::string text = fmt::format("# {}: {}\n\n{}.\n", paper.number, paper.title, summary(all));
  text +=
      "How each verdict was reached, and on what models, is in the [table of claims](README.md),\n"
      "which was written before these results and names what was amended. Claims of that table "
      "that are\n"
      "missing here are not measured yet.\n\n"
      "| claim | what the paper states | measured here | verdict |\n|---|---|---|---|\n";
  std::string pictures;
  for (const auto& [_, claim, finding] : all) {
    text += fmt::format("| `{}` | {} | {} | **{}** |\n", claim->name, cell(claim->claimed),
                        cell(finding.measured), to_string(finding.verdict));
    if (!claim->draw) continue;
    const auto file = picture_of(paper, *claim);
    write_file(folder / file, run::to_svg(claim->draw(rows)));
    pictures += fmt::format("\n### {0}\n\n{1}\n\n![{0}]({2})\n", claim->name,
                            in_lines(claim->claimed), file);
  }
  text += fmt::format(
      "\n`paper {} --claim NAME --again` measures a claim again; without `--again` it takes the "
      "rows\n"
      "in [data](data), which name their configuration and the CPU that measured them.\n",
      paper.number);
  if (!pictures.empty()) text += "\n## Pictures\n" + pictures;
  write_file(folder / (paper.number + ".md"), text);
}

}  // namespace terse::paper
