# Sourced by the other scripts: installs what is missing and builds. Not a command of its own.

# Where the project is, wherever the script was called from.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }
fail() { say "$0: $*"; exit 1; }

# install_packages FILE: the Debian packages that FILE lists, those that are missing.
install_packages() {
  local wanted missing as_root=()
  mapfile -t wanted < <(grep -v '^#' "$1")
  mapfile -t missing < <(
    comm -23 <(printf '%s\n' "${wanted[@]}" | sort) \
             <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
               sed -n 's/^installed //p' | sort -u))
  [ "${#missing[@]}" -eq 0 ] && return
  command -v apt-get >/dev/null ||
    fail "these Debian packages are wanted, and there is no apt-get here: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      fail "neither root nor sudo; ask for these Debian packages: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq || fail "apt-get update failed; is there a network?"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "apt-get could not install: ${missing[*]}"
}

# build PRESET [TARGET…]: configures once, then builds; quiet unless it fails.
build() {
  local preset=$1 log
  shift
  log="$root/build/$preset.log"
  mkdir -p "$root/build"
  (
    cd "$root" || exit 1
    if [ ! -f "build/$preset/build.ninja" ]; then
      say "configuring ($preset)"
      cmake --preset "$preset"
    fi && {
      [ -n "$(ninja -C "build/$preset" -n "$@" | grep -v 'no work to do\|Entering directory')" ] &&
        say "building ($preset); the first time takes a few minutes"
      cmake --build "build/$preset" ${1:+--target "$@"}
    }
  ) >"$log" 2> >(tee -a "$log" >&2) || {
    tail -n 40 "$log" >&2
    fail "the build failed; all of its output: $log"
  }
}
