// Progress output: numbers and bars fit the width of the terminal or the column.
#include "examples/run/progress.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace terse::run {
namespace {

TEST(NumberText, FitsWhateverTheNumberIs) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(number_text(90.494, 2, 5), "90.49");
  EXPECT_EQ(number_text(0, 3, 5), "0.000");
  EXPECT_EQ(number_text(NAN, 2, 5), "nan");
  EXPECT_EQ(number_text(-NAN, 2, 5), "nan");
  EXPECT_EQ(number_text(kInfinity, 2, 5), "inf");
  EXPECT_EQ(number_text(-kInfinity, 2, 5), "-inf");
  EXPECT_EQ(number_text(1.25e30, 3, 9), "1.25e+30");
  EXPECT_EQ(number_text(123456789, 2, 6), "1e+08");
  for (const double value : {1.0, -1.0, 9.99e-5, 1e5, 123456.7, 1e300, -1e300}) {
    EXPECT_LE(number_text(value, 2, 7).size(), 7U) << value;
  }
}

TEST(BarLine, TakesTheColumnsOfTheTerminal) {
  const std::string title = "powersgd:rank=2+ef", figures = "1/3 step 125 loss 0.321 20143/s 12 s";
  for (std::size_t columns = 1; columns <= 200; ++columns) {
    EXPECT_EQ(bar_line(title, 0.5, figures, columns).size(), columns);
  }
  const auto wide = bar_line(title, 0.5, figures, 120);
  EXPECT_NE(wide.find("[" + std::string(20, '#') + std::string(20, '.') + "] " + figures),
            std::string::npos)
      << wide;
  EXPECT_EQ(wide.rfind(title, 0), 0U) << wide;
  // On a narrow terminal the title is shortened first; the figures stay as long as they fit.
  const auto narrow = bar_line(title, 0.5, figures, 60);
  EXPECT_NE(narrow.find(figures), std::string::npos) << narrow;
  EXPECT_EQ(narrow.rfind("powers", 0), 0U) << narrow;
}

}  // namespace
}  // namespace terse::run
