// Text data sets for language models, from files.
#pragma once

#include <cstdint>
#include <filesystem>

#include "tersegrad/core/spec.hpp"
#include "tersegrad/data/text_dataset.hpp"

namespace terse {

// Reads a text from files, each plain or gzip-compressed:
//
//   text:path=FILE                          one file, split 90/5/5
//   text:path=DIR                           wiki.{train,valid,test}.tokens (WikiText),
//                                           ptb.{train,valid,test}.txt (PTB) or
//                                           {train,valid,test}.txt
//   text:train=FILE,valid=FILE,test=FILE    three files
//
// Texts must be UTF-8, otherwise Error is thrown; a byte order mark is removed.
//
// level=word splits at white space, because the files of WikiText and PTB already separate
// punctuation. With `prose`, for ordinary text, letters are converted to lower case and every
// punctuation mark becomes a token, except an apostrophe or hyphen inside a word. level=char uses
// single bytes as tokens and does not require UTF-8.
TextSplits load_text_files(Options& options, std::uint64_t seed);

// `kjv`: the King James Bible, one verse per line, 31102 lines; read as prose.
TextSplits load_kjv(Options& options, std::uint64_t seed);

// The file that scripts/kjv writes: kjv.txt in $TERSE_DATA, or in $XDG_DATA_HOME/tersegrad, or in
// ~/.local/share/tersegrad.
std::filesystem::path kjv_file();

}  // namespace terse
