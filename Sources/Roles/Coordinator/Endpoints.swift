import Transport

/// Where a coordinator's three sockets are.
struct Endpoints {
  private let control: Endpoint
  private let bulk: Endpoint
  private let samples: Endpoint

  /// Bulk and samples are on the next two ports unless they are given others; with port 0 the system chooses all three.
  init(control text: String, bulkPort: Int?, samplePort: Int?) throws(Failure) {
    let endpoint = try failing { try Endpoint(text) }
    func beside(_ port: Int?, flag: String, offset: Int, suffix: String) throws(Failure) -> Endpoint {
      guard let port else { return try failing { try endpoint.sibling(offset: offset, suffix: suffix) } }
      guard let port = UInt16(exactly: port) else {
        throw Failure(.usage, "--\(flag): \(port) is not a port between 0 and 65535")
      }
      return endpoint.withPort(port)
    }
    control = endpoint
    bulk = try beside(bulkPort, flag: "bulk-port", offset: 1, suffix: ".bulk")
    samples = try beside(samplePort, flag: "sample-port", offset: 2, suffix: ".samples")
  }

  /// Where the sockets are bound, ports chosen by the system included.
  struct Bound {
    let control: Endpoint
    let bulk: Endpoint
    let samples: Endpoint

    /// What workers are told: a port on the host that they already reach, or a path.
    func advertised(_ endpoint: Endpoint) -> String { endpoint.port.map { ":\($0)" } ?? endpoint.description }
  }

  func bind(control: RouterSocket, bulk: RouterSocket, samples: RouterSocket) throws(Failure) -> Bound {
    try failing {
      Bound(
        control: try control.bind(self.control), bulk: try bulk.bind(self.bulk), samples: try samples.bind(self.samples)
      )
    }
  }
}
