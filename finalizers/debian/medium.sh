# shellcheck shell=bash
# What the steps that assemble the medium share: which architectures are on it, its ids, its title. Sourced.
# Callers of medium_title declare: farm:reads: img_params/grub_menu_modifications/title

# find_architectures: sets ARCHITECTURES to the folder names of those that pkg_image holds complete, 64-bit first.
find_architectures() {
  local arch file
  ARCHITECTURES=()
  for arch in x86-64 x86-32; do
    [[ -d $PKG_IMAGE/boot/$arch ]] || continue
    for file in "boot/$arch/vmlinuz" "boot/$arch/initrd.img" "boot/$arch/volsetid" "live/$arch.squashfs"; do
      [[ -s $PKG_IMAGE/$file ]] || die "the medium is incomplete: pkg_image/$file is missing"
    done
    ARCHITECTURES+=("$arch")
  done
  ((${#ARCHITECTURES[@]} > 0)) || die 'pkg_image holds no architecture: no boot/x86-64 and no boot/x86-32'
}

# volume_set_ids: prints one per architecture.
volume_set_ids() {
  local arch
  for arch in "${ARCHITECTURES[@]}"; do cat -- "$PKG_IMAGE/boot/$arch/volsetid"; done
}

# derived_id PURPOSE: a UUID that belongs to this medium and no other, the same in every build of it. Version and
# variant bits are set as for a random one, which some firmware looks at.
derived_id() {
  { printf '%s\n' "$1"; volume_set_ids; } | sha256sum | perl -ne '
    my @part = /^(.{8})(.{4}).(.{3})(.)(.{3})(.{12})/;
    printf "%s-%s-4%s-%x%s-%s\n", @part[0 .. 2], 8 | hex($part[3]) & 3, @part[4, 5]'
}

# medium_title NAME: sets NAME to the manifest's title, else to what the system calls itself.
medium_title() {
  local text
  read_value text img_params/grub_menu_modifications/title
  if [[ -z $text ]]; then
    text=$(sed -n 's/^PRETTY_NAME=//p' "$PKG_IMAGE/boot/${ARCHITECTURES[0]}/os-release")
    text=${text#\"} text=${text%\"}
  fi
  [[ $text =~ [^[:space:]] ]] || die 'the boot menu has no title: grub_menu_modifications has none, and neither has the system'
  printf -v "$1" '%s' "$text"
}
