#!/usr/bin/env bash
# Sets up what the tests need, then runs all of them. The only entrance: a
# missing tool makes a test fail, never skip.
#
#   tests/run.sh [ARGUMENTS OF cargo test]
#
# Wants Debian, a Rust toolchain and a C compiler. Installs Debian packages
# that are missing (as root, or through sudo) and makes tests/.venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Servers live in sbin, which is not in the PATH of everybody.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { printf 'tests/run.sh: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Every line: a program that tests run, and the Debian package that has it.
programs() {
  cat <<'LIST'
chroot coreutils
curl curl
gzip gzip
logger bsdutils
node nodejs
npm npm
python3 python3
rsyslogd rsyslog
strace strace
unshare util-linux
zstd zstd
LIST
}

missing_packages() {
  programs | while read -r program package; do
    command -v "$program" >/dev/null || echo "$package"
  done
  # Modules of rsyslog are no programs.
  compgen -G '/usr/lib/*/rsyslog/lmnsd_ossl.so' >/dev/null || echo rsyslog-openssl
  compgen -G '/usr/lib/*/rsyslog/lmnsd_gtls.so' >/dev/null || echo rsyslog-gnutls
  compgen -G '/usr/lib/*/rsyslog/omrelp.so' >/dev/null || echo rsyslog-relp
  # The module `venv` is in every python3, what it needs to work is not.
  /usr/bin/python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; return; fi
  command -v sudo >/dev/null || fail "not root and no sudo: install these packages, then run this again: ${packages[*]}"
  sudo "$@"
}

install_packages() {
  mapfile -t packages < <(missing_packages | sort -u)
  [ ${#packages[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail "no apt-get here: install what these Debian packages hold, then run this again: ${packages[*]}"
  say "installing ${packages[*]}"
  # A package that installs a service must not start it.
  local apt=(env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -y -o DPkg::Lock::Timeout=120)
  as_root "${apt[@]}" update >&2
  as_root "${apt[@]}" install --no-install-recommends "${packages[@]}" >&2
  mapfile -t packages < <(missing_packages | sort -u)
  [ ${#packages[@]} -eq 0 ] || fail "still missing after apt-get install: ${packages[*]}"
}

make_venv() {
  local made=tests/.venv/requirements.txt
  cmp -s tests/requirements.txt "$made" && return 0
  say "making tests/.venv"
  rm -rf tests/.venv
  /usr/bin/python3 -m venv tests/.venv
  tests/.venv/bin/pip --quiet --disable-pip-version-check install --only-binary :all: -r tests/requirements.txt >&2
  cp tests/requirements.txt "$made"
}

make_node_modules() {
  local made=tests/node/node_modules/package-lock.json
  cmp -s tests/node/package-lock.json "$made" && return 0
  say "making tests/node/node_modules"
  npm ci --prefix tests/node --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  cp tests/node/package-lock.json "$made"
}

# A second daemon of syslog. Its package and that of rsyslog exclude each other, so
# it is unpacked and not installed.
unpack_syslog_ng() {
  [ -x tests/syslog-ng/usr/sbin/syslog-ng ] && return 0
  say "unpacking syslog-ng into tests/syslog-ng"
  local packages=(syslog-ng-core libivykis0 libnet1 libwrap0 libjson-c5 libpcre3) dir
  dir=$(mktemp -d)
  (cd "$dir" && apt-get -q download "${packages[@]}" >&2)
  for package in "$dir"/*.deb; do dpkg -x "$package" tests/syslog-ng; done
  rm -rf "$dir"
}

# The static binary of deploy/Dockerfile, in the test profile: only the last
# link differs, so it costs seconds.
build_static() {
  cargo rustc --locked --quiet --bin logveil -- -C target-feature=+crt-static
  mkdir -p target/static
  cp -f target/debug/logveil target/static/logveil
}

command -v cargo >/dev/null || fail "no cargo: install a Rust toolchain with https://rustup.rs"
command -v cc >/dev/null || fail "no C compiler: apt-get install gcc libc6-dev"
install_packages
make_venv
make_node_modules
unpack_syslog_ng
build_static
exec cargo test --locked "$@"
