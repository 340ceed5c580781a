// swift-tools-version: 6.2
// libae: learned compression for sets of small images, behind a C ABI without a language runtime.
//
// The modules, from the ground up. Arrows go down only; docs/architecture.md tells what each is for.
//
//   CKernels, CSystem, CZlib     innermost loops; memory, files and clocks; the system zlib
//   Core                         errors, memory that can fail, text
//   Compute, Bytes               matrices, random streams, parallel loops; readers, writers, checksums
//   Model                        the networks, in float and in integers
//   Storage, Scan                weight files and image sets, read and written; the scans behind digits' images
//   Training, Compression        losses to checkpoints; entropy coding to containers
//   Digits                       pen-stroke digits and a kicked ball, drawn from known parameters
//   Analysis                     what codes and images are like: dimension, neighbours, subspaces, regressions
//   LibAE                        one @_cdecl function per declaration of include/ae.h
//   aez                          the tool
//
// What SwiftPM cannot say (embedded mode, soname, version script) the Makefile passes on the command
// line, so that this manifest needs no unsafe flags and other packages may depend on it.
import PackageDescription

let package = Package(
  name: "libae",
  products: [
    .library(name: "ae", type: .dynamic, targets: ["LibAE"]),
    .executable(name: "aez", targets: ["aez"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0")
  ],
  targets: [
    // C ground floor.
    .target(name: "CKernels", linkerSettings: [.linkedLibrary("m")]),
    .target(name: "CSystem"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CAE", path: "include"),

    // The engine.
    .target(name: "Core", dependencies: ["CSystem"]),
    .target(name: "Compute", dependencies: ["CKernels", "CSystem", "Core"]),
    .target(name: "Bytes", dependencies: ["CSystem", "CZlib", "Core"]),
    .target(name: "Model", dependencies: ["Bytes", "Compute", "Core"]),
    .target(name: "Storage", dependencies: ["Bytes", "Compute", "Core", "Model"]),
    .target(name: "Training", dependencies: ["Bytes", "Compute", "Core", "Model", "Scan", "Storage"]),
    .target(name: "Compression", dependencies: ["Bytes", "Compute", "Core", "Model", "Scan", "Storage"]),
    .target(name: "Scan", dependencies: ["CKernels", "Compute", "Core"]),
    .target(name: "Digits", dependencies: ["Compute", "Core", "Storage"]),
    .target(name: "Analysis", dependencies: ["Compute", "Core", "Training"]),

    // The faces.
    .target(
      name: "LibAE",
      dependencies: [
        "CAE", "CKernels", "CSystem", "Bytes", "Compression", "Compute", "Core", "Model", "Storage",
        "Training",
      ]),
    .target(name: "CPNG", path: "tools/CPNG", linkerSettings: [.linkedLibrary("png")]),
    .target(name: "CDefaultModel", path: "tools/CDefaultModel"),
    .executableTarget(
      name: "aez",
      dependencies: [
        "CDefaultModel", "CPNG", "CSystem", "Analysis", "Bytes", "Compression", "Compute", "Core", "Digits",
        "Model",
        "Storage", "Training",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "tools/aez"),

    // Tests, one target a module.
    .testTarget(name: "ComputeTests", dependencies: ["Compute", "CKernels", "Core"]),
    .testTarget(name: "BytesTests", dependencies: ["Bytes", "Core"]),
    .testTarget(name: "ScanTests", dependencies: ["Scan", "Core"]),
    .testTarget(name: "ModelTests", dependencies: ["Model", "Compute", "Core"]),
    .testTarget(name: "StorageTests", dependencies: ["Storage", "Model", "Bytes", "Compute", "Core"]),
    .testTarget(
      name: "TrainingTests", dependencies: ["Training", "Model", "Storage", "Compute", "Core"]),
    .testTarget(
      name: "CompressionTests",
      dependencies: ["Compression", "Model", "Scan", "Storage", "Bytes", "CKernels", "Compute", "Core"]),
    .testTarget(name: "CPNGTests", dependencies: ["CPNG"]),
    .testTarget(name: "AnalysisTests", dependencies: ["Analysis", "Compute", "Core"]),
    .testTarget(name: "DigitsTests", dependencies: ["Digits", "Storage", "Bytes", "Compute", "Core"]),
  ]
)
