// ae.h, "Models": ae_model_shrink.

import Bytes
import CAE
import Core
import LibAEDecode
import Model
import Training

@implementation @_cdecl("ae_model_shrink")
public func ae_model_shrink(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ images: UnsafePointer<UInt8>!, _ count: Int,
  _ options: OpaquePointer!, _ progress: ae_count_callback!, _ progress_context: UnsafeMutableRawPointer!,
  _ report: UnsafeMutablePointer<ae_shrink_report>!, _ result: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(result, .model, in: context) { () throws(AEError) in
    let model = try LibAEDecode.model(model)
    let source = try Input(images, count: count, of: model.inputCount, "images")
    try Span(writes: result).apart(from: source.span, "images and the pointer that takes the model")
    if let report {
      try checkStruct(report)
      try Span(writes: report).apart(from: source.span, "images and the report")
    }
    let shrunk = try shrunk(
      model, pixels: count > 0 ? source.base : nil, count: count, options: try shrinkOptions(options)
    ) { state in
      guard let progress else { return true }
      return callHost {
        progress(progress_context, UInt64(clamping: state.step), UInt64(clamping: state.stepCount)) == 0
      }
    }
    if let report {
      var figures = ae_shrink_report()
      figures.density = shrunk.density
      figures.loss = shrunk.loss
      figures.held_out_count = UInt64(shrunk.heldOutCount)
      try writeStruct(report, figures)
    }
    return try makeHandle(.model, shrunk.model)
  }
}
