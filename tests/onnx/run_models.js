// Runs ONNX files by ONNX Runtime and compares the results with tersegrad's.
//
//   node tests/onnx/run_models.js FOLDER   (FOLDER: write_models; onnxruntime-node in NODE_PATH)
//
// The largest absolute difference in every model must be at most 1e-4. A model with a state gets it
// from the file in its first call, and from ONNX Runtime's own call before in every other call.
"use strict";

const fs = require("fs");
const path = require("path");
const ort = require("onnxruntime-node");

const TOLERANCE = 1e-4;
const TYPES = {"<f4": ["float32", Float32Array], "<i8": ["int64", BigInt64Array]};
const STATES = {h0: "hn", c0: "cn"};  // input: the output of the call before

// The tensor of a .npy file in format 1.0.
function parseNpy(npy) {
  const begin = 10 + npy.readUInt16LE(8);
  const header = npy.toString("latin1", 10, begin);
  const [, descr, shape] =
    header.match(/'descr': '(.*?)', 'fortran_order': False, 'shape': \((.*?)\)/);
  const [type, Values] = TYPES[descr];
  const dims = shape.split(",").filter((n) => n.trim() !== "").map(Number);
  const at = npy.byteOffset;
  const values = new Values(npy.buffer.slice(at + begin, at + npy.length));
  return new ort.Tensor(type, values, dims);
}

// The tensors of a .npz file without compression, by call and name.
function readNpz(file) {
  const zip = fs.readFileSync(file);
  const end = zip.length - 22;
  const calls = [];
  let entry = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; --left) {
    const size = zip.readUInt32LE(entry + 24);
    const nameSize = zip.readUInt16LE(entry + 28);
    const begin = zip.readUInt32LE(entry + 42) + 30 + nameSize;
    const [call, value] = zip.toString("utf8", entry + 46, entry + 46 + nameSize).split(".");
    (calls[call] ??= {})[value] = parseNpy(zip.subarray(begin, begin + size));
    entry += 46 + nameSize;
  }
  return calls;
}

function difference(name, got, expected) {
  if (String(got.dims) !== String(expected.dims)) {
    throw new Error(`${name}: expected shape (${expected.dims}); got (${got.dims})`);
  }
  // Math.max returns NaN if an argument is NaN.
  return got.data.reduce((most, value, i) => Math.max(most, Math.abs(value - expected.data[i])), 0);
}

async function compare(file) {
  const session = await ort.InferenceSession.create(file, {intraOpNumThreads: 1});
  const calls = readNpz(file.replace(/onnx$/, "npz"));
  const differences = {};
  let results = {};
  for (const values of calls) {
    const inputs = {};
    for (const name of session.inputNames) inputs[name] = values[name] ?? results[STATES[name]];
    results = await session.run(inputs);
    for (const name of session.outputNames) {
      const d = difference(name, results[name], values[name]);
      differences[name] = Math.max(differences[name] ?? 0, d);
    }
  }
  const passed = calls.length > 0 && Object.values(differences).every((d) => d <= TOLERANCE);
  const list = Object.entries(differences).map(([name, d]) => `${name} ${d.toExponential(1)}`);
  const name = path.basename(file, ".onnx").padEnd(16);
  console.log(`${name} ${passed ? "passed" : "FAILED"}  ${list.join(", ")}`);
  return passed;
}

async function main(folder) {
  const files = fs.readdirSync(folder).filter((name) => name.endsWith(".onnx")).sort();
  let passed = files.length > 0;
  for (const file of files) passed = (await compare(path.join(folder, file))) && passed;
  process.exitCode = passed ? 0 : 1;
}

main(process.argv[2]);
