import Testing

@testable import Transport

@Suite struct EndpointTests {
  @Test(arguments: [
    ("tcp://127.0.0.1:5555", Endpoint.tcp(host: "127.0.0.1", port: 5555)),
    ("tcp://node-3.cluster.example:1", .tcp(host: "node-3.cluster.example", port: 1)),
    ("tcp://*:0", .tcp(host: "*", port: 0)),
    ("tcp://[::1]:65535", .tcp(host: "::1", port: 65535)),
    ("tcp://[fe80::1%eth0]:80", .tcp(host: "fe80::1%eth0", port: 80)),
    ("ipc:///tmp/run/control", .ipc(path: "/tmp/run/control")),
  ])
  func reads(text: String, endpoint: Endpoint) throws {
    #expect(try Endpoint(text) == endpoint)
    #expect(endpoint.description == text)
  }

  @Test(arguments: [
    "", "tcp", "tcp://", "tcp://host", "tcp://host:", "tcp://:5555", "tcp://host:65536", "tcp://host:-1",
    "tcp://host:+1",
    "tcp://host:5x", "tcp://::1:5555", "tcp://[host]:1", "tcp://[]:1", "tcp://a b:1", "tcp://a/b:1", "tcp://h:1/",
    "tcp://**:1",
    "udp://host:1", "host:5555", "http://host:1", "inproc://x", "ipc://", "ipc://*", "ipc://@x", "ipc:///a b",
    "ipc:///" + String(repeating: "x", count: 107), "tcp://" + String(repeating: "x", count: 254) + ":1",
  ])
  func refuses(text: String) {
    do throws(TransportError) {
      let endpoint = try Endpoint(text)
      Issue.record("read \(endpoint)")
    } catch {
      guard case .badEndpoint(text, _) = error else { Issue.record("\(error)"); return }
      #expect(error.description.contains("tcp://HOST:PORT"))
    }
  }

  @Test func siblings() throws {
    let tcp = Endpoint.tcp(host: "::1", port: 5555), free = Endpoint.tcp(host: "h", port: 0),
      ipc = Endpoint.ipc(path: "/tmp/c")
    #expect(try tcp.sibling(offset: 2, suffix: "-samples").description == "tcp://[::1]:5557")
    #expect(try free.sibling(offset: 1, suffix: "-bulk") == free)
    #expect(try ipc.sibling(offset: 1, suffix: "-bulk").description == "ipc:///tmp/c-bulk")
    #expect(throws: TransportError.self) { try Endpoint.tcp(host: "h", port: 65535).sibling(offset: 1, suffix: "") }
    #expect(throws: TransportError.self) {
      try Endpoint.ipc(path: String(repeating: "x", count: 105)).sibling(offset: 1, suffix: "-bulk")
    }
    #expect(tcp.withPort(7) == .tcp(host: "::1", port: 7) && ipc.withPort(7) == ipc)
    #expect(tcp.port == 5555 && ipc.port == nil)
  }

  @Test func portsBesideAnEndpoint() throws {
    let base = Endpoint.tcp(host: "node", port: 5555)
    #expect(try Endpoint(":5556", relativeTo: base) == .tcp(host: "node", port: 5556))
    #expect(try Endpoint("tcp://other:1", relativeTo: base) == .tcp(host: "other", port: 1))
    #expect(throws: TransportError.self) { try Endpoint(":x", relativeTo: base) }
    #expect(throws: TransportError.self) { try Endpoint(":1", relativeTo: .ipc(path: "/tmp/c")) }
  }

  @Test func locality() throws {
    for text in ["tcp://127.0.0.1:1", "tcp://localhost:1", "tcp://[::1]:1", "ipc:///tmp/c"] {
      #expect(try Endpoint(text).isLocal)
    }
    for text in ["tcp://*:1", "tcp://10.0.0.1:1", "tcp://node:1"] { #expect(try !Endpoint(text).isLocal) }
  }

  @Test func bindingSaysWhatIsWrong() throws {
    let context = MessageContext()
    let first = RouterSocket(context, .small), second = RouterSocket(context, .small)
    let taken = try first.bind(.tcp(host: "127.0.0.1", port: 0))
    #expect(throws: TransportError.addressInUse(taken.description)) { try second.bind(taken) }
    // An address of documentation (RFC 5737), and a name that never exists (RFC 2606).
    for host in ["192.0.2.1", "no-such-host.invalid"] {
      let endpoint = Endpoint.tcp(host: host, port: 5555)
      #expect(throws: TransportError.notOurs(endpoint.description)) { try second.bind(endpoint) }
    }
    #expect(throws: TransportError.self) { try second.bind(.ipc(path: "/no/such/folder/socket")) }
    #expect(throws: TransportError.self) { try DealerSocket(context, .small).connect(.tcp(host: "127.0.0.1", port: 0)) }
    // A failed bind leaves the socket usable.
    #expect(try second.bind(.tcp(host: "127.0.0.1", port: 0)).port != taken.port)
  }
}
