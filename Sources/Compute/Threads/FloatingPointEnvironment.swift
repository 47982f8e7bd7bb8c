import Synchronization

/// Whether this thread rounds to the nearest number and keeps subnormal numbers: what every kernel's results rely on.
public func floatingPointEnvironmentIsStandard() -> Bool {
  // Atomic loads keep the compiler from computing the answer itself.
  let one = Atomic<UInt32>(Float(1).bitPattern), tiny = Atomic<UInt32>(Float.leastNormalMagnitude.bitPattern)
  func opaque(_ value: borrowing Atomic<UInt32>) -> Float { Float(bitPattern: value.load(ordering: .relaxed)) }
  let unit = opaque(one), quarterOfUlp = opaque(one) * 0x1p-25
  let roundsToNearest =
    unit + quarterOfUlp == 1 && unit + 3 * quarterOfUlp == 1 + Float.ulpOfOne
    && -unit - quarterOfUlp == -1 && -unit - 3 * quarterOfUlp == -1 - Float.ulpOfOne
  let keepsSubnormals = opaque(tiny) * 0.5 > 0 && (opaque(tiny) * 0.5) * 2 == Float.leastNormalMagnitude
  return roundsToNearest && keepsSubnormals
}
