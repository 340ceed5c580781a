// Files on a real file system: what is written is there whole or not at all.

import Bytes
import Core
import Glibc
import Testing

/// A fresh folder that is removed with all it holds.
private final class Folder {
  let path: String

  init() {
    var template = Array("/tmp/libae-bytes-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template)!)
  }

  deinit {
    for name in entries { unlink("\(path)/\(name)") }
    rmdir(path)
  }

  var entries: [String] {
    var names: [String] = []
    let directory = opendir(path)!
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    closedir(directory)
    return names.sorted()
  }

  func mode(_ name: String) -> mode_t {
    var status = stat()
    stat("\(path)/\(name)", &status)
    return status.st_mode & 0o7777
  }
}

private func write(_ path: String, _ text: String, overwrite: Bool = false) throws(AEError) {
  let bytes = Array(text.utf8)
  try File.write(path, bytes, bytes.count, overwrite: overwrite)
}

@Test("a file comes back as it was written, and nothing else is left in the folder")
func writeThenRead() throws {
  let folder = Folder()
  let path = "\(folder.path)/a.bin"
  #expect(!File.exists(path))
  try write(path, "first")
  #expect(File.exists(path))
  #expect(try File.read(path).array == Array("first".utf8))
  #expect(try path.withCString { try File.read(cPath: $0).count } == 5)
  #expect(folder.entries == ["a.bin"])
  try write("\(folder.path)/empty", "")
  #expect(try File.read("\(folder.path)/empty").count == 0)
}

@Test("a name that is taken is kept unless overwriting is asked for")
func neverClobbers() throws {
  let folder = Folder()
  let path = "\(folder.path)/a.bin"
  try write(path, "first")
  let error = failure { () throws(AEError) in try write(path, "second") }
  #expect(error?.code == .io)
  #expect(error?.message == "\(path): exists already")
  #expect(try File.read(path).array == Array("first".utf8))
  try write(path, "second", overwrite: true)
  #expect(try File.read(path).array == Array("second".utf8))
  #expect(folder.entries == ["a.bin"])
  // A link to nowhere takes its name too.
  symlink("nowhere", "\(folder.path)/link")
  let dangling = failure { () throws(AEError) in try write("\(folder.path)/link", "x") }
  #expect(dangling?.message == "\(folder.path)/link: exists already")
}

@Test("a link stays a link and what it points at is replaced")
func linksAreFollowed() throws {
  let folder = Folder()
  try write("\(folder.path)/target", "old")
  symlink("target", "\(folder.path)/link")
  try write("\(folder.path)/link", "new", overwrite: true)
  #expect(try File.read("\(folder.path)/target").array == Array("new".utf8))
  var status = stat()
  lstat("\(folder.path)/link", &status)
  #expect(status.st_mode & S_IFMT == S_IFLNK)
}

@Test("a new file has the permissions of the umask, a replaced one passes its own on")
func permissions() throws {
  let folder = Folder()
  let path = "\(folder.path)/a.bin"
  try write(path, "first")
  let mask = umask(0)
  umask(mask)
  #expect(folder.mode("a.bin") == 0o666 & ~mask)
  chmod(path, 0o640)
  try write(path, "second", overwrite: true)
  #expect(folder.mode("a.bin") == 0o640)
}

@Test("missing paths, folders and long names are errors that name the path and the reason")
func clearErrors() throws {
  let folder = Folder()
  let missing = "\(folder.path)/no/such"
  #expect(
    failure { () throws(AEError) in _ = try File.read(missing) }?.message
      == "\(missing): cannot open: No such file or directory")
  #expect(
    failure { () throws(AEError) in try write(missing, "x") }?.message
      == "\(missing): cannot create: No such file or directory")
  #expect(
    failure { () throws(AEError) in _ = try File.read(folder.path) }?.message
      == "\(folder.path): cannot read: Is a directory")
  for path in [folder.path, folder.path + "/"] {
    let error = failure { () throws(AEError) in try write(path, "x", overwrite: true) }
    #expect(error?.message == "\(path): cannot create: Is a directory")
  }
  #expect(failure { () throws(AEError) in try write("", "x") }?.code == .io)
  let long = folder.path + "/" + String(repeating: "n", count: 300)
  #expect(
    failure { () throws(AEError) in try write(long, "x") }?.message.hasSuffix(": File name too long") == true)
  #expect(folder.entries == [])
  let longest = folder.path + "/" + String(repeating: "n", count: 255)
  try write(longest, "x")
  #expect(try File.read(longest).count == 1)
}

@Test("a full device is an error")
func fullDevice() {
  let error = failure { () throws(AEError) in try write("/dev/full", "x") }
  #expect(error?.code == .io)
  #expect(error?.message == "/dev/full: cannot write: No space left on device")
}

/// Runs `body` in a child process, where limits can be set that other tests must not meet, and returns
/// its exit code. Swift hides fork because threads do not follow; the child starts none.
private func inChild(_ body: () -> Int32) -> Int32 {
  let fork = unsafeBitCast(dlsym(nil, "fork"), to: (@convention(c) () -> pid_t).self)
  let child = fork()
  if child == 0 { _exit(body()) }
  var status: Int32 = -1
  while waitpid(child, &status, 0) < 0 && errno == EINTR {}
  return status & 0x7f == 0 ? (status >> 8) & 0xff : -1
}

@Test("a full disk leaves the old file and nothing beside it")
func fullDisk() throws {
  // A limit on the size of files stands in for a full disk: writes beyond it fail part of the way.
  let folder = Folder()
  let path = "\(folder.path)/a.bin"
  try write(path, "first")
  let code = inChild {
    signal(SIGXFSZ, SIG_IGN)
    var limit = rlimit(rlim_cur: 4096, rlim_max: 4096)
    setrlimit(__rlimit_resource_t(1), &limit)
    let zeros = [UInt8](repeating: 0, count: 10_000)
    let error = failure { () throws(AEError) in try File.write(path, zeros, zeros.count, overwrite: true) }
    return error?.message == "\(path): cannot write: File too large" ? 7 : 8
  }
  #expect(code == 7)
  #expect(try File.read(path).array == Array("first".utf8))
  #expect(folder.entries == ["a.bin"])
}

@Test("memory that is refused is an error, not the end")
func memoryRefused() throws {
  let folder = Folder()
  let path = "\(folder.path)/long"
  try write(path, "")
  truncate(path, 1 << 31)
  let code = inChild {
    var limit = rlimit(rlim_cur: 1 << 30, rlim_max: 1 << 30)
    setrlimit(__rlimit_resource_t(9), &limit)
    let error = failure { () throws(AEError) in _ = try File.read(path) }
    return error?.code == .memory ? 7 : 8
  }
  #expect(code == 7)
}

@Test("devices are written to as they are")
func devices() throws {
  try write("/dev/null", "x")
  try write("/dev/null", "x", overwrite: true)
  var status = stat()
  stat("/dev/null", &status)
  #expect(status.st_mode & S_IFMT == S_IFCHR)
}

@Test("pipes and descriptors are read to their end")
func pipes() throws {
  var ends: [Int32] = [0, 0]
  pipe(&ends)
  let text = [UInt8](repeating: 0x2a, count: 50_000)
  try File.writeDescriptor(ends[1], name: "pipe", text, text.count)
  close(ends[1])
  #expect(try File.readDescriptor(ends[0], name: "pipe").array == text)
  close(ends[0])
}

@Test("a file, pipe or device longer than the limit is refused, one as long as it is not")
func limits() throws {
  let folder = Folder()
  let path = "\(folder.path)/ten"
  try write(path, "0123456789")
  #expect(try File.read(path, limit: 10).count == 10)
  for limit in [9, 1, 0] {
    let error = failure { () throws(AEError) in _ = try File.read(path, limit: limit) }
    #expect(error?.message == "\(path): is longer than \(limit) bytes")
  }
  let endless = failure { () throws(AEError) in _ = try File.read("/dev/zero", limit: 1 << 20) }
  #expect(endless?.message == "/dev/zero: is longer than 1048576 bytes")
}

@Test("a pipe that nobody reads and a limit on files are errors, and no signal")
func noSignals() throws {
  let folder = Folder()
  let code = inChild {
    signal(SIGPIPE, SIG_DFL)
    signal(SIGXFSZ, SIG_DFL)
    var ends: [Int32] = [0, 0]
    pipe(&ends)
    close(ends[0])
    let bytes = [UInt8](repeating: 0, count: 10_000)
    let pipe = failure { () throws(AEError) in
      try File.write("/dev/fd/\(ends[1])", bytes, bytes.count, overwrite: true)
    }
    var limit = rlimit(rlim_cur: 4096, rlim_max: 4096)
    setrlimit(__rlimit_resource_t(1), &limit)
    let large = failure { () throws(AEError) in
      try File.write("\(folder.path)/a", bytes, bytes.count, overwrite: true)
    }
    var pending = sigset_t()
    sigpending(&pending)
    guard sigismember(&pending, SIGPIPE) == 0, sigismember(&pending, SIGXFSZ) == 0 else { return 9 }
    return pipe?.message.hasSuffix(": Broken pipe") == true
      && large?.message.hasSuffix(": File too large") == true
      ? 7 : 8
  }
  #expect(code == 7)
  #expect(folder.entries == [])
}

@Test("what a killed writer left goes with the next write of the same file, and nothing else does")
func leftoversAreSwept() throws {
  let folder = Folder()
  // The hash of "a.bin" in the name, as the writer makes it.
  var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  for byte in "a.bin".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
  let digits = String(hash, radix: 16)
  let mine = ".aez-" + String(repeating: "0", count: 16 - digits.count) + digits + "-0123456789abcdef.tmp"
  let others = [".aez-0000000000000000-0123456789abcdef.tmp", mine + "x", "notes.tmp"]
  for name in others + [mine] { try write("\(folder.path)/\(name)", "left") }
  let held = open("\(folder.path)/\(mine)", O_RDONLY)
  flock(held, LOCK_EX)
  try write("\(folder.path)/a.bin", "one")
  #expect(folder.entries.contains(mine))
  close(held)
  try write("\(folder.path)/a.bin", "two", overwrite: true)
  #expect(folder.entries == (others + ["a.bin"]).sorted())
}

@Test("names that were found lead to regular files alone, and to nothing that is waited for")
func onlyRegularFiles() throws {
  let folder = Folder()
  let (file, fifo) = ("\(folder.path)/file", "\(folder.path)/fifo")
  try File.write(file, Array("x".utf8), 1, overwrite: false)
  #expect(mkfifo(fifo, 0o600) == 0)
  #expect(try File.readRegular(file).array == Array("x".utf8))
  #expect(try ByteInput(regular: file).peek(9).count == 1)
  let cases = [
    (fifo, "is a FIFO (named pipe), not a file"), (folder.path, "is a folder, not a file"),
    ("/dev/zero", "is a device, not a file"),
    ("\(folder.path)/none", "cannot open: No such file or directory"),
  ]
  for (path, expected) in cases {
    #expect(
      failure { () throws(AEError) in _ = try File.readRegular(path) }?.message == "\(path): \(expected)")
    #expect(
      failure { () throws(AEError) in _ = try ByteInput(regular: path) }?.message == "\(path): \(expected)")
  }
}

@Test("bytes come in order, however they are asked for")
func inputsGiveAll() throws {
  let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
  let packed = try Zlib.gzip(bytes, bytes.count)
  for (data, count) in [(try Buffer<UInt8>(bytes), 200_000), (packed, 200_000)] {
    let input = try ByteInput(data.base, data.count, name: "x")
    #expect(input.isGzip == (data.count != 200_000))
    #expect(Array(try input.peek(10)) == Array(bytes.prefix(10)))
    var all: [UInt8] = []
    for size in [1, 3, 70_000] {
      #expect(try input.peek(5).first == bytes[all.count])
      var piece = [UInt8](repeating: 0, count: size)
      #expect(try input.read(into: &piece, size) == size)
      all += piece
    }
    #expect(input.offset == 70_004)
    all += try input.bytes(atMost: 1 << 40).array
    #expect(all == bytes && all.count == count)
    #expect(try input.peek(1).isEmpty)
  }
}
