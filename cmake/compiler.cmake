# Compiler, cache and linker settings shared by every target.
find_program(PINNACE_CCACHE ccache)
if(PINNACE_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${PINNACE_CCACHE})
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
if(PINNACE_WERROR)
  add_compile_options(-Werror)
endif()

# Linking is a good part of a small change's wait.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld)
else()
  add_link_options(-fuse-ld=mold)
endif()

if(PINNACE_SANITIZE)
  add_compile_options(-fsanitize=${PINNACE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PINNACE_SANITIZE})
endif()
