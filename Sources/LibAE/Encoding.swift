// ae.h, "Encoding, decoding, sampling": what an encoder does.

import CAE
import Core
import LibAEDecode
import Model

@implementation @_cdecl("ae_encode")
public func ae_encode(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ images: UnsafePointer<Float>!, _ count: Int,
  _ latents: UnsafeMutablePointer<Float>!
) -> ae_status {
  code(
    context, model, images, "images", count: count, latents, "latents",
    sizes: { ($0.inputCount, $0.latentCount) }
  ) { (model, images, latents) throws(AEError) in
    try model.encode(images, count: count, into: latents)
  }
}

@implementation @_cdecl("ae_encode_u8")
public func ae_encode_u8(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ images: UnsafePointer<UInt8>!, _ count: Int,
  _ latents: UnsafeMutablePointer<Float>!
) -> ae_status {
  code(
    context, model, images, "images", count: count, latents, "latents",
    sizes: { ($0.inputCount, $0.latentCount) }
  ) { (model, images, latents) throws(AEError) in
    try model.encode(images, count: count, into: latents)
  }
}

/// Both forms of ae_posterior: one array in, two out.
private func posterior<In>(
  _ context: OpaquePointer?, _ handle: OpaquePointer?, _ images: UnsafePointer<In>?, _ count: Int,
  _ mean: UnsafeMutablePointer<Float>?,
  _ logVariance: UnsafeMutablePointer<Float>?,
  _ body: (Autoencoder, UnsafePointer<In>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>)
    throws(AEError) -> Void
) -> ae_status where In: BitwiseCopyable {
  boundary(context) { () throws(AEError) in
    let model = try LibAEDecode.model(handle)
    let source = try Input(images, count: count, of: model.inputCount, "images")
    let mean = try Output(mean, count: count, of: model.latentCount, "mean")
    let logVariance = try Output(logVariance, count: count, of: model.latentCount, "log_variance")
    try mean.span.apart(from: source.span, "images and mean")
    try logVariance.span.apart(from: source.span, "images and log_variance")
    try logVariance.span.apart(from: mean.span, "mean and log_variance")
    try body(model, source.base, mean.base, logVariance.base)
  }
}

@implementation @_cdecl("ae_posterior")
public func ae_posterior(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ images: UnsafePointer<Float>!, _ count: Int,
  _ mean: UnsafeMutablePointer<Float>!, _ log_variance: UnsafeMutablePointer<Float>!
) -> ae_status {
  posterior(context, model, images, count, mean, log_variance) {
    (model, images, mean, logVariance) throws(AEError) in
    try model.posterior(images, count: count, mean: mean, logVariance: logVariance)
  }
}

@implementation @_cdecl("ae_posterior_u8")
public func ae_posterior_u8(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ images: UnsafePointer<UInt8>!, _ count: Int,
  _ mean: UnsafeMutablePointer<Float>!, _ log_variance: UnsafeMutablePointer<Float>!
) -> ae_status {
  posterior(context, model, images, count, mean, log_variance) {
    (model, images, mean, logVariance) throws(AEError) in
    try model.posterior(images, count: count, mean: mean, logVariance: logVariance)
  }
}

@implementation @_cdecl("vae_encode")
public func vae_encode(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ images: UnsafePointer<Float>!, _ count: Int,
  _ mean: UnsafeMutablePointer<Float>!, _ log_variance: UnsafeMutablePointer<Float>!
) -> ae_status { ae_posterior(context, model, images, count, mean, log_variance) }
