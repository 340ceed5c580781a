# The targets of libae, of the libraries in _libae_libdir and the header in _libae_includedir. The installed package
# (libae-config.cmake) and add_subdirectory (the CMakeLists.txt of the repository) both take them from here.
#
#   libae::libae          libae.so          libae::libae-static    libae.a
#   libae::decode         libae-decode.so   libae::decode-static   libae-decode.a: the half that decodes
#
# A target is there if its library is. In: _libae_version, _libae_abi_version; _libae_built, if the libraries come only
# when that target is built, and then all four targets are there.

# What the shared libraries bring along themselves.
set(_libae_needs z m pthread)

foreach(_libae_pair "libae|libae" "decode|libae-decode")
  string(REPLACE "|" ";" _libae_pair "${_libae_pair}")
  list(GET _libae_pair 0 _libae_name)
  list(GET _libae_pair 1 _libae_file)
  set(_libae_shared "${_libae_libdir}/${_libae_file}.so.${_libae_version}")
  set(_libae_static "${_libae_libdir}/${_libae_file}.a")

  if(NOT TARGET libae::${_libae_name} AND (_libae_built OR EXISTS "${_libae_shared}"))
    add_library(libae::${_libae_name} SHARED IMPORTED ${_libae_scope})
    set_target_properties(libae::${_libae_name} PROPERTIES
      IMPORTED_LOCATION "${_libae_shared}"
      IMPORTED_SONAME "${_libae_file}.so.${_libae_abi_version}"
      INTERFACE_INCLUDE_DIRECTORIES "${_libae_includedir}")
  endif()
  if(NOT TARGET libae::${_libae_name}-static AND (_libae_built OR EXISTS "${_libae_static}"))
    add_library(libae::${_libae_name}-static STATIC IMPORTED ${_libae_scope})
    set_target_properties(libae::${_libae_name}-static PROPERTIES
      IMPORTED_LOCATION "${_libae_static}"
      INTERFACE_INCLUDE_DIRECTORIES "${_libae_includedir}"
      INTERFACE_LINK_LIBRARIES "${_libae_needs}")
  endif()
  if(_libae_built)
    add_dependencies(libae::${_libae_name} ${_libae_built})
    add_dependencies(libae::${_libae_name}-static ${_libae_built})
  endif()
endforeach()

foreach(_libae_name needs pair name file shared static)
  unset(_libae_${_libae_name})
endforeach()
