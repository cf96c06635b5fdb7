// The programs export and train --init: a trained model leaves a run and begins another one.
#include <map>
#include <string>

#include "tests/examples/program_fixture.hpp"

namespace {

using json = nlohmann::json;

class Export : public ProgramFixture {
 protected:
  std::string in(const std::string& name) const { return (folder / name).string(); }
  json train(const std::string& flags) const {
    const auto o = run("train --json --schedule constant " + flags);
    EXPECT_EQ(o.code, 0) << flags << ": " << o.error;
    return o.code == 0 ? last_line(o.out) : json();
  }
};

// A run that begins with exported weights and takes no step that matters tests like the first one.
TEST_F(Export, AModelGoesOutAndInAgain) {
  for (const std::string flags :
       {"--model resnet20 --data synthetic:train=40,test=20 --batch 4 --workers 2 ",
        "--model lenet --data synthetic:train=60,test=20 --batch 4 --workers 3 --local-steps 4 ",
        "--model lenet --data synthetic:train=60,test=20 --batch 4 --workers 3 --topology async ",
        "--model lstm:hidden=16,embedding=16 --data synthetic-text:vocab=50 --workers 2 "}) {
    SCOPED_TRACE(flags);
    fs::remove_all(in("run"));
    const auto first = train(flags + "--steps 6 --out " + in("run"));
    const auto o = run("export " + in("run") + " --json");
    ASSERT_EQ(o.code, 0) << o.error;
    const auto written = last_line(o.out);
    EXPECT_EQ(written["file"], in("run") + "/model.safetensors");
    EXPECT_EQ(written["step"], 6);
    EXPECT_EQ(written["parameters"], first["parameters"]);
    // A rate so small that no parameter changes.
    const auto again = train(flags + "--steps 1 --lr 1e-30 --optimizer sgd --init " +
                             written["file"].get<std::string>());
    EXPECT_EQ(first["model_hash"], again["model_hash"]);
    if (flags.find("resnet") == std::string::npos) {  // running statistics change in a step
      EXPECT_EQ(first["test_loss"], again["test_loss"]);
    }
  }
}

TEST_F(Export, EveryFormatIsWritten) {
  train("--model lenet --data synthetic:train=40,test=20 --batch 4 --steps 2 --workers 2 --out " +
        in("run"));
  const std::map<std::string, std::string> magic = {{"npz", "PK"}, {"onnx", "\x08\x07"}};
  for (const auto& [format, begin] : magic) {
    ASSERT_EQ(run("export " + in("run") + " --format " + format + " --out " + in("model")).code, 0);
    EXPECT_EQ(read(in("model")).substr(0, 2), begin) << format;
  }
  const auto file = in("run") + "/checkpoint.safetensors";
  EXPECT_EQ(run("export " + file + " --out " + in("model")).code, 0);
}

TEST_F(Export, WrongInputIsRefused) {
  train("--model lenet --data synthetic:train=40,test=20 --batch 4 --steps 2 --workers 2 --out " +
        in("run"));
  expect_refused("export", 2, "expected the folder of a run");
  expect_refused("export " + in("nothing"), 1, "nothing");
  expect_refused("export " + in("run") + " --format pt", 2, "--format");
  expect_refused("export " + in("run") + " --out " + in("run") + "/checkpoint.safetensors", 2,
                 "a file of a run");
  ASSERT_EQ(run("export " + in("run")).code, 0);
  const auto weights = in("run") + "/model.safetensors";
  expect_refused("export " + weights, 1, "expected a checkpoint of a run");
  expect_refused(
      "train --model mlp --data synthetic:train=40,test=20 --batch 4 --steps 1 --init " + weights,
      1, "expected shape");
  expect_refused("train --tensorboard", 2, "--out");
}

TEST_F(Export, AnEventFileForTensorBoard) {
  train(
      "--model lenet --data synthetic:train=40,test=20 --batch 4 --steps 2 --workers 2 "
      "--tensorboard --out " +
      in("run"));
  std::string events;
  for (const auto& entry : fs::directory_iterator(in("run"))) {
    if (entry.path().filename().string().starts_with("events.out.tfevents")) {
      events = read(entry.path());
    }
  }
  for (const char* tag : {"brain.Event:2", "train/loss", "train/lr", "train/bytes_sent",
                          "test/loss", "test/accuracy", "weights/0.weight"}) {
    EXPECT_NE(events.find(tag), std::string::npos) << tag;
  }
}

}  // namespace
