#!/usr/bin/env bash
# The first process in the machine of openzfs.sh: prepares it, runs the tests that are named on its disk, and turns it off.
set -uo pipefail

export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
turn_off() {
  sync
  echo o > /proc/sysrq-trigger
  sleep 60
}
trap turn_off EXIT

mountpoint -q /sys || mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev
ln -sfn /proc/self/fd /dev/fd
mkdir -p /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
mount -t tmpfs -o mode=1777 tmpfs /tmp
ip link set lo up
modprobe -a zfs loop btrfs
echo $((256 << 20)) > /sys/module/zfs/parameters/zfs_arc_max
ln -sf /mnt/node /usr/local/bin/node
zfs version

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
mapfile -t arguments < /mnt/arguments
# A file takes minutes: each test is told when it has ended.
cat > /tmp/each-test.cjs << 'REPORTER'
module.exports = class {
  onTestCaseResult(_, { status, fullName, duration }) {
    console.log(status + ': ' + fullName + ' (' + duration + ' ms)');
  }
};
REPORTER
# Nothing here is to find that it is slow, but what hangs.
DC_TEST_POOL_SIZE=$((3 << 30)) scripts/with-zfs.sh node --experimental-vm-modules --no-warnings=ExperimentalWarning \
  node_modules/jest/bin/jest.js --selectProjects platform --maxWorkers 1 --testTimeout 900000 \
  --reporters default --reporters /tmp/each-test.cjs \
  --json --outputFile /tmp/result.json "${arguments[@]}" 2>&1 | grep -v '^{"num'

node -e '
  const { testResults } = JSON.parse(require("fs").readFileSync("/tmp/result.json", "utf8"));
  const tests = testResults.flatMap((file) => file.assertionResults);
  const broken = testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
  const count = (wanted) => tests.filter(({ status }) => status === wanted).length;
  console.log(count("passed") + " passed, " + (count("failed") + broken.length) + " failed");
'
