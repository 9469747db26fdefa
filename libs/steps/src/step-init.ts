/**
 * Process 1 of a step's namespace, run as `perl -e STEP_INIT GRACE_MS WORKSPACE MEDIA SCRIPT ARGS…`.
 *
 * A script must not be process 1 itself: the kernel ignores signals there that have no handler, so it could neither be asked to end nor
 * kill itself, and it would have to reap strangers. This init starts the script, passes SIGTERM on to everything in the
 * namespace, reaps, and tells on descriptor 3 how the script ended: `status <wait status>` or `error <why it did not start>`.
 * It listens before the script begins, since the kernel drops what process 1 has no handler for; and it never waits for a child without a limit, since Perl runs a handler between two
 * of its operations only: a signal that came just before such a wait would be seen when the script has ended. SIGCHLD cuts the wait short. What the script left running gets GRACE_MS to flush (a `tee` at the end of a
 * pipe), then the kernel ends it together with us.
 *
 * A new mount namespace holds a copy of every mount, and ZFS can neither roll back nor destroy a dataset that is mounted anywhere: a step would pin the
 * workspaces of all others that were there when it started. So the init first lets go of each mounted workspace but the step's own, also those of
 * other agents and builds on the host. They are known by the name of the dataset; as only this namespace is changed, a mount taken by mistake for
 * one of ours is merely not seen by the step.
 *
 * Perl, because it is part of every Debian and illumos, starts in 5 ms and gives the raw wait status; a shell would
 * report "killed by 9" and "exited with 137" alike.
 */
export const STEP_INIT = String.raw`
use strict; use warnings; use Fcntl; use Cwd ();
my ($grace_ms, $workspace, $media, @argv) = @ARGV;
open(my $report, '>&=', 3) or die "descriptor 3: $!";
fcntl($report, F_SETFD, FD_CLOEXEC);
select((select($report), $| = 1)[0]);
let_go_of_others($workspace, $media);
my $asked = 0;
$SIG{CHLD} = sub { };
$SIG{$_} = sub { $asked = 1; kill 'TERM', -1 } for qw(TERM INT HUP);
my $script = fork();
defined $script or do { print $report "error $!\n"; exit 1 };
if ($script == 0) {
    $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);
    kill 'TERM', $$ if $asked;
    setpgrp(0, 0);
    { no warnings; exec { $argv[0] } @argv; }
    print $report "error $!\n";
    exit 127;
}
kill 'TERM', -1 if $asked;
while (1) {
    my $gone = waitpid(-1, 1);
    last if $gone == $script;
    select(undef, undef, undef, 0.1) if $gone == 0;
}
print $report "status $?\n";
my $waited_ms = 0;
while ($waited_ms < $grace_ms) {
    my $gone = waitpid(-1, 1);
    last if $gone == -1;
    next if $gone > 0;
    select(undef, undef, undef, 0.01);
    $waited_ms += 10;
}
exit 0;

sub let_go_of_others {
    my @own = map { my $path = Cwd::realpath($_); defined $path ? $path : $_ } @_;
    open(my $mounts, '<', '/proc/self/mountinfo') or return;
    my @others;
    while (my $line = <$mounts>) {
        my ($path, $dataset) = $line =~ /^\S+ \S+ \S+ \S+ (\S+) .* - (?:fuse\.)?zfs (\S+)/ or next;
        next unless $dataset =~ m{/build_data(?:\.[^/]*)?$};
        $path =~ s/\\([0-7]{3})/chr oct $1/ge;
        next if grep { is_within($path, $_) || is_within($_, $path) } @own;
        unshift @others, $path;
    }
    return unless @others;
    my $umount = fork();
    return unless defined $umount;
    if ($umount == 0) {
        open(STDOUT, '>', '/dev/null');
        open(STDERR, '>', '/dev/null');
        { no warnings; exec 'umount', '--internal-only', '--no-canonicalize', '--lazy', '--', @others; }
        exit 127;
    }
    waitpid($umount, 0);
}

sub is_within {
    my ($path, $folder) = @_;
    return $path eq $folder || index($path, "$folder/") == 0;
}
`;
