// The experiments of the study: their names, the training runs that each uses, and what each measures.

import Core
import Storage
import ToolKit

/// One question that the study asks, with the work that answers it.
struct StudyExperiment: Sendable {
  let key: String
  let title: String
  /// The trainings it looks at, with their images, in order.
  let runs: @Sendable (StudyContext) throws -> [(StudyRun, ImageSet)]
  /// What it finds: numbers and texts for results.json, which the page is made from. Pictures go to the folder.
  let measure: @Sendable (StudyContext, StudyWork) throws -> [(key: String, value: JSON)]
  /// What measuring costs beside trainings, in the unit of `StudyRun.cost`.
  var cost: @Sendable (StudyPlan) -> Int = { plan in
    plan.scale == .full ? 20_000 : plan.scale == .quick ? 4_000 : 100
  }

  /// In the order of the page.
  static let all: [StudyExperiment] = [
    linear, activations, variational, dimensions, thirty, classification, ball, pen, compression,
  ]

  static var listing: String {
    let width = all.map(\.key.count).max() ?? 0
    return all.map { experiment in
      "\(experiment.key)\(String(repeating: " ", count: width - experiment.key.count))  \(experiment.title)"
    }.joined(separator: "\n")
  }

  /// Those runs of the study's own networks that are wanted.
  static func own(_ context: StudyContext, where isWanted: (StudyRun) -> Bool) throws -> [(
    StudyRun, ImageSet
  )] {
    on(context.digits.train, try context.plan.own(context.digits).filter(isWanted))
  }

  static func on(_ set: ImageSet, _ runs: [StudyRun]) -> [(StudyRun, ImageSet)] { runs.map { ($0, set) } }
}
