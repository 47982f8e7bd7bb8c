import Testing

@testable import Roles

@Suite struct SupervisorTests {
  private func arguments(resuming: Bool, isRestart: Bool) -> [String] {
    let options = Supervisor.Options(
      runArguments: ["--seed", "3"], output: "runs/a", resuming: resuming, workers: 2, threads: 1)
    return Supervisor.coordinatorArguments(options, folder: "/tmp/x", isRestart: isRestart)
  }

  /// A coordinator that was killed before its run began begins it; one that was killed later continues it.
  @Test func aKilledCoordinatorContinuesWhatThereIs() {
    #expect(arguments(resuming: false, isRestart: false).suffix(4) == ["--seed", "3", "--output", "runs/a"])
    #expect(
      arguments(resuming: false, isRestart: true).suffix(6)
        == ["--seed", "3", "--output", "runs/a", "--resume", "auto"])
    for isRestart in [false, true] {
      #expect(arguments(resuming: true, isRestart: isRestart).suffix(4) == ["--seed", "3", "--resume", "runs/a"])
    }
  }
}
