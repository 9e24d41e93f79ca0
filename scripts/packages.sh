# Installs packages of this system. Read by the scripts beside it with ".".

die() {
	printf '%s\n' "$@" >&2
	exit 1
}

# may_install tells whether this user is root, or becomes root without being asked for a password.
may_install() {
	[ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# manager names the program that installs packages here; nothing when there is none that we know.
manager() {
	for m in apt-get dnf apk pacman zypper; do
		if command -v "$m" >/dev/null; then
			echo "$m"
			return
		fi
	done
}

# install_packages runs the package manager for the packages given. What it says is shown only when it fails.
install_packages() {
	echo "Installing $* …" >&2
	log=$(mktemp)
	if ! run_manager "$@" >"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		rm -f "$log"
		die "Installing $* failed."
	fi
	rm -f "$log"
}

run_manager() {
	case $(manager) in
	apt-get) apt_get install --no-install-recommends "$@" ;;
	dnf) as_root dnf -y install "$@" ;;
	apk) as_root apk add --no-cache "$@" ;;
	pacman) as_root pacman -Sy --noconfirm --needed "$@" ;;
	zypper) as_root zypper --non-interactive install "$@" ;;
	*) return 1 ;;
	esac
}

# apt_get asks nothing, and waits for another apt-get that is at work.
apt_get() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300 "$@"
}

# refresh brings the lists of packages up to date. An unreachable source is no reason to stop: the others may do.
refresh() {
	if [ "$(manager)" = apt-get ]; then
		apt_get update >/dev/null 2>&1 </dev/null || true
	fi
}
