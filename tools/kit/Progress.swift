// The progress line: on standard error, only if that is a terminal, redrawn a few times a second.

import CSystem
import Core
import Glibc

/// A bar with what is done, a detail, and the time left. Silent unless standard error is a terminal.
package final class Progress {
  private let isShown: Bool
  private let total: Int
  private let started = cs_seconds()
  private let startedAt: Int
  private var drawn = 0.0
  private var isDirty = false

  /// - Parameters:
  ///   - total: how much there is to do, in whatever unit `update` counts.
  ///   - done: how much of it was done before, which does not count for the speed.
  package init(total: Int, done: Int = 0, isQuiet: Bool) {
    self.total = max(total, 1)
    startedAt = done
    isShown = !isQuiet && Console.isTerminal(Console.error)
  }

  /// Draws the line, if it is time to.
  package func update(_ done: Int, _ detail: String = "") {
    guard isShown, !Interrupt.isRequested else { return }
    let now = cs_seconds()
    guard now - drawn >= 0.2 || done >= total else { return }
    drawn = now
    let share = min(max(Double(done) / Double(total), 0), 1)
    var text = " \(Int(share * 100))%"
    if !detail.isEmpty { text += "  " + detail }
    if done > startedAt, done < total {
      let left = (now - started) / Double(done - startedAt) * Double(total - done)
      text += "  " + Progress.duration(left) + " left"
    }
    // The bar has the room that the words leave.
    let room = min(max(Console.columnCount - 3 - text.count, 4), 30)
    let filled = Int(share * Double(room))
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: room - filled)
    let line = "[\(bar)]\(text)"
    Console.draw("\r\u{1B}[K" + String(line.prefix(Console.columnCount - 1)))
    isDirty = true
  }

  /// For work on images that is watched: draws how many are done and how many a second, and stops the work when the
  /// user asks for it.
  package func hook(_ doing: String = "images") -> Monitor.Hook {
    { [self] done, total in
      let seconds = cs_seconds() - started
      let rate = seconds > 0.5 ? Double(done - startedAt) / seconds : 0
      var detail = "\(doing) \(grouped(done))/\(grouped(total))"
      if rate > 0 { detail += rate < 10 ? "  \(rate.fixed(1))/s" : "  \(grouped(Int(rate)))/s" }
      update(done, detail)
      return !Interrupt.isRequested
    }
  }

  /// Clears the line, so that what is said next stands alone.
  package func finish() {
    guard isDirty else { return }
    Console.draw("\r\u{1B}[K")
    isDirty = false
  }

  deinit { finish() }

  /// "0:07", "12:31", "2:05:00".
  package static func duration(_ seconds: Double) -> String {
    let whole = Int(min(max(seconds, 0), 1e9))
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let (hours, minutes) = (whole / 3600, whole / 60 % 60)
    return hours > 0 ? "\(hours):\(two(minutes)):\(two(whole % 60))" : "\(minutes):\(two(whole % 60))"
  }
}
