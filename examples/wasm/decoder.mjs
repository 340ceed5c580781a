// A decoder as a WebAssembly module: what `aez export MODEL --c` writes, compiled as docs/embed-c.md says.

/**
 * Opens a module.
 * @param source a Response, or a promise of one, such as fetch("decoder.wasm"); or the module's bytes.
 * @returns {Promise<{width: number, height: number, channels: number, latentCount: number,
 *   decode: (code: ArrayLike<number>) => Uint8Array, encode: ((pixels: ArrayLike<number>) => Int16Array) | undefined}>}
 *   `decode` takes integers in -16383 ... 16383, of which 256 stand for the scale of a latent, and gives height x width x
 *   channels bytes; `encode` goes the other way, in modules with an encoder.
 */
export async function openDecoder(source) {
  const given = await source;
  const bytes = given instanceof Response ? await given.arrayBuffer() : given;
  const { instance } = await WebAssembly.instantiate(bytes);
  const module = instance.exports;
  const [width, height, channels] = [module.width(), module.height(), module.channels()];
  const latentCount = module.latent_count();
  const code = new Int16Array(module.memory.buffer, module.code(), latentCount);
  const pixels = new Uint8Array(module.memory.buffer, module.pixels(), width * height * channels);

  function fill(array, values, name) {
    if (values.length !== array.length) {
      throw new RangeError(`${name}: ${array.length} numbers expected, ${values.length} came`);
    }
    array.set(values);
  }

  return {
    width,
    height,
    channels,
    latentCount,
    decode(values) {
      fill(code, values, "code");
      if (code.some((value) => Math.abs(value) > 16383)) {
        throw new RangeError("code: numbers in -16383 ... 16383 expected");
      }
      module.decode();
      return pixels.slice();
    },
    encode:
      module.encode &&
      ((values) => {
        fill(pixels, values, "pixels");
        module.encode();
        return code.slice();
      }),
  };
}

/** Draws pixels of 1, 3 or 4 channels on a canvas of their width and height. */
export function draw(canvas, { width, height, channels }, pixels) {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = pixels[channels * i + (channels > 1 ? c : 0)];
    image.data[4 * i + 3] = channels === 4 ? pixels[4 * i + 3] : 255;
  }
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(image, 0, 0);
}
