import Foundation
import Glibc

/// What a person sees of a run: one line that is redrawn on a terminal; elsewhere a plain line from time to time.
public final class StatusLine {
  private let isTerminal: Bool
  private let colour: Bool
  private let prefix: String
  private var drawn = false
  private var lastPlain: ContinuousClock.Instant?

  /// Off a terminal, progress lines are at least this far apart.
  private static let plainInterval = Duration.seconds(10)

  /// A line on standard error. `prefix` says who speaks, where several do.
  public init(prefix: String = "") {
    isTerminal = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    colour = isTerminal && ProcessInfo.processInfo.environment["NO_COLOR"] == nil
    self.prefix = prefix
  }

  /// Shows how far things are; `isLast` makes sure that it is shown.
  public func progress(_ text: String, isLast: Bool = false) {
    if isTerminal {
      var size = winsize()
      let columns = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
      write("\r\u{1B}[K" + String((prefix + text).prefix(columns - 1)) + (isLast ? "\n" : ""))
      drawn = !isLast
    } else {
      let now = ContinuousClock.now
      if !isLast, let lastPlain, now - lastPlain < Self.plainInterval { return }
      lastPlain = now
      write(prefix + text + "\n")
    }
  }

  /// Says something that stays.
  public func say(_ text: String) {
    write((drawn ? "\r\u{1B}[K" : "") + prefix + text + "\n")
    drawn = false
  }

  /// Says something that the user should not miss.
  public func warn(_ text: String) {
    say(colour ? "\u{1B}[33m\(text)\u{1B}[0m" : text)
  }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

  /// Seconds as people write them: 59 s, 3:07, 2:05:00.
  public static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e8 else { return "?" }
    let total = Int(seconds.rounded())
    if total < 60 { return "\(total) s" }
    let two = { (value: Int) in value < 10 ? "0\(value)" : "\(value)" }
    return total < 3600
      ? "\(total / 60):\(two(total % 60))" : "\(total / 3600):\(two(total / 60 % 60)):\(two(total % 60))"
  }

  /// A number with a fixed count of decimals.
  public static func number(_ value: Double, decimals: Int) -> String { String(format: "%.\(decimals)f", value) }
}
