#include "tersegrad/data/text.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "tersegrad/core/error.hpp"
#include "tersegrad/data/datasets.hpp"
#include "tests/data/files.hpp"

namespace terse {
namespace {

using Words = std::vector<std::string>;

std::string load_error(const std::string& spec) {
  return error_of<Error>([&] { load_text(spec, 1); });
}
std::string usage_error(const std::string& spec) {
  return error_of<UsageError>([&] { load_text(spec, 1); });
}

// The tokens in the order of the text, with `between` after each.
std::string joined(const TextDataset& text, const std::string& between) {
  std::string all;
  for (const auto token : text.tokens) all += text.vocabulary[token] + between;
  return all;
}

TextSplits words_of(const std::string& train, const TextRules& rules = {}) {
  return number_splits("t", {.train = train, .valid = "a b", .test = "b a"}, rules);
}

// Sets an environment variable during the lifetime of the object.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (before_) {
      setenv(name_, before_->c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

TEST(Words, EveryLineEndsWithEosAndSpacesAreNoTokens) {
  EXPECT_EQ(joined(words_of(" the cat  sat \n\n on\ta mat\r\n").train, " "),
            "the cat sat <eos> <eos> on a mat <eos> ");
  EXPECT_EQ(joined(words_of("no newline").train, " "), "no newline <eos> ");
}

TEST(Words, AreTakenAsTheyStand) {
  EXPECT_EQ(joined(words_of("U.S. n't <unk> @-@ The, (b)\n").train, "|"),
            "U.S.|n't|<unk>|@-@|The,|(b)|<eos>|");
}

TEST(Prose, PunctuationIsSplitOffAndLettersAreLowerCase) {
  const auto prose =
      words_of("\"God's well-beloved\" -- (Amen); 'tis ÄÖ, so!?\n", {.level = TextLevel::prose});
  EXPECT_EQ(joined(prose.train, "|"),
            "\"|god's|well-beloved|\"|-|-|(|amen|)|;|'|tis|äö|,|so|!|?|<eos>|");
}

// Typographic quotes, dashes and the ellipsis are punctuation; a typographic apostrophe becomes the
// ASCII one.
TEST(Prose, IsUnicode) {
  const auto prose =
      words_of("“Hello,” she said — it’s naïve… ‘quoted’ ΣΊΣΥΦΟΣ\u00A0x\u200By well‑beloved\n",
               {.level = TextLevel::prose});
  EXPECT_EQ(joined(prose.train, "|"),
            "“|hello|,|”|she|said|—|it's|naïve|…|‘|quoted|’|σίσυφοσ|xy|well-beloved|<eos>|");
}

TEST(Characters, AreBytesAndTheTextComesBack) {
  const std::string text = "A line.\n\tand \xC3\xA4nother\r\n";
  const auto splits = number_splits("t", {.train = text, .valid = "A l", .test = "Axe"},
                                    {.level = TextLevel::character});
  EXPECT_EQ(joined(splits.train, ""), text);
  EXPECT_EQ(joined(splits.test, ""), "A<unk>e");
  for (std::size_t i = 1; i < splits.train.vocabulary.size(); ++i) {
    EXPECT_EQ(splits.train.vocabulary[i].size(), 1U);
  }
}

TEST(Vocabulary, IsOrderedByFrequencyThenByFirstAppearance) {
  const auto splits = words_of("d c b b a a\n");
  EXPECT_EQ(splits.train.vocabulary, (Words{"<unk>", "b", "a", "d", "c", "<eos>"}));
  EXPECT_EQ(splits.train.tokens, (std::vector<std::int32_t>{3, 4, 1, 1, 2, 2, 5}));
  EXPECT_EQ(splits.test.vocabulary, splits.train.vocabulary);
}

TEST(Vocabulary, KeepsTheMostFrequentAndUnknownIsOneOfThem) {
  const auto splits = words_of("a b b c c c\n", {.most = 3});
  EXPECT_EQ(splits.train.vocabulary, (Words{"<unk>", "c", "b"}));
  EXPECT_EQ(splits.train.tokens, (std::vector<std::int32_t>{0, 2, 2, 1, 1, 1, 0}));
}

TEST(Vocabulary, IsThatOfTheTrainingSplit) {
  const auto splits =
      number_splits("t", {.train = "a a b", .valid = "new b new", .test = "other a"}, TextRules{});
  EXPECT_EQ(splits.train.vocabulary, (Words{"<unk>", "a", "b", "<eos>"}));
  EXPECT_EQ(splits.valid.tokens, (std::vector<std::int32_t>{0, 2, 0, 3}));
  EXPECT_EQ(splits.test.tokens, (std::vector<std::int32_t>{0, 1, 3}));
}

TEST(Vocabulary, UnknownOfTheFileIsUnknown) {
  const auto splits = words_of("a <unk> b <unk>\n");
  EXPECT_EQ(splits.train.vocabulary, (Words{"<unk>", "a", "b", "<eos>"}));
  EXPECT_EQ(splits.train.tokens, (std::vector<std::int32_t>{1, 0, 2, 0, 3}));
}

TEST(TextFile, OneFileIsSplitByPosition) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 100; ++i) text += "w" + std::to_string(i % 7) + (i % 10 == 9 ? "\n" : " ");
  const auto file = folder.write_text("book.txt", text);
  const auto splits = load_text("text:path=" + file.string() + ",seq=7", 1);
  EXPECT_EQ(splits.seq, 7);
  EXPECT_EQ(splits.train.name, "text");
  EXPECT_EQ(splits.train.size(), 99);  // of 110: 100 words and 10 <eos>
  EXPECT_EQ(splits.valid.size(), 5);
  EXPECT_EQ(splits.test.size(), 6);
  EXPECT_FALSE(splits.entropy_rate.has_value());
  auto whole = joined(splits.train, " ") + joined(splits.valid, " ") + joined(splits.test, " ");
  for (std::size_t at; (at = whole.find("<eos> ")) != std::string::npos;) whole.replace(at, 6, "");
  std::replace(text.begin(), text.end(), '\n', ' ');
  EXPECT_EQ(whole, text);
}

TEST(TextFile, MayBeCompressedAndStandWithoutItsKey) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 60; ++i) text += "ab";
  const auto file = folder.write_gz("book.gz", Bytes(text.begin(), text.end()));
  const auto splits = load_text("text:" + file.string() + ",level=char", 1);
  EXPECT_EQ(splits.train.vocabulary, (Words{"<unk>", "a", "b"}));
  EXPECT_EQ(splits.train.size() + splits.valid.size() + splits.test.size(), 120);
  EXPECT_EQ(splits.seq, 30);
}

TEST(TextFile, IsUtf8) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 20; ++i) text += "café au lait\n";
  const auto plain = folder.write_text("plain", text).string();
  const auto marked = folder.write_text("marked", "\xEF\xBB\xBF" + text).string();
  EXPECT_EQ(load_text("text:path=" + marked, 1).train.vocabulary,
            load_text("text:path=" + plain, 1).train.vocabulary);

  folder.write_text("utf16", std::string("\xFF\xFE"
                                         "a\0b\0",
                                         6));
  expect_has(load_error("text:path=" + (folder.path() / "utf16").string()),
             {"utf16", "UTF-16", "iconv"});
  folder.write_text("latin1", "one line\ncaf\xE9 au lait");
  expect_has(load_error("text:path=" + (folder.path() / "latin1").string()),
             {"latin1", "byte 12 (line 2) is not UTF-8", "iconv -f ISO-8859-1"});
  // Overlong forms, surrogates, and code points beyond Unicode are invalid, too.
  for (const char* bad : {"\xC0\xAF", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xE2\x80"}) {
    folder.write_text("bad", std::string("ab ") + bad);
    expect_has(load_error("text:path=" + (folder.path() / "bad").string()), {"byte 3 (line 1)"});
  }
  folder.write_text("bytes", std::string(60, '\xE9'));
  EXPECT_EQ(load_text("text:level=char,path=" + (folder.path() / "bytes").string(), 1)
                .train.vocabulary.size(),
            2U);
}

TEST(TextFile, ProseIsAnOption) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 20; ++i) text += "Word, word.\n";
  const auto file = folder.write_text("book", text).string();
  EXPECT_EQ(load_text("text:path=" + file + ",prose", 1).train.vocabulary,
            (Words{"<unk>", "word", ",", ".", "<eos>"}));
  EXPECT_EQ(load_text("text:path=" + file, 1).train.vocabulary,
            (Words{"<unk>", "Word,", "word.", "<eos>"}));
  expect_has(usage_error("text:path=" + file + ",prose,level=char"), {"prose", "level=char"});
}

TEST(TextFolder, WikiTextIsReadAsItIsDistributed) {
  const TemporaryFolder folder;
  folder.write_text("wiki.train.tokens", " \n = Robert <unk> = \n \n Robert is an actor . \n");
  folder.write_text("wiki.valid.tokens", " \n = Homarus = \n");
  folder.write_text("wiki.test.tokens", " \n is is \n");
  const auto splits = load_text("text:path=" + folder.path().string(), 1);
  EXPECT_EQ(joined(splits.train, " "),
            "<eos> = Robert <unk> = <eos> <eos> Robert is an actor . <eos> ");
  EXPECT_EQ(joined(splits.valid, " "), "<eos> = <unk> = <eos> ");
  EXPECT_EQ(splits.train.vocabulary[1], "<eos>");
}

TEST(TextFolder, PtbIsReadAsItIsDistributed) {
  const TemporaryFolder folder;
  folder.write_text("ptb.train.txt", " aer banknote N <unk> \n mr. <unk> is chairman \n");
  folder.write_text("ptb.valid.txt", " consumers N \n");
  folder.write_text("ptb.test.txt", " no mr. \n");
  const auto splits = load_text("text:path=" + folder.path().string() + ",vocab=9", 1);
  EXPECT_EQ(joined(splits.train, " "), "aer banknote N <unk> <eos> mr. <unk> is chairman <eos> ");
  EXPECT_EQ(joined(splits.test, " "), "<unk> mr. <eos> ");
  EXPECT_EQ(splits.train.vocabulary.size(), 8U);
}

TEST(TextFolder, WithoutKnownFilesIsAnError) {
  const TemporaryFolder folder;
  const auto spec = "text:path=" + folder.path().string();
  expect_has(load_error(spec), {folder.path().string(), "wiki.train.tokens", "ptb.train.txt"});
  folder.write_text("ptb.train.txt", "a b c\n");
  expect_has(load_error(spec), {"cannot open", "ptb.valid.txt", "No such file"});
}

TEST(TextFiles, AreNamedOneByOne) {
  const TemporaryFolder folder;
  const auto a = folder.write_text("a", "x y\n").string(),
             b = folder.write_text("b", "y\n").string(), c = folder.write_text("c", "x\n").string();
  const auto splits = load_text("text:train=" + a + ",valid=" + b + ",test=" + c, 1);
  EXPECT_EQ(splits.valid.tokens, (std::vector<std::int32_t>{2, 3}));
  expect_has(usage_error("text:train=" + a), {"path=FILE", "got 1 of these three"});
  expect_has(usage_error("text:train=" + a + ",path=" + b), {"got 1 of these three and path"});
  expect_has(usage_error("text"), {"path=FILE", "got 0"});
}

TEST(TextFile, MissingEmptyOrShortIsAnError) {
  const TemporaryFolder folder;
  expect_has(load_error("text:path=/nowhere/book.txt"), {"cannot open '/nowhere/book.txt'"});
  const auto empty = folder.write_text("empty", std::string()).string();
  expect_has(load_error("text:path=" + empty), {empty, "the file is empty"});
  const auto brief = folder.write_text("brief", "three words here\n").string();
  expect_has(load_error("text:path=" + brief), {"split 90/5/5", "at least 40 tokens", "got 4"});
  const auto one = folder.write_text("one", "\n").string(),
             two = folder.write_text("two", "a b\n").string();
  expect_has(load_error("text:train=" + two + ",valid=" + one + ",test=" + two),
             {"at least 2 tokens", "got 1"});
  expect_has(load_error("text:train=" + two + ",valid=" + two + ",test=" + folder.path().string()),
             {folder.path().string(), "directory"});
}

TEST(TextFile, WrongOptionsAreUsageErrors) {
  expect_has(usage_error("text:path=x,vocab=1"), {"vocab", "from 2 to", "'1'"});
  expect_has(usage_error("text:path=x,seq=0"), {"seq", "from 1 to", "'0'"});
  expect_has(usage_error("text:path=x,level=byte"), {"level", "word, char", "'byte'"});
  expect_has(usage_error("kjv:levle=char"), {"did you mean level?"});
}

TEST(TextTable, ImagesAndTextsAreToldApart) {
  EXPECT_TRUE(is_text("kjv:level=char"));
  EXPECT_TRUE(is_text("synthetic-text"));
  EXPECT_FALSE(is_text("fashion-mnist"));
  EXPECT_FALSE(is_text("no-such-thing"));
  expect_has(usage_error("mnist:path=x"), {"'mnist'", "expected text (kjv", "got images"});
  expect_has(error_of<UsageError>([] { load_dataset("kjv", 1); }),
             {"'kjv'", "expected images (", "fashion-mnist", "got text"});
  expect_has(usage_error("kvj"), {"'kvj' is not known", "did you mean kjv?", "fashion-mnist"});
}

TEST(TextTable, HelpHasALineForEachDataSet) {
  for (const auto& entry : text_table()) {
    EXPECT_FALSE(entry.help.empty()) << entry.name;
    expect_has(dataset_help(), {"\n" + std::string(entry.name) + "  "});
  }
  expect_has(dataset_help(), {"fashion-mnist  ", "\nmnist  "});
}

TEST(Kjv, IsLookedForWhereTheScriptPutsIt) {
  const Variable home("HOME", "/home/someone"), shared("XDG_DATA_HOME", ""), own("TERSE_DATA", "");
  EXPECT_EQ(kjv_file(), "/home/someone/.local/share/tersegrad/kjv.txt");
  {
    const Variable other("XDG_DATA_HOME", "/shared");
    EXPECT_EQ(kjv_file(), "/shared/tersegrad/kjv.txt");
    const Variable nearest("TERSE_DATA", "/nowhere");
    EXPECT_EQ(kjv_file(), "/nowhere/kjv.txt");
    expect_has(load_error("kjv"), {"'/nowhere/kjv.txt'", "scripts/kjv", "kjv:path=FILE"});
  }
}

TEST(Kjv, TheScriptMakesTheTextAndKeepsIt) {
  if (std::system("command -v bible >/dev/null") != 0) {
    GTEST_SKIP() << "the package bible-kjv is not installed: scripts/kjv would install it";
  }
  const TemporaryFolder folder;
  const Variable own("TERSE_DATA", folder.path().string());
  folder.write_text("kjv.txt", "a file that is not whole\n");
  ASSERT_EQ(std::system("'" TERSE_SOURCE_DIR "/scripts/kjv' 2>/dev/null"), 0);
  const auto written = std::filesystem::last_write_time(kjv_file());
  ASSERT_EQ(std::system("'" TERSE_SOURCE_DIR "/scripts/kjv'"), 0);
  EXPECT_EQ(std::filesystem::last_write_time(kjv_file()), written);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);

  const auto splits = load_text("kjv", 1);
  EXPECT_EQ(splits.train.size() + splits.valid.size() + splits.test.size(), 944708);
  std::int64_t verses = 0;
  const auto& vocabulary = splits.train.vocabulary;
  const auto eos = std::find(vocabulary.begin(), vocabulary.end(), kEndOfLine) - vocabulary.begin();
  for (const auto* split : {&splits.train, &splits.valid, &splits.test}) {
    verses += std::count(split->tokens.begin(), split->tokens.end(), eos);
  }
  EXPECT_EQ(verses, 31102);
  EXPECT_EQ(joined(splits.train, " ").substr(0, 62),
            "in the beginning god created the heaven and the earth . <eos> ");
  EXPECT_EQ(load_text("kjv:level=char", 1).train.vocabulary.size(), 64U);
}

}  // namespace
}  // namespace terse
