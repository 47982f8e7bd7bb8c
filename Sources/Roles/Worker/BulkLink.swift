import Transport
import Wire

/// A worker's connections for gradients, parameters and samples, made anew whenever it is welcomed.
struct BulkLink {
  let bulk: LastingConnection
  let samples: LastingConnection

  init(_ welcome: Welcome, coordinator: Endpoint, context: MessageContext, _ poller: Poller) throws(TransportError) {
    bulk = try LastingConnection(
      context, SocketOptions(maximumMessageSize: WireLimits.bulkMessage, sendHighWater: 64, receiveHighWater: 64),
      try Endpoint(welcome.bulk, relativeTo: coordinator))
    samples = try LastingConnection(
      context, SocketOptions(maximumMessageSize: WireLimits.sampleMessage, sendHighWater: 64, receiveHighWater: 64),
      try Endpoint(welcome.samples, relativeTo: coordinator))
    for source in sources { poller.add(source) }
  }

  private var sources: [any Pollable] { bulk.sources + samples.sources }

  func close(_ poller: Poller) {
    sources.forEach(poller.remove)
    bulk.close()
    samples.close()
  }
}
