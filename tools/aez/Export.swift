// aez export: a model in another storage, as a decoder alone, or as C source to compile in.

import ArgumentParser
import Bytes
import Core
import Model
import Storage
import ToolKit

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a model for use elsewhere.",
    usage: "aez export <model.aew> -o <path> [<options>]",
    discussion: """
      Changes how numbers are stored, leaves the encoder out, or writes C source with the bytes of the weight \
      file, for a program that needs no file at run time: ae_model_open_memory(NAME, NAME_size, &model).

      EXAMPLES
        aez export elu.aew --storage int8 -o elu-int8.aew
        aez export elu.aew --storage int8 --decoder-only --c-array digits_decoder -o decoder.c
      """)

  @Argument(help: "The weight file (.aew).") var model: String
  @Option(help: "How numbers are stored; as they are unless told.") var storage: WeightStorage?
  @Flag(help: "Leave the encoder out.") var decoderOnly = false
  @Option(help: ArgumentHelp("Write C source that defines NAME and NAME_size.", valueName: "name"))
  var cArray: String?
  @OptionGroup var output: OutputOptions
  @OptionGroup var report: ReportOptions

  func validate() throws {
    try report.check(dataOnStandardOutput: output.isStandardOutput)
    if let cArray, let problem = CIdentifier.problem(cArray) {
      throw ValidationError("--c-array needs a name for a C array, such as digits_model: \(problem).")
    }
  }

  func run() throws {
    // C source is text, which a terminal may show.
    if cArray == nil || !output.isStandardOutput { try output.check(inputs: [model]) }
    let model = try Models.open(model)
    let storage = storage ?? model.storage
    let bytes = try WeightFile.write(model, storage: storage, decoderOnly: decoderOnly)
    if let cArray {
      let source = try Export.source(cArray, bytes, model)
      if output.isStandardOutput {
        try File.writeDescriptor(Console.output, name: "standard output", source.base, source.count)
      } else {
        try output.write(source)
      }
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
