// ae.h, "Models": open, describe, save, free.

import Bytes
import CAE
import CSystem
import Core
import Model
import Storage

/// The engine's model behind a handle.
func model(_ handle: OpaquePointer?) throws(AEError) -> Autoencoder {
  try object(handle, .model, Autoencoder.self)
}

/// Bytes in memory from outside, such as a weight file: NULL only if there are none.
func bytes(_ data: UnsafeRawPointer?, _ byteCount: Int, _ name: StaticString) throws(AEError)
  -> Input<UInt8>
{
  try Input(data?.assumingMemoryBound(to: UInt8.self), count: byteCount, of: 1, name)
}

@implementation @_cdecl("ae_model_free")
public func ae_model_free(_ model: OpaquePointer!) { freeHandle(model, .model, Autoencoder.self) }

@implementation @_cdecl("ae_input_size")
public func ae_input_size(_ model: OpaquePointer!) -> Int {
  (try? LibAE.model(model))?.inputCount ?? 0
}

@implementation @_cdecl("ae_latent_size")
public func ae_latent_size(_ model: OpaquePointer!) -> Int {
  (try? LibAE.model(model))?.latentCount ?? 0
}

