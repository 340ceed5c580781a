// ae.h, "Encoding, decoding, sampling". Every call checks its handle, then its arrays, then forwards: what
// the model cannot do is the engine's to say, also for no images at all.

import CAE
import Core
import Model

/// A model and one array in, one array out: the shape of encoding and decoding in all their forms.
private func code<In, Out>(
  _ handle: OpaquePointer?, _ input: UnsafePointer<In>?, _ inputName: StaticString, count: Int,
  _ output: UnsafeMutablePointer<Out>?, _ outputName: StaticString,
  sizes: (Autoencoder) -> (input: Int, output: Int),
  _ body: (Autoencoder, UnsafePointer<In>, UnsafeMutablePointer<Out>) throws(AEError) -> Void
) -> ae_status where In: BitwiseCopyable, Out: BitwiseCopyable {
  boundary { () throws(AEError) in
    let model = try LibAE.model(handle)
    let size = sizes(model)
    let source = try Input(input, count: count, of: size.input, inputName)
    let target = try Output(output, count: count, of: size.output, outputName)
    try target.span.apart(from: source.span, "images and latents")
    try body(model, source.base, target.base)
  }
}

@implementation @_cdecl("ae_encode")
public func ae_encode(
  _ model: OpaquePointer!, _ images: UnsafePointer<Float>!, _ count: Int,
  _ latents: UnsafeMutablePointer<Float>!
) -> ae_status {
  code(
    model, images, "images", count: count, latents, "latents", sizes: { ($0.inputCount, $0.latentCount) }
  ) { (model, images, latents) throws(AEError) in
    try model.encode(images, count: count, into: latents)
  }
}

@implementation @_cdecl("ae_encode_u8")
public func ae_encode_u8(
  _ model: OpaquePointer!, _ images: UnsafePointer<UInt8>!, _ count: Int,
  _ latents: UnsafeMutablePointer<Float>!
) -> ae_status {
  code(
    model, images, "images", count: count, latents, "latents", sizes: { ($0.inputCount, $0.latentCount) }
  ) { (model, images, latents) throws(AEError) in
    try model.encode(images, count: count, into: latents)
  }
}

@implementation @_cdecl("ae_decode")
public func ae_decode(
  _ model: OpaquePointer!, _ latents: UnsafePointer<Float>!, _ count: Int,
  _ images: UnsafeMutablePointer<Float>!
) -> ae_status {
  code(
    model, latents, "latents", count: count, images, "images", sizes: { ($0.latentCount, $0.inputCount) }
  ) { (model, latents, images) throws(AEError) in
    try model.decode(latents, count: count, into: images)
  }
}

@implementation @_cdecl("ae_decode_u8")
public func ae_decode_u8(
  _ model: OpaquePointer!, _ latents: UnsafePointer<Float>!, _ count: Int,
  _ images: UnsafeMutablePointer<UInt8>!
) -> ae_status {
  code(
    model, latents, "latents", count: count, images, "images", sizes: { ($0.latentCount, $0.inputCount) }
  ) { (model, latents, images) throws(AEError) in
    try model.decode(latents, count: count, into: images)
  }
}

/// Both forms of vae_encode: one array in, two out.
private func posterior<In>(
  _ handle: OpaquePointer?, _ images: UnsafePointer<In>?, _ count: Int, _ mean: UnsafeMutablePointer<Float>?,
  _ logVariance: UnsafeMutablePointer<Float>?,
  _ body: (Autoencoder, UnsafePointer<In>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>)
    throws(AEError) -> Void
) -> ae_status where In: BitwiseCopyable {
  boundary { () throws(AEError) in
    let model = try LibAE.model(handle)
    let source = try Input(images, count: count, of: model.inputCount, "images")
    let mean = try Output(mean, count: count, of: model.latentCount, "mean")
    let logVariance = try Output(logVariance, count: count, of: model.latentCount, "log_variance")
    try mean.span.apart(from: source.span, "images and mean")
    try logVariance.span.apart(from: source.span, "images and log_variance")
    try logVariance.span.apart(from: mean.span, "mean and log_variance")
    try body(model, source.base, mean.base, logVariance.base)
  }
}

@implementation @_cdecl("vae_encode")
public func vae_encode(
  _ model: OpaquePointer!, _ images: UnsafePointer<Float>!, _ count: Int,
  _ mean: UnsafeMutablePointer<Float>!, _ log_variance: UnsafeMutablePointer<Float>!
) -> ae_status {
  posterior(model, images, count, mean, log_variance) {
    (model, images, mean, logVariance) throws(AEError) in
    try model.posterior(images, count: count, mean: mean, logVariance: logVariance)
  }
}

@implementation @_cdecl("vae_encode_u8")
public func vae_encode_u8(
  _ model: OpaquePointer!, _ images: UnsafePointer<UInt8>!, _ count: Int,
  _ mean: UnsafeMutablePointer<Float>!, _ log_variance: UnsafeMutablePointer<Float>!
) -> ae_status {
  posterior(model, images, count, mean, log_variance) {
    (model, images, mean, logVariance) throws(AEError) in
    try model.posterior(images, count: count, mean: mean, logVariance: logVariance)
  }
}

/// The forms of sampling: no array in, one out.
private func draw<Out>(
  _ handle: OpaquePointer?, _ count: Int, _ output: UnsafeMutablePointer<Out>?, _ name: StaticString,
  size: (Autoencoder) -> Int, _ body: (Autoencoder, UnsafeMutablePointer<Out>) throws(AEError) -> Void
) -> ae_status where Out: BitwiseCopyable {
  boundary { () throws(AEError) in
    let model = try LibAE.model(handle)
    try body(model, try Output(output, count: count, of: size(model), name).base)
  }
}

@implementation @_cdecl("vae_prior")
public func vae_prior(
  _ model: OpaquePointer!, _ count: Int, _ seed: UInt64, _ latents: UnsafeMutablePointer<Float>!
) -> ae_status {
  draw(model, count, latents, "latents", size: { $0.latentCount }) { (model, latents) throws(AEError) in
    try model.prior(count: count, seed: seed, into: latents)
  }
}

@implementation @_cdecl("vae_sample")
public func vae_sample(
  _ model: OpaquePointer!, _ count: Int, _ seed: UInt64, _ images: UnsafeMutablePointer<Float>!
) -> ae_status {
  draw(model, count, images, "images", size: { $0.inputCount }) { (model, images) throws(AEError) in
    try model.sample(count: count, seed: seed, into: images)
  }
}

@implementation @_cdecl("vae_sample_u8")
public func vae_sample_u8(
  _ model: OpaquePointer!, _ count: Int, _ seed: UInt64, _ images: UnsafeMutablePointer<UInt8>!
) -> ae_status {
  draw(model, count, images, "images", size: { $0.inputCount }) { (model, images) throws(AEError) in
    try model.sample(count: count, seed: seed, into: images)
  }
}
