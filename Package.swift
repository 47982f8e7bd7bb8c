// swift-tools-version: 6.2
import Foundation
import PackageDescription

// The CPU that the compute kernels are compiled for; set here and nowhere else: this one, or for hosts of several kinds
// the oldest of them, as in `TRAINER_CPU=x86-64-v3 swift build -c release --product trainer`. A binary says at its start if
// the CPU is too old for it.
let cpu = Context.environment["TRAINER_CPU"] ?? (hasAVX512() ? "x86-64-v4" : "x86-64-v3")

func hasAVX512() -> Bool {
  let processors = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
  let line = processors.split(separator: "\n").first { $0.hasPrefix("flags") } ?? ""
  let flags = line.split(separator: " ").map(String.init)
  return Set(["avx512f", "avx512vl", "avx512bw", "avx512dq", "avx512cd"]).isSubset(of: flags)
}

// Lanes that the kernels' tile transforms hold at a time: the floats of one of that CPU's registers. The bits are the
// same for all, which scripts/check-widths shows; for it, TRAINER_LANES chooses them whatever the CPU.
let registerLanes = ["x86-64-v2": "4", "x86-64-v4": "16"][cpu] ?? "8"
let lanes = Context.environment["TRAINER_LANES"] ?? registerLanes

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
  // Tests use @testable in release builds, where the kernels run at speed; one set of flags means one build for both.
  .unsafeFlags(["-enable-testing"], .when(configuration: .release)),
]
// Rooms with fused multiply-adds: without the CPU's own, each would be a call of the C library.
// Without errno a vector of square roots is one instruction; with it, a call for each lane.
let vectorSettings: [SwiftSetting] =
  settings + [.unsafeFlags(["-Xcc", "-march=\(cpu)", "-Xcc", "-fno-math-errno"])]
// Kernels only: traps are replaced by explicit checks at the doors of the room.
let kernelSettings: [SwiftSetting] =
  vectorSettings + [.unsafeFlags(["-Ounchecked"], .when(configuration: .release)), .define("LANES_\(lanes)")]
let shimSettings: [CSetting] = [
  .unsafeFlags(["-ffp-contract=off", "-Wall", "-Wextra", "-Werror"]),
  .define("TRAINER_CPU_TARGET", to: "\"\(cpu)\""),
]

func room(
  _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], settings: [SwiftSetting] = settings
) -> Target {
  .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}
func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .testTarget(name: "\(name)Tests", dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

let package = Package(
  name: "trainer",
  products: [.executable(name: "trainer", targets: ["trainer"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0"),
  ],
  targets: [
    .systemLibrary(name: "CXXHash"),
    .systemLibrary(name: "CZeroMQ"),
    .systemLibrary(name: "CTurboJPEG"),
    .systemLibrary(name: "CSPNG"),
    .target(name: "CPlatform", cSettings: shimSettings),

    room("Lockstep", ["CXXHash"]),
    room("Compute", ["Lockstep", "CPlatform"], settings: kernelSettings),
    room("Models", ["Compute", "Lockstep"]),
    room("Datasets", ["Compute", "Lockstep", "CTurboJPEG", "CSPNG"]),
    room(
      "Interchange", [.product(name: "SwiftProtobuf", package: "swift-protobuf")], exclude: ["ONNX/onnx-subset.proto"]),
    room("Training", ["Models", "Datasets", "Interchange", "Compute", "Lockstep"], settings: vectorSettings),
    room("Wire", ["Lockstep"]),
    room("Transport", ["CZeroMQ", "CPlatform"]),
    room("Coordination", ["Wire", "Lockstep"]),
    room(
      "Roles",
      [
        "Training", "Coordination", "Transport", "Wire", "Models", "Datasets", "Interchange", "Compute", "Lockstep",
        "CPlatform",
      ]),
    .executableTarget(
      name: "trainer",
      dependencies: [
        "Roles", "Lockstep", "CPlatform", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),

    tests("Lockstep", ["Lockstep"]),
    tests("Compute", ["Compute", "Lockstep"]),
    .executableTarget(
      name: "kernel-digest", dependencies: ["Compute", "Lockstep"], path: "Tests/KernelDigest", swiftSettings: settings),
    .target(name: "CAllocations", path: "Tests/CAllocations", cSettings: shimSettings),
    tests("Models", ["Models", "Compute", "Lockstep", "CAllocations"], exclude: ["Golden"]),
    tests("Datasets", ["Datasets", "Compute", "Lockstep"]),
    tests("Interchange", ["Interchange"], exclude: ["Golden"]),
    tests("Training", ["Training", "Models", "Datasets", "Interchange", "Compute", "Lockstep"]),
    tests("Wire", ["Wire", "Lockstep"]),
    tests("Transport", ["Transport", "CZeroMQ"]),
    tests("Coordination", ["Coordination", "Wire", "Lockstep"]),
    tests(
      "Roles", ["Roles", "Training", "Models", "Datasets", "Compute", "Coordination", "Transport", "Wire", "Lockstep"]),
    tests("System", ["Lockstep", "Interchange"]),
  ],
  swiftLanguageModes: [.v6]
)
