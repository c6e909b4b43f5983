export DEBIAN_FRONTEND=noninteractive
[ -n "${HOME:-}" ] || export HOME=/root
[ -n "${PATH:-}" ] || export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
has() { command -v "$1" >/dev/null 2>&1; }
make_user() {
  grep -q "^$1:" /etc/passwd && return
  if has useradd; then
    if [ -x /bin/bash ]; then useradd -m -s /bin/bash "$1"; else useradd -m "$1"; fi
  else adduser -D "$1"; fi
}
join_group() {
  if has usermod; then
    grep -q "^$2:" /etc/group || groupadd "$2" || return
    usermod -a -G "$2" "$1"
  else
    grep -q "^$2:" /etc/group || addgroup "$2" || return
    addgroup "$1" "$2"
  fi
}
home_of() { sed -n "s/^$1:[^:]*:[^:]*:[^:]*:[^:]*:\([^:]*\):.*/\1/p" /etc/passwd; }
install_packages() {
  if has apt-get; then
    apt-get -o DPkg::Lock::Timeout=600 install -y "$@" ||
      { apt-get -o DPkg::Lock::Timeout=600 update && apt-get -o DPkg::Lock::Timeout=600 install -y "$@"; }
  elif has dnf; then dnf install -y "$@"
  elif has zypper; then zypper --non-interactive install "$@"
  elif has apk; then apk add "$@"
  else echo 'this guest has no package manager that is known'; return 127; fi
}
(
make_user ann || exit $?
join_group ann staff || exit $?
printf '%s\n' 'ann:it'\''s' | chpasswd || exit $?
home=$(home_of ann) && [ -n "$home" ] || exit 1
mkdir -p "$home/.ssh" || exit $?
grep -qxF 'ssh-ed25519 AAAA me' "$home/.ssh/authorized_keys" 2>/dev/null || printf '%s\n' 'ssh-ed25519 AAAA me' >>"$home/.ssh/authorized_keys" || exit $?
chmod 700 "$home/.ssh" && chmod 600 "$home/.ssh/authorized_keys" && chown -R ann: "$home/.ssh" || exit $?
mkdir -p /etc/sudoers.d || exit $?
printf '%s\n' 'ann ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/keelson-ann || exit $?
chmod 0440 /etc/sudoers.d/keelson-ann
) || exit $?
(
install_packages 'nginx' 'g++=4:12.2'
) || exit $?
(
mkdir -p '/etc' || exit $?
base64 -d >'/etc/a.keelson-new' <<'KEELSON-END' || exit $?
eA==
KEELSON-END
chmod 0600 '/etc/a.keelson-new' && chown root:root '/etc/a.keelson-new' && mv -f '/etc/a.keelson-new' '/etc/a'
) || exit $?
(
'echo' 'it'\''s $HOME'
) || exit $?
