# Finds OpenBLAS's header and library without OpenBLASConfig.cmake, because Debian 13's names a library path
# that does not exist. Debian keeps the header in <multiarch>/openblas-{pthread,openmp,serial}, Fedora in
# openblas.
#
# Defines the target OpenBLAS::OpenBLAS, with cblas.h in its include folder and LAPACK's symbols in its library.
set(suffixes openblas-pthread openblas-openmp openblas-serial openblas)
# Only a cblas.h beside openblas_config.h is OpenBLAS's. Others do not declare openblas_set_num_threads.
find_path(OpenBLAS_INCLUDE_DIR openblas_config.h PATH_SUFFIXES ${suffixes})
find_library(OpenBLAS_LIBRARY openblas PATH_SUFFIXES ${suffixes})
mark_as_advanced(OpenBLAS_INCLUDE_DIR OpenBLAS_LIBRARY)

include(FindPackageHandleStandardArgs)
if(OpenBLAS_FIND_REQUIRED AND NOT (OpenBLAS_INCLUDE_DIR AND OpenBLAS_LIBRARY))
  message(FATAL_ERROR "OpenBLAS was not found. Install the Debian package libopenblas-dev.")
endif()
find_package_handle_standard_args(OpenBLAS REQUIRED_VARS OpenBLAS_LIBRARY OpenBLAS_INCLUDE_DIR)

if(OpenBLAS_FOUND AND NOT TARGET OpenBLAS::OpenBLAS)
  add_library(OpenBLAS::OpenBLAS UNKNOWN IMPORTED)
  set_target_properties(OpenBLAS::OpenBLAS PROPERTIES
    IMPORTED_LOCATION ${OpenBLAS_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${OpenBLAS_INCLUDE_DIR})
endif()
