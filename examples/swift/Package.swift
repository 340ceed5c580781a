// swift-tools-version: 6.2
// A package that depends on libae: here by path, elsewhere by the URL of a repository and a version.
import PackageDescription

let package = Package(
  name: "pack",
  dependencies: [.package(name: "libae", path: "../..")],
  targets: [
    .executableTarget(name: "pack", dependencies: [.product(name: "Autoencoders", package: "libae")])
  ]
)
