# Puts the libraries of a checkout, and the models that they look for beside themselves, into the folder of a CMake build:
# from a folder of libraries that were built before, else from .build/lib, which `make lib` makes if it is not there.
#
# usage: cmake -D ROOT=... -D PREBUILT=... -D OUT=... -D ABI_VERSION=1 -D FILES=libae.so.0.2.0:libae.a -P build.cmake

string(REPLACE ":" ";" FILES "${FILES}")

# missing(FOLDER RESULT): the files that are not there.
function(missing folder result)
  set(absent)
  foreach(file IN LISTS FILES)
    if(NOT EXISTS "${folder}/${file}")
      list(APPEND absent ${file})
    endif()
  endforeach()
  set(${result} "${absent}" PARENT_SCOPE)
endfunction()

if(PREBUILT)
  set(folder "${PREBUILT}")
else()
  set(folder "${ROOT}/.build/lib")
  missing("${folder}" absent)
  if(absent)
    find_program(make NAMES make gmake)
    if(NOT make)
      message(FATAL_ERROR "libae: no make here to build the libraries with; or set LIBAE_PREBUILT to a folder that has them")
    endif()
    execute_process(COMMAND "${make}" -C "${ROOT}" lib RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
      message(FATAL_ERROR "libae: make lib failed in ${ROOT}, see above; it needs Swift 6.3 "
        "(https://swift.org/install). Or set LIBAE_PREBUILT to a folder that has the libraries")
    endif()
  endif()
endif()
missing("${folder}" absent)
if(absent)
  message(FATAL_ERROR "libae: ${absent} not in ${folder}")
endif()

foreach(file IN LISTS FILES)
  file(COPY "${folder}/${file}" DESTINATION "${OUT}/lib")
  # As if made now, whatever the copy's time: the build compares.
  file(TOUCH "${OUT}/lib/${file}")
endforeach()
foreach(library libae libae-decode)
  foreach(file IN LISTS FILES)
    if(file MATCHES "^${library}\\.so\\.([0-9.]+)$")
      file(CREATE_LINK "${file}" "${OUT}/lib/${library}.so.${ABI_VERSION}" SYMBOLIC)
    endif()
  endforeach()
endforeach()
file(MAKE_DIRECTORY "${OUT}/share/libae")
file(CREATE_LINK "${ROOT}/models" "${OUT}/share/libae/models" SYMBOLIC)
