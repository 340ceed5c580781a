// swift-tools-version: 6.2
// libae: learned compression for sets of small images, behind a C ABI without a language runtime.
//
// The modules, from the ground up. Arrows go down only; docs/architecture.md tells what each is for.
//
//   CKernels, CSystem, CZlib     innermost loops; memory, files and clocks; the system zlib
//   Core                         errors, memory that can fail, text
//   Compute, Bytes               matrices, random streams, parallel loops; readers, writers, checksums
//   Options                      tables of options: one row is all that an option takes
//   Network                      shapes, dense and convolutional layers, in float and in integers
//   Entropy                      rANS, the binary coder
//   Lossless                     methods of lossless coding: contexts; the bilevel scans behind digits' images
//   Latent                       quantised codes: steps, frequency tables, search
//   Model                        a trained autoencoder: its networks and codecs; encode, decode, sample, evaluate
//   Storage                      weight files (.aew), and image sets of other formats, read and written
//   Container                    image sets (.aez), written and read
//   Quantization                 from floats to integers: ranges, error feedback, the fit of the latents' codec
//   Training                     losses, gradients, optimisers, checkpoints
//   SourceExport                 a decoder as one C file, for whoever has no room for a library
//   Digits                       pen-stroke digits and a kicked ball, drawn from known parameters
//   LibAEDecode, LibAE           one @_cdecl function per declaration of include/ae.h: those that decode, all others
//   Autoencoders                 ae.h as Swift types, for packages that depend on this one
//   ToolKit                      what the two programs share: reports, progress, names of files, recipes, PNG
//   aez                          the tool
//   Analysis                     what codes and images are like: dimension, neighbours, subspaces, regressions
//   Study                        the experiments and their page, on the engine, Analysis and ToolKit
//   aez-study                    the study as a program, which `aez study` starts
//
// What SwiftPM cannot say (embedded mode, soname, version script) the Makefile passes on the command
// line, so that this manifest needs no unsafe flags and other packages may depend on it.
import PackageDescription

let package = Package(
  name: "libae",
  products: [
    .library(name: "ae", type: .dynamic, targets: ["LibAE"]),
    .library(name: "ae-decode", type: .dynamic, targets: ["LibAEDecode"]),
    .library(name: "Autoencoders", targets: ["Autoencoders"]),
    .executable(name: "aez", targets: ["aez"]),
    .executable(name: "aez-study", targets: ["aez-study"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0")
  ],
  targets: [
    // C ground floor.
    .target(name: "CKernels", linkerSettings: [.linkedLibrary("m")]),
    .target(name: "CSystem"),
    .target(name: "CScan"),
    .target(name: "CPixels"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CAE", path: "include"),

    // The engine.
    .target(name: "Core", dependencies: ["CKernels", "CSystem"]),
    .target(name: "Compute", dependencies: ["CKernels", "CSystem", "Core"]),
    .target(name: "Bytes", dependencies: ["CSystem", "CZlib", "Core"]),
    .target(name: "Options", dependencies: ["Bytes", "CSystem", "Core"]),
    .target(name: "Network", dependencies: ["CKernels", "Compute", "Core"]),
    .target(name: "Entropy", dependencies: ["Bytes", "Core"]),
    .target(
      name: "Lossless",
      dependencies: ["Bytes", "CKernels", "CPixels", "CScan", "Compute", "Core", "Entropy", "Network"]),
    .target(name: "Latent", dependencies: ["Compute", "Core", "Entropy", "Network"]),
    .target(
      name: "Model", dependencies: ["CKernels", "Compute", "Core", "Latent", "Lossless", "Network"]),
    .target(
      name: "Storage",
      dependencies: ["Bytes", "CSystem", "Compute", "Core", "Latent", "Lossless", "Model", "Network"]),
    .target(
      name: "Container",
      dependencies: [
        "Bytes", "Compute", "Core", "Entropy", "Latent", "Lossless", "Model", "Network", "Options", "Storage",
      ]),
    .target(
      name: "Quantization", dependencies: ["CKernels", "Compute", "Core", "Latent", "Model", "Network"]),
    .target(
      name: "Training",
      dependencies: [
        "Bytes", "CKernels", "CPixels", "Compute", "Core", "Lossless", "Model", "Network", "Options",
        "Quantization", "Storage",
      ]),
    .target(
      name: "SourceExport",
      dependencies: ["Bytes", "CKernels", "Core", "Latent", "Model", "Network", "Storage"]),
    .target(name: "Digits", dependencies: ["Compute", "Core", "Storage"]),

    // The faces.
    .target(
      name: "LibAEDecode",
      dependencies: [
        "CAE", "CKernels", "CSystem", "Bytes", "Compute", "Container", "Core", "Latent", "Model", "Network",
        "Storage",
      ]),
    .target(
      name: "LibAE",
      dependencies: [
        "LibAEDecode", "CAE", "CKernels", "CSystem", "Bytes", "Compute", "Container", "Core", "Latent",
        "Lossless",
        "Model", "Network", "Options", "Quantization", "SourceExport", "Storage", "Training",
      ]),
    // ae.h for Swift programs, with the models beside it: what other packages depend on. The root is its folder, since
    // resources have to be below that.
    .target(
      name: "Autoencoders", dependencies: ["CAE", "LibAE"], path: ".",
      exclude: [
        "CHANGELOG.md", "CMakeLists.txt", "LICENSE", "Makefile", "README.md", "Sources", "Tests",
        "bindings/cmake",
        "bindings/cpp", "bindings/python", "debian", "docs", "examples", "include", "ruff.toml", "tools",
      ], sources: ["bindings/swift"], resources: [.copy("models")]),
    .target(name: "CPNG", path: "tools/CPNG", linkerSettings: [.linkedLibrary("png")]),
    .target(name: "CShippedModels", path: "tools/CShippedModels"),
    .target(
      name: "ToolKit",
      dependencies: [
        "CPNG", "CSystem", "Bytes", "Compute", "Container", "Core", "Model", "Network", "Options", "Storage",
        "Training",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "tools/kit"),
    .executableTarget(
      name: "aez",
      dependencies: [
        "CShippedModels", "CSystem", "Bytes", "Container", "Compute", "Core", "Digits", "Latent", "Lossless",
        "Model", "Network", "Options", "Quantization", "SourceExport", "Storage", "ToolKit", "Training",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "tools/aez"),

    // The study, which is no part of the tool.
    .target(
      name: "Analysis", dependencies: ["Compute", "Core", "Training"], path: "tools/study/Analysis"),
    .target(
      name: "Study",
      dependencies: [
        "CSystem", "Analysis", "Bytes", "Container", "Compute", "Core", "Digits", "Latent", "Model",
        "Network", "Quantization", "Storage", "ToolKit", "Training",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "tools/study/Study"),
    .executableTarget(
      name: "aez-study",
      dependencies: [
        "Study", "ToolKit", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "tools/study/main"),

    // Tests, one target a module.
    .testTarget(name: "ComputeTests", dependencies: ["Compute", "CKernels", "Core", "Model", "Network"]),
    .testTarget(name: "NetworkTests", dependencies: ["Network", "Compute", "Core"]),
    .testTarget(name: "BytesTests", dependencies: ["Bytes", "Core"]),
    .testTarget(name: "LosslessTests", dependencies: ["Lossless", "CScan", "Core"]),
    .testTarget(name: "ModelTests", dependencies: ["Latent", "Model", "Network", "Compute", "Core"]),
    .testTarget(
      name: "StorageTests",
      dependencies: ["Storage", "Latent", "Lossless", "Model", "Network", "Bytes", "Compute", "Core"]),
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "Training", "CPixels", "Latent", "Lossless", "Model", "Network", "Quantization", "Storage", "Compute",
        "Core",
      ]),
    .testTarget(
      name: "ContainerTests",
      dependencies: [
        "Container", "Entropy", "Latent", "Lossless", "Model", "Network", "Storage", "Bytes", "CKernels",
        "Compute", "Core",
      ]),
    .testTarget(name: "CPNGTests", dependencies: ["CPNG"]),
    .testTarget(name: "AnalysisTests", dependencies: ["Analysis", "Compute", "Core"]),
    .testTarget(name: "DigitsTests", dependencies: ["Digits", "Storage", "Bytes", "Compute", "Core"]),
  ]
)
