// A model's decoder, and if asked for its encoder, as one file of C99 for programs and processors that no library fits on:
// integers alone, no memory but the caller's, and the pixels of ae_decode_u8.

import Bytes
import Core
import Latent
import Model
import Network
import Storage

/// A C file of an integer model, and what it takes of whoever compiles it in.
public struct CSource: Sendable {
  /// The file, without a closing NUL.
  public let text: Buffer<UInt8>
  /// Bytes of constants: weights, tables, sizes; with pointers of 32 bits.
  public let constantByteCount: Int
  /// Bytes of code, about, as compilers make them for size.
  public let codeByteCount: Int
  /// Bytes of memory that the caller gives to each call.
  public let scratchByteCount: Int

  /// What names in C begin with unless told.
  public static let defaultPrefix = "decoder"
  /// The longest prefix: compilers need tell apart no more than 63 characters.
  public static let longestPrefix = 40

  /// - Parameters:
  ///   - prefix: what every name of the file begins with, a word of C.
  ///   - withEncoder: whether the encoder comes, too.
  /// - Throws: `.argument` for a prefix that names in C cannot begin with; `.kind` for a model without integer networks, or
  ///   without an encoder that is asked for; `.memory`.
  public init(_ model: Autoencoder, prefix: String, withEncoder: Bool) throws(AEError) {
    try CSource.check(prefix: prefix)
    let (decoder, codec) = try CSource.decoder(model, withEncoder: withEncoder)
    let architecture = model.architecture
    let decoderC = try CNetwork(
      decoder, architecture.decoder, isEncoder: false, outputCount: architecture.pixelCount)
    var encoderC: CNetwork?
    if withEncoder, let encoder = model.integerEncoder {
      encoderC = try CNetwork(
        encoder, architecture.encoder, isEncoder: true, outputCount: architecture.latentCount)
    }
    let functions = decoderC.functions.union(encoderC?.functions ?? [])
    constantByteCount = decoderC.constantByteCount + (encoderC?.constantByteCount ?? 0)
    codeByteCount =
      CSource.codeByteCount(functions, encoderC != nil)
      + 24 * (decoderC.steps.count + (encoderC?.steps.count ?? 0))
    scratchByteCount = max(1, decoderC.scratchByteCount, encoderC?.scratchByteCount ?? 0)

    let text = CText(prefix: UTF8Text.bytes(prefix))
    let facts = Facts(
      model: model, constants: constantByteCount, code: codeByteCount, scratch: scratchByteCount,
      stack: decoderC.stackByteCount, hasEncoder: encoderC != nil)
    try facts.writeHead(to: text)
    try CSource.write(functions, to: text)
    try decoderC.writeConstants(to: text)
    if let encoderC { try encoderC.writeConstants(to: text) }
    try text.put(
      """

      void @_decode(const int16_t *code, uint8_t *pixels, void *scratch) {
        uint8_t *memory = (uint8_t *)scratch;

      """)
    try decoderC.writeCalls(to: text)
    try text.put("}\n")
    if let encoderC { try encoderC.writeEncoder(to: text) }
    try text.put("\n#ifdef @_FLOATS\nstatic const float @_scales[@_LATENT_COUNT] = {\n")
    try text.put(floats: codec.latentScales)
    try text.put(CTemplates.fromFloats)
    if let encoderC {
      try text.put("\nstatic const float @_sum_scales[@_LATENT_COUNT] = {\n")
      try text.put(floats: encoderC.sumScales)
      try text.put(CTemplates.toFloats)
    }
    try text.put("#endif\n")
    try text.put(CTemplates.module)
    if encoderC != nil { try text.put(CTemplates.moduleEncoder) }
    try text.put("#endif\n\n#endif\n")
    self.text = try text.finish()
  }

  /// No fewer bytes than `text` will have, without making it.
  /// - Throws: as `init` does of prefix and model.
  public static func bound(_ model: Autoencoder, prefix: String, withEncoder: Bool) throws(AEError) -> Int {
    try check(prefix: prefix)
    _ = try decoder(model, withEncoder: withEncoder)
    let architecture = model.architecture
    let length = UTF8Text.count(prefix)
    var sum = 24576 + 512 * length + 64 * architecture.latentCount
    sum = sum.plus(CNetwork.textBound(architecture.decoderShapes, prefix: length)) ?? .max
    if withEncoder {
      sum = sum.plus(CNetwork.textBound(architecture.encoderShapes, prefix: length)) ?? .max
    }
    return sum
  }

  /// Throws `.argument` unless names in C can begin with a prefix and an underscore.
  public static func check(prefix: String) throws(AEError) {
    let bytes = UTF8Text.bytes(prefix)
    func isLetter(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte & 0xDF) }
    var isWord = (1...longestPrefix).contains(bytes.count)
    var isAfterUnderscore = true
    for (index, byte) in bytes.enumerated() where isWord {
      let isUnderscore = byte == 0x5F
      isWord =
        isLetter(byte) || index > 0 && (0x30...0x39).contains(byte) || isUnderscore && !isAfterUnderscore
      isAfterUnderscore = isUnderscore
    }
    guard isWord, !isAfterUnderscore else {
      throw AEError(
        .argument,
        "a prefix of names in C is a letter, then letters, digits and single underscores, the last one no underscore, "
          + "\(longestPrefix) at most; \"\(prefix)\" is not")
    }
  }

  /// What is exported, if the model has it.
  private static func decoder(_ model: Autoencoder, withEncoder: Bool) throws(AEError) -> (
    IntegerNetwork, Codec
  ) {
    guard model.architecture.kind != .predictor else {
      throw AEError(.kind, "model \"\(model.name)\" is a predictor: it has no decoder")
    }
    guard let decoder = model.integerDecoder, let codec = model.codec else {
      throw AEError(
        .kind,
        "model \"\(model.name)\" has no integer networks, which C source is made of: quantize it first"
      )
    }
    guard !withEncoder || model.integerEncoder != nil else {
      throw AEError(.kind, "model \"\(model.name)\" is a decoder alone: it has no encoder")
    }
    return (decoder, codec)
  }

  /// The functions of a file, each after those that it calls.
  private static func write(_ functions: CFunctions, to text: CText) throws(AEError) {
    try text.put(CTemplates.common)
    if functions.contains(.maps) { try text.put(CTemplates.map) }
    for isWords in [false, true] {
      text.word = isWords ? "words" : "bytes"
      text.type = isWords ? "int16_t" : "uint8_t"
      func add(_ wanted: CFunctions, _ template: StaticString, loop name: StaticString? = nil) throws(AEError)
      {
        guard functions.contains(isWords ? wanted.ofWords : wanted) else { return }
        try text.put(template)
        guard let name else { return }
        try text.put(name)
        try text.put(CTemplates.convolutionMiddle)
        try text.put(name)
        try text.put(CTemplates.convolutionEnd)
      }
      try add(.denseSum, CTemplates.denseSum)
      try add(.dense, CTemplates.dense)
      try add(.convolutionSum, CTemplates.convolutionSum)
      try add(.convolution, CTemplates.convolutionHead, loop: "convolution")
      try add(.transposedSum, CTemplates.transposedSum)
      try add(.transposed, CTemplates.convolutionHead, loop: "transposed")
    }
    let others: [(CFunctions, StaticString)] = [
      (.add, CTemplates.add), (.activate, CTemplates.activate), (.concatenate, CTemplates.concatenate),
      (.meanPool, CTemplates.meanPool), (.maxPool, CTemplates.maxPool), (.upsample, CTemplates.upsample),
      (.transpose, CTemplates.transpose),
    ]
    for (function, template) in others where functions.contains(function) { try text.put(template) }
  }

  /// Of all functions together, about.
  private static func codeByteCount(_ functions: CFunctions, _ hasEncoder: Bool) -> Int {
    let sizes: [(CFunctions, Int)] = [
      (.denseSum, 80), (CFunctions.denseSum.ofWords, 80), (.convolutionSum, 320),
      (CFunctions.convolutionSum.ofWords, 320), (.transposedSum, 336),
      (CFunctions.transposedSum.ofWords, 336),
      (.add, 144), (.activate, 32), (.concatenate, 144), (.meanPool, 208), (.maxPool, 160), (.upsample, 96),
      (.transpose, 64),
    ]
    var sum = hasEncoder ? 272 : 96
    for (function, size) in sizes where functions.contains(function) { sum += size }
    return sum
  }
}

/// What the head of a file tells: the comment, and the declarations.
private struct Facts {
  let model: Autoencoder
  let constants: Int
  let code: Int
  let scratch: Int
  /// Bytes on the stack beyond a few registers.
  let stack: Int
  let hasEncoder: Bool

  func writeHead(to text: CText) throws(AEError) {
    let image = model.architecture.image
    let latents = model.latentCount
    try text.put("/*\n * The decoder")
    if hasEncoder { try text.put(" and the encoder") }
    try text.put(" of the model \"")
    try text.put(comment: model.name)
    try text.put(
      """
      ", written by libae as one file of C99: integers alone, no memory but the
       * caller's, no library. The pixels are those of ae_decode_u8 with the model stored as int8, byte for byte.
       *
       *   code    @_LATENT_COUNT = $ numbers in fixed point, each in -16383 ... 16383: 256 stands for the latent's scale
       *   pixels  @_IMAGE_SIZE = $ bytes, $ x $
      """, latents, image.byteCount, image.height, image.width)
    try text.put(
      """
       x $: row by row, channels side by side
       *
       *   static uint8_t scratch[@_SCRATCH_SIZE], pixels[@_IMAGE_SIZE];
       *   @_decode(code, pixels, scratch);

      """, image.channels)
    if hasEncoder {
      try text.put(
        """
         *   @_encode(pixels, code, scratch);
         *
         * The code is what image sets hold before they quantise it. @_encode_sums gives the sums that floats are made of:
         * with @_FLOATS defined, @_to_floats makes them the latents of ae_encode_u8.

        """)
    }
    try text.put(" *\n * Flash    ")
    try text.put(grouped: constants)
    try text.put(" bytes of constants, and about ")
    try text.put(grouped: code)
    try text.put(" of code, compiled for size\n * Memory   ")
    try text.put(grouped: scratch)
    try text.put(" bytes, which the caller gives, on any address; and ")
    try text.put(stack > 0 ? "less than $ bytes" : "less than 512 bytes", stack + 512)
    try text.put(" of the stack\n * Model    ")
    try text.put(bytes: UTF8Text.bytes(SHA256.hex(try WeightFile.hash(model))))
    try text.put(
      """

       *
       * Other files see the declarations by
       *   #define @_DECLARATIONS
       *   #include "this file"
       * With @_FLOATS defined, @_from_floats makes a code of finite floats, as ae_decode_u8 does. A WebAssembly module, with
       * memory of its own, is made by
       *   clang --target=wasm32 -Os -ffreestanding -nostdlib -D@_WASM -Wl,--no-entry -o @.wasm this-file.c
       */
      #ifndef @_DECLARED
      #define @_DECLARED

      #include <stdint.h>

      #define @_WIDTH $
      #define @_HEIGHT $
      #define @_CHANNELS $
      #define @_IMAGE_SIZE $

      """, image.width, image.height, image.channels, image.byteCount)
    try text.put(
      """
      #define @_LATENT_COUNT $
      #define @_SCRATCH_SIZE $

      #ifdef __cplusplus
      extern "C" {
      #endif

      void @_decode(const int16_t *code, uint8_t *pixels, void *scratch);

      """, latents, scratch)
    if hasEncoder {
      try text.put(
        """
        void @_encode(const uint8_t *pixels, int16_t *code, void *scratch);
        void @_encode_sums(const uint8_t *pixels, int32_t *sums, void *scratch);

        """)
    }
    try text.put("#ifdef @_FLOATS\nvoid @_from_floats(const float *latents, int16_t *code);\n")
    if hasEncoder { try text.put("void @_to_floats(const int32_t *sums, float *latents);\n") }
    try text.put(
      """
      #endif

      #ifdef __cplusplus
      }
      #endif
      #endif

      #if !defined @_DECLARATIONS && !defined @_DEFINED
      #define @_DEFINED

      """)
  }
}
