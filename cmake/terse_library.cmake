# terse_library(NAME SOURCES … LINK …): one static library per folder, target terse_NAME, alias terse::NAME.
# terse_flags(TARGET): the compiler flags that everything of ours is built with.
# terse_compile_quickly(TARGET): tests and programs, whose own loops are not hot, are optimised little;
#   they then compile in about half the time.

function(terse_flags target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
                                           -Wnon-virtual-dtor -Woverloaded-virtual)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 reports these two inside inlined library code of its own and of fmt (false alarms).
    target_compile_options(${target} PRIVATE -Wno-restrict -Wno-stringop-overflow)
  endif()
  if(TERSE_NATIVE)
    target_compile_options(${target} PRIVATE -march=native)
  else()
    target_compile_options(${target} PRIVATE -march=x86-64-v2)
  endif()
  if(TERSE_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${TERSE_SANITIZE} -fno-omit-frame-pointer
                                             -fno-sanitize-recover=all)
    target_link_options(${target} PRIVATE -fsanitize=${TERSE_SANITIZE})
  endif()
endfunction()

function(terse_compile_quickly target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()

function(terse_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  add_library(terse_${name} STATIC ${ARG_SOURCES})
  add_library(terse::${name} ALIAS terse_${name})
  target_include_directories(terse_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(terse_${name} PUBLIC ${ARG_LINK} PRIVATE ${ARG_PRIVATE_LINK})
  terse_flags(terse_${name})
endfunction()
