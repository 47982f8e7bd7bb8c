import CZeroMQ

/// Something that a poller can wait for.
public protocol Pollable: AnyObject {
  /// How the library knows it.
  var pollItem: PollItem { get }
}

/// How the library knows something that can be waited for.
public struct PollItem {
  let item: zmq_pollitem_t

  init(socket: UnsafeMutableRawPointer) {
    item = zmq_pollitem_t(socket: socket, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0)
  }

  init(fileDescriptor: Int32) {
    item = zmq_pollitem_t(socket: nil, fd: fileDescriptor, events: Int16(ZMQ_POLLIN), revents: 0)
  }
}

/// Waits until any of several sources has something to read. It belongs to the thread that owns the sources.
public final class Poller {
  private var sources: [any Pollable] = []
  private var items: [zmq_pollitem_t] = []

  /// Waits for some sources.
  public init(_ sources: [any Pollable] = []) { sources.forEach(add) }

  /// Waits for another source as well.
  public func add(_ source: any Pollable) {
    precondition(!sources.contains { $0 === source }, "a source is waited for once")
    sources.append(source)
    items.append(source.pollItem.item)
  }

  /// Waits for a source no longer; to be called before it is closed.
  public func remove(_ source: any Pollable) {
    guard let index = sources.firstIndex(where: { $0 === source }) else { return }
    sources.remove(at: index)
    items.remove(at: index)
  }

  /// Waits until a source can be read or the time is over (nil: without end), and says which ones can.
  ///
  /// A source that is not read until it is empty is found again at the next call.
  public func wait(atMost limit: Duration?) -> Ready {
    let start = ContinuousClock.now
    while true {
      let remaining = limit.map { max(.zero, $0 - (ContinuousClock.now - start)) }
      let count = zmq_poll(&items, Int32(items.count), remaining.map { Int($0.milliseconds) } ?? -1)
      if count > 0 {
        return Ready(sources: items.indices.filter { items[$0].revents != 0 }.map { ObjectIdentifier(sources[$0]) })
      }
      if count == 0 { return Ready(sources: []) }
      // A signal: whoever handles it also wakes a poller that is meant to notice.
      guard zmq_errno() == EINTR else { bug("zmq_poll") }
    }
  }

  /// The sources that can be read.
  public struct Ready: Hashable, Sendable {
    let sources: [ObjectIdentifier]

    /// Whether none can.
    public var isEmpty: Bool { sources.isEmpty }

    /// Whether this one can.
    public func contains(_ source: any Pollable) -> Bool { sources.contains(ObjectIdentifier(source)) }
  }
}
