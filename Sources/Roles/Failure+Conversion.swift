import Datasets
import Interchange
import Lockstep
import Models
import Training
import Transport

extension Failure {
  /// What another room's error means to a user.
  init(from error: any Error) {
    switch error {
    case let error as Failure: self = error
    case let error as CheckpointError: self.init(ExitCode(rawValue: error.exitCode) ?? .badData, error.description)
    case let error as DatasetError: self.init(ExitCode(rawValue: error.exitCode) ?? .badData, error.description)
    case let error as SampleError:
      self.init(Failure(from: error.underlying).code, error.description)
    case let error as InterchangeError: self.init(ExitCode(rawValue: error.exitCode) ?? .badData, error.description)
    case let error as TransportError:
      if case .badEndpoint = error {
        self.init(.usage, error.description)
      } else {
        self.init(.addressUnavailable, error.description)
      }
    case let error as ConfigurationError: self.init(.usage, error.description)
    case let error as UnknownModel: self.init(.usage, error.description)
    case let error as ModelError:
      switch error {
      case .nothingToFreeze, .nothingToTrain: self.init(.usage, "--freeze: \(error)")
      case .imageTooSmall, .invalidArgument: self.init(.mismatch, error.description)
      }
    case let error as UnfusedBuild: self.init(.mismatch, error.description)
    default: self.init(.temporary, "\(error)")
    }
  }

  init(_ error: CheckpointError) { self.init(from: error) }
}

/// Runs something of another room and says its errors as a user should hear them.
func failing<Result>(_ body: () throws -> Result) throws(Failure) -> Result {
  do { return try body() } catch { throw Failure(from: error) }
}
