// The file that a program is told to write: what must not be there before.
#pragma once

#include <filesystem>
#include <string_view>

namespace terse::run {

enum class IfThere { refuse, replace };

// Throws UsageError, with the flag, if `file` is a folder, is in a folder that does not exist, or is
// one of the files from which a run or a comparison is read: these are not replaced, even if the
// user wants it. Throws Error if another file is there and may not be replaced.
void check_result_file(std::string_view flag, const std::filesystem::path& file, IfThere if_there);

}  // namespace terse::run
