// Which words can name an array in C source that a stranger compiles, as C or as C++, and links with the standard
// library.

import ToolKit

enum CIdentifier {
  /// What is wrong with a name, as the end of a sentence; nil if it will do.
  static func problem(_ name: String) -> String? {
    func isLetter(_ byte: UInt8) -> Bool {
      (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x5F
    }
    let bytes = Array(name.utf8)
    guard let first = bytes.first else { return "it is empty" }
    guard bytes.allSatisfy({ isLetter($0) || (0x30...0x39).contains($0) }) else {
      return "it may hold letters without accents, digits and underscores alone"
    }
    if (0x30...0x39).contains(first) { return "'\(name)' begins with a digit" }
    if first == 0x5F || name.contains("__") {
      return
        "'\(name)' is reserved: names that begin with an underscore or hold two of them in a row are the compiler's"
    }
    if bytes.count > longest {
      return "it has \(bytes.count) characters, and compilers need tell apart no more than \(longest)"
    }
    if isTaken(name, keywords) { return "'\(name)' is a keyword of C or C++" }
    if isTaken(name, library) { return "'\(name)' is a name of the standard library or of the compiler" }
    return nil
  }

  /// The significant characters of an external name that C promises, less those of "_size".
  private static let longest = 58

  private static func isTaken(_ name: String, _ words: String) -> Bool {
    words.split(whereSeparator: { $0 == " " || $0 == "\n" }).contains { $0 == name }
  }

  /// C23 and C++23.
  private static let keywords = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class \
    co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype \
    default delete do double dynamic_cast else enum explicit export extern false float for friend fortran goto if \
    inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public \
    register reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct \
    switch template this thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned \
    using virtual void volatile wchar_t while xor xor_eq
    """

  /// What <stddef.h> and compilers define, and the external names of the standard library, which an array of the
  /// same name would take the place of.
  private static let library = """
    NULL i386 linux max_align_t nullptr_t offsetof ptrdiff_t size_t unix unreachable main environ errno stdin \
    stdout stderr std \
    abort abs acos acosh aligned_alloc alloca asctime asin asinh at_quick_exit atan atan2 atanh atexit atof atoi \
    atol atoll bcmp bcopy bsearch bzero cabs calloc cbrt ceil cexp clearerr clock close conj copysign cos cosh \
    ctime difftime div dup erf erfc exit exp exp2 expm1 fabs fclose fdim feof ferror fflush ffs fgetc fgetpos \
    fgets fgetwc fgetws floor fma fmax fmin fmod fopen fork fprintf fputc fputs fputwc fputws fread free freopen \
    frexp fscanf fseek fsetpos ftell fwide fwprintf fwrite fwscanf gamma getc getchar getenv gets getwc getwchar \
    gmtime hypot ilogb imaxabs index isalnum isalpha isascii isblank iscntrl isdigit isgraph islower isprint ispunct \
    isspace isupper isxdigit j0 j1 jn kill labs ldexp ldiv lgamma link llabs lldiv llrint llround localeconv \
    localtime log log10 log1p log2 logb longjmp lrint lround malloc mblen mbrlen mbrtowc mbsinit mbsrtowcs \
    mbstowcs mbtowc memccpy memchr memcmp memcpy memmove mempcpy memset mktime modf nan nearbyint nextafter \
    nexttoward open perror pow printf putc putchar puts putwc putwchar qsort quick_exit raise rand read realloc \
    remainder remove remquo rename rewind rindex rint round scalb scalbln scalbn scanf select setbuf setjmp \
    setlocale setvbuf signal signbit sin sinh snprintf sprintf sqrt srand sscanf stat stpcpy stpncpy strcasecmp \
    strcat strchr strcmp strcoll strcpy strcspn strdup strerror strftime strlen strncasecmp strncat strncmp \
    strncpy strndup strpbrk strrchr strspn strstr strtod strtof strtok strtol strtold strtoll strtoul strtoull \
    strxfrm swprintf swscanf system tan tanh tgamma time timespec_get tmpfile tmpnam toascii tolower toupper \
    towctrans towlower towupper trunc ungetc ungetwc unlink vfprintf vfscanf vprintf vscanf vsnprintf vsprintf \
    vsscanf wait wcscat wcschr wcscmp wcscpy wcslen wcsncpy wcstod wcstol wctob wmemchr wmemcmp wmemcpy wmemset \
    wprintf write wscanf y0 y1 yn
    """
}
