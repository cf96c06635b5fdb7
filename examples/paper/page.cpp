#include "examples/paper/page.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "examples/run/progress.hpp"
#include "examples/run/text.hpp"
#include "tersegrad/core/error.hpp"
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

bool has_picture(const Claim& claim) {
  return claim.draw || claim.draw_svg;
}

// read(rows); Error if a row lacks a value, because another program stored it.
template <class Read>
auto read_rows(const Paper& paper, const Claim& claim, const Rows& rows, const Read& read) {
  try {
    return read(rows);
  } catch (const nlohmann::json::exception& e) {
    throw Error(fmt::format(
        "{}: claim '{}': its rows are not as it reads them ({}); measure them again: {}",
        paper.number, claim.name, e.what(), command_of(paper, claim)));
  }
}

std::string svg_of(const Paper& paper, const Claim& claim, const Rows& rows) {
  return read_rows(paper, claim, rows, [&](const Rows& all) {
    return claim.draw ? run::to_svg(claim.draw(all)) : claim.draw_svg(all);
  });
}

// Not so the question that all of them end with.
bool is_paper(const Paper& paper) {
  return paper.number != "pays";
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

// Wrapped as the project's pages are; all lines but the first are indented.
std::string in_lines(const std::string& text, const char* indent = "") {
  constexpr std::size_t kWidth = 112;
  std::string result;
  for (const auto& line : run::wrapped(text, kWidth - std::string_view(indent).size())) {
    result += (result.empty() ? "" : std::string("\n") + indent) + line;
  }
  return result;
}

// One bullet for each part of a text that is separated by semicolons outside of parentheses.
std::string bullets(const std::string& text) {
  std::string result;
  int depth = 0;
  std::size_t from = 0;
  const auto add = [&](std::size_t end) {
    result += "* " + in_lines(text.substr(from, end - from), "  ") + "\n";
    from = end + 2;  // behind "; "
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    depth += text[at] == '(' ? 1 : text[at] == ')' ? -1 : 0;
    if (text[at] == ';' && depth == 0) add(at);
  }
  add(text.size());
  return result;
}

// "1 min 20 s on an AMD EPYC, avx512": of all experiments of the claim.
std::string cost_of(const Paper& paper, const Claim& claim, const Rows& rows) {
  double seconds = 0;
  std::set<std::string> cpus;
  for (const auto* experiment : experiments_of(paper, claim)) {
    const auto& row = rows.row(experiment->name);
    seconds += row.seconds;
    cpus.insert(row.cpu);
  }
  return fmt::format("{} on {}", run::duration_text(seconds), fmt::join(cpus, " and "));
}

// ". Not measured yet: rank-two, megabytes-mnist (needs --mnist FOLDER)."
std::string missing_text(const Paper& paper, const std::vector<Judged>& all) {
  std::string names;
  for (const auto& claim : paper.claims) {
    const bool judged =
        std::ranges::any_of(all, [&](const Judged& one) { return one.claim == &claim; });
    if (judged) continue;
    names += (names.empty() ? "" : ", ") + claim.name;
    if (!claim.flags.empty()) names += fmt::format(" (needs `{}`)", claim.flags);
  }
  return names.empty() ? "." : ". Not measured yet: " + names + ".";
}

// Of a heading: Markdown's renderers lower its letters.
std::string anchor_of(std::string heading) {
  std::ranges::transform(heading, heading.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return heading;
}

// A bar would end the cell of a Markdown table.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
    text.insert(at, 1, '\\');
  }
  return text;
}

// The claim's row in the table of claims below the paper's heading, in README.md of the folder: what
// is measured, and which outcome decides. Empty where there is no such row.
std::string rule_of(const std::filesystem::path& folder, const Paper& paper, const Claim& claim) {
  std::ifstream table(folder / "README.md");
  bool of_paper = false;
  for (std::string line; std::getline(table, line);) {
    if (line.starts_with("## ")) {
      of_paper = line.starts_with("## " + paper.number) || line == "## " + paper.title;
    }
    if (!of_paper || !line.starts_with(fmt::format("| `{}` | ", claim.name))) continue;
    std::vector<std::string> cells;
    for (std::size_t from = 2, bar; (bar = line.find(" | ", from)) != std::string::npos;) {
      cells.push_back(line.substr(from, bar - from));
      from = bar + 3;
    }
    if (cells.size() < 4) return "";
    return in_lines(fmt::format("Quantity: {}. Decision: {}.", cells[2], cells[3])) + "\n\n";
  }
  return "";
}

// What was measured for one claim, how it is measured again, and its picture.
std::string section_of(const Judged& judged, const Rows& rows,
                       const std::filesystem::path& folder) {
  const auto& [paper, claim, finding] = judged;
  auto text = fmt::format(
      "\n### {}\n\n{}\n\n{}{}\n", claim->name,
      in_lines(fmt::format("*{}*: **{}**.", claim->claimed, to_string(finding.verdict))),
      rule_of(folder, *paper, *claim), bullets(finding.measured));
  const auto command = command_of(*paper, *claim);
  text += in_lines(claim->experiments.empty()
                       ? fmt::format("`{}` computes it.", command)
                       : fmt::format("`{}` takes {}.", command, cost_of(*paper, *claim, rows))) +
          "\n";
  if (has_picture(*claim))
    text += fmt::format("\n![{}]({})\n", claim->name, picture_of(*paper, *claim));
  return text;
}

}  // namespace

Judged judge_claim(const Paper& paper, const Claim& claim, const Rows& rows) {
  return {.paper = &paper, .claim = &claim, .finding = read_rows(paper, claim, rows, claim.decide)};
}

std::string command_of(const Paper& paper, const Claim& claim) {
  const auto* space = claim.flags.empty() ? "" : " ";
  return fmt::format("paper {} --claim {}{}{} --again", paper.number, claim.name, space,
                     claim.flags);
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
  auto text = "# " + (is_paper(paper) ? paper.number + ": " : "") + paper.title + "\n\n";
  text += in_lines(summary(all) + missing_text(paper, all)) + "\n\n";
  text += in_lines(
      "The [table of claims](README.md) has the rules of decision, the models and their sizes. It "
      "was committed before the results; what was changed later is marked there, also where "
      "results had been seen. Brackets are intervals of 95 % of a mean over the seeds; ± is a "
      "standard deviation. Differences Δ of two methods are points of test accuracy, or percent "
      "of perplexity. Every experiment is a file in [data](data) with its configuration and CPU. "
      "The commands are those of a build, in the project's folder: without `--again` they print "
      "what is stored, with it they measure anew.");
  if (!paper.symbols.empty()) text += "\n\n" + in_lines("Symbols and names: " + paper.symbols);
  if (!paper.notes.empty()) text += "\n\n" + in_lines(paper.notes);
  text += fmt::format("\n\n| claim | {} | verdict |\n|---|---|---|\n",
                      is_paper(paper) ? "what the paper states" : "what is claimed");
  std::string sections;
  for (const auto& judged : all) {
    const auto& [_, claim, finding] = judged;
    text += fmt::format("| [{}](#{}) | {} | **{}** |\n", claim->name, anchor_of(claim->name),
                        cell(claim->claimed), to_string(finding.verdict));
    if (has_picture(*claim)) {
      write_file(folder / picture_of(paper, *claim), svg_of(paper, *claim, rows));
    }
    sections += section_of(judged, rows, folder);
  }
  write_file(folder / (paper.number + ".md"), text + "\n## What was measured\n" + sections);
}

void check_pictures(const std::vector<Judged>& all, const Rows& rows) {
  for (const auto& judged : all) {
    if (has_picture(*judged.claim)) svg_of(*judged.paper, *judged.claim, rows);
  }
}

}  // namespace terse::paper
