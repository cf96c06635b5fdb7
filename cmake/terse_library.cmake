# terse_library(NAME [INTERNAL] SOURCES … LINK …): adds the library of one folder, target terse_NAME, with the aliases
#   tersegrad::NAME, which find_package also defines, and terse::NAME. An INTERNAL library is always static and is not
#   installed. Headers are included as tersegrad/FOLDER/…. The build tree has a folder of links for this, so that the
#   name of a header cannot clash with one in a user's project.
# terse_flags(TARGET): sets the compiler flags of all targets of the project.
# terse_compile_quickly(TARGET): optimises tests and programs, whose own loops are not hot, with -O1, or -O0 in
#   Debug builds. They then compile in about half the time.
# terse_compile_alone(SOURCE…): excludes kernels and files that use Highway's vectors from unity builds.
# terse_parse_once(TARGET OWNER HEADERS…): precompiles headers once for all targets that name the same OWNER,
#   which is the first of them: headers of the system and of fmt, and HEADERS. Headers of the project are never
#   precompiled.

function(terse_flags target)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
                                           -Wnon-virtual-dtor -Woverloaded-virtual -Wredundant-decls)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 reports these two inside inlined code of its own library and of fmt (false positives).
    target_compile_options(${target} PRIVATE -Wno-restrict -Wno-stringop-overflow)
  else()
    # This warning is about vectors passed between functions of different flags. Here all have the same flags.
    target_compile_options(${target} PRIVATE -Wno-psabi)
  endif()
  # One binary for every CPU: kernels are compiled for several levels and chosen at run time (core/simd/). All
  # other code is compiled for the lowest level.
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
    target_compile_options(${target} PRIVATE -march=x86-64-v2)
    # Highway's SSE4 and AVX2 would require AES, which no kernel uses. 0x50 are Highway's levels above AVX3
    # (for Zen 4 and Sapphire Rapids), which gain nothing in float.
    target_compile_definitions(${target} PRIVATE HWY_DISABLE_PCLMUL_AES HWY_DISABLED_TARGETS=0x50)
  else()
    target_compile_definitions(${target} PRIVATE HWY_COMPILE_ONLY_STATIC)
  endif()
  if(TERSE_ONE_LEVEL)
    target_compile_definitions(${target} PRIVATE HWY_COMPILE_ONLY_STATIC)
  endif()
  if(TERSE_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${TERSE_SANITIZE} -fno-omit-frame-pointer
                                             -fno-sanitize-recover=all)
    target_compile_definitions(${target} PRIVATE TERSE_SANITIZED)
    target_link_options(${target} PRIVATE -fsanitize=${TERSE_SANITIZE})
  endif()
endfunction()

function(terse_compile_quickly target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release,RelWithDebInfo>:-O1> $<$<CONFIG:Debug>:-O0>)
endfunction()

set(terse_system_headers
  <fmt/format.h> <algorithm> <array> <chrono> <cmath> <cstdint> <functional> <memory> <mutex>
  <optional> <span> <string> <string_view> <thread> <vector>)

function(terse_parse_once target owner)
  if(target STREQUAL owner)
    target_precompile_headers(${target} PRIVATE ${terse_system_headers} ${ARGN})
  else()
    target_precompile_headers(${target} REUSE_FROM ${owner})
  endif()
endfunction()

# A unity build compiles several files of a library as one, in half the time. Files that use Highway are
# excluded: foreach_target.h, which compiles a file once for each target, takes one file only.
function(terse_compile_alone)
  foreach(source ${ARGN})
    get_filename_component(file ${source} ABSOLUTE)
    file(STRINGS ${file} vectors REGEX "#include [\"<](hwy/|.*-inl[.])" LIMIT_COUNT 1)
    if(vectors OR file MATCHES "/kernels/")
      set_source_files_properties(${source} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    endif()
  endforeach()
endfunction()

foreach(folder core nn optim data comm inspect)
  file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/include/tersegrad)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${folder} ${PROJECT_BINARY_DIR}/include/tersegrad/${folder} SYMBOLIC)
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/version.hpp.in ${PROJECT_BINARY_DIR}/include/tersegrad/version.hpp @ONLY)

function(terse_library name)
  cmake_parse_arguments(ARG "INTERNAL" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  set(kind)  # as BUILD_SHARED_LIBS says
  if(ARG_INTERNAL)
    set(kind STATIC)
  endif()
  add_library(terse_${name} ${kind} ${ARG_SOURCES})
  add_library(terse::${name} ALIAS terse_${name})
  add_library(tersegrad::${name} ALIAS terse_${name})
  terse_compile_alone(${ARG_SOURCES})
  target_include_directories(terse_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>)
  target_link_libraries(terse_${name} PUBLIC ${ARG_LINK} PRIVATE ${ARG_PRIVATE_LINK})
  target_compile_features(terse_${name} PUBLIC cxx_std_20)
  set_target_properties(terse_${name} PROPERTIES
    OUTPUT_NAME tersegrad_${name} EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} INSTALL_RPATH "$ORIGIN")
  terse_flags(terse_${name})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # In position independent code GCC inlines no function that another library could replace; Clang does.
    target_compile_options(terse_${name} PRIVATE -fno-semantic-interposition)
  endif()
  if(TERSE_ONE_LEVEL)  # core/simd/vectorized.hpp asks, in a program's own code too
    target_compile_definitions(terse_${name} PUBLIC TERSE_ONE_LEVEL)
  endif()
  # Not in release builds, which thereby check that every file includes what it uses, and not in the build for
  # fuzzing, in which one library alone reports its coverage.
  if(TERSE_SANITIZE AND NOT TERSE_FUZZ)
    terse_parse_once(terse_${name} terse_core)
  endif()
endfunction()
