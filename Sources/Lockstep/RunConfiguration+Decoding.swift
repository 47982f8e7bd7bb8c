extension RunConfiguration {
  /// Reads a configuration; keys that older versions of this program did not write have their defaults.
  ///
  /// - Throws: `DecodingError` where another key is missing, or a value is of another kind.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    func value<Value: Decodable>(_ key: CodingKeys) throws -> Value { try keys.decode(Value.self, forKey: key) }
    func given<Value: Decodable>(_ key: CodingKeys) throws -> Value? {
      try keys.decodeIfPresent(Value.self, forKey: key)
    }

    self.init(
      model: try value(.model), classes: try value(.classes), imageSize: try value(.imageSize), data: try value(.data),
      samples: try value(.samples), fingerprint: try value(.fingerprint), normalization: try value(.normalization),
      steps: try value(.steps), initialState: try value(.initialState), labelSmoothing: try value(.labelSmoothing),
      auxWeight: try value(.auxWeight), output: try value(.output))
    width = try value(.width)
    (validation, validationSamples) = (try given(.validation), try value(.validationSamples))
    (validationFingerprint, initFrom) = (try given(.validationFingerprint), try given(.initFrom))
    (augment, shuffle, dropout) = (try value(.augment), try value(.shuffle), try value(.dropout))
    (globalBatch, microbatch, seed) = (try value(.globalBatch), try value(.microbatch), try value(.seed))
    (learningRate, momentum, nesterov) = (try value(.learningRate), try value(.momentum), try value(.nesterov))
    (weightDecay, decay) = (try value(.weightDecay), try value(.decay))
    (schedule, scheduleStepSize) = (try value(.schedule), try value(.scheduleStepSize))
    (scheduleGamma, schedulePower) = (try value(.scheduleGamma), try value(.schedulePower))
    (warmupSteps, checkpointEvery, keep) = (
      try value(.warmupSteps), try value(.checkpointEvery), try value(.keep)
    )

    // Later keys.
    optimizer = try given(.optimizer) ?? optimizer
    (rmspropDecay, larsTrust) = (try given(.rmspropDecay) ?? rmspropDecay, try given(.larsTrust) ?? larsTrust)
    (epsilon, clipNorm) = (try given(.epsilon), try given(.clipNorm))
    (average, averageDecay) = (try given(.average) ?? average, try given(.averageDecay) ?? averageDecay)
    averageStart = try given(.averageStart) ?? averageStart
    trunkLearningRateFactor = try given(.trunkLearningRateFactor) ?? trunkLearningRateFactor
    (freeze, transformInput) = (try given(.freeze) ?? freeze, try given(.transformInput) ?? transformInput)
    labels = try given(.labels)
  }
}
