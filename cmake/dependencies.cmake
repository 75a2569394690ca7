include_guard(GLOBAL)
include(FetchContent)

# knnbert_dependency(<package> TARGET <target> [VERSION <least>] [BELOW <first version that is too new>]
#                    DEBIAN <package name> URL <archive> SHA256 <hash>
#                    [HEADERS <folder of the archive>] [SOURCES <C files of the archive>] [LINK <targets>] [OPTIONAL])
#
# Makes <target> exist: a target of the surrounding project, else an installed package that fits, else the pinned archive.
# With HEADERS the archive is only unpacked and its folder becomes a system include directory, so that none of its
# options, tests and install rules enter this project; without it the archive's own CMakeLists.txt runs. A declaration of
# the surrounding project is its own affair: where it makes the target nothing is added.
# OPTIONAL looks for an installed package only. FETCHCONTENT_SOURCE_DIR_<PACKAGE> (a local copy) beats an installed one.
# knnbert_has_<package> tells the caller whether there is one that fits, knnbert_least_<package> and knnbert_below_<package>
# which do; the global property knnbert_fetched collects what a second project needs in order to use the same copies.
function(knnbert_dependency package)
  cmake_parse_arguments(PARSE_ARGV 1 arg "OPTIONAL" "TARGET;VERSION;BELOW;DEBIAN;URL;SHA256;HEADERS;SOURCES;LINK" "")
  set(knnbert_has_${package} TRUE PARENT_SCOPE)
  set(knnbert_least_${package} "${arg_VERSION}" PARENT_SCOPE)
  set(knnbert_below_${package} "${arg_BELOW}" PARENT_SCOPE)
  if(TARGET ${arg_TARGET})
    return()
  endif()
  string(TOUPPER ${package} upper)
  set(wanted "${package} >= ${arg_VERSION}")
  if(arg_BELOW)
    string(APPEND wanted " and < ${arg_BELOW}")
  endif()
  set(unfit)
  if(NOT FETCHCONTENT_SOURCE_DIR_${upper})
    # No version argument: most of these packages claim compatibility only within one major version. Found elsewhere first:
    # targets cannot be taken back.
    add_subdirectory("${CMAKE_CURRENT_FUNCTION_LIST_DIR}/installed" "${CMAKE_CURRENT_BINARY_DIR}/installed/${package}")
    if(installed)
      if(NOT installed_version OR (installed_version VERSION_GREATER_EQUAL "${arg_VERSION}" AND
                                   (NOT arg_BELOW OR installed_version VERSION_LESS arg_BELOW)))
        find_package(${package} QUIET)
        return()
      endif()
      set(unfit "${installed_place} has ${installed_version}")
    endif()
  endif()
  if(arg_OPTIONAL)
    set(knnbert_has_${package} FALSE PARENT_SCOPE)
    return()
  endif()

  if(NOT KNNBERT_FETCH_DEPENDENCIES AND NOT FETCHCONTENT_SOURCE_DIR_${upper})
    string(REGEX REPLACE "(.+)" "; \\1" unfit "${unfit}")
    message(FATAL_ERROR "knnbert needs ${wanted}${unfit}. Install it (Debian, Ubuntu: apt-get install ${arg_DEBIAN}), "
                        "name its place with CMAKE_PREFIX_PATH, or allow the download with "
                        "-DKNNBERT_FETCH_DEPENDENCIES=ON.")
  endif()
  string(REGEX REPLACE "(.+)" " (${wanted} needed; \\1)" unfit "${unfit}")
  message(STATUS "knnbert: fetching ${package}${unfit}")
  set(options DOWNLOAD_EXTRACT_TIMESTAMP TRUE)
  if(arg_HEADERS)
    list(APPEND options SOURCE_SUBDIR knnbert-unpacks-only)  # a folder without CMakeLists.txt
  elseif(CMAKE_VERSION VERSION_GREATER_EQUAL 3.25)
    list(APPEND options SYSTEM)
  endif()
  FetchContent_Declare(${package} URL ${arg_URL} URL_HASH SHA256=${arg_SHA256} ${options})
  FetchContent_MakeAvailable(${package})
  string(TOLOWER ${package} lower)
  set_property(GLOBAL APPEND PROPERTY knnbert_fetched "-DFETCHCONTENT_SOURCE_DIR_${upper}=${${lower}_SOURCE_DIR}")
  if(arg_HEADERS AND NOT TARGET ${arg_TARGET})
    knnbert_unpacked_library(${package} ${arg_TARGET} "${${lower}_SOURCE_DIR}" "${arg_HEADERS}" "${arg_SOURCES}" "${arg_LINK}")
  endif()
endfunction()

function(knnbert_unpacked_library package target source headers sources link)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} SYSTEM INTERFACE "${source}/${headers}")
  target_link_libraries(${target} INTERFACE ${link})
  if(sources)
    file(GLOB files "${source}/${sources}")
    add_library(knnbert_fetched_${package} STATIC EXCLUDE_FROM_ALL ${files})
    target_include_directories(knnbert_fetched_${package} PRIVATE "${source}/${headers}")
    target_link_libraries(${target} INTERFACE knnbert_fetched_${package})
  endif()
endfunction()

macro(knnbert_find_xsimd)
  knnbert_dependency(xsimd TARGET xsimd VERSION 8.1 DEBIAN libxsimd-dev HEADERS include
    URL https://github.com/xtensor-stack/xsimd/archive/refs/tags/13.2.0.tar.gz
    SHA256 edd8cd3d548c185adc70321c53c36df41abe64c1fe2c67bc6d93c3ecda82447a)
endmacro()

macro(knnbert_find_eigen)
  knnbert_dependency(Eigen3 TARGET Eigen3::Eigen VERSION 3.4 DEBIAN libeigen3-dev HEADERS .
    URL https://gitlab.com/libeigen/eigen/-/archive/3.4.0/eigen-3.4.0.tar.gz
    SHA256 8586084f71f9bde545ee7fa6d00288b264a2b7ac3607b974e54d13e7162c1c72)
endmacro()

macro(knnbert_find_json)
  knnbert_dependency(nlohmann_json TARGET nlohmann_json::nlohmann_json VERSION 3.11 DEBIAN nlohmann-json3-dev HEADERS include
    URL https://github.com/nlohmann/json/releases/download/v3.11.3/json.tar.xz
    SHA256 d6c65aca6b1ed68e7a182f4757257b107ae403032760ed6ef121c9d55e81757d)
endmacro()

macro(knnbert_find_zlib)
  knnbert_dependency(ZLIB TARGET ZLIB::ZLIB VERSION 1.2 DEBIAN zlib1g-dev HEADERS . SOURCES *.c ${ARGN}
    URL https://github.com/madler/zlib/releases/download/v1.3.1/zlib-1.3.1.tar.gz
    SHA256 9a93b2b7dfdac77ceba5a558a580e74667dd6fede4585b91eefb60f03b72df23)
endmacro()

# Only from the system, and only for .xz corpora of `knnbert pretrain`.
macro(knnbert_find_lzma)
  find_package(LibLZMA QUIET)
  set(knnbert_has_LibLZMA ${LIBLZMA_FOUND})
  if(NOT LIBLZMA_FOUND)
    message(STATUS "knnbert: no liblzma: .xz files cannot be read (Debian: liblzma-dev)")
  endif()
endmacro()

# From 0.26 on, xtensor's headers lie in other folders.
macro(knnbert_find_xtensor)
  knnbert_dependency(xtl TARGET xtl VERSION 0.7 DEBIAN xtl-dev HEADERS include ${ARGN}
    URL https://github.com/xtensor-stack/xtl/archive/refs/tags/0.7.7.tar.gz
    SHA256 44fb99fbf5e56af5c43619fc8c29aa58e5fad18f3ba6e7d9c55c111b62df1fbb)
  knnbert_dependency(xtensor TARGET xtensor VERSION 0.24 BELOW 0.26 DEBIAN libxtensor-dev HEADERS include LINK xtl ${ARGN}
    URL https://github.com/xtensor-stack/xtensor/archive/refs/tags/0.25.0.tar.gz
    SHA256 32d5d9fd23998c57e746c375a544edf544b74f0a18ad6bc3c38cbba968d5e6c7)
endmacro()

# Only from the system: an MPI belongs to the machine's network and launcher. FindMPI makes its target even where it found
# nothing that works, as with the libraries of a runtime without headers: MPI_CXX_FOUND is what counts.
macro(knnbert_find_mpi)
  set(MPI_CXX_SKIP_MPICXX TRUE)
  set(knnbert_has_MPI FALSE)
  if(KNNBERT_MPI STREQUAL "AUTO")
    find_package(MPI QUIET COMPONENTS CXX)
  elseif(KNNBERT_MPI)
    find_package(MPI REQUIRED COMPONENTS CXX)
  endif()
  if(KNNBERT_MPI AND MPI_CXX_FOUND)
    set(knnbert_has_MPI TRUE)
  elseif(KNNBERT_MPI)
    message(STATUS "knnbert: no MPI: none that compiles and links was found (Debian: libopenmpi-dev openmpi-bin)")
  endif()
endmacro()

macro(knnbert_find_cli11)
  knnbert_dependency(CLI11 TARGET CLI11::CLI11 VERSION 2.1 DEBIAN libcli11-dev HEADERS include
    URL https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.4.2.tar.gz
    SHA256 f2d893a65c3b1324c50d4e682c0cdc021dd0477ae2c048544f39eed6654b699a)
endmacro()

macro(knnbert_find_catch2)
  knnbert_dependency(Catch2 TARGET Catch2::Catch2 VERSION 2.13 DEBIAN catch2
    URL https://github.com/catchorg/Catch2/archive/refs/tags/v3.7.1.tar.gz
    SHA256 c991b247a1a0d7bb9c39aa35faf0fe9e19764213f28ffba3109388e62ee0269c)
endmacro()
