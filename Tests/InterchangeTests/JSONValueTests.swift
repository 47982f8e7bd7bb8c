import Foundation
import Testing

@testable import Interchange

@Suite struct JSONValueTests {
  @Test func numbersReadBackExactly() throws {
    for number in [
      0.1, 1e-5, Double.leastNonzeroMagnitude, 1.7976931348623157e308, -0.0, 1e16, 123456789.125, 2.302585092994046,
    ] {
      let text = JSONValue.number(number).description
      let value = try JSONValue(parsing: Array(text.utf8)).doubleValue
      #expect(value?.bitPattern == number.bitPattern, "\(text)")
      // Another implementation agrees that it is JSON and which number it is.
      let other = try JSONDecoder().decode([Double].self, from: Data("[\(text)]".utf8))
      #expect(other == [number])
    }
    #expect(JSONValue.array([.number(.nan), .number(.infinity)]).description == "[null,null]")
  }

  @Test func writesOneLineInOrder() {
    let value: JSONValue = ["kind": "step", "step": 1, "loss": 0.5, "aux": [1, nil, true], "text": "a\"\\\n\u{1}é😀"]
    #expect(value.description == #"{"kind":"step","step":1,"loss":0.5,"aux":[1,null,true],"text":"a\"\\\n\u0001é😀"}"#)
  }

  @Test func readsEscapesAndPairs() throws {
    let text = #" { "k" : [ "\u00e9\ud83d\ude00\/\b\f" , -1.5E+2 , 12 ] } "#
    let value = try JSONValue(parsing: Array(text.utf8))
    #expect(value == ["k": ["é😀/\u{8}\u{C}", -150.0, 12]])
  }

  @Test(arguments: [
    "", "{", "[1,]", "{\"a\":1,}", "01", "1.", ".5", "+1", "1e", "nul", "tru", "\"\\x\"", "\"\\ud800\"",
    "\"\\ud800\\u0041\"",
    "\"\n\"", "\"abc", "[1 2]", "{\"a\" 1}", "{a:1}", "1 2", "{\"a\":1,\"a\":2}", "1e999", "\"\\u12g4\"", "-", "NaN",
    "'a'",
  ]) func refusesWhatIsNotJSON(text: String) {
    #expect(throws: JSONError.self) { try JSONValue(parsing: Array(text.utf8)) }
  }

  @Test func nestingIsBounded() throws {
    func nested(_ depth: Int) -> [UInt8] {
      Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
    }
    _ = try JSONValue(parsing: nested(32))
    #expect(throws: JSONError.self) { try JSONValue(parsing: nested(33)) }
  }
}
