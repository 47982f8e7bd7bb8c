/// How pixel values, scaled to [0, 1], become a network's input.
public enum PixelNormalization: String, Codable, CaseIterable, Sendable {
  /// ImageNet's mean and standard deviation.
  case imagenet
  /// CIFAR-10's own.
  case cifar
  /// CIFAR-100's own.
  case cifar100
  /// (x − 0.5) / 0.5.
  case half
  /// Nothing.
  case none
}

/// How training samples are varied.
public enum Augmentation: String, Codable, CaseIterable, Sendable {
  /// Not at all.
  case none
  /// Random resized crop and flip; for 32×32 pictures pad-4 random crop and flip.
  case standard
}

/// How the learning rate changes over a run.
public enum ScheduleKind: String, Codable, CaseIterable, Sendable {
  /// It does not.
  case constant
  /// It drops by a factor every so many steps.
  case step
  /// (1 − t/T)^power.
  case polynomial
  /// (1 + cos(π t/T)) / 2.
  case cosine
}

/// Which parameters are decayed.
public enum DecayRule: String, Codable, CaseIterable, Sendable {
  /// Every parameter, PyTorch's default grouping.
  case all
  /// Neither batch norm's parameters nor biases.
  case noBatchNormOrBias = "no-bn-bias"
  /// As `noBatchNormOrBias`, and biases learn at twice the rate: Caffe's reference models.
  case caffe
}

/// What makes new parameters from old ones and the gradient.
public enum OptimizerKind: String, Codable, CaseIterable, Sendable {
  /// Stochastic gradient descent with momentum, in PyTorch's form.
  case sgd
  /// RMSProp in PyTorch's form: the mean square starts at 0, epsilon stands outside the root.
  case rmsprop
  /// RMSProp in TensorFlow's form: the mean square starts at 1, epsilon stands inside the root.
  case rmspropTensorFlow = "rmsprop-tf"
  /// Layer-wise adaptive rate scaling.
  case lars

  /// The epsilon of a run that names none; nil where the optimizer has none.
  ///
  /// 1e-8 is that of `torch.optim.RMSprop`; 1.0 that of Szegedy et al. 2015, section 8.
  public var defaultEpsilon: Double? {
    switch self {
    case .sgd, .lars: nil
    case .rmsprop: 1e-8
    case .rmspropTensorFlow: 1
    }
  }
}

/// Which average of the parameters is kept beside them, for validation and for use after training.
public enum AverageKind: String, Codable, CaseIterable, Sendable {
  /// None.
  case none
  /// The exponential moving average.
  case ema
  /// The plain average of every step after `averageStart`.
  case polyak
}
