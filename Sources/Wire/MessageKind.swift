/// What a message is; control, bulk and samples have ranges of their own, so that a message on the wrong socket is noticed.
///
/// HELLO and REFUSE keep their numbers in every version of the protocol.
enum MessageKind: UInt16, CaseIterable {
  case hello = 1, refuse = 2
  case beat = 3, done = 4, fault = 5, leave = 6
  case welcome = 7, plan = 8, pulse = 9, stop = 10

  case attach = 32, gradient = 33, fetch = 34
  case received = 35, parameters = 36

  case want = 64, sample = 65
}
