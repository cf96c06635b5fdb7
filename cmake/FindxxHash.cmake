# Finds xxHash. Defines the target xxHash::xxHash. If the library chooses its vector width at run time
# (Debian's does on x86-64), the target has the compile definition TERSE_XXH_DISPATCH.
find_path(xxHash_INCLUDE_DIR xxhash.h)
find_library(xxHash_LIBRARY xxhash)
mark_as_advanced(xxHash_INCLUDE_DIR xxHash_LIBRARY)
if(xxHash_FIND_REQUIRED AND NOT (xxHash_INCLUDE_DIR AND xxHash_LIBRARY))
  message(FATAL_ERROR "xxHash was not found. Install the Debian package libxxhash-dev.")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(xxHash REQUIRED_VARS xxHash_LIBRARY xxHash_INCLUDE_DIR)

if(xxHash_FOUND AND NOT TARGET xxHash::xxHash)
  include(CheckCXXSymbolExists)
  set(CMAKE_REQUIRED_INCLUDES ${xxHash_INCLUDE_DIR})
  set(CMAKE_REQUIRED_LIBRARIES ${xxHash_LIBRARY})
  check_cxx_symbol_exists(XXH3_64bits_withSeed_dispatch xxh_x86dispatch.h TERSE_XXH_DISPATCH)
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_REQUIRED_LIBRARIES)
  add_library(xxHash::xxHash UNKNOWN IMPORTED)
  set_target_properties(xxHash::xxHash PROPERTIES
    IMPORTED_LOCATION ${xxHash_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${xxHash_INCLUDE_DIR})
  if(TERSE_XXH_DISPATCH)
    target_compile_definitions(xxHash::xxHash INTERFACE TERSE_XXH_DISPATCH)
  endif()
endif()
