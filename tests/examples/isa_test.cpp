// The instruction set of the kernels: how a user selects it and where it is reported.
#include "tersegrad/core/simd/isa.hpp"
#include "tests/examples/program_fixture.hpp"

namespace {

using namespace terse;

class IsaOfPrograms : public ProgramFixture {};

TEST_F(IsaOfPrograms, EachLevelTrainsAndStandsInTheResult) {
  for (const Isa level : available_isas()) {
    const std::string name(isa_name(level));
    const std::string out = (folder / name).string();
    const auto o = run("train" + small + "--steps 20 --json --isa " + name + " --out " + out);
    ASSERT_EQ(o.code, 0) << o.error;
    EXPECT_EQ(last_line(o.out).at("config").at("isa"), name);
    EXPECT_EQ(nlohmann::json::parse(read(fs::path(out) / "config.json")).at("isa"), name);
  }
}

TEST_F(IsaOfPrograms, TheEnvironmentChoosesToo) {
  const std::string lowest(isa_name(available_isas().front()));
  const auto o =
      run_shell("env TERSE_ISA=" + lowest + " " + bin + "train" + small + "--steps 2 --json");
  ASSERT_EQ(o.code, 0) << o.error;
  EXPECT_EQ(last_line(o.out).at("config").at("isa"), lowest);
}

TEST_F(IsaOfPrograms, EveryProgramRefusesWhatThisMachineHasNot) {
  const std::string have = "expected one of auto, " + isa_list(available_isas()) +
                           " (the levels of this binary on this CPU); got 'mmx'";
  for (const char* program :
       {"advise", "bytes", "byzantine", "compare", "descend", "explain", "inspect", "paper",
        "report", "rosenbrock", "staleness", "step_time", "train", "whatif"}) {
    expect_refused(std::string(program) + " --isa mmx", 2, "--isa: " + have);
  }
  const auto o = run_shell("env TERSE_ISA=mmx " + bin + "train" + small);
  EXPECT_EQ(o.code, 2);
  EXPECT_NE(o.error.find("TERSE_ISA: " + have), std::string::npos) << o.error;
}

TEST_F(IsaOfPrograms, VersionTellsLevels) {
  const auto o = run("train --version");
  EXPECT_EQ(o.code, 0) << o.error;
  EXPECT_EQ(o.out.find("tersegrad "), 0U) << o.out;
  EXPECT_NE(o.out.find(isa_list(compiled_isas()) + " in this binary"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find(std::string(isa_name(available_isas().back())) + " is used"),
            std::string::npos)
      << o.out;
  EXPECT_NE(o.out.find("float products: "), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("OpenBLAS"), std::string::npos) << o.out;
}

}  // namespace
