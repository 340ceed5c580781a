// aez study: every network compared, every figure made, and a page of it all.

import ArgumentParser
import Bytes
import CSystem
import Compute
import Core
import Storage
import ToolKit

package struct StudyCommand: ParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "study",
    abstract: "Compare all networks, and write a page of what was found.",
    usage: "aez study -o <folder> [<options>]",
    discussion: """
      Trains every network, measures it, and writes a folder: index.html, which needs nothing beside it and no \
      network, the pictures as PNG files, and results.json with every number. On MNIST, if it is at hand, else \
      on digits drawn by `aez draw`.

      What is finished is kept in the folder. Ctrl-C stops, and the same command goes on; a study that is \
      complete is written again in no time.

      EXPERIMENTS
      \(StudyExperiment.listing)

      EXAMPLES
        aez study --quick -o study-quick
        aez study -o study
        aez study --only dimensions,ball -o study
        aez study --trained my-models -o study
      """)

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The folder to write, and to go on in.", valueName: "folder"))
  var output: String
  @Flag(help: "Minutes in place of hours: fewer steps, images and lengths of code.") var quick = false
  @Flag(help: ArgumentHelp("Seconds, to see that it works.", visibility: .private)) var tiny = false
  @Flag(help: "Draw digits, even if MNIST is at hand.") var drawn = false
  @Option(help: ArgumentHelp("These experiments alone, separated by commas.", valueName: "names"))
  var only: String?
  @Option(
    help: ArgumentHelp(
      "A folder of networks that were trained before: PRESET.aew is taken if recipe and images are the same.",
      valueName: "folder"))
  var trained: String?
  @OptionGroup var report: ReportOptions

  private var plan: StudyPlan { tiny ? .tiny : quick ? .quick : .full }

  private func experiments() throws -> [StudyExperiment] {
    guard let only else { return StudyExperiment.all }
    let names = only.split(separator: ",").map { String($0) }
    for name in names where !StudyExperiment.all.contains(where: { $0.key == name }) {
      throw ValidationError(
        "There is no experiment \(name): \(StudyExperiment.all.map(\.key).joined(separator: ", ")).")
    }
    return StudyExperiment.all.filter { names.contains($0.key) }
  }

  package func validate() throws {
    if quick && tiny { throw ValidationError("--quick and --tiny exclude each other.") }
    if try experiments().isEmpty { throw ValidationError("--only names no experiment.") }
  }

  package init() {}

  package func run() throws {
    let experiments = try experiments()
    let started = cs_seconds()
    let data = try StudyData.digits(plan, drawn: drawn)
    let folder = try StudyFolder(output, description: description(data))
    let context = StudyContext(
      plan: plan, digits: data, ball: try KnownManifold.ball(plan), pen: try KnownManifold.pen(plan),
      folder: folder)

    if let trained {
      guard Path.kind(trained) == .folder else { throw AEError(.io, "\(trained): is no folder") }
      for (run, set) in try experiments.flatMap({ try $0.runs(context) }) {
        let remark = try StudyWork.adopt(run, on: set, from: Path.trimmed(trained), to: folder)
        if let remark, !report.quiet { Console.warn("aez: \(remark)") }
      }
    }

    // What there is to do, each run counted once though several experiments look at it.
    var total = 0
    var finished = 0
    var names: Set<String> = []
    for experiment in experiments {
      total += experiment.cost(plan)
      if folder.has("\(experiment.key).json") { finished += experiment.cost(plan) }
      for (run, _) in try experiment.runs(context) where names.insert(run.name).inserted {
        total += run.cost
        if StudyWork.isKept(run, in: folder) { finished += run.cost }
      }
    }
    Interrupt.listen()
    let work = StudyWork(plan: plan, folder: folder, total: total, done: finished, isQuiet: report.quiet)
    defer { work.close() }
    for experiment in experiments where !folder.has("\(experiment.key).json") {
      for (run, set) in try experiment.runs(context) { _ = try work.trained(run, on: set) }
      try work.tell("measuring: \(experiment.title)")
      let began = cs_seconds()
      var found = try experiment.measure(context, work)
      found.append(("seconds", .number(cs_seconds() - began)))
      try folder.keep(.object(found), as: experiment.key)
      work.finish(cost: experiment.cost(plan))
    }
    work.close()
    try write(context, seconds: cs_seconds() - started)
  }

  /// The identity of a study: a folder holds one.
  private func description(_ data: StudyData) -> JSON {
    .object([
      ("study", .int(2)), ("scale", .string(plan.scale.rawValue)), ("data", .string(data.name)),
      ("width", .int(data.width)), ("height", .int(data.height)), ("train_images", .int(data.train.count)),
      ("test_images", .int(data.test.count)),
      ("train_sha256", .string(SHA256.hex(SHA256.digest(data.train.pixels.base, data.train.pixels.count)))),
      ("test_sha256", .string(SHA256.hex(SHA256.digest(data.test.pixels.base, data.test.pixels.count)))),
    ])
  }

  /// Writes results.json and index.html of every experiment that is finished, whichever run finished it.
  private func write(_ context: StudyContext, seconds: Double) throws {
    let folder = context.folder
    var training = 0.0
    var names: Set<String> = []
    for run in try StudyExperiment.all.flatMap({ try $0.runs(context) }).map(\.0)
    where names.insert(run.name).inserted {
      if StudyWork.isKept(run, in: folder), let record = try folder.json(run.name) {
        training += record["curve"].items.last?.doubles[1] ?? 0
      }
    }
    var found: [(key: String, value: JSON)] = []
    for experiment in StudyExperiment.all {
      if let json = try folder.json(experiment.key) { found.append((experiment.key, json)) }
    }
    let results = JSON.object([
      ("study", description(context.digits)), ("version", .string(toolVersion)),
      ("kernels", .string(kernelPathName)), ("threads", .int(threadCount)), ("experiments", .object(found)),
    ])
    try folder.write(results.text + "\n", to: "results.json")
    try folder.write(try StudyPage(context: context, results: results).html(), to: "index.html")

    var facts = Report()
    facts.add("output", .string(folder.path))
    facts.add("page", .string("\(folder.path)/index.html"), "page")
    facts.add("data", .string(context.digits.name), "data")
    facts.add("scale", .string(plan.scale.rawValue), "run")
    facts.add(
      "experiments", .array(found.map { .string($0.key) }), "experiments",
      "\(found.count) of \(StudyExperiment.all.count)")
    facts.add("seconds", .number(seconds), "time", Progress.duration(seconds))
    facts.add("training_seconds", .number(training), "training in all", Progress.duration(training))
    let answer = results["experiments"]["dimensions"]["answer"].string
    if !answer.isEmpty { facts.add("answer", .string(answer), "answer", answer) }
    try report.show(facts)
  }
}

/// What experiments are given.
struct StudyContext {
  let plan: StudyPlan
  let digits: StudyData
  let ball: KnownManifold
  let pen: KnownManifold
  let folder: StudyFolder
}
