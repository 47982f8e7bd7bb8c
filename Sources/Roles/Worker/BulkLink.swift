import Transport
import Wire

/// A worker's connections for gradients, parameters and samples, made anew whenever it is welcomed.
struct BulkLink {
  let bulk: DealerSocket
  let bulkMonitor: SocketMonitor
  let samples: DealerSocket
  let samplesMonitor: SocketMonitor

  init(_ welcome: Welcome, coordinator: Endpoint, context: MessageContext, _ poller: Poller) throws(TransportError) {
    bulk = DealerSocket(
      context, SocketOptions(maximumMessageSize: WireLimits.bulkMessage, sendHighWater: 64, receiveHighWater: 64))
    bulkMonitor = bulk.makeMonitor()
    samples = DealerSocket(
      context, SocketOptions(maximumMessageSize: WireLimits.sampleMessage, sendHighWater: 64, receiveHighWater: 64))
    samplesMonitor = samples.makeMonitor()
    try bulk.connect(try Endpoint(welcome.bulk, relativeTo: coordinator))
    try samples.connect(try Endpoint(welcome.samples, relativeTo: coordinator))
    for source in sources { poller.add(source) }
  }

  private var sources: [any Pollable] { [bulk, bulkMonitor, samples, samplesMonitor] }

  func close(_ poller: Poller) {
    sources.forEach(poller.remove)
    bulk.close()
    samples.close()
  }
}
