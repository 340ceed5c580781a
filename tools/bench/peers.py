"""Other codecs, and aez itself, as commands: one to make a file, one to read it."""

import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable

from bench import AEZ, seconds_of


@dataclass(frozen=True)
class Codec:
    """What is run; `source`, `file` and `target` are paths. Compressors of bytes write to standard output."""

    name: str
    programs: tuple
    suffix: str
    encode: Callable
    decode: Callable
    target: str = "pgm"
    streams: bool = False
    setting: object = None

    @property
    def present(self):
        return all(shutil.which(program) for program in self.programs)

    def written(self, source, file, threads=2):
        return run(self.encode(source, file, self.setting, threads), file if self.streams else None)

    def read(self, file, target, threads=2):
        return run(self.decode(file, target, threads), target if self.streams else None)


def run(command, output=None, threads=None):
    """Seconds that a command took; a failure ends the benchmark with the command's own words."""
    environment = dict(os.environ, AE_THREADS=str(threads)) if threads else None
    if output is None:
        return seconds_of(command, environment)[0]
    with open(output, "wb") as file:
        start = time.perf_counter()
        subprocess.run([str(c) for c in command], stdout=file, stderr=subprocess.DEVNULL, check=True)
        return time.perf_counter() - start


def compressor(program, *options):
    return Codec(" ".join((program, *options)), (program,), program,
                 lambda source, file, setting, threads: [program, *options, "-c", source],
                 lambda file, target, threads: [program, "-dc", file], "bytes", True)  # fmt: skip


def cwebp(name, *options):
    return Codec(name, ("cwebp", "dwebp"), "webp",
                 lambda source, file, setting, threads: ["cwebp", "-quiet", *options,
                     *([] if setting is None else ["-q", setting]), *(["-mt"] if threads > 1 else []),
                     source, "-o", file],
                 lambda file, target, threads: ["dwebp", "-quiet", *(["-mt"] if threads > 1 else []), file,
                     "-o", target], "png")  # fmt: skip


def cjxl(name, *options):
    return Codec(name, ("cjxl", "djxl"), "jxl",
                 lambda source, file, setting, threads: ["cjxl", "--quiet", *options,
                     *([] if setting is None else ["-d", setting]), f"--num_threads={threads}", source, file],
                 lambda file, target, threads: ["djxl", "--quiet", f"--num_threads={threads}", file,
                     target])  # fmt: skip


COMPRESSORS = (
    compressor("gzip", "-9"),
    compressor("bzip2", "-9"),
    compressor("xz", "-9e"),
    compressor("zstd", "--ultra", "-22"),
    compressor("brotli", "-q", "11", "-w", "24"),
)
# The colours of what is transparent are kept, too.
WEBP = cwebp("WebP lossless -z 9", "-z", "9", "-exact")
JXL = cjxl("JPEG XL -e 9", "-d", "0", "-e", "9")
JXL7 = cjxl("JPEG XL -e 7", "-d", "0", "-e", "7")
FLIF = Codec("FLIF -E 100", ("flif",), "flif",
             lambda source, file, setting, threads: ["flif", "-e", "-E", "100", "--keep-invisible-rgb",
                 "--overwrite", source, file],
             lambda file, target, threads: ["flif", "-d", "--overwrite", file, target], "png")  # fmt: skip
# These two rewrite PNG files, which are then read as they are.
ZOPFLI = Codec("PNG by zopflipng", ("zopflipng",), "opt.png",
               lambda source, file, setting, threads: ["zopflipng", "-y", source, file],
               lambda file, target, threads: ["cp", file, target], "png")  # fmt: skip
OPTIPNG = Codec("PNG by optipng -o2", ("optipng",), "opt.png",
                lambda source, file, setting, threads: ["optipng", "-quiet", "-o2", "-clobber", "-out", file,
                    source],
                lambda file, target, threads: ["cp", file, target], "png")  # fmt: skip
AVIF = Codec("AVIF", ("avifenc", "avifdec"), "avif",
             lambda source, file, q, threads: ["avifenc", "-j", threads, "-s", "4", "-y", "400", "--min", q,
                 "--max", q, source, file],
             lambda file, target, threads: ["avifdec", "-j", threads, "-d", "8", file, target],
             "png")  # fmt: skip
# An image of 28 x 28 has five resolutions at most; for the mosaic they lose nothing that shows.
JPEG2000 = Codec("JPEG 2000", ("opj_compress", "opj_decompress"), "j2k",
                 lambda source, file, q, threads: ["opj_compress", "-threads", threads, "-I", "-n", 5,
                     "-q", q, "-i", source, "-o", file],
                 lambda file, target, threads: ["opj_decompress", "-threads", threads, "-i", file, "-o",
                     target])  # fmt: skip
# Each with what its setting is called, and the settings, small files first.
LOSSY = (
    (AVIF, "avifenc -s 4 -y 400, --min and --max", (63, 59, 55, 50, 45, 35, 25)),
    (cjxl("JPEG XL"), "cjxl -d", (15, 11, 8, 6, 4, 2, 1)),
    (cwebp("WebP", "-m", "6"), "cwebp -m 6 -q", (0, 5, 10, 20, 30, 60, 90)),
    # By quality, not by ratio: a file of one small image is mostly header.
    (JPEG2000, "opj_compress -I -n 5 -q", (14, 18, 22, 26, 30, 34, 38)),
)


def aez(*arguments, threads=None):
    return run([AEZ, *arguments, "--force", "--quiet"], threads=threads)


def at_once(one, items):
    """`one` of each item, as many at a time as there are processors, in order."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, items))
