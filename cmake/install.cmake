include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(knnbert_config_dir ${CMAKE_INSTALL_DATADIR}/cmake/knnbert)

install(DIRECTORY include/knnbert DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT knnbert_development
        FILES_MATCHING PATTERN "*.hpp")
install(TARGETS knnbert EXPORT knnbertTargets INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT knnbertTargets NAMESPACE knnbert:: DESTINATION ${knnbert_config_dir} COMPONENT knnbert_development)

configure_package_config_file(cmake/knnbertConfig.cmake.in knnbertConfig.cmake INSTALL_DESTINATION ${knnbert_config_dir})
# Before 1.0 a minor version may break its users; ARCH_INDEPENDENT because there is nothing compiled in it.
write_basic_package_version_file(knnbertConfigVersion.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/knnbertConfig.cmake" "${PROJECT_BINARY_DIR}/knnbertConfigVersion.cmake"
        DESTINATION ${knnbert_config_dir} COMPONENT knnbert_development)

if(TARGET knnbert_program)
  install(TARGETS knnbert_program DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT knnbert_program)
endif()
