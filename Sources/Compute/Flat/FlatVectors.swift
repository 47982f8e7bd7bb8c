/// out = left + right, element by element; `out` may be either.
public func add(
  _ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>, count: Int
) {
  let whole = count - count % rowWidth
  for index in stride(from: 0, to: whole, by: rowWidth) { store(load(left + index) + load(right + index), out + index) }
  for index in whole..<count { out[index] = left[index] + right[index] }
}

/// out = left + right, element by element; `out` may be either.
public func add(
  _ left: UnsafePointer<Double>, _ right: UnsafePointer<Double>, into out: UnsafeMutablePointer<Double>, count: Int
) {
  for index in 0..<count { out[index] = left[index] + right[index] }
}

/// Whether no element is infinite or NaN.
public func allFinite(_ values: UnsafePointer<Float>, count: Int) -> Bool {
  // 0 · x is 0 for finite x, and NaN otherwise; sums of zeros stay zero.
  let whole = count - count % rowWidth
  var sums = Row.zero
  for index in stride(from: 0, to: whole, by: rowWidth) { sums += load(values + index) * 0 }
  for index in whole..<count where !values[index].isFinite { return false }
  return all(sums .== 0)
}

/// Whether no element is infinite or NaN.
public func allFinite(_ values: UnsafePointer<Double>, count: Int) -> Bool {
  for index in 0..<count where !values[index].isFinite { return false }
  return true
}
