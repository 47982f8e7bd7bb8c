/// Some of a row's lanes: what a kernel that holds many values at a time takes of a row at once, so that they all stay
/// in registers.
///
/// All that is done with lanes is done lane by lane: SIMD4, SIMD8 and SIMD16 give the same bits.
#if LANES_4
  typealias Lanes = SIMD4<Float>
#elseif LANES_16
  typealias Lanes = SIMD16<Float>
#else
  typealias Lanes = SIMD8<Float>
#endif
/// The bits of lanes.
typealias LaneBits = Lanes.MaskStorage

@inline(__always) func loadLanes(_ pointer: FloatPointer) -> Lanes {
  UnsafeRawPointer(pointer).loadUnaligned(as: Lanes.self)
}

@inline(__always) func storeLanes(_ lanes: Lanes, _ pointer: MutableFloatPointer) {
  UnsafeMutableRawPointer(pointer).storeBytes(of: lanes, as: Lanes.self)
}

/// The normalisation of some of a panel's channels: the same operations as a `PanelNormalization`.
struct LaneNormalization {
  private let center, scale, shift, floor: Lanes

  /// That of the lanes from this one on.
  @inline(__always) init(_ panel: PanelNormalization, lane: Int) {
    @inline(__always) func part(_ row: Row) -> Lanes {
      withUnsafeBytes(of: row) {
        $0.loadUnaligned(fromByteOffset: lane * MemoryLayout<Float>.stride, as: Lanes.self)
      }
    }
    (center, scale, shift, floor) = (part(panel.center), part(panel.scale), part(panel.shift), part(panel.floor))
  }

  @inline(__always) func callAsFunction(_ y: Lanes) -> Lanes {
    let value = shift.addingProduct(y - center, scale)
    return value.replacing(with: floor, where: value .< floor)
  }
}
