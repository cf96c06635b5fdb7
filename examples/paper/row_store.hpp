// Finished rows of experiments, one JSON file each, so that experiments of hours can be continued
// and pages are made again within seconds.
//
//   FOLDER/NAME.json = {"name", "configuration", "cpu", "seconds", "result"}
//   FOLDER/NAME.json.begun: the same of a row that lacks seeds
//
// A row counts only if its configuration equals that of the experiment. Whoever changes a method in
// a way that changes its results raises the revision in the configurations that use it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "examples/paper/claim.hpp"

namespace terse::paper {

// Creates the folder if it does not exist. Throws Error with its name if that fails or files cannot
// be created in it.
void create_writable(const std::filesystem::path& folder);

class RowStore {
 public:
  explicit RowStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // The row of this experiment, if it has been finished in this configuration. Throws Error with the
  // file if it is damaged.
  std::optional<Row> find(const Experiment& experiment) const;
  // Measures the experiment, which reads `rows`, and stores its own. Goes on with a row that was
  // begun on this CPU.
  Row measure(const Experiment& experiment, const Rows& rows) const;
  void forget_begun(const Experiment& experiment) const;
  std::filesystem::path file_of(const std::string& experiment) const;
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

}  // namespace terse::paper
