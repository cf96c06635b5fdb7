# Functions that install missing packages and build. The other scripts source this file; it is not a command.

# The root folder of the project, independent of the working directory.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

say() { printf '%s\n' "$*" >&2; }
fail() { say "$0: $*"; exit 1; }

# install_packages FILE: installs the missing ones of the Debian packages that FILE lists.
install_packages() {
  local wanted missing as_root=()
  mapfile -t wanted < <(grep -v '^#' "$1")
  mapfile -t missing < <(
    comm -23 <(printf '%s\n' "${wanted[@]}" | sort) \
             <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
               sed -n 's/^installed //p' | sort -u))
  [ "${#missing[@]}" -eq 0 ] && return
  command -v apt-get >/dev/null ||
    fail "these Debian packages are missing, and apt-get is not available to install them: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      fail "neither root nor sudo is available to install packages; ask an administrator for: \
apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq || fail "apt-get update failed; check the network connection"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "apt-get could not install: ${missing[*]}"
}

# can_write FOLDER…: makes each FOLDER if it is missing; succeeds if files can be made in all of them.
can_write() {
  local folder
  for folder; do
    mkdir -p "$folder" 2>/dev/null && [ -w "$folder" ] || return
  done
}

# is_configured FOLDER: succeeds if FOLDER was configured for this tree and for the compiler that is installed
# now.
is_configured() {
  local facts=("$1"/CMakeFiles/*/CMakeCXXCompiler.cmake) compiler version
  [ -f "$1/build.ninja" ] && grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$1/CMakeCache.txt" || return
  compiler=$(sed -n 's/^set(CMAKE_CXX_COMPILER "\(.*\)")$/\1/p' "${facts[@]}")
  version=$(sed -n 's/^set(CMAKE_CXX_COMPILER_VERSION "\(.*\)")$/\1/p' "${facts[@]}")
  [ "$compiler" = "$(command -v "${CXX:-$compiler}")" ] && [[ $version == "$("$compiler" -dumpversion)"* ]]
}

# build PRESET [TARGET…]: configures if necessary, then builds. All output goes to build/PRESET.log. If a step
# fails, the end of the log is printed.
build() {
  local preset=$1 folder=$root/build/$1 log=$root/build/$1.log
  shift
  can_write "$root/build" "$folder" ||
    fail "cannot write to $folder; copy the project to a folder of yours and run it there"
  : >"$log"
  logged() {
    (cd "$root" && "$@") >>"$log" 2>&1 && return
    tail -n 40 "$log" >&2
    fail "the build failed; its complete output is in $log"
  }
  if ! is_configured "$folder"; then
    say "configuring ($preset)"
    logged cmake --fresh --preset "$preset"
  fi
  say "building ($preset): minutes the first time, seconds afterwards"
  logged cmake --build "$folder" ${1:+--target "$@"}
}
