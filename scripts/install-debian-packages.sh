#!/bin/sh
# Installs Debian packages as root without starting anything: no service now, none at the next boot, no database cluster.
# usage: install-debian-packages.sh PACKAGE...
set -eu

policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.d
made_policy=no
made_clusters=no

tidy() {
  [ "$made_policy" = no ] || rm -f "$policy"
  [ "$made_clusters" = no ] || rm -f "$clusters/refloat.conf"
}
trap tidy EXIT
trap 'exit 130' INT TERM HUP

# invoke-rc.d asks this program before it starts a service; 101 means no. Another one may stand here by an administrator's wish.
if [ ! -e "$policy" ]; then
  made_policy=yes
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
fi
# postgresql makes and starts a cluster on port 5432 when it is installed, unless told not to.
if [ ! -d /etc/postgresql ]; then
  mkdir -p "$clusters"
  made_clusters=yes
  printf 'create_main_cluster = false\n' > "$clusters/refloat.conf"
fi

export DEBIAN_FRONTEND=noninteractive
apt-get -qq -o DPkg::Lock::Timeout=120 update
apt-get -qq -y -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold install --no-install-recommends "$@"

# Without a cluster postgresql starts nothing at boot; haproxy would.
case " $* " in
  *" haproxy "*) update-rc.d haproxy disable > /dev/null 2>&1 || true ;;
esac
case " $* " in
  *" mariadb-server "*) update-rc.d mariadb disable > /dev/null 2>&1 || true ;;
esac
case " $* " in
  *" redis-server "*) update-rc.d redis-server disable > /dev/null 2>&1 || true ;;
esac
case " $* " in
  *" etcd-server "*) update-rc.d etcd disable > /dev/null 2>&1 || true ;;
esac
case " $* " in
  *" nginx-light "*) update-rc.d nginx disable > /dev/null 2>&1 || true ;;
esac
case " $* " in
  *" pgbouncer "*) update-rc.d pgbouncer disable > /dev/null 2>&1 || true ;;
esac
case " $* " in
  *" bind9 "*) update-rc.d named disable > /dev/null 2>&1 || true ;;
esac
# A machine that serves no SSH must not begin to at its next boot because a test brought the program.
case " $* " in
  *" openssh-server "*) update-rc.d ssh disable > /dev/null 2>&1 || true ;;
esac
# Containers of an administrator are started by whoever wanted them; a test that brought the program starts none at boot, and serves no API.
case " $* " in
  *" podman "*)
    for unit in podman.socket podman.service podman-restart.service podman-auto-update.service podman-auto-update.timer; do
      DPKG_MAINTSCRIPT_PACKAGE=podman deb-systemd-helper disable "$unit" > /dev/null 2>&1 || true
    done
    ;;
esac
