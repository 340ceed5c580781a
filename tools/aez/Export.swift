// aez export: a model in another storage, as a decoder alone, or as C source to compile in: a file's bytes, or the network
// itself.

import ArgumentParser
import Bytes
import Core
import Model
import SourceExport
import Storage
import ToolKit

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a model for use elsewhere.",
    usage: "aez export <model.aew> -o <path> [<options>]",
    discussion: """
      Changes how numbers are stored, leaves the encoder out, or writes C source with the bytes of the weight \
      file, for a program that needs no file at run time: ae_model_open_memory(NAME, NAME_size, &model).

      With --c it writes the decoder itself as one file of C99: integers alone, no memory but the caller's, no library, \
      the pixels of the model stored as int8, byte for byte. The file's first comment says how to call it. With \
      --encoder the encoder comes, too.

      EXAMPLES
        aez export elu.aew --storage int8 -o elu-int8.aew
        aez export elu.aew --storage int8 --decoder-only --c-array digits_decoder -o decoder.c
        aez export elu.aew --c --prefix digits -o digits.c
      """)

  @Argument(help: "The weight file (.aew).") var model: String
  @Option(help: "How numbers are stored; as they are unless told.") var storage: WeightStorage?
  @Flag(help: "Leave the encoder out.") var decoderOnly = false
  @Option(help: ArgumentHelp("Write C source that defines NAME and NAME_size.", valueName: "name"))
  var cArray: String?
  @Flag(name: .customLong("c"), help: "Write the decoder as C source that needs no library.") var asC = false
  @Option(
    help: ArgumentHelp(
      "With --c, what names in C begin with; \(CSource.defaultPrefix) unless told.", valueName: "name"))
  var prefix: String?
  @Flag(help: "With --c, write the encoder, too.") var encoder = false
  @OptionGroup var output: OutputOptions
  @OptionGroup var report: ReportOptions

  func validate() throws {
    try report.check(dataOnStandardOutput: output.isStandardOutput)
    if asC {
      guard cArray == nil else {
        throw ValidationError(
          "--c and --c-array write different files: the network, or the bytes of one. Give one.")
      }
      guard storage == nil || storage == .int8, !(decoderOnly && encoder) else {
        throw ValidationError(
          decoderOnly && encoder
            ? "--decoder-only leaves the encoder out and --encoder asks for it: give one."
            : "--c writes integers: --storage can only be int8.")
      }
      if let prefix {
        do throws(AEError) {
          try CSource.check(prefix: prefix)
        } catch {
          throw ValidationError("--prefix: \(error.message).")
        }
      }
    } else if prefix != nil || encoder {
      throw ValidationError("\(encoder ? "--encoder" : "--prefix") says how --c writes: give --c, too.")
    }
    if let cArray, let problem = CIdentifier.problem(cArray) {
      throw ValidationError("--c-array needs a name for a C array, such as digits_model: \(problem).")
    }
  }

  func run() throws {
    // C source is text, which a terminal may show.
    if cArray == nil && !asC || !output.isStandardOutput { try output.check(inputs: [model]) }
    let model = try Models.open(model)
    guard !asC else { return try writeC(model) }
    let storage = storage ?? model.storage
    let bytes = try WeightFile.write(model, storage: storage, decoderOnly: decoderOnly)
    if let cArray {
      try write(text: try Export.source(cArray, bytes, model))
    } else {
      try output.write(bytes)
    }
    var facts = Report()
    facts.add("output", .string(output.output))
    facts.add("name", .string(model.name), "model")
    facts.add("storage", .string("\(storage.name)"), "storage")
    facts.add("has_encoder", .bool(model.hasEncoder && !decoderOnly), "encoder")
    facts.add("bytes", .int(bytes.count), "bytes", grouped(bytes.count))
    try report.show(facts, dataOnStandardOutput: output.isStandardOutput)
  }

  private func write(text: Buffer<UInt8>) throws {
    if output.isStandardOutput {
      try File.writeDescriptor(Console.output, name: "standard output", text.base, text.count)
    } else {
      try output.write(text)
    }
  }

  /// The network as C.
  private func writeC(_ model: Autoencoder) throws {
    let source = try CSource(model, prefix: prefix ?? CSource.defaultPrefix, withEncoder: encoder)
    try write(text: source.text)
    var facts = Report()
    facts.add("output", .string(output.output))
    facts.add("name", .string(model.name), "model")
    facts.add("prefix", .string(prefix ?? CSource.defaultPrefix), "prefix")
    facts.add("has_encoder", .bool(encoder), "encoder")
    facts.add(
      "constant_bytes", .int(source.constantByteCount), "flash",
      "\(grouped(source.constantByteCount)) bytes of constants, about \(grouped(source.codeByteCount)) of code"
    )
    facts.add("code_bytes", .int(source.codeByteCount))
    facts.add(
      "scratch_bytes", .int(source.scratchByteCount), "memory", "\(grouped(source.scratchByteCount)) bytes")
    facts.add("bytes", .int(source.text.count), "bytes", grouped(source.text.count))
    try report.show(facts, dataOnStandardOutput: output.isStandardOutput)
  }

  /// C source that defines the bytes and their number.
  private static func source(_ name: String, _ bytes: Buffer<UInt8>, _ model: Autoencoder) throws(AEError)
    -> Buffer<UInt8>
  {
    let writer = ByteWriter()
    try writer.utf8(
      """
      /* The weights of "\(model.name.filter { $0.isLetter || $0.isNumber || $0 == "-" || $0 == " " })", \
      \(model.architecture.kind.name), a weight file of libae. */
      #include <stddef.h>

      extern const unsigned char \(name)[];
      extern const size_t \(name)_size;

      const size_t \(name)_size = \(bytes.count);
      const unsigned char \(name)[\(bytes.count)] = {

      """)
    for index in 0..<bytes.count {
      try writer.utf8("\(bytes.base[index]),")
      if index % 24 == 23 || index == bytes.count - 1 { try writer.u8(0x0A) }
    }
    try writer.utf8("};\n")
    return try writer.finish()
  }
}
