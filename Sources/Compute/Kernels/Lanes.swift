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

/// A mask of lanes.
typealias LaneMask = SIMDMask<LaneBits>

#if !LANES_16
  /// As for rows.
  @inline(__always) func choose<Vector>(_ mask: LaneMask, _ first: Vector, _ second: Vector) -> Vector {
    let first = unsafeBitCast(first, to: LaneMask.self), second = unsafeBitCast(second, to: LaneMask.self)
    return unsafeBitCast(second .^ ((first .^ second) .& mask), to: Vector.self)
  }
#endif

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

  /// One that is not to be applied, or that of given vectors.
  @inline(__always) init(center: Lanes = .zero, scale: Lanes = .zero, shift: Lanes = .zero, floor: Lanes = .zero) {
    (self.center, self.scale, self.shift, self.floor) = (center, scale, shift, floor)
  }

  @inline(__always) func callAsFunction(_ y: Lanes) -> Lanes {
    let value = shift.addingProduct(y - center, scale)
    return choose(value .< floor, floor, value)
  }
}
