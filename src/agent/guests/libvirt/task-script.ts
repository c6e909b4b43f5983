import type { GuestTask, TaskFile, TaskUser } from '../../../wire/guests/task.js'

const LINE_CHARS = 76

/** What a message has done, as a script of sh: in this order, and the first that fails ends it with its exit code. */
export function taskScript({ users, packages, files, commands }: GuestTask): string {
  const steps = [
    ...users.map(userStep),
    ...(packages.length === 0 ? [] : [packagesStep(packages)]),
    ...files.map(fileStep),
    ...commands.map(({ argv }) => argv.map(quoted).join(' ')),
  ]
  return `${[prologue, ...steps.map((step) => `(\n${step}\n) || exit $?`)].join('\n')}\n`
}

export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** What distributions call otherwise. */
const prologue = `export DEBIAN_FRONTEND=noninteractive
[ -n "\${HOME:-}" ] || export HOME=/root
[ -n "\${PATH:-}" ] || export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
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
home_of() { sed -n "s/^$1:[^:]*:[^:]*:[^:]*:[^:]*:\\([^:]*\\):.*/\\1/p" /etc/passwd; }
install_packages() {
  if has apt-get; then
    apt-get -o DPkg::Lock::Timeout=600 install -y "$@" ||
      { apt-get -o DPkg::Lock::Timeout=600 update && apt-get -o DPkg::Lock::Timeout=600 install -y "$@"; }
  elif has dnf; then dnf install -y "$@"
  elif has zypper; then zypper --non-interactive install "$@"
  elif has apk; then apk add "$@"
  else echo 'this guest has no package manager that is known'; return 127; fi
}`

function userStep({ name, password, sshKeys, groups, sudo }: TaskUser): string {
  return [
    `make_user ${name} || exit $?`,
    ...groups.map((group) => `join_group ${name} ${group} || exit $?`),
    // by a builtin: an argv is for all to see
    ...(password == null ? [] : [`printf '%s\\n' ${quoted(`${name}:${password}`)} | chpasswd || exit $?`]),
    ...(sshKeys.length === 0 ? [] : sshLines(name, sshKeys)),
    ...(sudo
      ? [
          'mkdir -p /etc/sudoers.d || exit $?',
          `printf '%s\\n' ${quoted(`${name} ALL=(ALL) NOPASSWD:ALL`)} >/etc/sudoers.d/keelson-${name} || exit $?`,
          `chmod 0440 /etc/sudoers.d/keelson-${name}`,
        ]
      : []),
  ].join('\n')
}

const sshLines = (name: string, keys: readonly string[]): string[] => [
  `home=$(home_of ${name}) && [ -n "$home" ] || exit 1`,
  'mkdir -p "$home/.ssh" || exit $?',
  ...keys.map((key) => {
    const line = quoted(key.replace(/\s*\n\s*/g, ' ').trim())
    return `grep -qxF ${line} "$home/.ssh/authorized_keys" 2>/dev/null || printf '%s\\n' ${line} >>"$home/.ssh/authorized_keys" || exit $?`
  }),
  `chmod 700 "$home/.ssh" && chmod 600 "$home/.ssh/authorized_keys" && chown -R ${name}: "$home/.ssh" || exit $?`,
]

const packagesStep = (packages: readonly string[]): string => `install_packages ${packages.map(quoted).join(' ')}`

/** Whole or not at all. */
function fileStep({ path, content, mode, owner }: TaskFile): string {
  const encoded = Buffer.from(content).toString('base64')
  const lines = encoded.match(new RegExp(`.{1,${LINE_CHARS}}`, 'g')) ?? []
  const [target, partial] = [quoted(path), quoted(`${path}.keelson-new`)]
  return [
    `mkdir -p ${quoted(path.slice(0, path.lastIndexOf('/')) || '/')} || exit $?`,
    `base64 -d >${partial} <<'KEELSON-END' || exit $?`,
    ...lines,
    'KEELSON-END',
    `chmod ${mode} ${partial} && chown ${owner} ${partial} && mv -f ${partial} ${target}`,
  ].join('\n')
}
