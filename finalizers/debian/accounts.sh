# shellcheck shell=bash
# Accounts of the image, edited in its own files: no program of the image runs, and no password is ever an argument,
# where any process of the machine could read it. Sourced by im-mod.

# encrypt_password USER <<<PASSWORD: SHA-512 crypt; nothing for an empty password, which then lets USER in without one.
# The salt comes from the image's and the user's name: as good as a random one for keeping tables useless across images,
# and the same in every build of this image.
encrypt_password() {
  perl -MDigest::SHA=sha512_base64 -e '
    chomp(my $password = <STDIN> // "");
    exit if $password eq "";
    my $salt = substr(sha512_base64(join "\0", "distrofarm", @ARGV), 0, 16) =~ tr{+}{.}r;
    my $hash = crypt $password, "\$6\$$salt\$";
    die "crypt() knows no SHA-512 here\n" if !defined $hash || $hash !~ /^\$6\$/;
    print $hash;
  ' "${DC_DISTRIBUTION-}" "$1" "$SOURCE_DATE_EPOCH"
}

# set_password USER HASH
set_password() {
  # In the environment of a process of root's, which only root can read.
  HASH=$2 perl -i -F: -lane '
    BEGIN { ($user, $day) = splice @ARGV, 0, 2 }
    if ($F[0] eq $user) { @F[1, 2] = ($ENV{HASH}, $day); $_ = join ":", @F, ("") x (9 - @F); }
    print;
  ' "$1" $((SOURCE_DATE_EPOCH / 86400)) "$PKG_IMAGE/etc/shadow"
}

set_root_shell_and_home() {
  local line
  line=$(grep '^root:' "$PKG_IMAGE/etc/passwd") || die 'the image has no user root'
  replace_line "$PKG_IMAGE/etc/passwd" "$line" "$(cut -d: -f1-5 <<<"$line"):$2:$1"
  mkdir -p -m 0700 -- "$PKG_IMAGE$2"
}

replace_line() {
  OLD=$2 NEW=$3 perl -i -lpe '$_ = $ENV{NEW} if $_ eq $ENV{OLD}' "$1"
}

# add_user NAME UID GID HOME SHELL HASH: an empty UID is the first free one from 1000; an empty GID is a group of its own.
add_user() {
  local name=$1 uid=$2 gid=$3 home=$4 shell=$5 hash=$6
  ! has_account passwd 1 "$name" || die "user '$name' exists in the image already"
  [[ -n $uid ]] || uid=$(free_id)
  [[ $uid =~ ^[0-9]+$ ]] || die "user '$name' has the UID '$uid': expected a number"
  ! has_account passwd 3 "$uid" || die "user '$name': UID $uid is taken in the image"
  gid=${gid:-$uid}
  [[ $gid =~ ^[0-9]+$ ]] || die "user '$name' has the GID '$gid': expected a number"
  if ! has_account group 3 "$gid"; then
    printf '%s:x:%s:\n' "$name" "$gid" >>"$PKG_IMAGE/etc/group"
    [[ ! -f $PKG_IMAGE/etc/gshadow ]] || printf '%s:!::\n' "$name" >>"$PKG_IMAGE/etc/gshadow"
  fi
  printf '%s:x:%s:%s::%s:%s\n' "$name" "$uid" "$gid" "$home" "$shell" >>"$PKG_IMAGE/etc/passwd"
  printf '%s:!:0:0:99999:7:::\n' "$name" >>"$PKG_IMAGE/etc/shadow"
  set_password "$name" "$hash"
  make_home "$home" "$uid" "$gid"
  # As the live user of the Solaris CD could become root: where sudo is installed, its group may.
  ! has_account group 1 sudo || [[ ! -x $PKG_IMAGE/usr/bin/sudo ]] || join_group "$name" sudo
  say "added user $name ($uid:$gid, $home, $shell)"
}

# has_account FILE FIELD VALUE
has_account() {
  awk -F: -v field="$2" -v value="$3" '$field == value { found = 1 } END { exit !found }' "$PKG_IMAGE/etc/$1"
}

free_id() {
  awk -F: '{ taken[$3] = 1 } END { id = 1000; while (id in taken) id++; print id }' "$PKG_IMAGE/etc/passwd" "$PKG_IMAGE/etc/group"
}

join_group() {
  local file
  for file in group gshadow; do
    [[ -f $PKG_IMAGE/etc/$file ]] || continue
    perl -i -lpe 'BEGIN { ($user, $group) = splice @ARGV, 0, 2 } $_ .= (/:$/ ? "" : ",") . $user if /^\Q$group\E:/' "$1" "$2" "$PKG_IMAGE/etc/$file"
  done
}

make_home() {
  local path=$PKG_IMAGE$1
  mkdir -p -- "$(dirname "$path")"
  if [[ -d $PKG_IMAGE/etc/skel && ! -e $path ]]; then cp -a -- "$PKG_IMAGE/etc/skel" "$path"; else mkdir -p -- "$path"; fi
  chown -R --no-dereference "$2:$3" "$path"
  chmod 0755 "$path"
}

# log_in_at_boot USER: on the first virtual console and the serial one, without a password.
log_in_at_boot() {
  local unit folder
  if [[ -d $PKG_IMAGE/etc/systemd/system ]]; then
    for unit in getty@tty1 serial-getty@ttyS0; do
      folder=$PKG_IMAGE/etc/systemd/system/$unit.service.d
      mkdir -p -- "$folder"
      printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin %s --noclear --keep-baud 115200,57600,38400,9600 - $TERM\n' "$1" >"$folder/directlogin.conf"
    done
  elif [[ -f $PKG_IMAGE/etc/inittab ]]; then
    sed -i -E "s|^(1:[^:]*:respawn:/sbin/getty)( .*)|\\1 --autologin $1\\2|" "$PKG_IMAGE/etc/inittab"
  fi
  say "$1 is logged in at boot"
}
