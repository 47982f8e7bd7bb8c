/// The state_dict in what was saved: alone, or with other things around it.
struct StateDictionary {
  /// The tensors by their names, in order.
  private(set) var tensors: [(name: String, tensor: StoredTensor)] = []
  /// What was unwrapped and left out.
  private(set) var remarks: [String] = []

  /// Under which names training scripts keep a state_dict, the likeliest first: PyTorch Lightning and many others; PyTorch's
  /// tutorials; torchvision's references; others; averaged weights last.
  private static let wrappers = [
    "state_dict", "model_state_dict", "model", "model_state", "net", "model_ema", "ema_state_dict", "ema",
  ]
  /// What DistributedDataParallel, torch.compile and their like put before every name.
  private static let prefixes = ["module.", "_orig_mod."]
  /// How many of the entries that are left out are named.
  private static let shownEntries = 5
  /// What AveragedModel keeps beside its tensors.
  private static let averageCount = "n_averaged"

  /// Finds the state_dict.
  ///
  /// - Throws: `.refused` where nothing looks like one.
  init(_ root: PickleValue, _ objects: PickleObjects, path: String) throws(InterchangeError) {
    var root = root
    // A wrapper within a wrapper occurs; more of them do not.
    for _ in 0..<3 {
      let pairs = objects.dictionary(root) ?? []
      let candidates = Self.wrappers.compactMap { name -> (String, PickleValue)? in
        // Of several entries with one key the last one is Python's; the others are not looked into, for a file may have
        // hundreds of thousands of them.
        guard let value = pairs.last(where: { $0.key == .string(name) })?.value, Self.mayHoldTensors(value, objects)
        else { return nil }
        return (name, value)
      }
      guard let (name, value) = candidates.first else { break }
      let others = candidates.dropFirst().map { "'\($0.0)'" }
      remarks.append(
        "the state_dict is taken from '\(name)'"
          + (others.isEmpty ? "" : ", not from \(others.joined(separator: " or "))"))
      root = value
    }
    guard let pairs = objects.dictionary(root) else { throw Self.none(path) }

    // A long name that a pickle repeats takes a few bytes there: only as many are kept as are shown.
    var skipped: [String] = [], skippedCount = 0
    func skip(_ entry: @autoclosure () -> String) {
      if skippedCount < Self.shownEntries { skipped.append(entry()) }
      skippedCount += 1
    }
    var names: Set<String> = []
    for pair in pairs {
      guard let name = pair.key.string else {
        skip("an entry without a name")
        continue
      }
      guard case .tensor(let index) = pair.value else {
        skip("'\(name)'")
        continue
      }
      guard names.insert(name).inserted else {
        throw .malformed(path: path, reason: "its state_dict has two tensors '\(name)'")
      }
      tensors.append((name, objects.tensors[index]))
    }
    guard !tensors.isEmpty else { throw Self.none(path) }
    if !skipped.isEmpty {
      let shown =
        skipped.joined(separator: ", ")
        + (skippedCount > skipped.count ? ", … (\(skippedCount) in all)" : "")
      remarks.append("left out, for they are no tensors: \(shown)")
    }
    stripPrefixes()
  }

  private static func mayHoldTensors(_ value: PickleValue, _ objects: PickleObjects) -> Bool {
    (objects.dictionary(value) ?? []).contains { key, value in
      if case .tensor = value { return true }
      return objects.dictionary(value) != nil && wrappers.contains(key.string ?? "")
    }
  }

  private mutating func stripPrefixes() {
    // Both, and one of them twice, occur; a file with thousands of them is not worth the time.
    for _ in 0..<4 {
      guard let prefix = Self.prefixes.first(where: isPrefix) else { return }
      remarks.append("'\(prefix)' is taken off the names")
      tensors = tensors.compactMap { name, tensor in
        name == Self.averageCount ? nil : (String(name.dropFirst(prefix.count)), tensor)
      }
    }
  }

  /// Whether all names begin so, and something is left of each.
  private func isPrefix(_ prefix: String) -> Bool {
    tensors.allSatisfy { name, _ in
      name.hasPrefix(prefix) && name.utf8.count > prefix.utf8.count || name == Self.averageCount
    } && tensors.contains { $0.name != Self.averageCount }
  }

  private static func none(_ path: String) -> InterchangeError {
    .refused(
      path: path,
      reason: "it holds no state_dict, neither alone nor under \(wrappers.map { "'\($0)'" }.joined(separator: ", ")); "
        + "save one with torch.save(model.state_dict(), FILE)")
  }
}
