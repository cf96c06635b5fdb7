# What cmake --install and cpack do.
#
#   component development   libraries, headers, tersegradConfig.cmake, tersegrad.pc; Debian package libtersegrad-dev
#   component programs      the programs of examples/, and shared libraries if there are any; Debian package tersegrad
#
# cpack -G DEB, in a build folder where everything is built, writes the two packages to its subfolder packages.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(libraries core optim comm mpi nn data inspect)
list(TRANSFORM libraries PREPEND terse_ OUTPUT_VARIABLE targets)
install(TARGETS terse ${targets} EXPORT tersegradTargets
  ARCHIVE COMPONENT development
  LIBRARY COMPONENT programs NAMELINK_COMPONENT development
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# Headers *-inl.hpp are parts of kernels: no other header includes them, and they need Highway and its flags.
# mpi_endpoint.hpp is internal to the MPI transport and needs mpi.h.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
  core/*.hpp optim/*.hpp comm/*.hpp nn/*.hpp data/*.hpp inspect/*.hpp)
list(FILTER headers EXCLUDE REGEX "-inl[.]hpp$|/mpi_endpoint[.]hpp$")
foreach(header IN LISTS headers)
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tersegrad/${folder} COMPONENT development)
endforeach()
install(FILES ${PROJECT_BINARY_DIR}/include/tersegrad/version.hpp
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tersegrad COMPONENT development)

set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/tersegrad)
install(EXPORT tersegradTargets NAMESPACE tersegrad:: DESTINATION ${config_folder} COMPONENT development)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/tersegradConfig.cmake.in
  ${PROJECT_BINARY_DIR}/package/tersegradConfig.cmake
  INSTALL_DESTINATION ${config_folder} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/tersegradConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)  # as long as the major version is 0
install(FILES
    ${PROJECT_BINARY_DIR}/package/tersegradConfig.cmake
    ${PROJECT_BINARY_DIR}/package/tersegradConfigVersion.cmake
    ${CMAKE_CURRENT_LIST_DIR}/FindOpenBLAS.cmake
    ${CMAKE_CURRENT_LIST_DIR}/Findutf8proc.cmake
    ${CMAKE_CURRENT_LIST_DIR}/FindxxHash.cmake
  DESTINATION ${config_folder} COMPONENT development)

# For pkg-config. Paths are relative to the file, since a package is installed elsewhere than this build would be.
file(RELATIVE_PATH pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
set(pc_cflags)
if(TERSE_ONE_LEVEL)
  set(pc_cflags " -DTERSE_ONE_LEVEL")
endif()
set(pc_private)  # what shared libraries know by themselves
if(NOT BUILD_SHARED_LIBS)
  set(pc_private "openblas libhwy libxxhash zlib libjpeg libutf8proc")
  if(TERSE_PARALLEL STREQUAL "tbb")
    string(APPEND pc_private " tbb")
  endif()
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/tersegrad.pc.in ${PROJECT_BINARY_DIR}/package/tersegrad.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/package/tersegrad.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

set(doc_folder ${CMAKE_INSTALL_DATAROOTDIR}/doc)
install(FILES LICENSE DESTINATION ${doc_folder}/libtersegrad-dev RENAME copyright COMPONENT development)

# Their names alone would be too common for a folder that all programs share: /usr/bin/compare is ImageMagick's.
if(TERSE_PROGRAMS)
  install(FILES LICENSE DESTINATION ${doc_folder}/tersegrad RENAME copyright COMPONENT programs)
  set(program_folder ${CMAKE_INSTALL_LIBEXECDIR}/tersegrad)
  file(RELATIVE_PATH to_programs ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_PREFIX}/${program_folder})
  file(RELATIVE_PATH to_libraries ${CMAKE_INSTALL_PREFIX}/${program_folder} ${CMAKE_INSTALL_FULL_LIBDIR})
  set(programs train compare report explain export inspect bytes advise byzantine staleness step_time whatif)
  if(BUILD_SHARED_LIBS)
    set_target_properties(${programs} PROPERTIES INSTALL_RPATH "$ORIGIN/${to_libraries}")
  endif()
  install(TARGETS ${programs} DESTINATION ${program_folder} COMPONENT programs)
  foreach(program IN LISTS programs)
    file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/package/bin)
    file(CREATE_LINK ${to_programs}/${program} ${PROJECT_BINARY_DIR}/package/bin/tersegrad-${program} SYMBOLIC)
    install(FILES ${PROJECT_BINARY_DIR}/package/bin/tersegrad-${program}
      DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT programs)
  endforeach()
endif()

if(PROJECT_IS_TOP_LEVEL)
  set(CPACK_GENERATOR DEB)
  set(CPACK_PACKAGE_NAME tersegrad)
  set(CPACK_PACKAGE_CONTACT "The tersegrad authors <tersegrad@localhost>")
  set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
  set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
  set(CPACK_STRIP_FILES ON)
  set(CPACK_COMPONENTS_ALL development)
  set(CPACK_DEB_COMPONENT_INSTALL ON)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)

  set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libtersegrad-dev)
  set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
  set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Libraries, headers, CMake and pkg-config files.")
  set(depends libfmt-dev nlohmann-json3-dev)
  if(BUILD_SHARED_LIBS)
    list(APPEND depends "tersegrad (= ${PROJECT_VERSION})")
  else()
    list(APPEND depends libopenblas-dev libhwy-dev libxxhash-dev zlib1g-dev libjpeg-dev libutf8proc-dev)
    if(TERSE_PARALLEL STREQUAL "tbb")
      list(APPEND depends libtbb-dev)
    endif()
    if(MPI_CXX_FOUND)
      list(APPEND depends libopenmpi-dev)
    endif()
  endif()
  list(JOIN depends ", " CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS)

  if(TERSE_PROGRAMS OR BUILD_SHARED_LIBS)
    list(APPEND CPACK_COMPONENTS_ALL programs)
  endif()
  set(CPACK_DEBIAN_PROGRAMS_PACKAGE_NAME tersegrad)
  set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SECTION science)
  set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_PROGRAMS_PACKAGE_RECOMMENDS "dataset-fashion-mnist")
  set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SUGGESTS "openmpi-bin")
  set(CPACK_COMPONENT_PROGRAMS_DESCRIPTION
      "tersegrad-train, tersegrad-compare, tersegrad-explain and others; each explains itself with --help.")
  include(CPack)
endif()
