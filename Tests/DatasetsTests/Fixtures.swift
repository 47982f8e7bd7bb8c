import Foundation
import Testing

/// Pictures of 13×9 pixels as Pillow 13.0.0 wrote them, and what Pillow decodes them to.
///
/// ```python
/// def smooth(w, h, c):
///     return bytes((x * 7 * (k + 1) + y * 11 + 40 * k) % 256 for y in range(h) for x in range(w) for k in range(c))
/// W, H = 13, 9
/// rgb = Image.frombytes("RGB", (W, H), smooth(W, H, 3))
/// def add(name, image, expected=None, **options):
///     b = io.BytesIO(); image.save(b, **options)
///     files[name] = (b.getvalue(), (expected or Image.open(io.BytesIO(b.getvalue())).convert("RGB")).tobytes())
/// add("jpeg420", rgb, format="JPEG", quality=90)
/// add("jpeg444Progressive", rgb, format="JPEG", quality=80, subsampling=0, progressive=True)
/// add("jpegGrey", rgb.convert("L"), format="JPEG", quality=90)
/// add("jpegCMYK", Image.frombytes("CMYK", (W, H), smooth(W, H, 4)), format="JPEG", quality=95)
/// add("pngRGB", rgb, format="PNG")
/// add("pngRGBA", Image.frombytes("RGBA", (W, H), smooth(W, H, 4)), format="PNG")
/// add("pngGrey", rgb.convert("L"), format="PNG")
/// add("pngGreyAlpha", Image.frombytes("LA", (W, H), smooth(W, H, 2)), format="PNG")
/// add("pngPalette", rgb.quantize(16), format="PNG")
/// add("pngOneBit", rgb.convert("1"), format="PNG")
/// words = b"".join(bytes([v, 255 - v]) for v in smooth(W, H, 1))  # little-endian; the upper bytes are expected
/// add("pngSixteenBit", Image.frombytes("I;16", (W, H), words),
///     Image.frombytes("L", (W, H), words[1::2]).convert("RGB"), format="PNG")
/// add("gif", rgb, format="GIF")
/// ```
struct Fixture: Sendable, CustomTestStringConvertible {
  static let width = 13, height = 9

  let file: [UInt8]
  let pixels: [UInt8]

  var testDescription: String { "\(file.count) bytes" }

  private init(file: String, pixels: String) {
    self.file = Array(Data(base64Encoded: file) ?? Data())
    self.pixels = Array(Data(base64Encoded: pixels) ?? Data())
  }

  static let decodable: [(name: String, fixture: Fixture)] = [
    ("jpeg420", jpeg420), ("jpeg444Progressive", jpeg444Progressive), ("jpegGrey", jpegGrey), ("jpegCMYK", jpegCMYK),
    ("pngRGB", pngRGB), ("pngRGBA", pngRGBA), ("pngGrey", pngGrey), ("pngGreyAlpha", pngGreyAlpha),
    ("pngPalette", pngPalette), ("pngOneBit", pngOneBit), ("pngSixteenBit", pngSixteenBit),
  ]

  static let jpeg420 = Fixture(
    file: "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMU"
      + "FRUVDA8XGBYUGBIUFRT/2wBDAQMEBAUEBQkFBQkUDQsNFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU"
      + "FBQUFBQUFBT/wAARCAAJAA0DASIAAhEBAxEB/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUF"
      + "BAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVW"
      + "V1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi"
      + "4+Tl5ufo6erx8vP09fb3+Pn6/8QAHwEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtREAAgECBAQDBAcFBAQAAQJ3AAEC"
      + "AxEEBSExBhJBUQdhcRMiMoEIFEKRobHBCSMzUvAVYnLRChYkNOEl8RcYGRomJygpKjU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVm"
      + "Z2hpanN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk5ebn6Onq"
      + "8vP09fb3+Pn6/9oADAMBAAIRAxEAPwDk/hB8Kl02xjnMA3AAICOrdv8APpmvVtW+IPgz4RSRaRq0V/qmrOglng0yJJWtwQCvml3U"
      + "BmByBknGCQAyk7nw8/5Bll/12X/0E14x8e/+S3+LP+3L/wBI4avMaEeI+KY5TjG/Y0KPOkna8pNJt/Jr7vNnzvCnDuD4hzOpQxt+"
      + "VRctHa9nGKV+3vXP/9k=",
    pixels: "ACZdDThvGD10HkuGJWamFmmtIYPMMJa8SKiDQqNEQ6olU8AvXsxPBTNlEz5zJEyHKFiWJGinL4PBKojGQKO4M5JaR6s7UcExWs45"
      + "YtVSE0BqHUt9LVqbL2apKXWxPZPGQJW8T6adS6lIVsAsVdQvWt49ZOFVHkpxLFiHM2OjNG+zOYfFP5S7V6euT6FxWLQ4W8QiXtc0"
      + "cOpXivF8LVR7N2KNPW6oP3y7RJPVSp+8Y7GJWKhJab86ddI8edpNjOBxpNWdOWCHPmmUSXuwTovETJnRXrK9YbBhabg4c8Y6iNNS"
      + "mtNyudejTUJKQWuTSXWiVYe8XJjKWqTJZbanZLZKdskxhNZGmdJpwsikUStCcyVwSXSfV4a0W5DGY6DMcLXFYa6EcsVDftMti95I"
      + "sN2ATSw1gSl1lx+NVICxXY/CY5zTcK7Te8G5brl2ftFDi+M1lu5MvuWIay1SmCCKriuf")
  static let jpeg444Progressive = Fixture(
    file: "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAYEBQYFBAYGBQYHBwYIChAKCgkJChQODwwQFxQYGBcUFhYaHSUfGhsjHBYWICwgIyYn"
      + "KSopGR8tMC0oMCUoKSj/2wBDAQcHBwoIChMKChMoGhYaKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgo"
      + "KCgoKCgoKCj/wgARCAAJAA0DAREAAhEBAxEB/8QAFgABAQEAAAAAAAAAAAAAAAAABQME/8QAFwEBAQEBAAAAAAAAAAAAAAAABAUD"
      + "Bv/aAAwDAQACEAMQAAAByOlqwEXdkKrpP//EABsQAAEEAwAAAAAAAAAAAAAAAAQAAQIDETI0/9oACAEBAAEFAgx8NK6kZD6n9v8A"
      + "/8QAIBEAAQMCBwAAAAAAAAAAAAAAAAECAwQFERIhNEGBsf/aAAgBAwEBPwF6YqQ26WoTM3RDkt+2b36f/8QAIREAAAQFBQAAAAAA"
      + "AAAAAAAAAAEDBAIFETTwEkFxscH/2gAIAQIBAT8BWck2RNTKhs0Vclr7E4t4efDEstoc3H//xAAbEAABBAMAAAAAAAAAAAAAAAAA"
      + "AQISQQOBsf/aAAgBAQAGPwIg+TnXGhDLrh//xAAbEAEAAgIDAAAAAAAAAAAAAAABABEhYYGh8P/aAAgBAQABPyGnajgCSwB5Znbn"
      + "n1n/2gAMAwEAAgADAAAAEHp//8QAHBEAAgICAwAAAAAAAAAAAAAAAREAMXHwIUFh/9oACAEDAQE/EOOhuvoJYeEDW0Ub4m16n//E"
      + "AB4RAQABBAIDAAAAAAAAAAAAAAExABEhUUGxYYGh/9oACAECAQE/EGXJgNqOS+22bC09LLKcvLDfy79182judq//xAAbEAEAAgID"
      + "AAAAAAAAAAAAAAABETEAIRChsf/aAAgBAQABPxAHTJRFuFq42JVsIW4uNtk9T48Y/wD/2Q==",
    pixels: "AyNsBTgvDUNpGFGrG2K0HWrGJnvLMofxO5//MpcNPsElS8hkUslhDzdQFDiOHVGBJGSSJ3OVK3nBNonVQpvVTZsAYMNCTbMATMcw"
      + "cN02Fz5fIUqAKlmrLGmsLnWzN4XHRI7xTJn1WbUAO7MtYMs9ft42Z956H0CHKVd5MWOqM3mFOYKrSI7UTpPuTrskQKsdWNY1ZNtL"
      + "bNRZa/B7LVZqNGCPO26tQXrUS4zgWZf8XJvqVrgjdbwihNFDX+1bd/9hi/9mO2GIP22ORX2iToXpWZvXY6PgZMoHYb8PetUvYdk6"
      + "iORTdNiCkACERmavSXeZUIubWZu7YJn/Zpz8a8sIcccaV9o0n+NOqv9ibBBddjGlUXWlU325W5WrZJ3sZZ3/Z80AcssjgdBBdPFL"
      + "neJRigRnpACcthSLVYOkZom/aZvQZa3oeLn5eMYOidIrg+Q1kPBQlf5jmw19qxiNpyul")
  static let jpegGrey = Fixture(
    file: "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMU"
      + "FRUVDA8XGBYUGBIUFRT/wAALCAAJAA0BAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUF"
      + "BAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVW"
      + "V1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi"
      + "4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/AOT+EHwqXTbGOcwDcAAgI6t2/wA+ma9W1b4g+DPhFJFpGrRX+qas6CWeDTIkla3B"
      + "AK+aXdQGYHIGScYJADKTufDz/kGWX/XZf/QTXjHx7/5Lf4s/7cv/AEjhr//Z",
    pixels: "Hx8fMTExODg4REREWlpaWFhYbm5ufHx8h4eHe3t7fHx8j4+PnZ2dKysrNzc3R0dHUVFRW1tbcXFxc3NziIiIb29vgICAj4+Pmpqa"
      + "pKSkNzc3Q0NDVFRUXV1dZWVlf39/gICAi4uLgoKCj4+Pm5ubpKSkrKysQUFBUFBQXFxcZWVld3d3f39/kJCQg4ODioqKkpKSoKCg"
      + "tbW1xcXFTU1NWlpaZmZmcXFxg4ODiYmJlZWVhYWFlpaWpaWlra2turq6wMDAWVlZYWFhcnJyf39/iIiImpqaj4+PkpKSnZ2drq6u"
      + "t7e3yMjIRkZGY2NjbW1tfn5+jIyMkpKSnJyckZGRn5+fra2ttbW1wsLCOTk5RUVFbGxsfX19hoaGk5OToqKikpKSnZ2dp6entLS0"
      + "xcXFNzc3TExMT09PeHh4hoaGkZGRoKCgq6urm5ubqKiotbW1wcHBz8/PREREUFBQX19f")
  static let jpegCMYK = Fixture(
    file: "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwACAQEBAQECAQEBAgICAgIEAwICAgIFBAQDBAYFBgYGBQYGBgcJCAYHCQcGBggLCAkKCgoK"
      + "CgYICwwLCgwJCgoK/8AAFAgACQANBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIB"
      + "AwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZH"
      + "SElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV"
      + "1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkASwAAPwD9AP2gP2yf9f8A8TX1/jpv7f8A+2T/AMfv/E1/vfx14Xq/"
      + "gXxV/wAFNv29PDH7KOj3+oRaJqOoPf8AjvWdPLq2k6BbESXtx5qwTpBKyYt4HlQxG6ubaNyBJUP/AASSsf8AkuX/AAUY1fxp/wA9"
      + "vhx4e0u2vv8Ary1PUJriJof+wYsDpN/z9h4/9U1fGnxN/bJ/4n5/4mvr/HXyz+zP/wAEnP8AgoZ/wVL8M6h+0H8GdR8H+EPBsWoP"
      + "ZaLrvxH1W8so/EEiMy3DWK21pcPNFC6eW8zKkZkLRozvFOsX3/8Atc/tOeFfAPjSw8C+BdO0/RdE0XT0sNG0bSbZLa1sLWFVjit4"
      + "YowEiiRFVFRQFVVAAAFfKfxK/Z//AG7f+ClPx98W/wDDFPwh/wCE0/4Qv7N/wk3/ABVWl6d9j+2NN9n/AOP+6g8zf9ln+5u27Pmx"
      + "uXMv7QH/AC3/ABrn/wBv/wD5ff8AgVfFX/BCT/lKf8Uv+zf9Y/8AT5odfc37Nv8Aygm+E3/c1f8AqT6tXxp8Tf8AkPn8a/Wr/ggR"
      + "/wAoZPgd/wBzT/6lGq1v/tzf8lef/tp/MV6p/wAG6/8AyZb8Q/8As4DWv/TLoNf/2Q==",
    pixels: "hnFcaVVBSzopLyMWFQ8J2I5DuXIqnloWhEUFaDCDUSFhOxRCJAomd2NQV0Y1PS8iIxoQCgcExX46qmUdjEwNcjeYWyhzRBlSMA82"
      + "GwYcaFZETT0tLyQYGBEKAQEAsW4pl1YXfUAEZS2KTh9lOBJFJworEgMUWEg3PS8iJhwTEQwHvHo4oWAihUkLbjWeVyZ4RBhZLww6"
      + "GwUfDQEOSz0xMyccGhMLBAMCpmcqjlIUeD4FYSyPShppNxJKJQgvFQMZBQAFPzIlJx4UEg0IsXY6l1sfgEYKZzGjUiJ9QBdbLQo+"
      + "HAQkDQEQAAAANCkeHBUOCQYDn2Urhk0WcDkFXCmVRxpuNA5OJQYzFgIdBxAIZuhsKB8WFQ8JAgEBjVYid0EIYi6rTR+BPBNhKwlC"
      + "HAQoDiASAwcDVs5eHxcQDQkFlGAsfUkVaDUCVCSYQhdzMgxSIgU2FQAfCRYMWeFuSbxQ")
  static let pngRGB = Fixture(
    file: "iVBORw0KGgoAAAANSUhEUgAAAA0AAAAJCAIAAABmGDE9AAAAM0lEQVR4nGNk0Ahg5xMliFi4ubnZcSJROBu/Om5i1IkSqY4o80SJ"
      + "VIeK+LCrE0VTRIL7AOmrDqgckuNiAAAAAElFTkSuQmCC",
    pixels: "AChQBzZlDkR6FVKPHGCkI265KnzOMYrjOJj4P6YNRrQiTcI3VNBMCzNbEkFwGU+FIF2aJ2uvLnnENYfZPJXuQ6MDSrEYUb8tWM1C"
      + "X9tXFj5mHUx7JFqQK2ilMna6OYTPQJLkR6D5Tq4OVbwjXMo4Y9hNauZiIUlxKFeGL2WbNnOwPYHFRI/aS53vUqsEWbkZYMcuZ9VD"
      + "buNYdfFtLFR8M2KROnCmQX67SIzQT5rlVqj6XbYPZMQka9I5cuBOee5jgPx4N1+HPm2cRXuxTInGU5fbWqXwYbMFaMEab88vdt1E"
      + "fetZhPluiweDQmqSSXinUIa8V5TRXqLmZbD7bL4Qc8wleto6gehPiPZkjwR5lhKOTXWdVIOyW5HHYp/caa3xcLsGd8kbftcwheVF"
      + "jPNakwFvmg+EoR2ZWICoX469ZpzSbarndLj8e8YRgtQmieI7kPBQl/5lngx6pRqPrCik")
  static let pngRGBA = Fixture(
    file: "iVBORw0KGgoAAAANSUhEUgAAAA0AAAAJCAYAAADpeqZqAAAAO0lEQVR4nGNk0AioYOcTlSEFs3Bzc3OzE8SiKHwiNXETpUkGly1U"
      + "tQmvLeTZxIdXExZb+LDbJEOEbTIAdhwVLCIywEwAAAAASUVORK5CYII=",
    pixels: "AChQBzZlDkR6FVKPHGCkI265KnzOMYrjOJj4P6YNRrQiTcI3VNBMCzNbEkFwGU+FIF2aJ2uvLnnENYfZPJXuQ6MDSrEYUb8tWM1C"
      + "X9tXFj5mHUx7JFqQK2ilMna6OYTPQJLkR6D5Tq4OVbwjXMo4Y9hNauZiIUlxKFeGL2WbNnOwPYHFRI/aS53vUqsEWbkZYMcuZ9VD"
      + "buNYdfFtLFR8M2KROnCmQX67SIzQT5rlVqj6XbYPZMQka9I5cuBOee5jgPx4N1+HPm2cRXuxTInGU5fbWqXwYbMFaMEab88vdt1E"
      + "fetZhPluiweDQmqSSXinUIa8V5TRXqLmZbD7bL4Qc8wleto6gehPiPZkjwR5lhKOTXWdVIOyW5HHYp/caa3xcLsGd8kbftcwheVF"
      + "jPNakwFvmg+EoR2ZWICoX469ZpzSbarndLj8e8YRgtQmieI7kPBQl/5lngx6pRqPrCik")
  static let pngGrey = Fixture(
    file: "iVBORw0KGgoAAAANSUhEUgAAAA0AAAAJCAAAAADMEfm2AAAAQElEQVR4nE3MsQnAMBADQBLS3f8QGdJj26S2mzRvsDpxSNcbmZGZ"
      + "8UXmrTLg2W3Ctu606bABWtmCVp8D2t6tWv92lA63M1xOtAAAAABJRU5ErkJggg==",
    pixels: "ISEhLS0tOjo6R0dHU1NTYGBgbW1tenp6hoaGdnZ2goKCj4+PnJycLCwsODg4RUVFUlJSXl5ea2treHh4hYWFdHR0gYGBjY2Nmpqa"
      + "p6enNzc3Q0NDUFBQXV1daWlpdnZ2g4ODkJCQf39/jIyMmJiYpaWlsrKyQkJCTk5OW1tbaGhodHR0gYGBjo6OfX19ioqKl5eXo6Oj"
      + "sLCwvb29TU1NWVlZZmZmc3Nzf39/jIyMmZmZiIiIlZWVoqKirq6uu7u7yMjIWFhYZGRkcXFxfn5+ioqKl5eXh4eHk5OToKCgra2t"
      + "ubm5xsbGPT09Y2Njb29vfHx8iYmJlZWVoqKikpKSnp6eq6uruLi4xMTEOzs7SEhIbm5uenp6h4eHlJSUoKCgkJCQnZ2dqamptra2"
      + "w8PDOTk5RkZGU1NTeXl5hYWFkpKSn5+fq6urm5ubqKiotLS0wcHBzs7OREREUVFRXl5e")
  static let pngGreyAlpha = Fixture(
    file: "iVBORw0KGgoAAAANSUhEUgAAAA0AAAAJCAQAAABDc27hAAAAHUlEQVR4nGNk0GDnww5ZuLnZccDBIYXThXx4DQQAPL0IvBshxM4A"
      + "AAAASUVORK5CYII=",
    pixels: "AAAABwcHDg4OFRUVHBwcIyMjKioqMTExODg4Pz8/RkZGTU1NVFRUCwsLEhISGRkZICAgJycnLi4uNTU1PDw8Q0NDSkpKUVFRWFhY"
      + "X19fFhYWHR0dJCQkKysrMjIyOTk5QEBAR0dHTk5OVVVVXFxcY2NjampqISEhKCgoLy8vNjY2PT09RERES0tLUlJSWVlZYGBgZ2dn"
      + "bm5udXV1LCwsMzMzOjo6QUFBSEhIT09PVlZWXV1dZGRka2trcnJyeXl5gICANzc3Pj4+RUVFTExMU1NTWlpaYWFhaGhob29vdnZ2"
      + "fX19hISEi4uLQkJCSUlJUFBQV1dXXl5eZWVlbGxsc3Nzenp6gYGBiIiIj4+PlpaWTU1NVFRUW1tbYmJiaWlpcHBwd3d3fn5+hYWF"
      + "jIyMk5OTmpqaoaGhWFhYX19fZmZmbW1tdHR0e3t7goKCiYmJkJCQl5eXnp6epaWlrKys")
  static let pngPalette = Fixture(
    file: "iVBORw0KGgoAAAANSUhEUgAAAA0AAAAJBAMAAAAbVLtZAAAAMFBMVEWF9GR540110i9c0ERhtqpXn+divBZNrAtSjck5jN9GdqYs"
      + "dLsqYJYaS3yeFIo2JGi+oZ++AAAAR0lEQVR4nAXBsQ2AMAxFwRcrHQ3774JATJAeBH+C4AESm7sy1ftzb6Z0yTE8RjbVTM4lvPJe"
      + "yYv1aOuOTGIQGLMcn7BopMMPcD8pHq3NJYQAAAAASUVORK5CYII=",
    pixels: "NiRoGkt8Gkt8Gkt8KmCWLHS7LHS7OYzfOYzfTawLTawLXNBEXNBEGkt8Gkt8Gkt8KmCWLHS7LHS7OYzfOYzfTawLTawLYrwWXNBE"
      + "XNBEGkt8Gkt8KmCWKmCWLHS7OYzfOYzfV5/nTawLYrwWXNBEXNBEeeNNGkt8KmCWKmCWLHS7LHS7OYzfV5/nTawLYrwWddIvXNBE"
      + "eeNNhfRkGkt8KmCWRnamRnamUo3JV5/nV5/nYrwWYrwWddIveeNNhfRkhfRkKmCWRnamRnamUo3JV5/nV5/nYrwWYrwWddIveeNN"
      + "eeNNhfRknhSKRnamRnamUo3JUo3JV5/nV5/nYrwWddIvddIveeNNhfRknhSKnhSKRnamRnamUo3JV5/nV5/nYrwWddIvddIveeNN"
      + "hfRknhSKnhSKnhSKRnamUo3JV5/nV5/nV5/nYrwWddIveeNNhfRkhfRknhSKnhSKnhSK")
  static let pngOneBit = Fixture(
    file: "iVBORw0KGgoAAAANSUhEUgAAAA0AAAAJAQAAAADBAZvHAAAAI0lEQVR4nGPkdGeS4WAyEGDg2sGY/ZTpkALjKjGm1QIMuz0AQ0MG"
      + "Muuq+CsAAAAASUVORK5CYII=",
    pixels: "AAAAAAAAAAAAAAAA////AAAAAAAA////AAAA////AAAA////AAAAAAAAAAAA////AAAAAAAA////AAAA////AAAA////AAAA////"
      + "////AAAA////AAAA////AAAA////AAAA////AAAA////////AAAA////AAAAAAAAAAAAAAAA////AAAA////AAAA////AAAA////"
      + "////////AAAA////////AAAA////AAAA////////AAAA////AAAA////AAAAAAAAAAAA////AAAA////////AAAA////AAAA////"
      + "////////AAAA////AAAA////AAAA////AAAA////AAAA////////AAAAAAAAAAAAAAAA////AAAA////AAAA////AAAA////////"
      + "////AAAA////AAAA////AAAA////////////AAAA////////AAAA////AAAAAAAA////")
  static let pngSixteenBit = Fixture(
    file: "iVBORw0KGgoAAAANSUhEUgAAAA0AAAAJEAAAAACcgSX1AAAAFElEQVR4nGP8z/CTHTtk+co9LKUA0hF1IZR0RAcAAAAASUVORK5C"
      + "YII=",
    pixels: "////+Pj48fHx6urq4+Pj3Nzc1dXVzs7Ox8fHwMDAubm5srKyq6ur9PT07e3t5ubm39/f2NjY0dHRysrKw8PDvLy8tbW1rq6up6en"
      + "oKCg6enp4uLi29vb1NTUzc3NxsbGv7+/uLi4sbGxqqqqo6OjnJyclZWV3t7e19fX0NDQycnJwsLCu7u7tLS0ra2tpqamn5+fmJiY"
      + "kZGRioqK09PTzMzMxcXFvr6+t7e3sLCwqampoqKim5ublJSUjY2NhoaGf39/yMjIwcHBurq6s7OzrKyspaWlnp6el5eXkJCQiYmJ"
      + "goKCe3t7dHR0vb29tra2r6+vqKiooaGhmpqak5OTjIyMhYWFfn5+d3d3cHBwaWlpsrKyq6urpKSknZ2dlpaWj4+PiIiIgYGBenp6"
      + "c3NzbGxsZWVlXl5ep6enoKCgmZmZkpKSi4uLhISEfX19dnZ2b29vaGhoYWFhWlpaU1NT")
  static let gif = Fixture(
    file: "R0lGODdhDQAJAIYAAJf+ZYj2ZIzzWoD8eIT5bpDwUH3rWXnuY3XxbYHoT4XlRYniO3bdRGrmYm7jWHLgTnraOn7XMILUJmfVQ2vS"
      + "OW/PL3PMJXfJG1/bV2PYTVTQTFjNQlzKOGDHLnS4/GWw+2mt8W2q51ao+mTEJFG/LU3CN1ql8F6i5mKf3Gac0keg+Uud70+a5XvG"
      + "EWy+EGjBGnC7Bl22D1W8I1m5GUa0ImGzBVKrBE6uDkqxGD+mDUOjA1eU0VuRx1+OvVOX20SP2kiM0EyJxlCGvFSDsjiY+DyV7kCS"
      + "5DGK4zWH2TmEzz2BxViAqEl4p011nUF+u0V7sTpwpj5tnEJqkip8zi55xDJ2ujZzsCNuuSdrry9lmzNikTdfhytopRxgpCBdmiRa"
      + "kChXhixUfB1MexlPhRVSjyFJcRJBcA5EeqwopKEdmaUaj5YSjpoPhJ4MepMBb4sHg48EeRY+ZgszWwc2ZQAoUAAAAAAAAAAAAAAA"
      + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAACwAAAAADQAJAAAIhgDpzDlDpsuVKUeI5KBRQoMcM2O8YKGCpIgOHCQ2YIgj5guXKkmMqLgh"
      + "g0OGBmXAZLGi5McKGzM6THCAIIwWKE6AsBARYwSFBwcGbInyJIgPEzVeVGBggMAbKUyE7DjxwYUFCAkCwFnTZAgPFCBgXIigQIAb"
      + "NmmW9EgRwkMLCQsKAGijBk1AADs=",
    pixels: "AChQBzZlDkR6FVKPHGCkI265KnzOMYrjOJj4P6YNRrQiTcI3VNBMCzNbEkFwGU+FIF2aJ2uvLnnENYfZPJXuQ6MDSrEYUb8tWM1C"
      + "X9tXFj5mHUx7JFqQK2ilMna6OYTPQJLkR6D5Tq4OVbwjXMo4Y9hNauZiIUlxKFeGL2WbNnOwPYHFRI/aS53vUqsEWbkZYMcuZ9VD"
      + "buNYdfFtLFR8M2KROnCmQX67SIzQT5rlVqj6XbYPZMQka9I5cuBOee5jgPx4N1+HPm2cRXuxTInGU5fbWqXwYbMFaMEab88vdt1E"
      + "fetZhPluiweDQmqSSXinUIa8V5TRXqLmZbD7bL4Qc8wleto6gehPiPZkjwR5lhKOTXWdVIOyW5HHYp/caa3xcLsGd8kbftcwheVF"
      + "jPNakwFvmg+EoR2ZWICoX469ZpzSbarndLj8e8YRgtQmieI7kPBQl/5lngx6pRqPrCik")
}

/// Bytes that tests and their oracles draw alike:
/// ```python
/// def noise(n, seed):
///     out, x = bytearray(), seed
///     for _ in range(n):
///         x = (x * 1103515245 + 12345) & 0x7FFFFFFF
///         out.append(x >> 16 & 255)
///     return bytes(out)
/// ```
func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
  var x = seed
  return (0..<count).map { _ in
    x = (x &* 1_103_515_245 &+ 12345) & 0x7FFF_FFFF
    return UInt8(truncatingIfNeeded: x >> 16)
  }
}

/// The CRC-32 of `zlib.crc32`.
func crc32(_ bytes: [UInt8]) -> UInt32 {
  var crc: UInt32 = 0xFFFF_FFFF
  for byte in bytes {
    crc ^= UInt32(byte)
    for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
  }
  return ~crc
}
