import ArgumentParser
import CPlatform
import Foundation
import Roles

/// The program: parses, calls a role, prints, and ends with a meaningful exit code.
@main
struct Trainer: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trainer",
    abstract: "Trains the GoogLeNet family on Linux CPU hosts, in lockstep.",
    discussion: """
      The parameters after a step depend on the configuration, the data and the seed alone: not on the number of workers or \
      threads, not on crashes, not on the order of messages.

      One machine:     trainer train --data imagefolder:pictures/train --validation imagefolder:pictures/validation
      Several hosts:   trainer coordinator --bind tcp://ADDRESS:5555 …   and, on each,   trainer worker --coordinator tcp://ADDRESS:5555

      Exit codes: 0 done, 2 usage, 65 bad data, 69 address in use, 70 diverged, 73 cannot write, 75 try again, 77 refused, \
      78 mismatch, 130 and 143 after a signal.
      """,
    subcommands: [
      TrainCommand.self, CoordinatorCommand.self, WorkerCommand.self, EvaluateCommand.self, PredictCommand.self,
      InitCommand.self, ConvertCommand.self, ModelsCommand.self, DatasetCommand.self, BenchCommand.self,
    ])

  static func main() {
    guard platform_cpu_is_sufficient() else {
      end(
        Failure(
          .mismatch,
          "this program was built for \(String(cString: platform_cpu_target())) CPUs, and this CPU lacks some of their "
            + "instructions; use another host, or a program that was built for this one (TRAINER_CPU in Package.swift)")
      )
    }
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let failure as Failure {
      end(failure)
    } catch let code as ArgumentParser.ExitCode {
      Foundation.exit(code.rawValue)
    } catch {
      // Help and version are asked for; everything else is a mistake on the command line.
      let code = exitCode(for: error)
      let text = fullMessage(for: error)
      if !text.isEmpty {
        (code.isSuccess ? FileHandle.standardOutput : FileHandle.standardError).write(Data((text + "\n").utf8))
      }
      Foundation.exit(code == .validationFailure ? Roles.ExitCode.usage.rawValue : code.rawValue)
    }
  }

  private static func end(_ failure: Failure) -> Never {
    FileHandle.standardError.write(Data("trainer: \(failure)\n".utf8))
    Foundation.exit(failure.code.rawValue)
  }
}

/// Ends a command with a code that was explained already.
func finish(with code: Int32) throws {
  if code != 0 { throw ArgumentParser.ExitCode(code) }
}
