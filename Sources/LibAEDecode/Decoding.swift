// ae.h, "Encoding, decoding, sampling": what a decoder does. Every call checks its handle, then its arrays, then
// forwards; the engine refuses what the model cannot do, also for no images.

import CAE
import Core
import Model

/// A model and one array in, one array out: the shape of encoding and decoding in all their forms.
package func code<In, Out>(
  _ context: OpaquePointer?, _ handle: OpaquePointer?, _ input: UnsafePointer<In>?, _ inputName: StaticString,
  count: Int,
  _ output: UnsafeMutablePointer<Out>?, _ outputName: StaticString,
  sizes: (Autoencoder) -> (input: Int, output: Int),
  _ body: (Autoencoder, UnsafePointer<In>, UnsafeMutablePointer<Out>) throws(AEError) -> Void
) -> ae_status where In: BitwiseCopyable, Out: BitwiseCopyable {
  boundary(context) { () throws(AEError) in
    let model = try LibAEDecode.model(handle)
    let size = sizes(model)
    let source = try Input(input, count: count, of: size.input, inputName)
    let target = try Output(output, count: count, of: size.output, outputName)
    try target.span.apart(from: source.span, "images and latents")
    try body(model, source.base, target.base)
  }
}

@implementation @_cdecl("ae_decode")
public func ae_decode(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ latents: UnsafePointer<Float>!, _ count: Int,
  _ images: UnsafeMutablePointer<Float>!
) -> ae_status {
  code(
    context, model, latents, "latents", count: count, images, "images",
    sizes: { ($0.latentCount, $0.inputCount) }
  ) { (model, latents, images) throws(AEError) in
    try model.decode(latents, count: count, into: images)
  }
}

@implementation @_cdecl("ae_decode_u8")
public func ae_decode_u8(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ latents: UnsafePointer<Float>!, _ count: Int,
  _ images: UnsafeMutablePointer<UInt8>!
) -> ae_status {
  code(
    context, model, latents, "latents", count: count, images, "images",
    sizes: { ($0.latentCount, $0.inputCount) }
  ) { (model, latents, images) throws(AEError) in
    try model.decode(latents, count: count, into: images)
  }
}

/// The forms of sampling: no array in, one out.
private func draw<Out>(
  _ context: OpaquePointer?, _ handle: OpaquePointer?, _ count: Int, _ output: UnsafeMutablePointer<Out>?,
  _ name: StaticString,
  size: (Autoencoder) -> Int, _ body: (Autoencoder, UnsafeMutablePointer<Out>) throws(AEError) -> Void
) -> ae_status where Out: BitwiseCopyable {
  boundary(context) { () throws(AEError) in
    let model = try LibAEDecode.model(handle)
    try body(model, try Output(output, count: count, of: size(model), name).base)
  }
}

@implementation @_cdecl("ae_prior")
public func ae_prior(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ count: Int, _ seed: UInt64,
  _ latents: UnsafeMutablePointer<Float>!
) -> ae_status {
  draw(context, model, count, latents, "latents", size: { $0.latentCount }) {
    (model, latents) throws(AEError) in
    try model.prior(count: count, seed: seed, into: latents)
  }
}

@implementation @_cdecl("ae_sample")
public func ae_sample(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ count: Int, _ seed: UInt64,
  _ images: UnsafeMutablePointer<Float>!
) -> ae_status {
  draw(context, model, count, images, "images", size: { $0.inputCount }) { (model, images) throws(AEError) in
    try model.sample(count: count, seed: seed, into: images)
  }
}

@implementation @_cdecl("ae_sample_u8")
public func ae_sample_u8(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ count: Int, _ seed: UInt64,
  _ images: UnsafeMutablePointer<UInt8>!
) -> ae_status {
  draw(context, model, count, images, "images", size: { $0.inputCount }) { (model, images) throws(AEError) in
    try model.sample(count: count, seed: seed, into: images)
  }
}

@implementation @_cdecl("vae_sample")
public func vae_sample(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ count: Int, _ seed: UInt64,
  _ images: UnsafeMutablePointer<Float>!
) -> ae_status { ae_sample(context, model, count, seed, images) }
