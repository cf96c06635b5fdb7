// Texts from files, as language models are measured on them.
#pragma once

#include <cstdint>
#include <filesystem>

#include "tersegrad/core/spec.hpp"
#include "tersegrad/data/text_dataset.hpp"

namespace terse {

// `text:path=FILE` one file, split 90/5/5; `text:path=DIR` the three files of WikiText
// (wiki.{train,valid,test}.tokens), of PTB (ptb.{train,valid,test}.txt) or {train,valid,test}.txt;
// `text:train=FILE,valid=FILE,test=FILE`. Each may be gzip-compressed.
//
// Texts are UTF-8: a byte order mark is dropped, and what is no UTF-8 is an Error.
//
// level=word splits at white space, since those files separate punctuation already; `prose` says
// that they do not: then letters become lower-case, and every punctuation mark is a token, but for
// an apostrophe or a hyphen inside of a word. level=char takes bytes as they are, UTF-8 or not.
TextSplits load_text_files(Options& options, std::uint64_t seed);

// `kjv`: the King James Bible, one verse a line, 31102 of them; read as prose.
TextSplits load_kjv(Options& options, std::uint64_t seed);

// Where scripts/kjv puts it: kjv.txt in $TERSE_DATA, or else in tersegrad/ of $XDG_DATA_HOME, or of
// ~/.local/share.
std::filesystem::path kjv_file();

}  // namespace terse
