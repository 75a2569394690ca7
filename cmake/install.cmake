include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(knnbert_config_dir ${CMAKE_INSTALL_DATADIR}/cmake/knnbert)

install(DIRECTORY include/knnbert DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT knnbert_development
        FILES_MATCHING PATTERN "*.hpp")
if(TARGET knnbert_dispatch)
  set(dispatch knnbert_dispatch)
endif()
install(TARGETS knnbert ${dispatch} EXPORT knnbertTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT knnbert_development INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT knnbertTargets NAMESPACE knnbert:: DESTINATION ${knnbert_config_dir} COMPONENT knnbert_development)

configure_package_config_file(cmake/knnbertConfig.cmake.in knnbertConfig.cmake INSTALL_DESTINATION ${knnbert_config_dir})
# Before 1.0 a minor version may break its users. Without knnbert::dispatch there is nothing compiled in it.
if(NOT dispatch)
  set(any_machine ARCH_INDEPENDENT)
endif()
write_basic_package_version_file(knnbertConfigVersion.cmake COMPATIBILITY SameMinorVersion ${any_machine})
install(FILES "${PROJECT_BINARY_DIR}/knnbertConfig.cmake" "${PROJECT_BINARY_DIR}/knnbertConfigVersion.cmake" cmake/torch.cmake
        DESTINATION ${knnbert_config_dir} COMPONENT knnbert_development)

if(TARGET knnbert_program)
  install(TARGETS knnbert_program DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT knnbert_program)
  if(TARGET knnbert_program_torch)
    install(TARGETS knnbert_program_torch LIBRARY DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT knnbert_program)
  endif()
endif()
