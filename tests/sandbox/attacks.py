"""Attempts to get out of the sandbox. Each is a command; the world is compared afterwards (`support.World.harm`).

What has no effect that can be seen from outside prints ESCAPED when it succeeds. Those with `bare` do harm without a
sandbox too, which shows that the attempt and the comparison are real; the others could damage the machine, or depend
on its rights and settings.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.sandbox.support import python


@dataclass(frozen=True, slots=True)
class Attack:
    name: str
    command: str
    bare: bool = False


CALL = """
import ctypes, os, socket, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    return libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
def connect(kind, path, how="connect"):
    os.chdir(os.path.dirname(path))
    one = socket.socket(socket.AF_UNIX, kind)
    one.connect(os.path.basename(path))
    if kind == socket.SOCK_DGRAM: one.send(b"x")
E = os.environ
"""


def code(text: str) -> str:
    """A command that runs Python code, with helpers for system calls."""
    return python(CALL + text)


def system_call(numbers: str, *arguments: str) -> str:
    """A system call by its number (on x86_64 and aarch64) that must fail."""
    listed = ", ".join(arguments)
    return code(f"n = ({numbers})[os.uname().machine == 'aarch64']\nif call(n, {listed}) >= 0: print('ESCAPED')")


WRITING = [
    Attack("write to a file outside", 'echo x > "$OUTSIDE/victim"', True),
    Attack("make a file outside", ': > "$OUTSIDE/new"', True),
    Attack("write through a link", 'ln -s "$OUTSIDE" l; echo x > l/victim', True),
    Attack("write through a link to a link", 'ln -s "$OUTSIDE/victim" "$TMPDIR/a$$"; echo x > "$TMPDIR/a$$"'),
    Attack("write through /proc/1/root", 'echo x > "/proc/1/root$OUTSIDE/victim"'),
    Attack("write through /proc/self/root", 'echo x > "/proc/self/root$OUTSIDE/victim"', True),
    Attack("write through /proc/self/cwd", "echo x > /proc/self/cwd/../outside/victim", True),
    Attack(
        "write through a descriptor of a directory",
        code("d = os.open(E['OUTSIDE'], os.O_RDONLY); os.open('new', os.O_CREAT | os.O_WRONLY, dir_fd=d)"),
        True,
    ),
    Attack(
        "open a descriptor again for writing",
        code("d = os.open(E['OUTSIDE'] + '/victim', os.O_RDONLY)\nopen(f'/proc/self/fd/{d}', 'w').write('x')"),
        True,
    ),
    Attack(
        "a descriptor that was inherited",
        code(
            "for name in os.listdir('/proc/self/fd'):\n"
            "    if int(name) > 2 and os.path.lexists('/proc/self/fd/' + name):\n"
            "        if not os.readlink('/proc/self/fd/' + name).startswith('/proc'): print('ESCAPED', name)"
        ),
    ),
    Attack("write by a hard link", 'ln "$OUTSIDE/victim" h && echo x > h', True),
    Attack("rename outside", 'mv "$OUTSIDE/victim" "$OUTSIDE/gone"', True),
    Attack("move a file outside", 'mv plain.txt "$OUTSIDE/plain.txt"', True),
    Attack("exchange two names", code("call(316 if os.uname().machine == 'x86_64' else 276, -100,"
           " ctypes.c_char_p((E['OUTSIDE'] + '/victim').encode()), -100, ctypes.c_char_p(b'plain.txt'), 2)"), True),
    Attack("delete outside", 'rm -rf "$OUTSIDE"/*', True),
    Attack("change bits outside", 'chmod 777 "$OUTSIDE/victim"', True),
    Attack("truncate outside", 'truncate -s 0 "$OUTSIDE/victim"', True),
    Attack("map a file outside into memory", code("import mmap\nf = open(E['OUTSIDE'] + '/victim', 'r+b')\n"
           "mmap.mmap(f.fileno(), 0)[0:1] = b'X'"), True),
    Attack("append to the person's .bashrc", 'echo x >> "$HOME/.bashrc"', True),
    Attack("settings of git in the home", 'git config --global core.pager evil', True),
    Attack("rename the folder", 'cd ..; mv folder gone && mkdir folder && mv gone "$OUTSIDE/"', False),
    Attack("write into the daemon's data", 'echo x > "$DATA/new"', True),
    Attack("programs of the system", "echo x > /usr/bin/aster-escape && echo ESCAPED;"
           " echo x >> /etc/hosts && echo ESCAPED"),
    Attack("preload a library everywhere", "echo /x.so > /etc/ld.so.preload && echo ESCAPED"),
    Attack("a cron table", 'echo "* * * * * true" > /var/spool/cron/crontabs/aster && echo ESCAPED'),
]  # fmt: skip
READING = [
    Attack("read a key", 'cat "$HOME/.ssh/id_ed25519"', True),
    Attack("read a secret that is a link", 'cat "$HOME/.git-credentials"', True),
    Attack("read secrets behind a link", 'cat "$HOME/.aws/credentials"', True),
    Attack("read where a link leads", 'cat "$ELSEWHERE/aws/credentials" "$ELSEWHERE/token.txt"', True),
    Attack("read files of secrets", 'cat "$HOME/.netrc" "$HOME/.bash_history" "$HOME/.config/gh/hosts.yml"', True),
    Attack("read by a link in the folder", 'ln -s "$HOME/.ssh" k; cat k/id_ed25519', True),
    Attack("read through every process", 'for p in /proc/[0-9]*; do cat "$p/root$HOME/.ssh/id_ed25519"; done', True),
    Attack("read through .. of /proc", 'cat "/proc/self/root/proc/self/cwd/../home/.ssh/id_ed25519"', True),
    Attack("search all of the home", 'grep -rsh canary "$HOME" "$ELSEWHERE" "$DATA"', True),
    Attack("copy the home", 'cp -rL "$HOME" copied', True),
    Attack("pack the home", 'tar chf - -C "$HOME" .ssh .docker .netrc', True),
    Attack("read the daemon's data", 'cat "$DATA/token"', True),
    Attack("link to a secret", 'ln "$HOME/.ssh/id_ed25519" key && cat key', True),
    Attack("passwords of the system", "grep -q '^root:' /etc/shadow && echo ESCAPED"),
    Attack("environments of other processes", 'cat "/proc/$DAEMON/environ" && echo ESCAPED', True),
    Attack("other processes", 'kill -0 "$VICTIM" && echo ESCAPED', True),
    Attack("memory of the kernel", "head -c 1 /proc/kcore && echo ESCAPED; head -c 1 /dev/mem && echo ESCAPED"),
    Attack("messages of the kernel", "head -c 1 /dev/kmsg && echo ESCAPED; dmesg | grep -q . && echo ESCAPED"),
    Attack("blocks of the disk", "for d in /dev/[sv]d* /dev/nvme* /dev/loop*; do head -c 1 $d && echo ESCAPED; done"),
    Attack("a device of one's own", "mknod disk b 254 0 && head -c 1 disk && echo ESCAPED"),
    Attack("umount what hides a secret", 'umount "$HOME/.ssh"; umount -l "$HOME/.ssh"; cat "$HOME/.ssh/id_ed25519"'),
    Attack("variables that name sockets", 'env | grep -E "^(SSH_AUTH_SOCK|DBUS|DISPLAY)" && echo ESCAPED', True),
]
REACHING = [
    Attack("the daemon's port", code("socket.create_connection(('127.0.0.1', int(E['PORT'])), 2)"), True),
    Attack("the daemon's port by another address", code("socket.create_connection(('127.1.2.3', int(E['PORT'])), 2)")),
    Attack("a datagram", code("s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
           "s.sendto(b'x', ('127.0.0.1', int(E['UDP'])))\ntime.sleep(.1)"), True),
    Attack("a name of the internet", code("socket.setdefaulttimeout(2)\nsocket.gethostbyname('example.org')\n"
           "print('ESCAPED')")),
    Attack("an address of the internet", code("socket.create_connection(('1.1.1.1', 53), 2)\nprint('ESCAPED')")),
    Attack("a raw socket", code("socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)\nprint('ESCAPED')")),
    Attack("a packet socket", code("socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\nprint('ESCAPED')")),
    Attack("the host of this virtual machine", code("socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)\n"
           "print('ESCAPED')")),
    Attack("an abstract socket", code("s = socket.socket(socket.AF_UNIX)\ns.connect('\\0s-' + E['TOKEN'])"), True),
    *(
        Attack(
            f"a socket in {name}",
            code(f"connect(socket.SOCK_STREAM, E['SOCKET_OF_{name.upper()}'])"),
            True,
        )
        for name in ("home", "tmp", "run", "folder", "data")
    ),
    Attack("a datagram socket in the folder", code("connect(socket.SOCK_DGRAM, E['SOCKET_OF_FOLDER'] + '.d')"), True),
    Attack(
        "a datagram from a pair of sockets",
        code("os.chdir(E['FOLDER'])\na, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
             "a.sendto(b'x', 's.d')"),
        True,
    ),
    Attack(
        "connect a pair of sockets again",
        code("os.chdir(E['FOLDER'])\na, b = socket.socketpair()\nb.close()\na.shutdown(2)\na.connect('s')"),
    ),
    Attack("a socket by io_uring", system_call("425, 425", "8", "ctypes.create_string_buffer(120)")),
]  # fmt: skip
OUTLIVING = [
    Attack("a session of its own", '(setsid sh -c "sleep 0.5; : > $FOLDER/late; : $TOKEN; sleep 900" &)', False),
    Attack("nohup", 'nohup sh -c "sleep 0.5; : > $FOLDER/late; : $TOKEN" >/dev/null 2>&1 &', False),
    Attack(
        "a double fork that ignores signals",
        code(
            "import signal\nif os.fork() == 0:\n    os.setsid()\n"
            "    if os.fork() == 0:\n"
            "        for n in range(1, 32):\n"
            "            if n not in (9, 17, 19): signal.signal(n, signal.SIG_IGN)\n"
            "        for n in range(3): os.close(n)\n"
            "        time.sleep(.5); open(E['FOLDER'] + '/late', 'w'); time.sleep(900)\n"
            "    os._exit(0)\nos.wait()"
        ),
    ),
    Attack("end a process of the person", 'kill -9 "$VICTIM"', True),
    Attack("end every process", "trap '' TERM; kill -9 -1"),
    Attack("a descriptor of a process", system_call("434, 434", "int(E['VICTIM'])", "0"), True),
    Attack("debug a process", code("print('ESCAPED') if libc.ptrace(16, int(E['VICTIM']), 0, 0) == 0 else 0")),
    Attack("debug its starter", code("print('ESCAPED') if libc.ptrace(16, os.getppid(), 0, 0) == 0 else 0")),
    Attack("be debugged", code("print('ESCAPED') if libc.ptrace(0, 0, 0, 0) == 0 else 0"), True),
    Attack(
        "memory of another process",
        code(
            "b = ctypes.create_string_buffer(8)\nv = struct.pack('PN', ctypes.addressof(b), 8)\n"
            "n = (310, 270)[os.uname().machine == 'aarch64']\n"
            "if call(n, os.getpid(), v, 1, v, 1, 0) > 0: print('ESCAPED')"
        ),
        True,
    ),
    Attack("core dumps", "ulimit -c unlimited && echo ESCAPED"),
]
PRIVILEGES = [
    Attack("a user namespace", "unshare -Ur true && echo ESCAPED"),
    Attack("a mount namespace", "unshare -m true && echo ESCAPED"),
    Attack("a user namespace by clone", code("n = (56, 220)[os.uname().machine == 'aarch64']\n"
           "p = call(n, 0x10000000 | 17, 0, 0, 0, 0)\nif p == 0: os._exit(0)\nif p > 0: print('ESCAPED')")),
    Attack("a user namespace by clone3", code("a = struct.pack('8Q', 0x10000000, 0, 0, 0, 17, 0, 0, 0)\n"
           "p = call(435, a, 64)\nif p == 0: os._exit(0)\nif p > 0: print('ESCAPED')")),
    Attack("the namespaces of init", "nsenter -t 1 -m -n true && echo ESCAPED"),
    Attack("the namespaces of the daemon", 'nsenter -t "$DAEMON" -a true && echo ESCAPED'),
    Attack("mount a directory", 'mount --bind "$HOME" "$TMPDIR" && echo ESCAPED'),
    Attack("mount memory", "mount -t tmpfs none . && echo ESCAPED"),
    Attack("mount proc", "mkdir p && mount -t proc none p && echo ESCAPED"),
    Attack("make the system writable", "mount -o remount,rw / && echo ESCAPED;"
           " mount -o remount,rw,bind / && echo ESCAPED"),
    Attack("mount by the new calls", system_call("430, 430", "b'tmpfs'", "0")),
    Attack("clone a tree of mounts", system_call("428, 428", "-100", "b'/'", "1")),
    Attack("another root", "chroot / true && echo ESCAPED"),
    Attack("pivot_root", system_call("155, 41", "b'.'", "b'.'")),
    Attack("open by a handle", code("h = struct.pack('Ii', 8, 1) + struct.pack('II', 2, 0)\n"
           "n = (304, 265)[os.uname().machine == 'aarch64']\nd = os.open('/', os.O_RDONLY)\n"
           "if call(n, d, h, 0) >= 0: print('ESCAPED')")),
    Attack("a set-user-ID program", "su -c 'echo ESCAPED' nobody </dev/null; sudo -n echo ESCAPED;"
           " pkexec echo ESCAPED"),
    Attack("capabilities", "grep -E '^Cap(Prm|Eff|Bnd|Amb):.*[1-9a-f]' /proc/self/status && echo ESCAPED"),
    Attack("new privileges", "grep -q '^NoNewPrivs:.*0' /proc/self/status && echo ESCAPED", True),
    Attack("leave a set-user-ID program", "cp /bin/sh shell; chmod 4755 shell", True),
    Attack("a set-user-ID program by open", code("os.umask(0)\n"
           "os.open('shell', os.O_CREAT | os.O_WRONLY, 0o4755)"), True),
    Attack("add a key", system_call("248, 217", "b'user'", "b'aster'", "b'x'", "1", "-3")),
    Attack("list keys", system_call("250, 219", "0", "-4", "0"), False),
    Attack("a program in the kernel", system_call("321, 280", "0", "ctypes.create_string_buffer(128)", "128")),
    Attack("events of the kernel", system_call("298, 241", "ctypes.create_string_buffer(128)", "0", "-1", "-1", "0")),
    Attack("faults of memory", system_call("323, 282", "0")),
    Attack("put input into a terminal", code("import fcntl, pty, termios\nm, s = pty.openpty()\nos.setsid()\n"
           "fcntl.ioctl(s, termios.TIOCSCTTY, 0)\nfcntl.ioctl(s, 0x5412, b'x')\nprint('ESCAPED')")),
    Attack("system calls of 32 bits", code(
        "import mmap\nif os.uname().machine != 'x86_64': sys.exit()\n"
        "m = mmap.mmap(-1, 4096, prot=7)\nm.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')\n"
        "f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))\n"
        "if f() > 0: print('ESCAPED')")),
    Attack("system calls of x32", code("if os.uname().machine == 'x86_64' and call(0x40000000 | 39) > 0:\n"
           "    print('ESCAPED')")),
    Attack("where core dumps go", 'echo "|/bin/true" > /proc/sys/kernel/core_pattern'),
    Attack("the name of the machine", "echo escaped > /proc/sys/kernel/hostname; hostname escaped; "
           '[ "$(hostname)" != escaped ] || echo ESCAPED'),
    Attack("the magic key", "echo s > /proc/sysrq-trigger && echo ESCAPED"),
    Attack("settings in /sys", "echo 1 > /sys/kernel/mm/ksm/run && echo ESCAPED;"
           " echo > /sys/power/state && echo ESCAPED"),
    Attack("a control group", "for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir $d/aster-escape && echo ESCAPED;"
           " echo /x > $d/release_agent && echo ESCAPED; done"),
    Attack("a loop device", "losetup -f && losetup /dev/loop0 plain.txt && echo ESCAPED"),
    Attack("the clock", "date -s 2030-01-01 && echo ESCAPED"),
    Attack("a module of the kernel", system_call("175, 105", "b'x'", "1", "b''")),
    Attack("fill the memory through /dev/shm", "fallocate -l 3G /dev/shm/full && echo ESCAPED"),
    Attack("fill the memory through /dev", "fallocate -l 1M /dev/full.file && echo ESCAPED;"
           " : > /run/x && echo ESCAPED"),
    Attack("a service of the user", "systemd-run --user true && echo ESCAPED; echo true | at now && echo ESCAPED"),
]  # fmt: skip
LATER = [
    Attack("write a hook", "echo evil > .git/hooks/pre-commit", True),
    Attack("make a hook", "echo evil > .git/hooks/post-checkout", True),
    Attack("settings of the repository", "git config core.fsmonitor evil", True),
    Attack("write settings of the repository", "echo x >> .git/config", True),
    Attack("replace the settings by a rename", "echo x > c; mv c .git/config", True),
    Attack(
        "replace the hooks by a rename", "mv .git/hooks .git/h; mkdir .git/hooks; echo x > .git/hooks/pre-commit", True
    ),
    Attack("replace the repository by a rename", "mv .git old; git init -q; git config core.fsmonitor evil", True),
    Attack("replace the repository by a link", "cp -r .git g; echo x >> g/config; mv .git old; ln -s g .git", True),
    Attack("delete the repository", "rm -rf .git; git init -q; git config core.fsmonitor evil", True),
    Attack("the repository below", "cd sub; git config core.fsmonitor evil; echo evil > .git/hooks/pre-commit", True),
    Attack(
        "move what is around a repository", "mv sub gone; mkdir sub; git init -q sub; echo x >> sub/.git/config", True
    ),
    Attack("a submodule", "echo evil > .git/modules/m/config; echo evil > .git/modules/m/hooks/update", True),
    Attack("a worktree", "echo evil > .git/worktrees/w/config.worktree", True),
    Attack(
        "hooks that the settings name", "echo evil > tools/hooks/pre-push; echo evil > tools/hooks/pre-commit", True
    ),
    Attack("Aster's own folder", "echo evil > .aster/agents/a.yaml; echo evil > .aster/agents/b.yaml", True),
    Attack("delete Aster's own folder", "rm -rf .aster", True),
    Attack("rename Aster's own folder", "mv .aster a && mkdir .aster && echo x > .aster/new", True),
    Attack("shell start files", "echo evil >> .bashrc; echo evil > .envrc", True),
    Attack("replace a shell start file", "echo evil > e; mv -f e .envrc; rm -f .bashrc", True),
    Attack("a hard link to a start file", "ln .envrc e && echo evil > e", True),
    Attack("an editor's tasks", "echo evil > .vscode/tasks.json; echo evil > .vscode/settings.json", True),
    Attack("the bits of what is protected", "chmod 777 .git/hooks .git/config .aster .envrc", True),
]
"""They change what is there."""
MAKING = {
    "git init new; echo evil > new/.git/hooks/pre-commit": "new/.git",
    "mkdir a; git init -q a/b; git -C a/b config core.fsmonitor evil": "a/b/.git",
    "mkdir d; git init -q --bare d/e; git -C d/e config core.fsmonitor evil": "d/e/config",
    "git init -q x; mkdir y; mv x/.git y/.git": "y/.git",
    "git init -q --separate-git-dir=$FOLDER/z w": "w/.git",
    "echo ../../x > .git/commondir": ".git/commondir",
    "echo '[core]' > .git/config.worktree": ".git/config.worktree",
    "mkdir .git/modules/n; echo '[core]' > .git/modules/n/config": ".git/modules/n/config",
    "mkdir -p sub/.vscode; echo x > sub/.vscode/tasks.json": "sub/.vscode",
    "mkdir .husky; echo x > .husky/pre-commit": ".husky",
    "echo x > sub/.envrc": "sub/.envrc",
    "echo x > .zshrc": ".zshrc",
    "ln -s plain.txt .profile": ".profile",
    "mkdir -p p/q; echo x > p/q/f; mv p/q p/.aster": "p/.aster",
    "echo x > .git-x; ln .git-x .gitconfig": ".gitconfig",
    "mkdir -p node_modules/m; git init -q node_modules/m": "node_modules/m/.git",
    "mkdir r; echo x > r/.ENVRC": "r/.ENVRC",
}
"""They make what is not there yet, and what is found after them."""
