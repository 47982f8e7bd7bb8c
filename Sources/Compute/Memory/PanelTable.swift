/// The addresses of the panels of several tensors, one after the other, as a matrix product reads or writes them.
///
/// Sendable because the addresses never change; who may write where they point is a matter of its users.
public final class PanelTable: @unchecked Sendable {
  /// How many panels there are.
  public let count: Int
  let pointers: UnsafeMutablePointer<UnsafeMutablePointer<Float>>

  /// Collects the panels of tensors of one batch, height and width.
  public init(_ tensors: [PanelTensor]) {
    let panels = tensors.flatMap { tensor in (0..<tensor.panels).map { tensor.panel($0) } }
    count = panels.count
    pointers = .allocate(capacity: max(1, count))
    for (index, panel) in panels.enumerated() { (pointers + index).initialize(to: panel) }
  }

  deinit { pointers.deallocate() }
}
